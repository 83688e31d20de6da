//! HTTP requests of our own: rule packs, spans, questions to a running server. hyper speaks HTTP and rustls TLS; here are
//! the limits: one request a connection, no redirects, no compression, and time and bytes that end.
//!
//! Whoever calls has a thread to wait with.

use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// A request came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum OutgoingError {
    /// There are no certificate authorities.
    #[error("{} holds no certificate authority that can be read", path.display())]
    Authorities {
        /// The file.
        path: PathBuf,
    },
    /// The address cannot be used.
    #[error("{0}")]
    Address(&'static str),
    /// The network, or the TLS handshake, failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// TLS cannot be set up.
    #[error("TLS failed")]
    Tls(#[from] rustls::Error),
    /// What came is no whole HTTP answer.
    #[error("the exchange failed, or was cut short")]
    Http(#[from] hyper::Error),
    /// The answer is larger than whoever asked wants it.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It trickles, or nothing comes.
    #[error("the answer takes too long")]
    Slow,
}

/// An address: `http://host:port/path` or `https://host/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    scheme: Scheme,
    /// Host and port as they were written.
    pub authority: String,
    host: String,
    port: u16,
    path: String,
}

/// Whether there is TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// No.
    Http,
    /// Yes.
    Https,
}

/// How long and how large an answer may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the connection, and for each piece of the answer.
    pub patience: Duration,
    /// For all of it.
    pub whole: Duration,
    /// The body.
    pub body_bytes: u64,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Where.
    pub url: &'a Url,
    /// Fields besides those of the connection.
    pub fields: &'a [(&'static str, &'a str)],
    /// What is posted; `None`: it is a GET.
    pub body: Option<&'a [u8]>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The entity tag.
    pub etag: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Asks.
#[derive(Clone, Debug, Default)]
pub struct Client {
    tls: Option<Arc<ClientConfig>>,
}

impl Url {
    /// Whether there is TLS.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }
}

impl FromStr for Url {
    type Err = OutgoingError;

    fn from_str(text: &str) -> Result<Self, OutgoingError> {
        let wrong = OutgoingError::Address;
        let (scheme, rest, usual) =
            match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
                (Some(rest), _) => (Scheme::Https, rest, 443),
                (_, Some(rest)) => (Scheme::Http, rest, 80),
                (None, None) => return Err(wrong("expected https:// or http://")),
            };
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let port = port.parse();
                (host, port.map_err(|_| wrong("the port is not a number"))?)
            }
            _ => (authority, usual),
        };
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if host.is_empty() || host.contains('@') || !plain(host) || !plain(path) {
            return Err(wrong(
                "expected a host and a path, without user names and blanks",
            ));
        }
        Ok(Self {
            scheme,
            authority: authority.to_owned(),
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            path: match path.starts_with('/') {
                true => path.to_owned(),
                false => format!("/{path}"),
            },
        })
    }
}

impl Client {
    /// A client that trusts the authorities in this PEM file. [`Client::default`] trusts none, and speaks plain HTTP.
    ///
    /// # Errors
    /// [`OutgoingError::Authorities`] when there are none.
    pub fn new(authorities: &Path) -> Result<Self, OutgoingError> {
        let none = || OutgoingError::Authorities {
            path: authorities.into(),
        };
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(authorities).map_err(|_| none())?;
        let (added, _) = roots.add_parsable_certificates(certificates.flatten());
        if added == 0 {
            return Err(none());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Some(Arc::new(tls)),
        })
    }

    /// Sends `call` and waits for all of the answer, whatever its status.
    ///
    /// # Errors
    /// [`OutgoingError`].
    pub fn ask(&self, call: &Call<'_>, limits: &Limits) -> Result<Answer, OutgoingError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // The timer needs the runtime around it from its beginning.
        let answer =
            runtime.block_on(async { timeout(limits.whole, self.exchange(call, limits)).await });
        // A name that is still being looked up has a thread of its own, which nobody waits for.
        runtime.shutdown_background();
        answer.unwrap_or(Err(OutgoingError::Slow))
    }

    async fn exchange(&self, call: &Call<'_>, limits: &Limits) -> Result<Answer, OutgoingError> {
        let url = call.url;
        let connecting = TcpStream::connect((&*url.host, url.port));
        let stream = in_time(limits, connecting).await??;
        match url.scheme {
            Scheme::Http => answered(stream, call, limits).await,
            Scheme::Https => {
                let tls = self.tls.clone();
                let tls = tls.ok_or(OutgoingError::Address("expected http://"))?;
                let name = ServerName::try_from(url.host.clone())
                    .map_err(|_| OutgoingError::Address("the host's name is not one"))?;
                let shaking = TlsConnector::from(tls).connect(name, stream);
                answered(in_time(limits, shaking).await??, call, limits).await
            }
        }
    }
}

async fn in_time<T>(limits: &Limits, work: impl Future<Output = T>) -> Result<T, OutgoingError> {
    let done = timeout(limits.patience, work).await;
    done.map_err(|_| OutgoingError::Slow)
}

async fn answered<S>(stream: S, call: &Call<'_>, limits: &Limits) -> Result<Answer, OutgoingError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::Builder::new()
        .title_case_headers(true)
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await?;
    // Its errors come out at the answer as well.
    tokio::spawn(connection);
    let response = in_time(limits, sender.send_request(request(call)?)).await??;
    let status = response.status().as_u16();
    let etag = response.headers().get(header::ETAG);
    let etag = etag
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let body = body(response, limits).await?;
    Ok(Answer { status, etag, body })
}

fn request(call: &Call<'_>) -> Result<Request<Full<Bytes>>, OutgoingError> {
    let unusual = |_| OutgoingError::Address("the address cannot be asked for");
    let method = match call.body {
        Some(_) => Method::POST,
        None => Method::GET,
    };
    let mut request = Request::builder()
        .method(method)
        .uri(&*call.url.path)
        .header(header::HOST, &*call.url.authority)
        .header(
            header::USER_AGENT,
            concat!("sluice/", env!("CARGO_PKG_VERSION")),
        )
        .header(header::ACCEPT_ENCODING, "identity")
        .header(header::CONNECTION, "close");
    for (name, value) in call.fields {
        let value = HeaderValue::from_str(value)
            .map_err(|_| OutgoingError::Address("a field holds what no field may"))?;
        request = request.header(*name, value);
    }
    let body = Bytes::copy_from_slice(call.body.unwrap_or_default());
    request.body(Full::new(body)).map_err(unusual)
}

async fn body(response: Response<Incoming>, limits: &Limits) -> Result<Vec<u8>, OutgoingError> {
    let limit = limits.body_bytes;
    let too_large = || OutgoingError::TooLarge { limit };
    let mut incoming = response.into_body();
    if hyper::body::Body::size_hint(&incoming).lower() > limit {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(frame) = in_time(limits, incoming.frame()).await? {
        let Ok(bytes) = frame?.into_data() else {
            continue;
        };
        if (body.len() + bytes.len()) as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

/// Largest head of an answer.
const HEAD_BYTES: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    const LIMITS: Limits = Limits {
        patience: Duration::from_secs(10),
        whole: Duration::from_secs(20),
        body_bytes: 10,
    };

    #[test]
    fn addresses_are_plain() {
        for (text, host, port, path) in [
            ("https://h.example/a?b", "h.example", 443, "/a?b"),
            ("https://h.example:8443", "h.example", 8443, "/"),
            ("http://[::1]:4318/v1", "::1", 4318, "/v1"),
            ("http://[::1]/v1", "::1", 80, "/v1"),
            ("http://h?x", "h", 80, "/?x"),
        ] {
            let url: Url = text.parse().expect(text);
            assert_eq!((&*url.host, url.port, &*url.path), (host, port, path));
        }
        for bad in [
            "ftp://h/",
            "https:///x",
            "https://u@h/",
            "https://h/a b",
            "https://h:x/",
            "",
        ] {
            assert!(bad.parse::<Url>().is_err(), "{bad}");
        }
    }

    /// What becomes of an answer that is just these bytes.
    fn asked(answer: &'static str) -> Result<Answer, OutgoingError> {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).expect("a request");
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).expect("it reads");
        });
        let url = format!("http://{address}/x").parse()?;
        let call = Call {
            url: &url,
            fields: &[],
            body: None,
        };
        let answer = Client::default().ask(&call, &LIMITS);
        server.join().expect("no panic");
        answer
    }

    #[test]
    fn answers_are_read_within_limits() {
        let good = asked("HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 3\r\n\r\nabc");
        let good = good.expect("good");
        assert_eq!(
            (good.etag.as_deref(), &*good.body),
            (Some("\"x\""), &b"abc"[..])
        );
        let chunked = asked(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n",
        );
        assert_eq!(chunked.expect("good").body, b"abc");
        assert_eq!(
            asked("HTTP/1.1 304 Not Modified\r\n\r\n")
                .expect("good")
                .status,
            304
        );
        for bad in [
            "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nabcdefghijk",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\n\r\nabcdefghijk",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "nothing",
            "",
        ] {
            assert!(asked(bad).is_err(), "{bad}");
        }
    }
}
