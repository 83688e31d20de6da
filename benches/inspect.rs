//! Readers of structure: tokenizers alone and readers with leaves, on documents of the shapes that APIs send, and on the
//! worst that was thought of for each.
//!
//! `cargo bench --bench inspect -- tokenizer/` or `-- reader/` or `-- worst/`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluice::inspect::leaf::{Leaf, LeafSink, Root};
use sluice::inspect::{Findings, PartId, form, json, xml};

/// Xorshift with a fixed seed: every run reads the same bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(WORDS.len())]
    }
}

const WORDS: &[&str] = &[
    "account",
    "amount",
    "order",
    "status",
    "shipping",
    "address",
    "customer",
    "created",
    "total",
    "price",
    "currency",
    "quantity",
    "Lucía",
    "Straße",
    "note",
    "a",
    "of",
    "the",
    "description",
    "email",
];

const BYTES: usize = 1 << 20;

/// Orders as an API lists them, pretty-printed or not.
fn json_orders(pretty: bool) -> Vec<u8> {
    let mut random = Random(7);
    let (line, blank) = if pretty { ("\n      ", " ") } else { ("", "") };
    let mut text = String::from("[");
    while text.len() < BYTES {
        if text.len() > 1 {
            text.push(',');
        }
        let (id, price) = (random.below(1_000_000), random.below(100_000));
        let (one, two, three) = (random.word(), random.word(), random.word());
        text.push_str(&format!(
            "{line}{{{line}\"id\":{blank}{id},{line}\"sku\":{blank}\"D-{id:05}\",{line}\"customer\":{blank}{{\"name\":{blank}\"{one} {two}\",\"email\":{blank}\"{one}.{id}@example.org\"}},{line}\"text\":{blank}\"{one} {two} {three} \\\"{two}\\\" \\u00e9 {three}\",{line}\"price\":{blank}{}.{:02},{line}\"paid\":{blank}true,{line}\"tags\":{blank}[\"{two}\",{blank}\"{three}\"],{line}\"parent\":{blank}null}}",
            price / 100,
            price % 100,
        ));
    }
    text.push(']');
    text.into_bytes()
}

/// Long strings, as in documents and uploads.
fn json_texts() -> Vec<u8> {
    let mut random = Random(9);
    let mut text = String::from("{\"pages\":[\"");
    while text.len() < BYTES {
        text.push_str(random.word());
        text.push_str(if random.below(60) == 0 {
            "\\n\",\""
        } else {
            " "
        });
    }
    text.push_str("\"]}");
    text.into_bytes()
}

fn xml_orders() -> Vec<u8> {
    let mut random = Random(11);
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<orders xmlns=\"urn:example:orders\">\n",
    );
    while text.len() < BYTES {
        let id = random.below(1_000_000);
        let (one, two, three) = (random.word(), random.word(), random.word());
        text.push_str(&format!(
            "  <order id=\"{id}\" state=\"{one}\">\n    <name>{one} &amp; {two}</name>\n    <note>{two} {three} {one} {two}</note>\n    <price currency=\"EUR\">{id}</price>\n  </order>\n"
        ));
    }
    text.push_str("</orders>\n");
    text.into_bytes()
}

fn form_fields() -> Vec<u8> {
    let mut random = Random(13);
    let mut text = String::new();
    while text.len() < BYTES {
        let (one, two) = (random.word(), random.below(1000));
        text.push_str(&format!("field{two}={one}+{two}%40example&"));
    }
    text.into_bytes()
}

/// Counts, so that nothing is optimised away.
#[derive(Default)]
struct Count(u64);

impl json::Sink for Count {
    fn mark(&mut self, _: json::Mark, at: u64) {
        self.0 ^= at;
    }
    fn string(&mut self, _: json::Role, fragment: json::Fragment<'_>) {
        self.0 ^= fragment.at + fragment.raw.len() as u64;
    }
    fn scalar(&mut self, _: json::Role, _: json::Scalar, fragment: json::Fragment<'_>) {
        self.0 ^= fragment.at + fragment.raw.len() as u64;
    }
    fn fault(&mut self, _: json::Fault, at: u64) {
        self.0 ^= at;
    }
}

impl xml::Sink for Count {
    fn token(&mut self, _: xml::Kind, fragment: xml::Fragment<'_>) {
        self.0 ^= fragment.at + fragment.raw.len() as u64;
    }
    fn tag_end(&mut self, _: xml::TagEnd, at: u64) {
        self.0 ^= at;
    }
    fn fault(&mut self, _: xml::Fault, at: u64) {
        self.0 ^= at;
    }
}

impl LeafSink for Count {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        self.0 ^= leaf.span.start + leaf.bytes.len() as u64;
    }
}

/// As `content` hands bodies on.
const WINDOW: usize = 16 * 1024;

fn read_json(reader: &mut json::Reader, body: &[u8], findings: &mut Findings) -> u64 {
    let mut count = Count::default();
    reader.begin(json::Document::default());
    for window in body.chunks(WINDOW) {
        reader.push(window, &mut count, findings);
    }
    reader.finish(&mut count, findings);
    findings.list.clear();
    findings.anomalies.clear();
    count.0
}

fn read_xml(reader: &mut xml::Reader, body: &[u8], findings: &mut Findings) -> u64 {
    let mut count = Count::default();
    reader.begin(xml::Document::default());
    for window in body.chunks(WINDOW) {
        reader.push(window, &mut count, findings);
    }
    reader.finish(&mut count, findings);
    findings.list.clear();
    findings.anomalies.clear();
    count.0
}

fn tokenizers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tokenizer");
    let bodies = [
        ("json-compact", json_orders(false)),
        ("json-pretty", json_orders(true)),
        ("json-texts", json_texts()),
    ];
    for (name, body) in &bodies {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), body, |bencher, body| {
            let mut tokens = json::Tokenizer::new();
            bencher.iter(|| {
                let mut count = Count::default();
                tokens.reset();
                for window in body.chunks(WINDOW) {
                    tokens.push(window, &mut count);
                }
                tokens.finish(&mut count);
                black_box(count.0)
            });
        });
    }
    let body = xml_orders();
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("xml", |bencher| {
        let mut tokens = xml::Tokenizer::new();
        bencher.iter(|| {
            let mut count = Count::default();
            tokens.reset();
            for window in body.chunks(WINDOW) {
                tokens.push(window, &mut count);
            }
            tokens.finish(&mut count);
            black_box(count.0)
        });
    });
    group.finish();
}

fn readers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("reader");
    let mut findings = Findings::default();
    let mut reader = json::Reader::default();
    for (name, body) in [
        ("json-compact", json_orders(false)),
        ("json-pretty", json_orders(true)),
        ("json-texts", json_texts()),
    ] {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(read_json(&mut reader, &body, &mut findings)));
        });
    }
    let mut reader = xml::Reader::default();
    let body = xml_orders();
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("xml", |bencher| {
        bencher.iter(|| black_box(read_xml(&mut reader, &body, &mut findings)));
    });
    let mut reader = form::Reader::new();
    let body = form_fields();
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("form", |bencher| {
        bencher.iter(|| {
            let mut count = Count::default();
            reader.begin(PartId::BODY, Root::Form, 0);
            for window in body.chunks(WINDOW) {
                reader.push(window, &mut count, &mut findings);
            }
            reader.finish(&mut count, &mut findings);
            black_box(count.0)
        });
    });
    group.finish();
}

/// Each at one and at two sizes: the time a byte must not grow.
fn worst_cases(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("worst");
    group.sample_size(10);
    let json_cases: [(&str, &[u8], &[u8]); 6] = [
        ("json-depth", b"", b"["),
        ("json-empty-items", b"[", b"0,"),
        ("json-escapes", b"[\"", b"\\u0041\\n"),
        ("json-bad-utf8", b"[", b"\"\xff\","),
        ("json-duplicates", b"{", b"\"a\":1,\"a\":2,"),
        ("json-faults", b"", b",:'x'"),
    ];
    let mut findings = Findings::default();
    for (name, front, unit) in json_cases {
        for size in [BYTES, 2 * BYTES] {
            let body = [front, &unit.repeat(size / unit.len())].concat();
            group.throughput(Throughput::Bytes(body.len() as u64));
            let mut reader = json::Reader::default();
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| black_box(read_json(&mut reader, &body, &mut findings)));
            });
        }
    }
    let attributes: String = (0..128).map(|index| format!(" a{index:02x}=''")).collect();
    let element = format!("<a{attributes}/>");
    let xml_cases: [(&str, &[u8], &[u8]); 7] = [
        ("xml-depth", b"", b"<a>"),
        ("xml-attributes", b"<r>", element.as_bytes()),
        ("xml-references", b"<r>", b"&a;"),
        ("xml-ampersands", b"<r>", b"& &"),
        ("xml-sections", b"<r>", b"x<![CDATA[]]>"),
        ("xml-section-ends", b"<r><![CDATA[", b"]]"),
        ("xml-doctypes", b"<r>", b"<!DOCTYPE a [<!ENTITY a 'b'>]>"),
    ];
    for (name, front, unit) in xml_cases {
        for size in [BYTES, 2 * BYTES] {
            let body = [front, &unit.repeat(size / unit.len())].concat();
            group.throughput(Throughput::Bytes(body.len() as u64));
            let mut reader = xml::Reader::default();
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| black_box(read_xml(&mut reader, &body, &mut findings)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, tokenizers, readers, worst_cases);
criterion_main!(benches);
