//! One HTTPS GET with limits, for rule packs: RFC 9112 as far as a download needs it. No redirects, no compression, no
//! connection kept. What comes is checked by signature afterwards; TLS keeps it private and the address honest.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A client with its certificate authorities.
pub(super) struct Client {
    tls: Arc<ClientConfig>,
}

/// What was fetched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) etag: Option<String>,
}

/// Time to connect, and for each read: a server that trickles is given up with the size limit or by the operator.
const PATIENCE: Duration = Duration::from_secs(30);

/// Largest head of an answer.
const HEAD_BYTES: usize = 32 * 1024;

impl Client {
    pub(super) fn new(authorities: &Path) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(authorities).with_context(|| {
            format!(
                "cannot read the certificate authorities in {}",
                authorities.display()
            )
        })?;
        let (added, _) = roots.add_parsable_certificates(certificates.flatten());
        if added == 0 {
            bail!("{} holds no certificate authority", authorities.display());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { tls: Arc::new(tls) })
    }

    /// Fetches `url`; `None` when it still has the entity tag.
    pub(super) fn get(
        &self,
        url: &str,
        etag: Option<&str>,
        limit: u64,
    ) -> anyhow::Result<Option<Answer>> {
        let (host, port, path) = parts(url)?;
        let address = (host, port)
            .to_socket_addrs()
            .with_context(|| format!("{host} is not known"))?
            .next()
            .with_context(|| format!("{host} has no address"))?;
        let socket = TcpStream::connect_timeout(&address, PATIENCE).context("no connection")?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(host.to_owned()).context("the host's name is not one")?;
        let connection = ClientConnection::new(Arc::clone(&self.tls), name)?;
        let mut stream = StreamOwned::new(connection, socket);
        stream.write_all(request(host, path, etag).as_bytes())?;
        answer(&mut stream, limit)
    }
}

fn parts(url: &str) -> anyhow::Result<(&str, u16, &str)> {
    let rest = url.strip_prefix("https://").context("expected https://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if path.is_empty() { "/" } else { path };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().context("the port is not a number")?),
        None => (authority, 443),
    };
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_empty() || host.contains('@') || !plain(host) || !plain(path) {
        bail!("expected https://host/path, without user names and blanks");
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

fn answer(stream: &mut impl Read, limit: u64) -> anyhow::Result<Option<Answer>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if head.len() >= HEAD_BYTES || stream.read(&mut byte)? == 0 {
            bail!("the server's answer has no head");
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
                length = Some(value.parse::<u64>().context("a bad Content-Length")?)
            }
            ("transfer-encoding", value) => chunked = value.eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    match status {
        "200" => {}
        "304" => return Ok(None),
        other => bail!("the server answered {other}"),
    }
    let too_large = format!("the answer is larger than {limit} bytes");
    if length.is_some_and(|length| length > limit) {
        bail!(too_large);
    }
    let mut raw = Vec::new();
    // TLS truncation shows as an error here, a short body below.
    stream.take(limit.saturating_mul(2)).read_to_end(&mut raw)?;
    let body = if chunked { unchunked(&raw)? } else { raw };
    if body.len() as u64 > limit {
        bail!(too_large);
    }
    if !chunked && length.is_some_and(|length| length != body.len() as u64) {
        bail!("the answer is cut short");
    }
    Ok(Some(Answer { body, etag }))
}

/// RFC 9112 §7.1: size lines, data, a zero chunk.
fn unchunked(mut raw: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = memchr::memmem::find(raw, b"\r\n").context("a chunk is cut short")?;
        let (line, rest) = raw.split_at(end);
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
        let size = std::str::from_utf8(size)
            .ok()
            .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|text| usize::from_str_radix(text, 16).ok())
            .context("a chunk has no size")?;
        if size == 0 {
            return Ok(body);
        }
        let data = rest.get(2..).unwrap_or_default();
        let (chunk, after) = data
            .split_at_checked(size)
            .context("a chunk is cut short")?;
        body.extend_from_slice(chunk);
        raw = after
            .strip_prefix(b"\r\n")
            .context("a chunk does not end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, limit: u64) -> anyhow::Result<Option<Answer>> {
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
