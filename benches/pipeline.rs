//! From bytes to verdict, in memory: the shipped rules and the default profiles.

use std::hint::black_box;
use std::sync::Arc;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluice::budget::Budget;
use sluice::http1::{RequestHead, ResponseHead};
use sluice::inspect::Direction;
use sluice::policy::Verdict;
use sluice::policy::profile::Profile;
use sluice::scan::{Ended, Message, Ruleset, Scan, Step};

fn requests(c: &mut Criterion) {
    let rules = Arc::new(Ruleset::embedded().expect("the shipped rules compile"));
    let budget = Budget::new(1 << 30);
    let head = RequestHead::parse(Bytes::from_static(
        b"POST /api/orders HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\
          Content-Type: application/json\r\n\r\n",
    ));
    let message = Message {
        request: Some(&head),
        ..Message::new(Direction::Request)
    };
    let mut group = c.benchmark_group("pipeline/request-json");
    for (name, profile) in [("default", "default"), ("echo", "echo")] {
        let profile =
            Arc::new(Profile::named(profile, Direction::Request).expect("a built-in profile"));
        for size in [0, 1 << 10, 16 << 10, 1 << 20] {
            let body = json(size);
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, size), &body, |b, body| {
                b.iter(|| {
                    verdict(
                        Scan::new(&rules, &profile, &budget, &message),
                        black_box(body),
                    )
                });
            });
        }
    }
    group.finish();
}

fn responses(c: &mut Criterion) {
    let rules = Arc::new(Ruleset::embedded().expect("the shipped rules compile"));
    let budget = Budget::new(1 << 30);
    let head = ResponseHead::parse(Bytes::from_static(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n",
    ));
    let message = Message {
        response: Some(&head),
        ..Message::new(Direction::Response)
    };
    let profile = Arc::new(Profile::built_in(Direction::Response));
    let mut group = c.benchmark_group("pipeline/response-html");
    for size in [10 << 10, 100 << 10, 16 << 20] {
        let body = html(size);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("default", size), &body, |b, body| {
            b.iter(|| {
                verdict(
                    Scan::new(&rules, &profile, &budget, &message),
                    black_box(body),
                )
            });
        });
    }
    group.finish();
}

/// The benign bodies of the labelled corpus, where it lies beside the project: the figure that the detectors are judged by.
fn corpus(c: &mut Criterion) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/benign.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("pipeline/corpus skipped: no labelled corpus beside the project");
        return;
    };
    let rules = Arc::new(Ruleset::embedded().expect("the shipped rules compile"));
    let budget = Budget::new(1 << 30);
    let profile = Arc::new(Profile::built_in(Direction::Request));
    let samples: Vec<(RequestHead, Bytes)> = text.lines().map(sample).collect();
    let total = samples.iter().map(|(_, body)| body.len() as u64).sum();
    let mut group = c.benchmark_group("pipeline/corpus");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(total));
    group.bench_function("benign", |b| {
        b.iter(|| {
            for (head, body) in &samples {
                let message = Message {
                    request: Some(head),
                    ..Message::new(Direction::Request)
                };
                run(
                    Scan::new(&rules, &profile, &budget, &message),
                    black_box(body),
                );
            }
        });
    });
    group.finish();
}

fn sample(line: &str) -> (RequestHead, Bytes) {
    use base64::Engine as _;
    let fields: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
    let text = |name: &str| fields[name].as_str().unwrap_or_default().to_owned();
    let head = format!(
        "POST /api/items HTTP/1.1\r\nHost: shop.test\r\nContent-Type: {}\r\n\r\n",
        text("content_type")
    );
    let body = base64::engine::general_purpose::STANDARD
        .decode(text("body_base64"))
        .expect("base64");
    (RequestHead::parse(Bytes::from(head)), Bytes::from(body))
}

fn verdict(scan: Scan, body: &Bytes) {
    assert_eq!(run(scan, body), Verdict::Allow);
}

fn run(mut scan: Scan, body: &Bytes) -> Verdict {
    scan.push(body.clone());
    scan.end(Ended::Complete);
    while !matches!(scan.step_here(), Step::Decided | Step::Done) {}
    scan.report().verdict.clone()
}

fn json(size: usize) -> Bytes {
    if size == 0 {
        return Bytes::new();
    }
    let mut text = String::from("[");
    let mut number = 0u64;
    while text.len() + 120 < size {
        number += 1;
        text.push_str(&format!(
            r#"{{"id":{number},"name":"Widget {number}","price":{}.50,"tags":["new","sale"],"stock":true}},"#,
            number % 97
        ));
    }
    text.push_str(r#"{"note":""#);
    while text.len() + 3 < size {
        text.push('x');
    }
    text.push_str("\"}]");
    Bytes::from(text)
}

fn html(size: usize) -> Bytes {
    let mut text = String::from("<!DOCTYPE html><html><head><title>List</title></head><body>");
    let mut number = 0u64;
    while text.len() < size {
        number += 1;
        text.push_str(&format!(
            "<p class=\"row\">Paragraph {number} about <a href=\"/item/{number}\">an item</a> and its price.</p>\n"
        ));
    }
    text.truncate(size);
    Bytes::from(text)
}

criterion_group!(benches, requests, responses, corpus);
criterion_main!(benches);
