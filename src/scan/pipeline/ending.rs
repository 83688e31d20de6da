//! How a scan ends: with its body, given up, and with its report.

use crate::anomaly::Anomaly;
use crate::inspect::injection::Explanation;
use crate::inspect::{AnomalyAt, PartId};
use crate::policy::Verdict;
use crate::policy::judge::Ruling;

use super::super::Ended;
use super::super::redaction::Redaction;
use super::super::report::{Report, Uninspected};
use super::{Scan, State};

impl Scan {
    /// Says that the body is over.
    pub fn end(&mut self, ended: Ended) {
        match ended {
            Ended::Complete => {}
            Ended::Truncated => {
                let at = self.report.body_bytes;
                self.judge_anomaly(AnomalyAt {
                    anomaly: Anomaly::TruncatedBody,
                    part: PartId::BODY,
                    offset: at,
                });
            }
        }
        if self.state != State::Inspecting {
            return;
        }
        self.state = State::Ending;
        if let Some(stack) = &mut self.stack {
            stack.end();
        }
    }

    /// Gives up on the rest of the message: time, memory or disk is over. The profile judges it.
    pub fn abandon(&mut self, anomaly: Anomaly) {
        // What was found so far counts.
        self.judge_found();
        let offset = self.report.body_bytes;
        self.judge_anomaly(AnomalyAt {
            anomaly,
            part: PartId::BODY,
            offset,
        });
        self.state = State::GivenUp;
        if let Some(stack) = self.stack.take() {
            self.report.decoded_bytes = stack.decoded_bytes();
            self.space.reuse_stack(stack);
        }
        self.heavy.clear();
        if self.redaction.take().is_some() {
            // What has not been read may hold what should have gone.
            self.judge_anomaly(AnomalyAt {
                anomaly: Anomaly::UnreachableEdit,
                part: PartId::BODY,
                offset,
            });
        }
        self.note_open();
    }

    /// Ends the scan: what is known goes to the caller.
    pub fn take_report(&mut self) -> Report {
        std::mem::take(&mut self.report)
    }

    /// Ends the scan.
    pub fn into_report(mut self) -> Report {
        self.take_report()
    }

    /// Ends the scan; what the detectors saw, when it was begun by [`explaining`](Self::explaining).
    pub fn into_explained(mut self) -> (Report, Explanation) {
        let explanation = self.explanation.take().map(|explanation| *explanation);
        let report = self.take_report();
        (report, explanation.unwrap_or_default())
    }

    pub(super) fn conclude(&mut self) {
        self.state = State::Done;
        if self.redaction.as_deref().is_some_and(Redaction::owes_cut) {
            self.judge_anomaly(AnomalyAt {
                anomaly: Anomaly::UnreachableEdit,
                part: PartId::BODY,
                offset: 0,
            });
        }
        if let Some(stack) = &self.stack {
            self.report.decoded_bytes = stack.decoded_bytes();
        }
        if !self.is_decided() && self.report.edits > 0 {
            let edits = self.report.edits;
            self.report.verdict = Verdict::Redact { edits };
        }
        self.note_open();
    }

    /// Counts a body that passes although something of it was not inspected, also one that was given up.
    fn note_open(&mut self) {
        if self.is_decided() {
            return;
        }
        let mut open = Vec::new();
        for judged in &self.report.anomalies {
            let anomaly = judged.fact.anomaly;
            if judged.ruling == Ruling::Observed && !open.contains(&anomaly) {
                open.push(anomaly);
            }
        }
        if !open.is_empty() {
            self.report.uninspected = Uninspected::Open(open);
        }
    }
}
