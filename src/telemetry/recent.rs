//! The last verdicts, for the admin listener: rings of a fixed size whose slots are written over.
//!
//! A transaction never waits here: its slot is taken by a counter, and one that a reader holds at that very moment is
//! passed over.

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use crate::inspect::Severity;
use crate::service::outcome::{Outcome, TransactionId};

use super::{action_code, severity_code};

/// The last verdicts. Those that pass are kept apart, so that they do not wash the others away.
#[derive(Debug)]
pub struct Recent {
    passed: Ring,
    others: Ring,
}

/// One verdict.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The transaction.
    pub id: TransactionId,
    /// When it ended.
    pub at: SystemTime,
    /// `allow`, `block`, `redact` or `error`.
    pub verdict: &'static str,
    /// Why, of a block or failure.
    pub reason: Option<&'static str>,
    /// `reqmod`, `respmod`, `options`, `unknown`.
    pub mode: &'static str,
    /// Milliseconds that it took.
    pub millis: u64,
    /// Body bytes received.
    pub bytes: u64,
    /// The service.
    pub service: String,
    /// The profile.
    pub profile: String,
    /// The ICAP client's address, where it has one.
    pub peer: Option<IpAddr>,
    /// The HTTP method.
    pub method: String,
    /// The host asked for.
    pub host: String,
    /// The path asked for, without its query.
    pub path: String,
    /// The first findings: rule, severity, what it led to.
    pub findings: Vec<(String, &'static str, &'static str)>,
    /// The first anomalies and what they led to.
    pub anomalies: Vec<(&'static str, &'static str)>,
}

impl Recent {
    /// Takes note of a finished transaction.
    pub fn note(&self, outcome: &Outcome, at: SystemTime) {
        let report = &outcome.report;
        let plain = outcome.verdict_code() == "allow"
            && report.findings.is_empty()
            && report.anomalies.is_empty();
        match plain {
            true => self.passed.put(outcome, at),
            false => self.others.put(outcome, at),
        }
    }

    /// All that are kept and that `wanted` takes, the last one first.
    pub fn list(&self, wanted: impl Fn(&Verdict) -> bool) -> Vec<Verdict> {
        let mut list = Vec::new();
        for ring in [&self.passed, &self.others] {
            for slot in &ring.slots {
                let slot = slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                list.extend(slot.iter().filter(|verdict| wanted(verdict)).cloned());
            }
        }
        list.sort_by_key(|verdict| std::cmp::Reverse(verdict.at));
        list
    }
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            passed: Ring::new(PASSED),
            others: Ring::new(OTHERS),
        }
    }
}

#[derive(Debug)]
struct Ring {
    slots: Box<[Mutex<Option<Verdict>>]>,
    next: AtomicUsize,
}

impl Ring {
    fn new(size: usize) -> Self {
        Self {
            slots: std::iter::repeat_with(Mutex::default).take(size).collect(),
            next: AtomicUsize::new(0),
        }
    }

    fn put(&self, outcome: &Outcome, at: SystemTime) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = turn
            .checked_rem(self.slots.len())
            .and_then(|at| self.slots.get(at));
        // Whoever reads it holds it for the time of a copy; nobody waits for that.
        let Some(Ok(mut slot)) = slot.map(Mutex::try_lock) else {
            return;
        };
        let verdict = slot.get_or_insert_with(|| Verdict::empty(outcome.id));
        verdict.fill(outcome, at);
    }
}

impl Verdict {
    fn empty(id: TransactionId) -> Self {
        Self {
            id,
            at: SystemTime::UNIX_EPOCH,
            verdict: "",
            reason: None,
            mode: "",
            millis: 0,
            bytes: 0,
            service: String::new(),
            profile: String::new(),
            peer: None,
            method: String::new(),
            host: String::new(),
            path: String::new(),
            findings: Vec::new(),
            anomalies: Vec::new(),
        }
    }

    /// Writes over what stood here, in its buffers.
    fn fill(&mut self, outcome: &Outcome, at: SystemTime) {
        let (report, facts) = (&outcome.report, &outcome.message);
        (self.id, self.at) = (outcome.id, at);
        self.verdict = outcome.verdict_code();
        self.reason = outcome.reason_code();
        self.mode = outcome.mode();
        self.millis = u64::try_from(outcome.timing.total.as_millis()).unwrap_or(u64::MAX);
        self.bytes = outcome.bytes_in;
        self.peer = outcome.peer;
        for (field, text) in [
            (&mut self.service, outcome.service.as_deref()),
            (&mut self.profile, outcome.profile.as_deref()),
            (&mut self.method, Some(&*facts.http_method)),
            (&mut self.host, Some(&*facts.host)),
            (&mut self.path, Some(&*facts.path)),
        ] {
            field.clear();
            let text = text.unwrap_or_default();
            field.push_str(
                text.get(..text.floor_char_boundary(TEXT_BYTES))
                    .unwrap_or(text),
            );
        }
        self.findings.clear();
        let severity = |severity: Severity| severity_code(severity);
        self.findings
            .extend(report.findings.iter().take(LISTED).map(|judged| {
                (
                    judged.fact.rule.clone().into_owned(),
                    severity(judged.fact.severity),
                    action_code(&judged.ruling),
                )
            }));
        self.anomalies.clear();
        self.anomalies.extend(
            report
                .anomalies
                .iter()
                .take(LISTED)
                .map(|judged| (judged.fact.anomaly.code(), action_code(&judged.ruling))),
        );
    }
}

/// Verdicts kept of those that passed with nothing found: a look at what comes by.
const PASSED: usize = 128;

/// Verdicts kept of the others.
const OTHERS: usize = 512;

/// Findings and anomalies kept of one verdict.
const LISTED: usize = 8;

/// A text kept of one verdict.
const TEXT_BYTES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::outcome::{Ending, Failure};

    #[test]
    fn what_passes_does_not_wash_away_what_did_not_and_no_ring_grows() {
        let recent = Recent::default();
        let mut failed = crate::telemetry::tests::hostile();
        failed.ending = Ending::Failed(Failure::PeerGone);
        recent.note(&failed, SystemTime::now());
        for _ in 0..10 * PASSED {
            recent.note(&crate::telemetry::tests::hostile(), SystemTime::now());
        }
        let all = recent.list(|_| true);
        assert_eq!(all.len(), PASSED + 1);
        assert_eq!(all.last().map(|verdict| verdict.id), Some(failed.id));
        assert!(all.windows(2).all(|two| two[0].at >= two[1].at));
    }

    #[test]
    fn a_slot_that_is_read_is_passed_over() {
        let recent = Recent::default();
        let held = recent.passed.slots[0].lock().expect("free");
        recent.note(&crate::telemetry::tests::hostile(), SystemTime::now());
        recent.note(&crate::telemetry::tests::hostile(), SystemTime::now());
        drop(held);
        assert_eq!(recent.list(|_| true).len(), 1);
    }
}
