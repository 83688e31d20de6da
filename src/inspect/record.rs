//! How a reader of structure records what it finds.

use std::borrow::Cow;

use crate::anomaly::Anomaly;
use crate::inspect::{Category, Finding, Findings, PartId, Severity};
use crate::span::Span;

/// A kind of misdeed: what all findings of one rule share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The rule's id.
    pub(crate) rule: &'static str,
    /// Its class.
    pub(crate) category: Category,
    /// 0 to 100.
    pub(crate) score: u8,
    /// Why, in a few words.
    pub(crate) reason: &'static str,
}

/// Records findings: each rule up to [`MOST_A_RULE`] times a document, then once as an anomaly, so that neither a flood
/// costs nor an exception for one path hides the others silently.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    part: PartId,
    counts: Vec<(&'static str, u8)>,
}

impl Recorder {
    /// Begins a document of that part.
    pub(crate) fn begin(&mut self, part: PartId) {
        self.part = part;
        self.counts.clear();
    }

    /// True as long as another finding of the rule is worth the making. A grammar is broken once, wherever that is.
    fn admit(&mut self, charge: Charge, at: u64, findings: &mut Findings) -> bool {
        let rule = charge.rule;
        let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == rule) else {
            self.counts.push((rule, 1));
            return true;
        };
        if matches!(
            charge.category,
            Category::JsonMalformed | Category::XmlMalformed
        ) {
            return false;
        }
        if *count < MOST_A_RULE {
            *count += 1;
            return true;
        }
        if *count == MOST_A_RULE {
            *count += 1;
            findings.anomaly(Anomaly::TooManyMatches, self.part, at);
        }
        false
    }

    /// Records one finding.
    pub(crate) fn record(
        &mut self,
        charge: Charge,
        span: Span,
        path: impl FnOnce() -> Box<str>,
        findings: &mut Findings,
    ) {
        if self.admit(charge, span.start, findings) {
            findings.record(Finding {
                rule: Cow::Borrowed(charge.rule),
                category: charge.category,
                severity: severity(charge.score),
                score: charge.score,
                part: self.part,
                span,
                path: path(),
                reason: Cow::Borrowed(charge.reason),
            });
        }
    }
}

fn severity(score: u8) -> Severity {
    match score {
        90.. => Severity::High,
        60.. => Severity::Medium,
        _ => Severity::Low,
    }
}

/// Findings of one rule that a document yields at most.
const MOST_A_RULE: u8 = 16;
