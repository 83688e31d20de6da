//! What the protocol costs: a whole transaction through `icap::Connection`, without sockets and without a service.

use std::hint::black_box;
use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sluice::icap::{BodyEnding, Connection, Event, IsTag, Limits, Response, Status};
use sluice::wire::Fields;

/// What Firefox sends, as Squid wraps it.
const POST: &str = "POST /api/v1/orders?page=2&sort=desc HTTP/1.1\r\nHost: shop.example\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: application/json, text/plain, */*\r\nAccept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nContent-Type: application/json\r\n\
    Origin: https://shop.example\r\nReferer: https://shop.example/cart\r\n\
    Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\nContent-Length: 1024\r\n\
    Cache-Control: no-cache\r\n\r\n";

fn reqmod(body_bytes: usize) -> Vec<u8> {
    let body = "x".repeat(body_bytes);
    format!(
        "REQMOD icap://127.0.0.1:1344/reqmod ICAP/1.0\r\nHost: 127.0.0.1:1344\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nEncapsulated: req-hdr=0, req-body={}\r\nPreview: 1024\r\n\
         Allow: 204, trailers\r\nX-Client-IP: 10.0.0.1\r\n\r\n{POST}{body_bytes:x}\r\n{body}\r\n0; ieof\r\n\r\n",
        POST.len()
    )
    .into_bytes()
}

fn small_chunks(body_bytes: usize) -> Vec<u8> {
    let chunks = "1\r\nx\r\n".repeat(body_bytes);
    format!(
        "REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nEncapsulated: req-body=0\r\n\r\n{chunks}0\r\n\r\n"
    )
    .into_bytes()
}

enum Answer {
    NoContent,
    Copy,
}

/// One transaction, from received bytes to written ones.
fn transact(connection: &mut Connection, input: &[u8], answer: &Answer, istag: IsTag) -> usize {
    let buffer = connection.receive_buffer();
    buffer.extend_from_slice(input);
    let mut head = None;
    let mut pieces: Vec<Bytes> = Vec::new();
    while let Ok(Some(event)) = connection.poll_event() {
        match event {
            Event::Request(mut request) => head = request.http_request.take(),
            Event::Body(piece) => pieces.push(piece),
            Event::PreviewEnd { .. } => {}
            Event::BodyEnd { .. } => match answer {
                Answer::NoContent => {
                    connection.send_response(&Response::new(Status::NoContent, istag));
                }
                Answer::Copy => {
                    let head = head.take().map(|head| head.to_bytes()).unwrap_or_default();
                    let response = Response::new(Status::Ok, istag).http_request(head);
                    connection.send_response(&response.with_body());
                    for piece in pieces.drain(..) {
                        connection.send_body(piece);
                    }
                    connection.send_end(BodyEnding::Plain);
                }
            },
        }
    }
    let mut slices = [IoSlice::new(&[]); 16];
    let mut written = 0;
    loop {
        let filled = connection.poll_transmit(&mut slices);
        let bytes: usize = slices.iter().take(filled).map(|slice| slice.len()).sum();
        if bytes == 0 {
            return written;
        }
        written += bytes;
        connection.advance_transmit(bytes);
        slices = [IoSlice::new(&[]); 16];
    }
}

fn transactions(criterion: &mut Criterion) {
    let istag = IsTag::new("BENCH").expect("a legal tag");
    let cases = [
        ("reqmod 1 KiB, 204", reqmod(1024), Answer::NoContent),
        ("reqmod 1 KiB, copy", reqmod(1024), Answer::Copy),
        ("reqmod 64 KiB, copy", reqmod(65_536), Answer::Copy),
        (
            "reqmod 64 KiB in 1-byte chunks, 204",
            small_chunks(65_536),
            Answer::NoContent,
        ),
    ];
    let mut group = criterion.benchmark_group("transaction");
    for (name, input, answer) in cases {
        group.throughput(Throughput::Bytes(input.len() as u64));
        let mut connection = Connection::new(
            Arc::new(Limits {
                requests: u64::MAX,
                ..Limits::default()
            }),
            istag,
        );
        assert!(transact(&mut connection, &input, &answer, istag) > 0);
        group.bench_function(name, |bencher| {
            bencher.iter(|| transact(&mut connection, black_box(&input), &answer, istag));
        });
    }
    group.finish();
}

fn heads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("head");
    let raw = Bytes::from_static(POST.as_bytes());
    group.bench_function("http request head", |bencher| {
        bencher.iter(|| sluice::http1::RequestHead::parse(black_box(raw.clone())));
    });
    let lines = raw.slice(
        raw.iter()
            .position(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1)..raw.len() - 2,
    );
    group.bench_function("fields", |bencher| {
        bencher.iter(|| Fields::parse(black_box(lines.clone())));
    });
    group.bench_function("encapsulated", |bencher| {
        bencher.iter(|| {
            sluice::icap::Encapsulated::parse(
                sluice::icap::Method::Respmod,
                black_box(b"req-hdr=0, res-hdr=137, res-body=296"),
                131_072,
            )
        });
    });
    group.finish();
}

criterion_group!(benches, transactions, heads);
criterion_main!(benches);
