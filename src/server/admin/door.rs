//! Who comes to the admin listener, and the TLS handshakes in front of it: each in a task of its own, a few at a time, and
//! none for longer than those of the other listeners.

use std::future::pending;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_rustls::server::TlsStream;

use crate::server::Shared;
use crate::server::listener::Open;

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) address: SocketAddr,
    /// The names in his certificate.
    pub(super) names: Arc<[Box<str>]>,
}

impl Caller {
    /// His address.
    pub(super) fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

impl Connected<IncomingStream<'_, TcpListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        Self {
            address: *stream.remote_addr(),
            names: Arc::default(),
        }
    }
}

impl Connected<IncomingStream<'_, Door>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// A connection, and who is at the other end of it.
type Guest = (TlsStream<TcpStream>, Caller);

/// Where those come in who have shaken hands.
pub(super) struct Door {
    guests: mpsc::Receiver<Guest>,
    address: io::Result<SocketAddr>,
}

/// Shakes hands.
pub(super) struct Porter {
    listener: TcpListener,
    open: Arc<Open>,
    shared: Arc<Shared>,
    guests: mpsc::Sender<Guest>,
}

/// The two halves of a listener with the certificates of `open`.
pub(super) fn of(listener: TcpListener, open: Arc<Open>, shared: Arc<Shared>) -> (Porter, Door) {
    let (sender, guests) = mpsc::channel(HANDSHAKES);
    let address = listener.local_addr();
    let porter = Porter {
        listener,
        open,
        shared,
        guests: sender,
    };
    (porter, Door { guests, address })
}

impl Porter {
    /// Takes connections, for ever.
    pub(super) async fn run(self) {
        let early = Arc::new(Semaphore::new(HANDSHAKES));
        let mut handshakes = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        let metrics = &self.shared.telemetry.metrics;
                        let Ok(permit) = Arc::clone(&early).try_acquire_owned() else {
                            metrics.handshake("too-many");
                            continue;
                        };
                        let guest = self.guest(stream, address);
                        handshakes.spawn(async move {
                            guest.await;
                            drop(permit);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the admin listener cannot accept");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = handshakes.join_next() => {}
            }
        }
    }

    /// One handshake.
    fn guest(&self, stream: TcpStream, address: SocketAddr) -> impl Future<Output = ()> + use<> {
        let tls = self.open.tls();
        let shared = Arc::clone(&self.shared);
        let guests = self.guests.clone();
        let time = shared.snapshot.load().config.deadlines.handshake;
        async move {
            let metrics = &shared.telemetry.metrics;
            let Some(tls) = tls else { return };
            match tokio::time::timeout(time, tls.accept(stream)).await {
                Ok(Ok((stream, names))) => {
                    metrics.handshake("ok");
                    let names = names.into();
                    let _ = guests.send((stream, Caller { address, names })).await;
                }
                Ok(Err(error)) => {
                    metrics.handshake("failed");
                    tracing::debug!(%error, peer = %address.ip(), "a TLS handshake failed");
                }
                Err(_) => metrics.handshake("timeout"),
            }
        }
    }
}

impl Listener for Door {
    type Io = TlsStream<TcpStream>;
    type Addr = Caller;

    async fn accept(&mut self) -> Guest {
        match self.guests.recv().await {
            Some(guest) => guest,
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Caller> {
        let address = self.address.as_ref();
        Ok(Caller {
            address: *address.map_err(|error| error.kind())?,
            names: Arc::default(),
        })
    }
}

/// Handshakes under way at once: a handful of operators and scrapers come here.
const HANDSHAKES: usize = 32;

/// The pause when no connection can be accepted, as when all files are open.
const PAUSE: Duration = Duration::from_millis(100);
