//! The PROXY protocol, v1 and v2: a proxy's first bytes say whom it speaks for.
//!
//! The header is read to its last byte and not one further, so that what follows (TLS or ICAP) finds a fresh stream.

use std::io;
use std::net::IpAddr;

use ppp::{PartialResult, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Whom a proxy speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// For itself: a health check, or a connection whose origin it does not know.
    Itself,
    /// For this client.
    Client(IpAddr),
}

/// No usable header.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    /// The connection failed or ended.
    #[error("the connection ended inside its PROXY header")]
    Io(#[from] io::Error),
    /// What came is no header.
    #[error("expected a PROXY protocol header, v1 or v2")]
    NotProxy,
}

/// Reads the header.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Speaker, ProxyError> {
    let mut header = vec![0; SHORTEST_BYTES];
    stream.read_exact(&mut header).await?;
    match header.starts_with(V2_PREFIX) {
        true => binary(stream, header).await,
        false => text(stream, header).await,
    }
}

async fn binary(
    stream: &mut (impl AsyncRead + Unpin),
    mut header: Vec<u8>,
) -> Result<Speaker, ProxyError> {
    let mut rest = [0; V2_HEAD_BYTES - SHORTEST_BYTES];
    stream.read_exact(&mut rest).await?;
    header.extend_from_slice(&rest);
    let &[.., high, low] = header.as_slice() else {
        return Err(ProxyError::NotProxy);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > V2_BODY_BYTES {
        return Err(ProxyError::NotProxy);
    }
    header.resize(V2_HEAD_BYTES + length, 0);
    stream
        .read_exact(header.get_mut(V2_HEAD_BYTES..).unwrap_or_default())
        .await?;
    let header = v2::Header::try_from(header.as_slice()).map_err(|_| ProxyError::NotProxy)?;
    Ok(match (header.command, header.addresses) {
        (v2::Command::Local, _) => Speaker::Itself,
        (v2::Command::Proxy, v2::Addresses::IPv4(ends)) => {
            Speaker::Client(ends.source_address.into())
        }
        (v2::Command::Proxy, v2::Addresses::IPv6(ends)) => {
            Speaker::Client(ends.source_address.into())
        }
        (v2::Command::Proxy, v2::Addresses::Unix(_) | v2::Addresses::Unspecified) => {
            Speaker::Itself
        }
    })
}

async fn text(
    stream: &mut (impl AsyncRead + Unpin),
    mut line: Vec<u8>,
) -> Result<Speaker, ProxyError> {
    if !line.starts_with(V1_PREFIX) {
        return Err(ProxyError::NotProxy);
    }
    // One byte at a time: it is under a hundred of them once a connection, and none too many may be taken.
    while !line.ends_with(b"\r\n") {
        if line.len() >= V1_BYTES {
            return Err(ProxyError::NotProxy);
        }
        line.push(stream.read_u8().await?);
    }
    let header = v1::Header::try_from(line.as_slice());
    if header.is_incomplete() {
        return Err(ProxyError::NotProxy);
    }
    match header.map_err(|_| ProxyError::NotProxy)?.addresses {
        v1::Addresses::Unknown => Ok(Speaker::Itself),
        v1::Addresses::Tcp4(ends) => Ok(Speaker::Client(ends.source_address.into())),
        v1::Addresses::Tcp6(ends) => Ok(Speaker::Client(ends.source_address.into())),
    }
}

/// `PROXY UNKNOWN\r\n`; the head of v2 is one byte longer.
const SHORTEST_BYTES: usize = 15;

/// Signature, version and command, family, length.
const V2_HEAD_BYTES: usize = 16;

/// Addresses (216 bytes at most) and type-length-values: HAProxy's with a client certificate's names stay below 1 KiB.
const V2_BODY_BYTES: usize = 4096;

/// The PROXY protocol §2.1: the longest line of v1, its line end included.
const V1_BYTES: usize = 107;

const V1_PREFIX: &[u8] = b"PROXY ";

const V2_PREFIX: &[u8] = v2::PROTOCOL_PREFIX;

#[cfg(test)]
mod tests {
    use super::*;

    async fn speaker(header: &[u8]) -> Option<Speaker> {
        let mut bytes: Vec<u8> = header.to_vec();
        bytes.extend_from_slice(b"ICAP");
        let mut stream = bytes.as_slice();
        let read = read(&mut stream).await.ok()?;
        assert_eq!(stream, b"ICAP", "nothing of what follows is taken");
        Some(read)
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut header = V2_PREFIX.to_vec();
        header.extend_from_slice(&[0x20 | command, family]);
        header.extend_from_slice(&u16::try_from(body.len()).expect("short").to_be_bytes());
        header.extend_from_slice(body);
        header
    }

    #[tokio::test]
    async fn both_versions_say_whom_the_proxy_speaks_for() {
        let client = |text: &str| Some(Speaker::Client(text.parse().expect("an address")));
        let line = b"PROXY TCP4 10.1.2.3 10.0.0.1 5555 1344\r\n";
        assert_eq!(speaker(line).await, client("10.1.2.3"));
        let line = b"PROXY TCP6 2001:db8::1 ::1 5555 1344\r\n";
        assert_eq!(speaker(line).await, client("2001:db8::1"));
        assert_eq!(speaker(b"PROXY UNKNOWN\r\n").await, Some(Speaker::Itself));
        let four = [10, 1, 2, 3, 10, 0, 0, 1, 0, 1, 0, 2];
        assert_eq!(speaker(&v2(1, 0x11, &four)).await, client("10.1.2.3"));
        let with_tlv = [&four[..], &[4, 0, 2, 9, 9]].concat();
        assert_eq!(speaker(&v2(1, 0x11, &with_tlv)).await, client("10.1.2.3"));
        assert_eq!(speaker(&v2(0, 0, &[])).await, Some(Speaker::Itself));
    }

    #[tokio::test]
    async fn what_is_no_header_is_refused() {
        for bytes in [
            &b"REQMOD icap://h/reqmod ICAP/1.0\r\n"[..],
            b"PROXY TCP4 10.1.2.3 10.0.0.1 5555\r\n",
            b"PROXY TCP4 10.1.2.300 10.0.0.1 5555 1344\r\n",
            b"PROXY UDP4 10.1.2.3 10.0.0.1 5555 1344\r\n",
            b"PROXY ",
            &[&b"PROXY UNKNOWN "[..], &[b'x'; 200]].concat(),
            &v2(1, 0x11, &[1, 2]),
            &v2(7, 0x11, &[0; 12]),
            &v2(1, 0x11, &[0; 8000]),
        ] {
            let mut stream = bytes;
            assert!(
                read(&mut stream).await.is_err(),
                "{}",
                String::from_utf8_lossy(bytes)
            );
        }
    }
}
