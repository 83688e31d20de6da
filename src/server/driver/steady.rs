//! What one small transaction allocates once the buffers are there: from the bytes of its request to those of its answer
//! and the records of both.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::service::facts::Peer;

use super::model::House;

/// A client that sends the same message again and again, each when the answer to the one before is there.
struct Patient {
    message: &'static [u8],
    left: usize,
    answers: Arc<AtomicUsize>,
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left > 0 {
            buffer.put_slice(self.message);
            self.left -= 1;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(bytes.starts_with(b"ICAP/1.0 204"));
        self.answers.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl House {
    async fn carry(&self, message: &'static [u8], count: usize) {
        let snapshot = self.shared.snapshot.load_full();
        let peer = Peer {
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            tls_identity: None,
        };
        let client = self.client(&snapshot.config, peer);
        let answers = Arc::new(AtomicUsize::new(0));
        let patient = Patient {
            message,
            left: count,
            answers: Arc::clone(&answers),
        };
        let drained = std::future::pending::<()>();
        super::serve(patient, client, Arc::clone(&self.shared), drained).await;
        assert_eq!(answers.load(Ordering::Relaxed), count);
    }
}

/// Allocations for each message to `message`'s service, on a connection that lives on.
fn cost(message: &'static [u8]) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let house = runtime.block_on(House::of("[baselines]\nmode = \"off\"\n"));
    let measured = |count| {
        let work = || runtime.block_on(house.carry(message, count));
        allocation_counter::measure(work).count_total
    };
    // The records of the last few hundred are kept.
    measured(512);
    let (few, many) = (measured(64), measured(128));
    many.saturating_sub(few).div_ceil(64)
}

/// The fields and the body of each message.
macro_rules! message {
    ($service:literal) => {
        concat!(
            "REQMOD icap://h/",
            $service,
            " ICAP/1.0\r\nHost: h\r\nAllow: 204\r\nEncapsulated: req-hdr=0, req-body=66\r\n\r\n",
            "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/json\r\n\r\n",
            "20\r\n{\"id\":17,\"name\":\"Widget number\"}\r\n0\r\n\r\n"
        )
        .as_bytes()
    };
}

/// Request and transaction, each handed on as one box (2). The scan adds nothing; where nothing is inspected a list says
/// so (1).
const ARGUED: [u64; 2] = [2, 3];

#[test]
fn a_small_transaction_allocates_what_is_argued_and_no_more() {
    let costs = [cost(message!("reqmod")), cost(message!("echo"))];
    let within = costs
        .iter()
        .zip(ARGUED)
        .all(|(cost, argued)| *cost <= argued);
    assert!(within, "{costs:?}, argued {ARGUED:?}");
}
