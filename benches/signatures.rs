//! Signature engines: literals by count and size of text, against the automata that were the alternative; YARA gated
//! and ungated.
//!
//! `cargo bench --bench signatures -- literal/` or `-- yara/`. The large rule set is read from `../shared/yara-rules`,
//! and its benches are left out when that folder is absent.

use std::hint::black_box;

use aho_corasick::automaton::Automaton;
use aho_corasick::{AhoCorasick, Anchored, MatchKind, nfa::contiguous::NFA};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluice::inspect::literal::search::{Search, SearchState};
use sluice::rules::literal::{Case, Pattern};

/// Xorshift with a fixed seed: every run searches the same bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % bound
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
    "updated",
    "total",
    "price",
    "currency",
    "quantity",
    "description",
    "product",
    "category",
    "active",
    "pending",
    "street",
    "country",
    "payment",
    "invoice",
    "reference",
    "session",
    "profile",
    "language",
    "settings",
    "enabled",
    "false",
    "true",
    "null",
    "user",
];

/// JSON as APIs speak it.
fn json(bytes: usize) -> Vec<u8> {
    let mut random = Random(42);
    let mut out = String::with_capacity(bytes + 128);
    out.push('[');
    while out.len() < bytes {
        let (a, b, c) = (random.below(32), random.below(32), random.below(32));
        let number = random.below(1_000_000);
        out.push_str(&format!(
            "{{\"{}\":{number},\"{}Id\":\"{:08x}-{}\",\"{}\":\"{} {}\"}},",
            WORDS[a],
            WORDS[b],
            number * 7919,
            WORDS[c],
            WORDS[c],
            WORDS[a],
            WORDS[b]
        ));
    }
    out.truncate(bytes);
    out.into_bytes()
}

/// Strings such as lists of bad hosts, paths and tools hold; 8 to 24 bytes.
fn patterns(count: usize) -> Vec<Pattern> {
    let mut random = Random(7);
    (0..count)
        .map(|_| {
            let (a, b) = (random.below(32), random.below(32));
            let number = random.below(1 << 30);
            let text = match random.below(4) {
                0 => format!("{}{number:x}.example", WORDS[a]),
                1 => format!("/{}/{number:x}.php", WORDS[a]),
                2 => format!("{number:08x}{}", WORDS[b]),
                _ => format!("${{{}:{number}}}", WORDS[b]),
            };
            Pattern {
                bytes: text.into_bytes().into(),
                case: if random.below(3) == 0 {
                    Case::Insensitive
                } else {
                    Case::Sensitive
                },
            }
        })
        .collect()
}

fn stepped(nfa: &NFA, text: &[u8]) -> usize {
    let mut state = nfa.start_state(Anchored::No).expect("unanchored");
    let mut hits = 0;
    for byte in text {
        state = nfa.next_state(Anchored::No, state, *byte);
        if nfa.is_special(state) && nfa.is_match(state) {
            hits += nfa.match_len(state);
        }
    }
    hits
}

fn literal(criterion: &mut Criterion) {
    for count in [10, 64, 300, 1_000, 50_000, 500_000] {
        let patterns = patterns(count);
        let search = Search::new(patterns.clone()).expect("compiles");
        let nfa = NFA::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(patterns.iter().map(|pattern| &pattern.bytes))
            .expect("compiles");
        eprintln!(
            "{count} patterns: grams {} KiB ({} stepped), automaton {} KiB",
            search.memory_bytes() / 1024,
            search.stepped(),
            nfa.memory_usage() / 1024
        );
        let teddy = (count <= 64).then(|| {
            AhoCorasick::new(patterns.iter().map(|pattern| &pattern.bytes)).expect("compiles")
        });
        let mut group = criterion.benchmark_group(format!("literal/{count}"));
        group.sample_size(10);
        for bytes in [1 << 10, 64 << 10, 1 << 20, 64 << 20] {
            let text = json(bytes);
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_with_input(BenchmarkId::new("grams", bytes), &text, |bencher, text| {
                let mut state = SearchState::default();
                let mut hits = Vec::new();
                bencher.iter(|| {
                    state.reset();
                    hits.clear();
                    for window in text.chunks(16 * 1024) {
                        search.push(&mut state, black_box(window), &mut hits);
                    }
                    hits.len()
                });
            });
            if bytes > 1 << 20 {
                continue;
            }
            group.bench_with_input(
                BenchmarkId::new("automaton", bytes),
                &text,
                |bencher, text| {
                    bencher.iter(|| stepped(&nfa, black_box(text)));
                },
            );
            if let Some(teddy) = &teddy {
                group.bench_with_input(BenchmarkId::new("teddy", bytes), &text, |bencher, text| {
                    bencher.iter(|| teddy.find_iter(black_box(text)).count());
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, literal);
criterion_main!(benches);
