//! How a connection ends whose client announced it: at once, or after a wait where something has come behind the request.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::service::facts::Peer;

use super::model::House;

/// A client that asks once, and sends `stray` while it is answered.
struct Last {
    request: &'static [u8],
    stray: &'static [u8],
    is_answered: bool,
    half_closed: Arc<AtomicBool>,
}

impl AsyncRead for Last {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let next = match self.is_answered {
            false => std::mem::take(&mut self.request),
            true => {
                let length = buffer.remaining().min(self.stray.len());
                self.stray.split_off(..length).unwrap_or_default()
            }
        };
        if next.is_empty() && !self.half_closed.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        buffer.put_slice(next);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Last {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_answered = true;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half_closed.store(true, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

/// True when the server half-closed and waited.
async fn waits(stray: &'static [u8]) -> bool {
    let house = House::of("").await;
    let peer = Peer {
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        tls_identity: None,
    };
    let client = house.client(&house.shared.snapshot.load_full().config, peer);
    let half_closed = Arc::<AtomicBool>::default();
    let last = Last {
        request: b"REQMOD icap://h/echo ICAP/1.0\r\nHost: h\r\nAllow: 204\r\nConnection: close\r\n\
            Encapsulated: req-hdr=0, req-body=28\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        stray,
        is_answered: false,
        half_closed: Arc::clone(&half_closed),
    };
    let drained = std::future::pending::<()>();
    super::serve(last, client, Arc::clone(&house.shared), drained).await;
    half_closed.load(Ordering::Relaxed)
}

#[tokio::test]
async fn an_announced_close_waits_only_where_bytes_have_come_behind_the_request() {
    assert!(!waits(b"").await);
    assert!(waits(b"\r\n").await);
}
