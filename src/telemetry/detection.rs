//! One line a detection: each finding of a transaction, and each anomaly that its profile did not ignore, for a SIEM.

use std::time::SystemTime;

use crate::inspect::Severity;
use crate::policy::judge::Ruling;
use crate::service::outcome::Outcome;

use super::baseline::Deviation;
use super::{action_code, cef, ecs, ocsf};

/// How a detection is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// JSON with the field names of the Elastic Common Schema.
    #[default]
    Ecs,
    /// JSON: a Detection Finding (class 2004) of the Open Cybersecurity Schema Framework.
    Ocsf,
    /// A line of the Common Event Format, for older SIEMs.
    Cef,
}

impl Form {
    /// Writes `detection`, of at most about `cap` bytes, without a line end.
    pub fn render(self, detection: &Detection<'_>, cap: usize, line: &mut Vec<u8>) {
        match self {
            Form::Ecs => ecs::detection(detection, cap, line),
            Form::Ocsf => ocsf::detection(detection, cap, line),
            Form::Cef => cef::detection(detection, line),
        }
    }
}

/// One thing that was found or met in a transaction, and what it led to.
#[derive(Debug)]
pub struct Detection<'a> {
    /// When the transaction ended.
    pub at: SystemTime,
    /// The transaction.
    pub outcome: &'a Outcome,
    /// Which of its detections, from 1.
    pub number: usize,
    /// The rule, or the code of the anomaly.
    pub rule: &'a str,
    /// Its category: that of the rule, `anomaly` or `baseline`.
    pub category: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure, 0 to 100.
    pub score: u8,
    /// The part of the message.
    pub place: &'a str,
    /// Where it begins in that part.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// What it led to.
    pub action: &'static str,
    /// Why it is believed; never payload.
    pub reason: &'a str,
}

impl Detection<'_> {
    /// Names the detection: the transaction and the number.
    pub fn id(&self) -> String {
        format!("{}-{}", self.outcome.id, self.number)
    }
}

/// Shows `each` detection of `outcome`, which ended at `at`, and of what was unusual about it.
pub fn each(
    (outcome, deviations): (&Outcome, &[Deviation]),
    at: SystemTime,
    mut each: impl FnMut(&Detection<'_>),
) {
    let report = &outcome.report;
    let findings = report.findings.iter().map(|judged| {
        let finding = &judged.fact;
        Detection {
            at,
            outcome,
            number: 0,
            rule: &finding.rule,
            category: finding.category.code(),
            severity: finding.severity,
            score: finding.score,
            place: report.path_of(finding.part),
            start: finding.span.start,
            end: finding.span.end,
            action: action_code(&judged.ruling),
            reason: &finding.reason,
        }
    });
    let met = report
        .anomalies
        .iter()
        .filter(|judged| judged.ruling != Ruling::Ignored);
    let anomalies = met.map(|judged| Detection {
        at,
        outcome,
        number: 0,
        rule: judged.fact.anomaly.code(),
        category: ANOMALY,
        severity: match judged.ruling {
            Ruling::Enforced(_) | Ruling::Sanitized(_) => Severity::Medium,
            Ruling::Observed | Ruling::Excepted(_) | Ruling::Ignored => Severity::Low,
        },
        score: 100,
        place: report.path_of(judged.fact.part),
        start: judged.fact.offset,
        end: judged.fact.offset,
        action: action_code(&judged.ruling),
        reason: "",
    });
    let unusual = deviations.iter().map(|deviation| Detection {
        at,
        outcome,
        number: 0,
        rule: deviation.signal.rule(),
        category: BASELINE,
        severity: Severity::Low,
        score: BASELINE_SCORE,
        place: "",
        start: 0,
        end: 0,
        action: "observe",
        reason: &deviation.reason,
    });
    for (detection, number) in findings.chain(anomalies).chain(unusual).zip(1..) {
        each(&Detection {
            number,
            ..detection
        });
    }
}

/// The category of what is unusual, and how sure such a thing can be.
const BASELINE: &str = "baseline";
const BASELINE_SCORE: u8 = 50;

/// The category of anomalies.
const ANOMALY: &str = "anomaly";
