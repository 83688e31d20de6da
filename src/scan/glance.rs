//! The look at a preview: what is bad already needs no second look.

use crate::inspect::Category;
use crate::policy::Reason;
use crate::policy::judge::Ruling;
use crate::wire::Pieces;

use super::{Ended, Message, Scan, Step};

impl Scan {
    /// Reads `beginning` as if it were all of the body, for findings that no further byte can undo: literal signatures,
    /// external entities, bombs. Everything else (a body that ends too early, YARA conditions on the whole file, evidence
    /// that more text could weaken) is left to the scan of the whole. The finished scan and the reason, or nothing.
    ///
    /// The scan of the whole would find the same; this only spares the client the upload.
    pub fn glance(&self, message: &Message<'_>, beginning: &Pieces) -> Option<(Self, Reason)> {
        let mut scan = self.glancing(message);
        for bytes in beginning.iter() {
            scan.push(bytes.clone());
        }
        scan.end(Ended::Complete);
        for _ in 0..MOST_STEPS {
            while scan.released().is_some() {}
            match scan.step() {
                Step::Busy => {}
                Step::NeedInput | Step::Offload | Step::Decided | Step::Done => break,
            }
        }
        let lasting = scan
            .report()
            .findings
            .iter()
            .find_map(|judged| match &judged.ruling {
                Ruling::Enforced(reason) if lasts(judged.fact.category) => Some(reason.clone()),
                _ => None,
            });
        lasting.map(|reason| (scan, reason))
    }
}

/// True for classes whose evidence lies in the bytes seen, whatever follows.
fn lasts(category: Category) -> bool {
    matches!(
        category,
        Category::Malware | Category::Exploit | Category::Xxe | Category::XmlBomb
    )
}

/// Windows of work: a preview is short, but what it unfolds to may not be.
const MOST_STEPS: usize = 32;
