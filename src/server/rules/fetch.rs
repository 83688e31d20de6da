//! One HTTPS GET with limits, for rule packs: RFC 9112 as far as a download needs it. No redirects, no compression, no
//! connection kept. What comes is checked by signature afterwards; TLS keeps it private and the address honest.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A download failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There are no certificate authorities.
    #[error("{} holds no certificate authority that can be read", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
    },
    /// The address cannot be used.
    #[error("{0}")]
    Address(&'static str),
    /// The name does not resolve.
    #[error("the host of the address is not known")]
    Unknown,
    /// The network, or TLS, failed.
    #[error("the download failed")]
    Io(#[from] io::Error),
    /// TLS cannot be set up.
    #[error("TLS failed")]
    Tls(#[from] rustls::Error),
    /// Neither 200 nor 304.
    #[error("the server answered {0}")]
    Status(u16),
    /// More than the limit.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The server's answer is no whole HTTP answer.
    #[error("the server's answer {0}")]
    Answer(&'static str),
    /// It trickles.
    #[error("the download takes longer than {} s", WHOLE_TIME.as_secs())]
    Slow,
}

/// A client with its certificate authorities.
#[derive(Debug)]
pub struct Client {
    tls: Arc<ClientConfig>,
}

/// What was fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The body.
    pub body: Vec<u8>,
    /// Its entity tag.
    pub etag: Option<String>,
}

/// Time to connect, and for each read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time for all of it: 64 MiB at 2 Mbit/s.
const WHOLE_TIME: Duration = Duration::from_secs(270);

/// Largest head of an answer.
const HEAD_BYTES: usize = 32 * 1024;

impl Client {
    /// A client that trusts the authorities in this PEM file.
    ///
    /// # Errors
    /// [`FetchError::Authorities`] when there are none.
    pub fn new(authorities: &Path) -> Result<Self, FetchError> {
        let mut roots = RootCertStore::empty();
        let certificates =
            CertificateDer::pem_file_iter(authorities).map_err(|_| FetchError::Authorities {
                path: authorities.into(),
            })?;
        let (added, _) = roots.add_parsable_certificates(certificates.flatten());
        if added == 0 {
            let path = authorities.into();
            return Err(FetchError::Authorities { path });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls) })
    }

    /// Fetches `url`; `None` when it still has the entity tag.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn get(
        &self,
        url: &str,
        etag: Option<&str>,
        limit: u64,
    ) -> Result<Option<Answer>, FetchError> {
        let (host, port, path) = parts(url)?;
        let socket = connected((host, port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| FetchError::Address("the host's name is not one"))?;
        let connection = ClientConnection::new(Arc::clone(&self.tls), name)?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.write_all(request(host, path, etag).as_bytes())?;
        answer(&mut stream, limit)
    }
}

/// The first of a name's addresses that answers.
fn connected(name: impl ToSocketAddrs) -> Result<TcpStream, FetchError> {
    let mut last = FetchError::Unknown;
    for address in name.to_socket_addrs().map_err(|_| FetchError::Unknown)? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

/// Asks the admin listener of a running server, over plain HTTP.
///
/// # Errors
/// [`FetchError`].
pub fn from_admin(url: &str, path: &str, token: Option<&str>) -> Result<Vec<u8>, FetchError> {
    let authority = url
        .strip_prefix("http://")
        .ok_or(FetchError::Address(
            "expected http:// and an address with its port",
        ))?
        .trim_end_matches('/');
    let mut socket = connected(authority)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let token = token.map_or(String::new(), |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    socket.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n{token}\r\n")
            .as_bytes(),
    )?;
    let answer = answer(&mut socket, ADMIN_BYTES)?;
    answer
        .map(|answer| answer.body)
        .ok_or(FetchError::Status(304))
}

/// Half a million rules, 300 bytes each, and room.
const ADMIN_BYTES: u64 = 256 * 1024 * 1024;

fn parts(url: &str) -> Result<(&str, u16, &str), FetchError> {
    let rest = url
        .strip_prefix("https://")
        .ok_or(FetchError::Address("expected https://"))?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if path.is_empty() { "/" } else { path };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (
            host,
            port.parse()
                .map_err(|_| FetchError::Address("the port is not a number"))?,
        ),
        None => (authority, 443),
    };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_empty() || host.contains('@') || !plain(host) || !plain(path) {
        return Err(FetchError::Address(
            "expected https://host/path, without user names and blanks",
        ));
    }
    Ok((host, port, path))
}

fn request(host: &str, path: &str, etag: Option<&str>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let condition = etag.map_or(String::new(), |etag| format!("If-None-Match: {etag}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: sluice/{version}\r\nAccept-Encoding: identity\r\nConnection: close\r\n{condition}\r\n"
    )
}

fn answer(stream: &mut impl Read, limit: u64) -> Result<Option<Answer>, FetchError> {
    let deadline = Instant::now() + WHOLE_TIME;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if head.len() >= HEAD_BYTES || stream.read(&mut byte)? == 0 {
            return Err(FetchError::Answer("has no head"));
        }
        if Instant::now() > deadline {
            return Err(FetchError::Slow);
        }
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .unwrap_or_default();
    let (mut etag, mut length, mut chunked) = (None, None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("etag", value) => etag = Some(value.to_owned()),
            ("content-length", value) => {
                length = Some(
                    value
                        .parse::<u64>()
                        .map_err(|_| FetchError::Answer("has a bad Content-Length"))?,
                )
            }
            ("transfer-encoding", value) => chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    match status {
        "200" => {}
        "304" => return Ok(None),
        other => return Err(FetchError::Status(other.parse().unwrap_or_default())),
    }
    if length.is_some_and(|length| length > limit) {
        return Err(FetchError::TooLarge { limit });
    }
    let mut raw = Vec::new();
    // Chunk lines come on top of the body. TLS truncation shows as an error here, a short body below.
    let mut stream = stream.take(limit.saturating_mul(2));
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut piece)?;
        if read == 0 {
            break;
        }
        if Instant::now() > deadline {
            return Err(FetchError::Slow);
        }
        raw.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    let body = if chunked { unchunked(&raw)? } else { raw };
    if body.len() as u64 > limit {
        return Err(FetchError::TooLarge { limit });
    }
    if !chunked && length.is_some_and(|length| length != body.len() as u64) {
        return Err(FetchError::Answer("is cut short"));
    }
    Ok(Some(Answer { body, etag }))
}

/// RFC 9112 §7.1: size lines, data, a zero chunk.
fn unchunked(mut raw: &[u8]) -> Result<Vec<u8>, FetchError> {
    let cut = || FetchError::Answer("has a chunk that is cut short");
    let mut body = Vec::new();
    loop {
        let end = memchr::memmem::find(raw, b"\r\n").ok_or_else(cut)?;
        let (line, rest) = raw.split_at(end);
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size)
            .ok()
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| usize::from_str_radix(text, 16).ok())
            .ok_or(FetchError::Answer("has a chunk without a size"))?;
        if size == 0 {
            return Ok(body);
        }
        let data = rest.get(2..).unwrap_or_default();
        let (chunk, after) = data.split_at_checked(size).ok_or_else(cut)?;
        body.extend_from_slice(chunk);
        raw = after.strip_prefix(b"\r\n").ok_or_else(cut)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, limit: u64) -> Result<Option<Answer>, FetchError> {
        answer(&mut text.as_bytes(), limit)
    }

    #[test]
    fn addresses_are_https_and_plain() {
        assert_eq!(
            parts("https://h.example/a?b").expect("good"),
            ("h.example", 443, "/a?b")
        );
        assert_eq!(
            parts("https://h.example:8443").expect("good"),
            ("h.example", 8443, "/")
        );
        for bad in [
            "http://h/",
            "https:///x",
            "https://u@h/",
            "https://h/a b",
            "https://h:x/",
        ] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn answers_are_read_within_limits() {
        let good = read(
            "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 3\r\n\r\nabc",
            10,
        )
        .expect("good");
        assert_eq!(good.expect("a body").etag.as_deref(), Some("\"x\""));
        let chunked = read(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
            10,
        );
        assert_eq!(chunked.expect("good").expect("a body").body, b"abc");
        assert_eq!(
            read("HTTP/1.1 304 Not Modified\r\n\r\n", 10).expect("good"),
            None
        );
        for bad in [
            "HTTP/1.1 404 Not Found\r\n\r\n",
            "HTTP/1.1 302 Found\r\nLocation: http://h/\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nabcdefghijk",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\n\r\nabcdefghijk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "nothing",
        ] {
            assert!(read(bad, 10).is_err(), "{bad}");
        }
    }
}
