//! `application/x-www-form-urlencoded` bodies and URL queries (WHATWG URL §5.1), in windows.

use crate::inspect::leaf::{LeafSink, Path, Root};
use crate::inspect::{Findings, PartId};

/// Reads one form or query after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    part: PartId,
    path: Path,
}

impl Reader {
    /// A reader of a form in the body.
    pub fn new() -> Self {
        Self {
            part: PartId::BODY,
            path: Path::new(Root::Form),
        }
    }

    /// Begins a form ([`Root::Form`]) or a query ([`Root::Query`]) whose first byte has offset `base` in `part`.
    pub fn begin(&mut self, part: PartId, root: Root, base: u64) {
        let _ = base;
        self.part = part;
        self.path = Path::new(root);
    }

    /// Reads one window, of any size.
    pub fn push<S: LeafSink + ?Sized>(
        &mut self,
        window: &[u8],
        sink: &mut S,
        findings: &mut Findings,
    ) {
        let _ = (window, sink, findings);
    }

    /// Ends the form.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, sink: &mut S, findings: &mut Findings) {
        let _ = (sink, findings);
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}
