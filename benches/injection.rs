//! The injection detectors on benign values of the shapes that APIs send, and on the worst that was thought of.
//!
//! `cargo bench --bench injection -- benign/` or `-- worst/`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sluice::inspect::injection::{Classes, Context, Detectors, Scratch};
use sluice::inspect::leaf::{
    HostSyntax, LEAF_BYTES, LEAF_OVERLAP_BYTES, Leaf, OffsetMap, Path, Piece, Root,
};
use sluice::inspect::{Direction, Findings, PartId};
use sluice::span::Span;

/// Values that leave early, values that have an anchor, and text.
const BENIGN: &[(&str, &[&str])] = &[
    (
        "ids",
        &[
            "4f9a1c20-77aa-4f0e-9d2c-1b2f9d1c7a55",
            "2026-03-01T10:00:00Z",
            "EUR",
            "B-21921",
            "335.86",
        ],
    ),
    (
        "names",
        &[
            "Women's rain jacket",
            "Siobhán O'Neill",
            "12\" vinyl sleeve (x50)",
            "Rock & Roll poster",
            "8 Main St., Apt. #4",
        ],
    ),
    (
        "prose",
        &[
            "Please select the size you want and leave it at the door; if it doesn't fit, we'll exchange it or refund you (no questions asked) within thirty days of delivery. ",
        ],
    ),
    (
        "markup",
        &[
            "<p class=\"lead\">Hello <b>you</b>, see <a href=\"https://shop.example/a?b=1&amp;c=2\">the list</a>.</p>",
        ],
    ),
    (
        "log",
        &[
            "2026-01-05T12:06:05Z INFO [http-8080] c.e.OrderService - order 5185 accepted (took 574ms) user=4254 path=\"/api/items?id=6137&sort=-price\"",
        ],
    ),
];

/// One unit each, repeated: what makes a detector begin anew as often as can be.
const WORST: &[&str] = &[
    "'or ", "or (", "select ", "/**/", "$$", "<script ", "<a b='", "alert(a", "%25", "&amp;",
    "+AD", "{\"a\":", "${", "<%", "\\u003c",
];

fn inspect(detectors: &Detectors, value: &[u8], scratch: &mut Scratch) -> usize {
    let mut path = Path::new(Root::Json);
    path.push_name(b"note");
    let map = OffsetMap::verbatim(0);
    let context = Context {
        direction: Direction::Request,
        part: PartId::BODY,
        classes: Classes::all(),
        binary: false,
    };
    let mut findings = Findings::default();
    scratch.begin();
    let mut from = 0;
    while from < value.len() {
        let to = value.len().min(from + LEAF_BYTES);
        let whole = from == 0 && to == value.len();
        let overlap = if from == 0 { 0 } else { LEAF_OVERLAP_BYTES };
        let leaf = Leaf {
            path: &path,
            host: HostSyntax::JsonString,
            span: Span::new(from as u64, to as u64),
            bytes: &value[from..to],
            map: &map,
            piece: if whole {
                Piece::Whole
            } else {
                Piece::Window {
                    overlap,
                    last: to == value.len(),
                }
            },
        };
        detectors.inspect(&leaf, &context, scratch, &mut findings);
        from = if to == value.len() {
            to
        } else {
            to - LEAF_OVERLAP_BYTES
        };
    }
    findings.list.len()
}

fn benign(criterion: &mut Criterion) {
    let detectors = Detectors::new();
    let mut scratch = Scratch::new();
    let mut group = criterion.benchmark_group("benign");
    for (name, values) in BENIGN {
        group.throughput(Throughput::Bytes(
            values.iter().map(|value| value.len() as u64).sum(),
        ));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                values
                    .iter()
                    .map(|value| inspect(&detectors, black_box(value.as_bytes()), &mut scratch))
                    .sum::<usize>()
            });
        });
    }
    group.finish();
}

fn worst(criterion: &mut Criterion) {
    let detectors = Detectors::new();
    let mut scratch = Scratch::new();
    let mut group = criterion.benchmark_group("worst");
    group.sample_size(10);
    for unit in WORST {
        for bytes in [1_usize << 18, 1 << 19] {
            let value = unit.as_bytes().repeat(bytes / unit.len());
            group.throughput(Throughput::Bytes(value.len() as u64));
            group.bench_with_input(BenchmarkId::new(*unit, bytes), &value, |bencher, value| {
                bencher.iter(|| inspect(&detectors, black_box(value), &mut scratch));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, benign, worst);
criterion_main!(benches);
