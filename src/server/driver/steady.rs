//! What one transaction costs once the buffers are there, from the bytes of its request to those of its answer and the
//! records of both: allocations, reads and writes.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::service::facts::Peer;

use super::model::House;

/// A message that is sent again and again, and how each is answered.
#[derive(Clone, Debug)]
struct Message {
    service: &'static str,
    /// All of it; with a preview, up to the preview's end, and then the rest.
    pieces: Vec<Vec<u8>>,
    status: &'static str,
}

impl Message {
    /// `http` and a body of `body`; with a preview of so many bytes, if any.
    fn new(service: &'static str, fields: &str, http: &str, body: &str) -> Self {
        let (verb, section) = match http.starts_with("HTTP/") {
            true => ("RESPMOD", "res"),
            false => ("REQMOD", "req"),
        };
        let head = format!(
            "{verb} icap://h/{service} ICAP/1.0\r\nHost: h\r\n{fields}Encapsulated: {section}-hdr=0, \
             {section}-body={}\r\n\r\n{http}",
            http.len()
        );
        let chunked = |body: &str| format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let pieces = match fields.contains("Preview: 1024") {
            true => vec![head + &chunked(&body[..1024]), chunked(&body[1024..])],
            false => vec![head + &chunked(body)],
        };
        Self {
            service,
            pieces: pieces.into_iter().map(String::into_bytes).collect(),
            status: match fields.contains("Allow: 204") {
                true => "ICAP/1.0 204",
                false => "ICAP/1.0 200",
            },
        }
    }
}

/// A client that sends each message when the answer to the one before is there.
struct Patient {
    message: Message,
    sent: usize,
    left: usize,
    calls: Arc<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    reads: AtomicUsize,
    writes: AtomicUsize,
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let piece = self.sent % self.message.pieces.len();
        if self.left > 0 {
            self.calls.reads.fetch_add(1, Ordering::Relaxed);
            buffer.put_slice(&self.message.pieces[piece]);
            self.sent += 1;
            self.left -= 1;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.calls.writes.fetch_add(1, Ordering::Relaxed);
        let status = match self.sent.is_multiple_of(self.message.pieces.len()) {
            true => self.message.status,
            false => "ICAP/1.0 100",
        };
        assert!(slices[0].starts_with(status.as_bytes()), "{status}");
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl House {
    async fn carry(&self, message: &Message, count: usize) {
        let snapshot = self.shared.snapshot.load_full();
        let peer = Peer {
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            tls_identity: None,
        };
        let client = self.client(&snapshot.config, peer);
        let calls = Arc::<Calls>::default();
        let pieces = count * message.pieces.len();
        let patient = Patient {
            message: message.clone(),
            sent: 0,
            left: pieces,
            calls: Arc::clone(&calls),
        };
        let drained = std::future::pending::<()>();
        super::serve(patient, client, Arc::clone(&self.shared), drained).await;
        let (reads, writes) = (&calls.reads, &calls.writes);
        let made = [reads, writes].map(|calls| calls.load(Ordering::Relaxed));
        assert_eq!(made, [pieces; 2], "{}", message.service);
    }
}

/// Allocations for each message of the kind, on a connection that lives on.
fn cost(message: &Message) -> u64 {
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

fn json() -> String {
    let item = |number| format!("{{\"id\":{number},\"name\":\"Widget number {number}\"}}");
    let items: Vec<_> = (0..30).map(item).collect();
    format!("[{}]", items.join(","))
}

fn html() -> String {
    let item = |number| format!("<p class=\"item\">Widget <b>number</b> {number}</p>\n");
    let items: String = (0..220).map(item).collect();
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>Widgets</title></head><body>{items}</body></html>"
    )
}

const POST: &str = "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/json\r\n\r\n";
const PAGE: &str =
    "HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html; charset=utf-8\r\n\r\n";

#[test]
fn a_transaction_allocates_nothing_and_each_piece_is_one_read_and_one_write() {
    let messages = [
        Message::new("reqmod", "Allow: 204\r\n", POST, &json()),
        Message::new("echo", "Allow: 204\r\n", POST, &json()),
        Message::new("echo", "", POST, &json()),
        Message::new("reqmod", "", POST, &json()),
        Message::new("respmod", "Allow: 204\r\n", PAGE, &html()),
        Message::new("respmod", "Allow: 204\r\nPreview: 1024\r\n", PAGE, &html()),
        Message::new("respmod", "", PAGE, &html()),
    ];
    let costs = messages
        .each_ref()
        .map(|message| (message.service, message.status, cost(message)));
    assert!(costs.iter().all(|(_, _, cost)| *cost == 0), "{costs:?}");
}
