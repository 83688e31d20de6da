//! Both YARA engines on the same rules and the same bytes; needs `--features libyara`.
//!
//! A binary of its own: the feature compiles the crate a second time, and the other tests need not come along.

#[path = "it/signatures/public.rs"]
mod public;

use std::time::Duration;

use sluice::inspect::yara::libyara::Reference;
use sluice::inspect::yara::{Externals, YaraLimits, YaraSet};
use sluice::rules::Bundle;
use sluice::rules::yara::YaraFile;

use public::{bodies, public_set, shared};

/// Both engines on the same rules and the same bytes.
fn compare(files: &[YaraFile], samples: &[Vec<u8>]) -> usize {
    let (set, problems) = YaraSet::compile(files, &YaraLimits::default());
    assert!(problems.is_empty(), "{problems:?}");
    let reference = Reference::compile(files).expect("compiles");
    let mut matched = 0;
    for (number, sample) in samples.iter().enumerate() {
        let ours = set.names(&set.scan_ungated(sample, &Externals::default()));
        let theirs = reference
            .scan(sample, Duration::from_secs(60))
            .expect("scans");
        assert_eq!(ours, theirs, "sample {number} of {} bytes", sample.len());
        matched += ours.len();
    }
    matched
}

#[test]
fn both_engines_agree_on_the_shipped_rules() {
    let bundle = Bundle::embedded();
    let samples: Vec<Vec<u8>> = bundle
        .examples
        .iter()
        .map(|example| example.bytes.clone())
        .collect();
    assert!(compare(&bundle.yara, &samples) > 20);
}

#[test]
fn both_engines_agree_on_a_large_public_set() {
    let Some(folder) = shared("yara-rules/signature-base") else {
        return;
    };
    let mut files = public_set(&folder);
    let samples: Vec<Vec<u8>> = files
        .iter()
        .step_by(5)
        .map(|file| file.text.as_bytes().to_vec())
        .chain(
            shared("corpus/attack.jsonl")
                .iter()
                .flat_map(|path| bodies(path, 37)),
        )
        .collect();
    // libyara's hash module needs a crypto library that the vendored build leaves out.
    files.retain(|file| Reference::compile([file]).is_ok());
    eprintln!("{} files, {} samples", files.len(), samples.len());
    assert!(files.len() > 700);
    assert!(compare(&files, &samples) > 100);
}
