//! Detectors: what is in the bytes.
//!
//! Readers (`json`, `xml`, `leaf`) turn a part's bytes into [`leaf::Leaf`]s, one per value, with the path and the raw
//! span of each; detectors look at leaves or at raw windows and record [`Finding`]s. Nothing here decides: that is
//! `policy`'s. Nothing here keeps or prints payload bytes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::span::Span;

pub mod cut;
pub mod form;
pub mod hash;
pub mod head;
pub mod injection;
pub mod json;
pub mod leaf;
pub mod literal;
mod pollution;
mod record;
pub mod sensitive;
pub mod signatures;
pub mod table;
pub mod text;
pub mod trial;
pub mod xml;
pub mod yara;

pub use crate::rules::class::{Category, Direction, Severity};
pub use crate::span::PartId;

/// One thing found, by whom, where, and why it is believed. Never the matched bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Stable id of the rule, such as `sqli/tautology` or `xxe/external-entity`.
    pub rule: Cow<'static, str>,
    /// Its class.
    pub category: Category,
    /// How bad, by the rule's author.
    pub severity: Severity,
    /// How sure, 0 to 100; signatures and structural facts say 100.
    pub score: u8,
    /// The part it lies in.
    pub part: PartId,
    /// Raw bytes in that part's stream that the finding covers.
    pub span: Span,
    /// The value's path (`$.user.name`, `query:q`), escaped and capped; empty when the part as a whole is meant.
    pub path: Box<str>,
    /// Why: kinds of evidence and the decode chain (`percent > base64: string break-out, tautology`). Never payload.
    pub reason: Cow<'static, str>,
}

/// An [`Anomaly`] and where it was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnomalyAt {
    /// What.
    pub anomaly: Anomaly,
    /// In which part.
    pub part: PartId,
    /// Offset in that part's stream from which on the inspection is not complete.
    pub offset: u64,
}

/// What the inspectors of one step found. `scan` drains it after each window, so that no flood of findings can push out
/// the one that matters.
#[derive(Debug, Default)]
pub struct Findings {
    /// Findings, in order of discovery.
    pub list: Vec<Finding>,
    /// Anomalies, in order of discovery.
    pub anomalies: Vec<AnomalyAt>,
    /// Rules that used up the time of a scan, each time with [`Anomaly::ScanTimeout`].
    pub late: Vec<Arc<str>>,
}

impl Findings {
    /// Records a finding. Past [`MAX_FINDINGS_A_STEP`] it is replaced by [`Anomaly::TooManyMatches`].
    pub fn record(&mut self, finding: Finding) {
        if self.list.len() < MAX_FINDINGS_A_STEP {
            self.list.push(finding);
        } else {
            self.anomaly(Anomaly::TooManyMatches, finding.part, finding.span.start);
        }
    }

    /// Records an anomaly; the same one in the same part is recorded once a step.
    pub fn anomaly(&mut self, anomaly: Anomaly, part: PartId, offset: u64) {
        let known = self
            .anomalies
            .iter()
            .any(|at| at.anomaly == anomaly && at.part == part);
        if !known {
            self.anomalies.push(AnomalyAt {
                anomaly,
                part,
                offset,
            });
        }
    }

    /// True when nothing was found.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.anomalies.is_empty() && self.late.is_empty()
    }
}

/// Findings kept between two drains; one 16 KiB window cannot honestly hold more.
pub const MAX_FINDINGS_A_STEP: usize = 1024;
