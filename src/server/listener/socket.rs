//! The sockets that are listened on: TCP ports, sockets in the file system, and those that systemd opened for us.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use listenfd::ListenFd;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::listeners::Address;

/// A socket that accepts.
#[derive(Debug)]
pub(in crate::server) enum Socket {
    Tcp(TcpListener),
    Unix {
        listener: UnixListener,
        /// Ours to remove; systemd removes its own.
        _file: Option<SocketFile>,
    },
}

/// One accepted connection.
#[derive(Debug)]
pub(in crate::server) enum Stream {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

impl Socket {
    /// Listens on `address`, on the inherited socket if there is one for it.
    pub(in crate::server) async fn bind(
        address: &Address,
        inherited: &mut Inherited,
    ) -> io::Result<Self> {
        if let Some(socket) = inherited.take(address)? {
            return Ok(socket);
        }
        match address {
            Address::Tcp(address) => Ok(Self::tcp(TcpListener::bind(address).await?)),
            Address::Unix { path, mode } => {
                let (listener, file) = bind_unix(path, *mode).await?;
                Ok(Self::Unix {
                    listener,
                    _file: Some(file),
                })
            }
        }
    }

    /// Answers are written whole: to wait for more would only add latency. What is accepted inherits it, which spares a call
    /// a connection.
    fn tcp(listener: TcpListener) -> Self {
        let _ = SockRef::from(&listener).set_tcp_nodelay(true);
        Self::Tcp(listener)
    }

    pub(super) async fn accept(&self) -> io::Result<Stream> {
        match self {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Stream::Tcp(stream, peer.ip()))
            }
            Socket::Unix { listener, .. } => Ok(Stream::Unix(listener.accept().await?.0)),
        }
    }

    /// The TCP address.
    pub(in crate::server) fn address(&self) -> Option<SocketAddr> {
        match self {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix { .. } => None,
        }
    }
}

/// Removes the socket from the file system when dropped.
#[derive(Debug)]
pub(in crate::server) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Binds under another name, sets the mode, and renames: nobody can connect before the mode holds, and a socket that a
/// killed process left behind is replaced in one step.
async fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "there is a file of that name, and it is no socket",
            ));
        }
        Ok(_) if UnixStream::connect(path).await.is_ok() => {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        Ok(_) | Err(_) => {}
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let before = SocketFile(path.with_file_name(name));
    let _ = std::fs::remove_file(&before.0);
    let listener = UnixListener::bind(&before.0)?;
    std::fs::set_permissions(&before.0, std::fs::Permissions::from_mode(mode))?;
    std::fs::rename(&before.0, path)?;
    Ok((listener, SocketFile(path.into())))
}

/// The sockets that systemd opened for us (`sd_listen_fds(3)`). Each one serves the listener that is configured with its
/// address: nothing else has to be said.
#[derive(Debug, Default)]
pub(in crate::server) struct Inherited(Vec<Given>);

#[derive(Debug)]
enum Given {
    Tcp(std::net::TcpListener, SocketAddr),
    Unix(std::os::unix::net::UnixListener, PathBuf),
}

impl Inherited {
    /// Takes them out of the environment.
    pub(in crate::server) fn from_environment() -> io::Result<Self> {
        let mut sockets = ListenFd::from_env();
        let mut given = Vec::new();
        for at in 0..sockets.len() {
            if let Ok(Some(listener)) = sockets.take_tcp_listener(at) {
                let address = listener.local_addr()?;
                given.push(Given::Tcp(listener, address));
            } else if let Ok(Some(listener)) = sockets.take_unix_listener(at) {
                let address = listener.local_addr()?;
                let path = address.as_pathname().unwrap_or(Path::new("")).into();
                given.push(Given::Unix(listener, path));
            }
        }
        Ok(Self(given))
    }

    fn take(&mut self, wanted: &Address) -> io::Result<Option<Socket>> {
        let found = self.0.iter().position(|given| match (given, wanted) {
            (Given::Tcp(_, address), Address::Tcp(wanted)) => address == wanted,
            (Given::Unix(_, path), Address::Unix { path: wanted, .. }) => path == wanted,
            (Given::Tcp(..), Address::Unix { .. }) | (Given::Unix(..), Address::Tcp(_)) => false,
        });
        let Some(at) = found else {
            return Ok(None);
        };
        Ok(Some(match self.0.swap_remove(at) {
            Given::Tcp(listener, _) => {
                listener.set_nonblocking(true)?;
                Socket::tcp(TcpListener::from_std(listener)?)
            }
            Given::Unix(listener, _) => {
                listener.set_nonblocking(true)?;
                Socket::Unix {
                    listener: UnixListener::from_std(listener)?,
                    _file: None,
                }
            }
        }))
    }

    /// What no listener has asked for: a unit and a configuration that do not fit.
    pub(in crate::server) fn unclaimed(&self) -> Option<String> {
        self.0.first().map(|given| match given {
            Given::Tcp(_, address) => address.to_string(),
            Given::Unix(_, path) => format!("unix:{}", path.display()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_accepted_sends_at_once() {
        let address = Address::Tcp("127.0.0.1:0".parse().expect("an address"));
        let socket = Socket::bind(&address, &mut Inherited::default()).await;
        let socket = socket.expect("it binds");
        let _client = TcpStream::connect(socket.address().expect("TCP")).await;
        let Ok(Stream::Tcp(stream, _)) = socket.accept().await else {
            panic!("a connection");
        };
        assert!(stream.nodelay().expect("an open socket"));
    }
}
