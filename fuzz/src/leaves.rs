//! What readers of structure hand out, in a form that can be compared.

use sluice::inspect::Findings;
use sluice::inspect::leaf::{Leaf, LeafSink};

/// Leaves as text, each with the raw place of every byte of it.
#[derive(Debug, Default, PartialEq)]
pub struct Log {
    /// Bytes of the document: no leaf may lie outside.
    pub len: u64,
    /// The leaves.
    pub leaves: Vec<String>,
}

impl LeafSink for Log {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        assert!(leaf.span.end <= self.len, "a leaf outside of the document");
        let mut places = Vec::with_capacity(leaf.bytes.len());
        for index in 0..leaf.bytes.len() {
            let raw = leaf.map.raw(index, index + 1);
            assert!(!raw.is_empty(), "a byte from nowhere");
            assert!(raw.start >= leaf.span.start && raw.end <= leaf.span.end);
            places.push(raw.start);
        }
        assert!(places.is_sorted(), "bytes out of order");
        self.leaves.push(format!(
            "{} {:?} {} {:?} {:?} {places:?}",
            leaf.path, leaf.host, leaf.span, leaf.piece, leaf.bytes
        ));
    }
}

/// Findings as text.
pub fn rules(findings: &Findings) -> Vec<String> {
    let rule = |finding: &sluice::inspect::Finding| {
        format!("{} {} {}", finding.rule, finding.span, finding.path)
    };
    findings.list.iter().map(rule).collect()
}
