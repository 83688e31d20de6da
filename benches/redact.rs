//! Redaction, by format: clean documents (nothing to find) and documents dense with values, one core, 16 KiB pieces.

use std::hint::black_box;
use std::sync::Arc;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sluice::budget::Budget;
use sluice::inspect::Direction;
use sluice::redact::{Profile, Redactor};

/// xorshift64: the same documents in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn words(&mut self, count: usize) -> String {
        const WORDS: [&str; 12] = [
            "river", "stone", "market", "window", "paper", "garden", "silver", "north", "little",
            "second", "country", "history",
        ];
        let list: Vec<&str> = (0..count)
            .map(|_| WORDS[self.below(WORDS.len() as u64) as usize])
            .collect();
        list.join(" ")
    }
}

fn clean(bytes: usize) -> String {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut text = String::from("[");
    while text.len() < bytes {
        let (id, sku, price) = (random.below(99_999), random.below(9_999), random.below(99));
        let (title, description) = (random.words(3), random.words(9));
        text += &format!(
            "{{\"id\": {id}, \"title\": \"{title}\", \"sku\": \"SKU-{sku}-XL\", \"price\": {price}.50, \"in_stock\": true, \
             \"updated_at\": \"2026-05-12T10:22:33Z\", \"description\": \"{description}\"}},\n"
        );
    }
    text + "null]"
}

fn dense(bytes: usize) -> String {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut text = String::new();
    while text.len() < bytes {
        let (a, b, c) = (
            random.below(900) + 100,
            random.below(90) + 10,
            random.below(9_000) + 1_000,
        );
        text += &format!(
            "{{\"email\": \"user{a}@example.org\", \"password\": \"Velvet{c}!\", \"dob\": \"1980-0{}-{b}\", \
             \"card\": {{\"number\": \"4111 1111 1111 1111\", \"cvv\": \"{a}\"}}, \"ip\": \"192.0.2.{b}\", \
             \"note\": \"call +33 1 49 13 {b} 58, IBAN DE89370400440532013000\"}}\n",
            random.below(9) + 1
        );
    }
    text
}

/// JSON of many small values.
fn small(bytes: usize) -> String {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut text = String::from("[");
    while text.len() < bytes {
        let (id, a, x) = (random.below(99_999), random.below(100), random.below(100));
        let (name, tag) = (random.words(1), random.words(1));
        text += &format!(
            "{{\"id\":{id},\"a\":{a},\"ok\":true,\"name\":\"{name}\",\"tags\":[\"{tag}\",\"{name}\"],\"x\":{x}.{a},\"n\":null}},"
        );
    }
    text + "null]"
}

/// Lines of a log without values.
fn log(bytes: usize) -> String {
    let mut random = Random(0x0f0f_1234_5678_9abc);
    let mut text = String::new();
    while text.len() < bytes {
        let (second, worker, took) = (random.below(60), random.below(16), random.below(900));
        let word = random.words(1);
        text += &format!(
            "2026-05-12T10:22:{second:02}Z INFO [worker-{worker}] path=/api/v1/{word}/{took} status=200 took {took}ms\n"
        );
    }
    text
}

/// Records of four fields, each written by `record`.
fn records(bytes: usize, record: impl Fn([&str; 4]) -> String) -> String {
    let mut random = Random(0x5555_aaaa_1234_4321);
    let mut text = String::new();
    while text.len() < bytes {
        let number = random.below(9_000) + 1_000;
        let (mail, birth) = (
            format!("user{number}@example.org"),
            format!("1980-01-{}", number % 18 + 10),
        );
        text += &record([&mail, &birth, "4111 1111 1111 1111", &random.words(4)]);
    }
    text
}

fn redaction(criterion: &mut Criterion) {
    let profile = Arc::new(Profile::all());
    let mut group = criterion.benchmark_group("redact");
    let cases = [
        ("clean-json", "application/json", clean(1 << 20)),
        ("dense-ndjson", "application/x-ndjson", dense(1 << 20)),
        ("clean-text", "text/plain", clean(1 << 20)),
        ("dense-text", "text/plain", dense(1 << 20)),
        ("small-json", "application/json", small(1 << 20)),
        ("clean-log", "text/plain", log(1 << 20)),
        (
            "dense-xml",
            "application/xml",
            records(1 << 20, |[mail, birth, card, note]| {
                format!(
                    "<p><mail>{mail}</mail><dob>{birth}</dob><card n=\"{card}\"/><note>{note}</note></p>\n"
                )
            }),
        ),
        (
            "dense-html",
            "text/html",
            records(1 << 20, |[mail, birth, card, note]| {
                format!(
                    "<tr><td>{mail}</td><td>{birth}</td><td>{card}</td><td class=\"n\">{note}</td></tr>\n"
                )
            }),
        ),
        (
            "dense-csv",
            "text/csv",
            String::from("email,dob,card,note\n")
                + &records(1 << 20, |[mail, birth, card, note]| {
                    format!("{mail},{birth},\"{card}\",{note}\n")
                }),
        ),
        (
            "dense-form",
            "application/x-www-form-urlencoded",
            records(1 << 20, |[mail, birth, card, note]| {
                let (mail, card) = (mail.replace('@', "%40"), card.replace(' ', "+"));
                format!(
                    "email={mail}&dob={birth}&card={card}&note={}&",
                    note.replace(' ', "+")
                )
            }),
        ),
    ];
    for (name, content_type, body) in &cases {
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let budget = Budget::new(1 << 30);
                let mut redactor =
                    Redactor::new(profile.clone(), content_type, Direction::Response, &budget);
                let mut out = BytesMut::with_capacity(1 << 20);
                for piece in body.as_bytes().chunks(16 * 1024) {
                    redactor.push(piece, &mut out);
                    black_box(out.len());
                    out.clear();
                }
                redactor.finish(&mut out).edits
            });
        });
    }
    group.finish();
}

criterion_group!(benches, redaction);
criterion_main!(benches);
