//! Signatures as a whole: public sets load, the gate changes no verdict, nor does any split.
//!
//! Tests on `../shared` are skipped, with a note, where that folder is absent.

mod decoding;
mod files;
mod gate;
mod limits;
mod literals;
pub mod public;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice::budget::{Budget, Disk};
use sluice::inspect::literal::PartFacts;
use sluice::inspect::signatures::{Keeping, SignatureScan, Signatures};
use sluice::inspect::yara::{Externals, YaraLimits};
use sluice::inspect::{Direction, Findings, PartId};
use sluice::rules::Bundle;
use sluice::rules::literal::Place;
use sluice::rules::yara::YaraFile;
use sluice::span::Span;

use public::{bodies, public_set, shared};

fn compiled(files: Vec<YaraFile>) -> Arc<Signatures> {
    let mut bundle = Bundle::default();
    bundle.yara = files;
    Arc::new(Signatures::compile(vec![bundle], YaraLimits::default()).expect("compiles"))
}

fn ids(out: &Findings) -> Vec<String> {
    let mut ids: Vec<String> = out
        .list
        .iter()
        .map(|finding| finding.rule.to_string())
        .collect();
    ids.sort();
    ids
}

const FACTS: PartFacts<'static> = PartFacts {
    part: PartId::BODY,
    place: Place::Body,
    direction: Direction::Request,
    content_type: None,
    within: None,
};

fn gated(rules: &Arc<Signatures>, pieces: &[&[u8]]) -> Vec<String> {
    let budget = Budget::new(1 << 30);
    let mut scan = SignatureScan::new(rules, &budget, &FACTS);
    ids(&run(
        &mut scan,
        pieces.iter().copied(),
        &Externals::default(),
    ))
}

/// Pushes the pieces and does all the work that comes of them.
fn run<'a>(
    scan: &mut SignatureScan,
    pieces: impl Iterator<Item = &'a [u8]>,
    externals: &Externals,
) -> Findings {
    let mut out = Findings::default();
    for piece in pieces {
        scan.push(piece, &mut out);
        while let Some(work) = scan.take_work() {
            work.run(externals, &mut out);
        }
    }
    if let Some(work) = scan.finish(&mut out) {
        work.run(externals, &mut out);
    }
    out
}

fn ungated(rules: &Arc<Signatures>, body: &[u8]) -> Vec<String> {
    let mut out = Findings::default();
    let matches = rules.yara().scan_ungated(body, &Externals::default());
    let span = Span::new(0, body.len() as u64);
    rules.yara().report(&matches, PartId::BODY, span, &mut out);
    ids(&out)
}

/// Every so manieth is looked at; all with `SLUICE_TEST_ALL`, which takes minutes.
fn sample(step: usize) -> usize {
    match std::env::var_os("SLUICE_TEST_ALL") {
        Some(_) => 1,
        None => step,
    }
}

#[test]
fn a_large_public_set_loads_and_the_gate_changes_no_verdict() {
    let Some(folder) = shared("yara-rules/signature-base") else {
        return;
    };
    let files = public_set(&folder);
    let begun = std::time::Instant::now();
    let rules = compiled(files.clone());
    eprintln!(
        "{} files, {} rules, {} problems, {} gate strings, {} always, in {:?}",
        files.len(),
        rules.rules().count(),
        rules.problems().len(),
        rules.yara().gate_patterns().len(),
        rules.costly().count(),
        begun.elapsed()
    );
    for problem in rules.problems() {
        eprintln!("{problem}");
    }
    assert!(rules.problems().is_empty());

    let mut samples: Vec<Vec<u8>> = files
        .iter()
        .step_by(sample(7))
        .map(|file| file.text.as_bytes().to_vec())
        .collect();
    for name in ["corpus/attack.jsonl", "corpus/benign.jsonl"] {
        samples.extend(
            shared(name)
                .iter()
                .flat_map(|path| bodies(path, sample(23))),
        );
    }
    let mut matched = 0;
    for sample in &samples {
        let wanted = ungated(&rules, sample);
        matched += wanted.len();
        assert_eq!(gated(&rules, &[sample]), wanted);
    }
    eprintln!("{} samples, {matched} matches", samples.len());
    assert!(matched > 100, "the samples meet rules");
}

/// Shipped rules that match `content` as a body of either direction, as a file and as a value.
fn shipped_matches(rules: &Arc<Signatures>, content: &[u8]) -> Vec<String> {
    let budget = Budget::new(1 << 30);
    let mut all = Vec::new();
    for (place, direction) in [
        (Place::Body, Direction::Request),
        (Place::Body, Direction::Response),
        (Place::Field, Direction::Request),
    ] {
        let facts = PartFacts {
            place,
            direction,
            ..FACTS
        };
        let mut scan = SignatureScan::new(rules, &budget, &facts);
        let found = run(&mut scan, content.chunks(16 * 1024), &Externals::default());
        all.extend(ids(&found));
    }
    all.sort();
    all.dedup();
    all
}

fn shipped() -> Arc<Signatures> {
    Arc::new(
        Signatures::compile(vec![Bundle::embedded()], YaraLimits::default()).expect("compiles"),
    )
}

#[test]
fn shipped_rules_leave_the_benign_corpus_alone() {
    let Some(path) = shared("corpus/benign.jsonl") else {
        return;
    };
    let rules = shipped();
    let mut alerts = Vec::new();
    for (number, body) in bodies(&path, 1).iter().enumerate() {
        for rule in shipped_matches(&rules, body) {
            alerts.push(format!("record {number}: {rule}"));
        }
    }
    assert!(alerts.is_empty(), "{alerts:#?}");
}

/// Bytes of the machine's own documents that one run looks at.
const DOCUMENT_BYTES: u64 = 12 * 1024 * 1024;

#[test]
fn shipped_rules_leave_the_documents_of_the_machine_alone() {
    let rules = shipped();
    let (mut alerts, mut files, mut bytes) = (Vec::new(), 0u64, 0u64);
    let mut open = vec![PathBuf::from("/usr/share")];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            let Ok(meta) = std::fs::symlink_metadata(&path) else {
                continue;
            };
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_file() && meta.len() < 4 << 20 && bytes < document_bytes() {
                let Ok(content) = std::fs::read(&path) else {
                    continue;
                };
                files += 1;
                bytes += meta.len();
                for rule in shipped_matches(&rules, &content) {
                    alerts.push(format!("{}: {rule}", path.display()));
                }
            }
        }
    }
    eprintln!("{files} files, {} MiB", bytes >> 20);
    assert!(alerts.is_empty(), "{alerts:#?}");
}

/// `SLUICE_TEST_DOCUMENT_MIB` widens the run; 96 takes a minute and a half without optimisation.
fn document_bytes() -> u64 {
    std::env::var("SLUICE_TEST_DOCUMENT_MIB")
        .ok()
        .and_then(|text| text.parse::<u64>().ok())
        .map_or(DOCUMENT_BYTES, |mib| mib << 20)
}

#[test]
fn findings_do_not_depend_on_how_a_body_is_cut() {
    let mut bundle = Bundle::embedded();
    let examples = std::mem::take(&mut bundle.examples);
    let rules =
        Arc::new(Signatures::compile(vec![bundle], YaraLimits::default()).expect("compiles"));
    for example in &examples {
        let body = &example.bytes;
        let wanted = gated(&rules, &[body]);
        let step = body.len() / 24 + 1;
        for cut in (0..body.len()).step_by(step) {
            let (a, b) = body.split_at(cut);
            assert_eq!(
                gated(&rules, &[a, b]),
                wanted,
                "{} cut at {cut}",
                example.source
            );
        }
        let single: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(
            gated(&rules, &single),
            wanted,
            "{} byte by byte",
            example.source
        );
    }
}

/// Rules that tell a block from the whole: by its size, its beginning, and by strings that lie far apart.
const BLOCK_RULES: &str = r#"
rule block_anywhere { strings: $a = "needle-anywhere" condition: $a }
rule block_begin { strings: $a = "needle-anywhere" condition: uint32be(0) == 0x484f5553 and $a }
rule block_size { strings: $a = "needle-anywhere" condition: $a and filesize > 3MB }
rule block_far { strings: $a = "needle-anywhere" $b = "far-away-needle" condition: $a and $b }
rule block_name { strings: $a = "needle-anywhere" condition: $a and filename == "a.bin" and direction == "response" }
rule block_never { strings: $a = "needle-anywhere" $b = "not-in-any-body" condition: $a and $b }
"#;

const NEEDLE: &[u8] = b"needle-anywhere";

/// A body of `length` bytes with the needle at `place` and its fellow at the end.
fn long_body(length: usize, place: usize) -> Vec<u8> {
    let mut body = vec![b'.'; length];
    body[..4].copy_from_slice(b"HOUS");
    body[place..place + NEEDLE.len()].copy_from_slice(NEEDLE);
    let end = length - 20;
    body[end..end + 15].copy_from_slice(b"far-away-needle");
    body
}

/// Ids and anomalies of a body in pieces of `size` bytes.
fn long_run(
    rules: &Arc<Signatures>,
    budget: &Budget,
    keeping: Keeping,
    (body, size): (&[u8], usize),
) -> (Vec<String>, Vec<&'static str>) {
    let mut scan = SignatureScan::new(rules, budget, &FACTS);
    scan.keep_up_to(keeping);
    let externals = Externals {
        filename: "a.bin".into(),
        direction: "response".into(),
        ..Externals::default()
    };
    let out = run(&mut scan, body.chunks(size), &externals);
    let anomalies = out.anomalies.iter().map(|at| at.anomaly.code()).collect();
    (ids(&out), anomalies)
}

fn block_rules() -> Arc<Signatures> {
    compiled(vec![rule_file("block.yar", BLOCK_RULES)])
}

fn rule_file(name: &str, text: &str) -> YaraFile {
    YaraFile {
        namespace: name.trim_end_matches(".yar").into(),
        shown: name.into(),
        text: text.into(),
        bundle: "test".into(),
    }
}

#[test]
fn a_body_over_the_limits_is_looked_at_in_blocks_and_that_is_recorded() {
    let rules = block_rules();
    let budget = Budget::new(1 << 30);
    let keeping = Keeping {
        memory_bytes: 1 << 20,
        spool_bytes: 0,
    };
    for place in [10, (1 << 20) - 20, (1 << 20) - 5, 3 << 20, (4 << 20) - 70] {
        let body = long_body(4 << 20, place);
        let mut wanted = vec!["block/block_anywhere", "block/block_name"];
        if place < 1 << 20 {
            // The first block begins as the body does; the needle that crosses its end is in the next one only.
            if place + NEEDLE.len() <= 1 << 20 {
                wanted.push("block/block_begin");
            }
        }
        if place >= 3 << 20 {
            wanted.push("block/block_far");
        }
        wanted.sort_unstable();
        for size in [1000, 16 * 1024, 5 << 20] {
            let (found, anomalies) = long_run(&rules, &budget, keeping, (&body, size));
            assert_eq!(found, wanted, "at {place}, pieces of {size}");
            assert_eq!(anomalies, ["windowed"]);
        }
    }
    let whole = vec![b'.'; 1 << 20];
    let (_, anomalies) = long_run(&rules, &budget, keeping, (&whole, 4096));
    assert_eq!(anomalies, Vec::<&str>::new());
    assert_eq!(budget.used(), 0, "what was reserved was given back");
}

#[test]
fn a_long_body_is_scanned_whole_from_its_spool_file() {
    let rules = block_rules();
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Disk {
        directory: folder.path().to_owned(),
        bytes: Budget::new(64 << 20),
    };
    let budget = Budget::with_disk(1 << 30, disk.clone());
    let keeping = Keeping {
        memory_bytes: 2 << 20,
        spool_bytes: 8 << 20,
    };
    let all = [
        "block/block_anywhere",
        "block/block_begin",
        "block/block_far",
        "block/block_name",
        "block/block_size",
    ];
    for (length, place) in [
        (4 << 20, 3 << 20),
        (8 << 20, (1 << 20) - 7),
        ((6 << 20) + 1, 5 << 20),
    ] {
        let body = long_body(length, place);
        for size in [999, 16 * 1024, 3 << 20, 9 << 20] {
            let (found, anomalies) = long_run(&rules, &budget, keeping, (&body, size));
            assert_eq!(
                found, all,
                "{length} bytes, needle at {place}, pieces of {size}"
            );
            assert_eq!(anomalies, Vec::<&str>::new());
        }
    }
    // No memory for the whole of it: its blocks, and that is said.
    let poor = Budget::with_disk(3 << 20, disk.clone());
    let body = long_body(6 << 20, 5 << 20);
    let (found, mut anomalies) = long_run(&rules, &poor, keeping, (&body, 16 * 1024));
    anomalies.sort_unstable();
    assert_eq!(anomalies, ["memory-budget", "windowed"]);
    let wanted = [
        "block/block_anywhere",
        "block/block_far",
        "block/block_name",
    ];
    assert_eq!(found, wanted);
    assert_eq!(poor.used(), 0);
    // Too long for the spool, with blocks due in memory, in the file and after it.
    for place in [100, 3 << 20, (8 << 20) - 3, 9 << 20] {
        let body = long_body((10 << 20) + 77, place);
        let mut wanted = None;
        for size in [4096, 16 * 1024, 11 << 20] {
            let (found, anomalies) = long_run(&rules, &budget, keeping, (&body, size));
            assert_eq!(anomalies, ["windowed"]);
            assert!(
                found.contains(&"block/block_anywhere".to_owned()),
                "at {place}"
            );
            assert_eq!(
                *wanted.get_or_insert(found.clone()),
                found,
                "pieces of {size}"
            );
        }
    }
    // Files are closed on a thread of their own.
    let used = || (budget.used(), disk.bytes.used());
    let until = Instant::now() + Duration::from_secs(30);
    while used() != (0, 0) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(used(), (0, 0));
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "the files have no names");
}

#[test]
fn a_full_spool_means_blocks_and_a_broken_one_is_never_silent() {
    let rules = block_rules();
    let keeping = Keeping {
        memory_bytes: 1 << 20,
        spool_bytes: 64 << 20,
    };
    let body = long_body(5 << 20, 3 << 20);
    let run = |directory: &Path, bytes: u64| {
        let disk = Disk {
            directory: directory.to_owned(),
            bytes: Budget::new(bytes),
        };
        let budget = Budget::with_disk(1 << 30, disk);
        long_run(&rules, &budget, keeping, (&body, 16 * 1024))
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (found, anomalies) = run(folder.path(), 3 << 20);
    assert_eq!(found, ["block/block_anywhere", "block/block_name"]);
    assert_eq!(anomalies, ["windowed", "spool-failure"]);
    let (_, anomalies) = run(&folder.path().join("absent"), 64 << 20);
    assert_eq!(anomalies, ["spool-failure"]);
}
