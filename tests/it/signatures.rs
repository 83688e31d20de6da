//! Signatures as a whole: public sets load, the gate changes no verdict, nor does any split.
//!
//! Tests on `../shared` are skipped, with a note, where that folder is absent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sluice::budget::Budget;
use sluice::inspect::literal::PartFacts;
use sluice::inspect::signatures::{SignatureScan, Signatures};
use sluice::inspect::yara::{Externals, YaraLimits};
use sluice::inspect::{Direction, Findings, PartId};
use sluice::rules::Bundle;
use sluice::rules::literal::Place;
use sluice::rules::yara::YaraFile;

/// A path beside the repository, or `None` with a note.
fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: ../shared/{path} is absent");
    None
}

/// The files of a public set, whatever their permissions: tests trust them.
fn public_set(folder: &Path) -> Vec<YaraFile> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yar" || extension == "yara")
            {
                let bytes = std::fs::read(&path).expect("readable");
                files.push(YaraFile {
                    namespace: path
                        .file_stem()
                        .map(|stem| stem.to_string_lossy())
                        .unwrap_or_default()
                        .into(),
                    shown: path.to_string_lossy().into(),
                    text: String::from_utf8_lossy(&bytes).into(),
                    mode: sluice::rules::Mode::Enforce,
                });
            }
        }
    }
    files
}

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
};

fn gated(rules: &Arc<Signatures>, pieces: &[&[u8]]) -> Vec<String> {
    let budget = Budget::new(1 << 30);
    let mut scan = SignatureScan::new(rules, &budget, &FACTS);
    let mut out = Findings::default();
    for piece in pieces {
        scan.push(piece, &mut out);
    }
    if let Some(work) = scan.finish(&mut out) {
        work.run(&Externals::default(), &mut out);
    }
    ids(&out)
}

fn ungated(rules: &Arc<Signatures>, body: &[u8]) -> Vec<String> {
    let mut out = Findings::default();
    let matches = rules.yara().scan_ungated(body, &Externals::default());
    rules
        .yara()
        .report(&matches, PartId::BODY, body.len() as u64, &mut out);
    ids(&out)
}

/// Bodies of a corpus file, every `step`th.
fn bodies(path: &Path, step: usize) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines()
        .step_by(step)
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).expect("a record");
            let body = record
                .get("body_base64")
                .and_then(|body| body.as_str())
                .expect("a body");
            base64::engine::general_purpose::STANDARD
                .decode(body)
                .expect("base64")
        })
        .collect()
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
        .step_by(7)
        .map(|file| file.text.as_bytes().to_vec())
        .collect();
    for name in ["corpus/attack.jsonl", "corpus/benign.jsonl"] {
        samples.extend(shared(name).iter().flat_map(|path| bodies(path, 23)));
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
