//! JSON inside a string of another document.

use crate::inspect::Findings;
use crate::inspect::json::{
    Document, Fault, Fragment, Limits, Mark, Purpose, Reader, Role, Scalar, Sink, Tokenizer,
};
use crate::inspect::leaf::{Leaf, LeafSink};

/// Reads one inner document after another.
#[derive(Debug)]
pub(super) struct Nested {
    check: Tokenizer,
    reader: Reader,
    findings: Findings,
}

impl Default for Nested {
    fn default() -> Self {
        Self {
            check: Tokenizer::new(),
            reader: Reader::new(Limits::default()),
            findings: Findings::default(),
        }
    }
}

impl Nested {
    /// Hands the leaves of the document that the string `outer` holds to `inner`; their spans count from the first
    /// decoded byte of `outer`. False when it holds none that is well formed.
    pub(super) fn read(&mut self, outer: &Leaf<'_>, inner: &mut dyn FnMut(&Leaf<'_>)) -> bool {
        let mut faults = Faults(false);
        self.check.reset();
        self.check.push(outer.bytes, &mut faults);
        self.check.finish(&mut faults);
        if faults.0 {
            return false;
        }
        let mut sink = Inner(inner);
        let document = Document {
            purpose: Purpose::Values,
            ..Document::default()
        };
        self.reader.begin_below(document, outer.path);
        self.reader.push(outer.bytes, &mut sink, &mut self.findings);
        self.reader.finish(&mut sink, &mut self.findings);
        self.findings.list.clear();
        self.findings.anomalies.clear();
        true
    }
}

struct Inner<'a>(&'a mut dyn FnMut(&Leaf<'_>));

impl LeafSink for Inner<'_> {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        (self.0)(leaf);
    }
}

/// Whether the text is anything but one JSON document.
struct Faults(bool);

impl Sink for Faults {
    fn mark(&mut self, _mark: Mark, _at: u64) {}
    fn string(&mut self, _role: Role, _fragment: Fragment<'_>) {}
    fn scalar(&mut self, _role: Role, _scalar: Scalar, _fragment: Fragment<'_>) {}
    fn fault(&mut self, _fault: Fault, _at: u64) {
        self.0 = true;
    }
}
