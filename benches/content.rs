//! What decoding costs: pass-through, every coding beside its library alone, charsets, multipart, archives.

use std::hint::black_box;
use std::io::Write;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sluice::anomaly::Anomaly;
use sluice::content::{Coding, Declared, Encoder, Limits, Part, PartId, PartSink, Progress, Stack};

/// Counts and looks no further.
#[derive(Default)]
struct Count(u64);

impl PartSink for Count {
    fn begin(&mut self, _part: &Part) {}

    fn window(&mut self, _part: PartId, bytes: &[u8], _offset: u64) {
        self.0 += bytes.len() as u64;
    }

    fn end(&mut self, _part: PartId) {}

    fn anomaly(&mut self, _part: PartId, anomaly: Anomaly, _offset: u64) {
        panic!("the generators make no {anomaly}");
    }
}

fn decode(declared: &Declared, chunks: &[Bytes]) -> u64 {
    let mut stack = Stack::new(declared, Limits::default());
    let mut count = Count::default();
    for chunk in chunks {
        stack.push(chunk.clone());
        while stack.step(&mut count) == Progress::Busy {}
    }
    stack.end();
    while stack.step(&mut count) != Progress::Done {}
    count.0
}

/// JSON lines from a fixed seed; compresses about as well as API traffic does.
fn json(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut out = Vec::with_capacity(len + 128);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        writeln!(
            out,
            "{{\"id\":{},\"name\":\"item {}\",\"price\":{}}}",
            state % 1_000_000,
            state >> 52,
            state % 997
        )
        .expect("memory");
    }
    out.truncate(len);
    out
}

fn encoded(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(coding).expect("known");
    let mut out = Vec::new();
    encoder.push(bytes, &mut out).expect("memory");
    encoder.finish(&mut out).expect("memory");
    out
}

fn chunks(bytes: &[u8], len: usize) -> Vec<Bytes> {
    bytes.chunks(len).map(Bytes::copy_from_slice).collect()
}

fn pass_through(c: &mut Criterion) {
    let mut group = c.benchmark_group("content/identity");
    for (name, len, chunk) in [
        ("1KiB", 1 << 10, 1 << 20),
        ("64MiB/1MiB-chunks", 64 << 20, 1 << 20),
        ("64MiB/64KiB-chunks", 64 << 20, 64 << 10),
        ("16MiB/4000-byte-chunks", 16 << 20, 4000),
    ] {
        let body = chunks(&json(len), chunk);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(name, |b| {
            b.iter(|| decode(&Declared::new(), black_box(&body)))
        });
    }
    group.finish();
}

fn codings(c: &mut Criterion) {
    let plain = json(16 << 20);
    let mut group = c.benchmark_group("content/coding");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
        let body = chunks(&encoded(coding, &plain), 64 << 10);
        let declared = Declared::new().content_encoding(coding.name().as_bytes());
        group.bench_function(coding.name(), |b| {
            b.iter(|| decode(&declared, black_box(&body)));
        });
    }
    let gzip = encoded(Coding::Gzip, &plain);
    group.bench_function("gzip/flate2-alone", |b| {
        let mut out = vec![0; 64 << 10];
        b.iter(|| {
            let mut decoder = flate2::read::GzDecoder::new(black_box(gzip.as_slice()));
            let mut total = 0;
            loop {
                match std::io::Read::read(&mut decoder, &mut out).expect("gzip") {
                    0 => break total,
                    read => total += read,
                }
            }
        });
    });
    group.finish();
}

fn parts(c: &mut Criterion) {
    let plain = json(4 << 20);
    let mut group = c.benchmark_group("content/parts");
    group.throughput(Throughput::Bytes(plain.len() as u64));
    let text = std::str::from_utf8(&plain).expect("ASCII");
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut form = b"--XY\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n".to_vec();
    form.extend_from_slice(&plain);
    form.extend_from_slice(b"\r\n--XY--\r\n");
    for (name, content_type, body) in [
        ("utf-16", "application/json", wide),
        ("form-data", "multipart/form-data; boundary=XY", form),
    ] {
        let declared = Declared::new().content_type(content_type.as_bytes());
        let body = chunks(&body, 64 << 10);
        group.bench_function(name, |b| b.iter(|| decode(&declared, black_box(&body))));
    }
    group.finish();
}

criterion_group!(benches, pass_through, codings, parts);
criterion_main!(benches);
