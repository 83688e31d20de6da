//! A peer that keeps its connection busy does not keep others waiting.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::service::facts::Peer;

use crate::server::driver::model::House;

/// A client whose next bytes are always there.
struct Eager {
    head: Vec<u8>,
    chunk: Vec<u8>,
    chunks: usize,
}

impl AsyncRead for Eager {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.head.is_empty() && self.chunks > 0 {
            self.chunks -= 1;
            self.head = match self.chunks {
                0 => b"0\r\n\r\n".to_vec(),
                _ => self.chunk.clone(),
            };
        }
        let fits = buffer.remaining().min(self.head.len());
        buffer.put_slice(&self.head[..fits]);
        self.head.drain(..fits);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Eager {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// How long others waited for their turn on average, while a body of 8 MiB went to `service` as fast as it could.
async fn waited(house: &House, service: &str) -> Duration {
    let head = format!(
        "RESPMOD icap://h/{service} ICAP/1.0\r\nHost: h\r\nAllow: 204\r\n\
         Encapsulated: res-hdr=0, res-body=45\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    );
    let words = "word ".repeat((64 << 10) / 5);
    let eager = Eager {
        head: head.into_bytes(),
        chunk: format!("{:x}\r\n{words}\r\n", words.len()).into_bytes(),
        chunks: 129,
    };
    let snapshot = house.shared.snapshot.load_full();
    let peer = Peer {
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        tls_identity: None,
    };
    let client = house.client(&snapshot.config, peer);
    let turns = Cell::new(0);
    let others = async {
        loop {
            turns.set(turns.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let began = Instant::now();
    let busy = crate::server::driver::serve(
        eager,
        client,
        Arc::clone(&house.shared),
        std::future::pending::<()>(),
    );
    tokio::select! {
        biased;
        () = busy => {}
        () = others => {}
    }
    began.elapsed() / turns.get()
}

#[tokio::test]
async fn others_get_their_turn_however_fast_bytes_come() {
    let house = House::of("").await;
    for service in ["echo", "respmod"] {
        let waited = waited(&house, service).await;
        assert!(waited < Duration::from_millis(5), "{service}: {waited:?}");
    }
}
