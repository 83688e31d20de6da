//! Signature engines: literals by count and size of text, against the automata that were the alternative; YARA by engine,
//! gated and ungated.
//!
//! `cargo bench --bench signatures -- literal/`, `-- engine/` or `-- signatures/`; libyara with `--features libyara`. The
//! large rule set is read from `../shared/yara-rules`, and its benches are left out when that folder is absent.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aho_corasick::automaton::Automaton;
use aho_corasick::{AhoCorasick, Anchored, MatchKind, nfa::contiguous::NFA};
use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use sluice::budget::Budget;
use sluice::inspect::literal::PartFacts;
use sluice::inspect::literal::search::{Search, SearchState};
use sluice::inspect::signatures::{SignatureScan, Signatures};
use sluice::inspect::yara::{Engine, Externals, YaraLimits, YaraSet};
use sluice::inspect::{Category, Direction, Findings, PartId, Severity};
use sluice::rules::literal::{Case, LiteralRule, Pattern, Place, Scope};
use sluice::rules::yara::YaraFile;
use sluice::rules::{About, Bundle, Mode};

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

/// Ten samples in a second: there are a hundred benches, and a long one shows its time in one run.
fn quickly(group: &mut BenchmarkGroup<'_, WallTime>) {
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1));
}

/// Nothing is cut short: the machine may be busy.
fn patient(engine: Engine) -> YaraLimits {
    YaraLimits {
        engine,
        scan_time: Duration::from_secs(600),
        ..YaraLimits::default()
    }
}

fn literal(criterion: &mut Criterion) {
    for count in [10, 64, 100, 1_000, 10_000, 50_000, 100_000, 500_000] {
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
        quickly(&mut group);
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

/// The public rules beside the repository; none, with a note, where they are absent.
fn public_rules() -> Vec<YaraFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/yara-rules/signature-base");
    let Ok(entries) = std::fs::read_dir(folder) else {
        eprintln!("../shared/yara-rules is absent: the large set is left out");
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let wanted = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yar");
    let mut files: Vec<_> = paths.filter(wanted).map(|path| file(&path)).collect();
    files.sort_by(|a, b| a.shown.cmp(&b.shown));
    files
}

fn file(path: &Path) -> YaraFile {
    let bytes = std::fs::read(path).expect("readable");
    let stem = path.file_stem().map(|stem| stem.to_string_lossy());
    YaraFile {
        namespace: stem.unwrap_or_default().into(),
        shown: path.to_string_lossy().into(),
        text: String::from_utf8_lossy(&bytes).into(),
        bundle: "large".into(),
    }
}

/// The shipped bundle, and the shipped bundle with `../shared/yara-rules` and 50,000 literals.
fn sets() -> Vec<(&'static str, Arc<Signatures>)> {
    let compile = |bundles| {
        Arc::new(Signatures::compile(bundles, patient(Engine::Boreal)).expect("compiles"))
    };
    let mut sets = vec![("shipped", compile(vec![Bundle::embedded()]))];
    let mut large = Bundle::default();
    large.yara = public_rules();
    if large.yara.is_empty() {
        return sets;
    }
    for (number, pattern) in patterns(50_000).into_iter().enumerate() {
        large.literals.push(LiteralRule {
            about: About {
                id: format!("list/{number}").into(),
                severity: Severity::High,
                category: Category::Malware,
                description: Box::default(),
                reference: Box::default(),
                licence: Box::default(),
                mode: Mode::Enforce,
                bundle: "large".into(),
            },
            patterns: vec![pattern],
            scope: Scope::default(),
            source: Box::default(),
        });
    }
    let begun = std::time::Instant::now();
    let rules = compile(vec![Bundle::embedded(), large]);
    eprintln!(
        "large: {} rules, {} search patterns ({} stepped), loaded in {:?}, resident {} MiB",
        rules.rules().count(),
        rules.search().len(),
        rules.search().stepped(),
        begun.elapsed(),
        resident_mib()
    );
    sets.push(("large", rules));
    sets
}

fn resident_mib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<usize>().ok())
        .unwrap_or(0)
        / 1024
}

fn part() -> PartFacts<'static> {
    PartFacts {
        part: PartId::BODY,
        place: Place::Body,
        direction: Direction::Request,
        content_type: Some("application/json"),
        within: None,
    }
}

fn all_signatures(criterion: &mut Criterion) {
    for (name, rules) in sets() {
        let mut group = criterion.benchmark_group(format!("signatures/{name}"));
        quickly(&mut group);
        let budget = Budget::new(1 << 30);
        let externals = Externals::default();
        for bytes in [1 << 10, 16 << 10, 1 << 20, 64 << 20] {
            let text = json(bytes);
            group.throughput(Throughput::Bytes(bytes as u64));
            group.bench_with_input(BenchmarkId::new("gated", bytes), &text, |bencher, text| {
                let mut scan = SignatureScan::new(&rules, &budget, &part());
                let mut out = Findings::default();
                bencher.iter(|| {
                    scan.reset(&part());
                    for window in text.chunks(16 * 1024) {
                        scan.push(black_box(window), &mut out);
                        while let Some(work) = scan.take_work() {
                            work.run(&externals, &mut out);
                        }
                    }
                    if let Some(work) = scan.finish(&mut out) {
                        work.run(&externals, &mut out);
                    }
                    out.list.clear();
                });
            });
            group.bench_with_input(
                BenchmarkId::new("ungated", bytes),
                &text,
                |bencher, text| {
                    bencher.iter(|| {
                        rules
                            .yara()
                            .scan_ungated(black_box(text), &externals)
                            .rules()
                            .len()
                    });
                },
            );
        }
        group.finish();
    }
}

/// The engines by themselves: every rule over the whole body.
fn engines(criterion: &mut Criterion) {
    let sets = [
        ("shipped", Bundle::embedded().yara),
        ("large", public_rules()),
    ];
    let engines = [Engine::Boreal, Engine::Libyara].into_iter();
    for engine in engines.filter(|engine| engine.is_built_in()) {
        for (name, files) in sets.iter().filter(|(_, files)| !files.is_empty()) {
            let (set, _) = YaraSet::compile(files, &patient(engine));
            let id = format!("engine/{}/{name}", engine.code());
            let mut group = criterion.benchmark_group(id);
            quickly(&mut group);
            for bytes in [1 << 10, 16 << 10, 1 << 20, 64 << 20] {
                let text = json(bytes);
                group.throughput(Throughput::Bytes(bytes as u64));
                let id = BenchmarkId::from_parameter(bytes);
                group.bench_with_input(id, &text, |bencher, text| {
                    let externals = Externals::default();
                    bencher.iter(|| set.scan_ungated(black_box(text), &externals).rules().len());
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, literal, engines, all_signatures);
criterion_main!(benches);
