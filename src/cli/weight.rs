//! `sluice rules check --stats`: what a set of rules takes of time and memory, for tables and for choosing a machine.

use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;

use crate::inspect::yara::YaraLimits;
use crate::rules::raw::Raw;
use crate::scan::Ruleset;
use crate::server::rules::examination;

/// Reads and compiles bundles as a server does, and prints what it took, beyond what the program takes by itself.
pub(super) fn weigh(read: impl FnOnce() -> anyhow::Result<Vec<Raw>>) -> anyhow::Result<ExitCode> {
    let before = resident_kib("VmRSS:");
    let begun = Instant::now();
    let raws = read()?;
    let mut bundles = examination::parsed(&raws)?;
    for bundle in &mut bundles {
        bundle.examples = Vec::new();
    }
    drop(raws);
    let parsed = begun.elapsed();
    let rules = Ruleset::compile(bundles, YaraLimits::default())?;
    let loaded = begun.elapsed();
    let after = resident_kib("VmRSS:");
    let signatures = rules.signatures();
    println!(
        "{}",
        json!({
            "rules": signatures.rules().count(),
            "left-out": signatures.problems().len(),
            "digests": signatures.digests(),
            "search-strings": signatures.search().len(),
            "stepped-strings": signatures.search().stepped(),
            "search-kib": signatures.search().memory_bytes() / 1024,
            "parse-ms": parsed.as_millis(),
            "load-ms": loaded.as_millis(),
            "resident-kib": after.saturating_sub(before),
            "peak-kib": resident_kib("VmHWM:").saturating_sub(before),
        })
    );
    Ok(ExitCode::SUCCESS)
}

/// A line of the kernel's account of this process; 0 where there is none.
fn resident_kib(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line));
    let words = value.and_then(|value| value.split_whitespace().next());
    words.and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
