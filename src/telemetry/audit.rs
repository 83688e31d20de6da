//! The record of one transaction in this program's own names: what `POST /v1/scan` answers with, and the parts that log
//! lines share with it. Never payload, never a query or credential; each string that came from outside is escaped down
//! to printable ASCII and capped.

use std::time::SystemTime;

use crate::inspect::Severity;
use crate::policy::judge::Ruling;
use crate::redact::Action;
use crate::service::outcome::Outcome;

use super::object::Object;

/// Which transactions leave a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Records {
    /// Each one.
    #[default]
    All,
    /// Those that were blocked, changed or failed, or in which something was found.
    Findings,
    /// None.
    Off,
}

impl Records {
    /// True when `outcome` is to be recorded.
    pub fn wants(self, outcome: &Outcome) -> bool {
        match self {
            Records::All => true,
            Records::Findings => {
                outcome.verdict_code() != "allow"
                    || !outcome.report.findings.is_empty()
                    || !outcome.report.anomalies.is_empty()
                    || !outcome.report.redactions.is_empty()
            }
            Records::Off => false,
        }
    }
}

/// Writes the record of `outcome`, without a line end.
pub fn render(outcome: &Outcome, at: SystemTime, line: &mut Vec<u8>) {
    let mut record = Object::begin(line, RECORD_BYTES);
    record.time("time", at);
    record.text("event", "transaction");
    record.text("transaction", &outcome.id.to_string());
    record.text("method", outcome.mode());
    record.text_if("service", outcome.service.as_deref());
    record.text_if("profile", outcome.profile.as_deref());
    record.text_if("route", outcome.route.as_deref());
    if let Some(peer) = outcome.peer {
        record.text("peer", &peer.to_string());
    }
    record.number("icap_status", u64::from(outcome.status));
    record.text("verdict", outcome.verdict_code());
    record.text_if("reason", outcome.reason_code());
    record.text_if("rule", outcome.blocking_rule());
    let facts = &outcome.message;
    for (key, value) in [
        ("http_method", &facts.http_method),
        ("host", &facts.host),
        ("path", &facts.path),
        ("media_type", &facts.media_type),
        ("client", &facts.client),
        ("user", &facts.user),
    ] {
        record.text_if(key, Some(value));
    }
    if facts.http_status != 0 {
        record.number("http_status", u64::from(facts.http_status));
    }
    numbers(&mut record, outcome);
    record.number("total_us", micros(outcome.timing.total));
    lists(&mut record, outcome);
    record.end();
}

/// Sizes and times, where there are any.
pub(super) fn numbers(record: &mut Object<'_>, outcome: &Outcome) {
    let report = &outcome.report;
    record.number("bytes_in", outcome.bytes_in);
    record.number("bytes_out", outcome.bytes_out);
    record.number("decoded_bytes", report.decoded_bytes);
    record.number("uninspected_bytes", report.uninspected_bytes());
    if let Some(first) = outcome.timing.first_byte {
        record.number("first_byte_us", micros(first));
    }
    if report.edits > 0 {
        record.number("edits", report.edits);
    }
    if report.findings_dropped > 0 {
        record.number("findings_dropped", report.findings_dropped);
    }
}

/// What was found, met and redacted, where there is any.
pub(super) fn lists(record: &mut Object<'_>, outcome: &Outcome) {
    let report = &outcome.report;
    if !report.findings.is_empty() {
        record.list("findings", &report.findings, |record, judged| {
            let finding = &judged.fact;
            record.text("rule", &finding.rule);
            record.text("category", finding.category.code());
            record.text("severity", severity_code(finding.severity));
            record.number("score", u64::from(finding.score));
            record.number("part", u64::from(finding.part.0));
            record.text("place", report.path_of(finding.part));
            record.number("start", finding.span.start);
            record.number("end", finding.span.end);
            record.text("action", action_code(&judged.ruling));
        });
    }
    if !report.anomalies.is_empty() {
        record.list("anomalies", &report.anomalies, |record, judged| {
            let at = &judged.fact;
            record.text("code", at.anomaly.code());
            record.number("part", u64::from(at.part.0));
            record.text("place", report.path_of(at.part));
            record.number("offset", at.offset);
            record.text("action", action_code(&judged.ruling));
        });
    }
    if !report.redactions.is_empty() {
        record.object("redaction_counts", |record| {
            for (name, count) in &report.redactions {
                record.number(name, *count);
            }
        });
    }
    if !report.edit_notes.is_empty() {
        record.list("redactions", &report.edit_notes, |record, note| {
            record.text("entity", &note.entity);
            record.text("rule", &note.rule);
            record.text("path", &note.path);
            record.number("length", note.span.len());
            record.text("action", edit_code(note.action));
        });
    }
}

/// What a fact led to, in one word.
pub fn action_code(ruling: &Ruling) -> &'static str {
    match ruling {
        Ruling::Enforced(_) => "block",
        Ruling::Sanitized(_) => "sanitize",
        Ruling::Observed => "observe",
        Ruling::Excepted(_) => "except",
        Ruling::Ignored => "ignore",
    }
}

/// What a finding that is kept can lead to.
pub(super) const ACTIONS: [&str; 3] = ["block", "observe", "except"];

/// What was done to a value, in one word.
pub fn edit_code(action: Action) -> &'static str {
    match action {
        Action::Masked => "mask",
        Action::Removed => "remove",
        Action::Observed => "observe",
        Action::Blocked => "block",
    }
}

/// The severity's name, as in rule files.
pub fn severity_code(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// One record at most: 64 findings and as many anomalies and redactions, each with all its fields full.
const RECORD_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::service::outcome::{Ending, Facts, Failure};

    fn outcome() -> Outcome {
        Outcome {
            message: Facts {
                path: "/a\r\n\u{1b}[31m\"\u{2028}\u{9b}b".into(),
                host: "h".repeat(100_000),
                ..Facts::default()
            },
            status: 204,
            ..crate::telemetry::tests::hostile()
        }
    }

    #[test]
    fn a_record_is_one_line_of_json_in_printable_ascii_whatever_the_peer_sent() {
        let mut line = Vec::new();
        render(&outcome(), UNIX_EPOCH, &mut line);
        assert!(line.len() < 2048);
        assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)));
        let record: serde_json::Value = serde_json::from_slice(&line).expect("JSON");
        assert_eq!(record["path"], "/a\r\n\u{1b}[31m\"\u{2028}\u{9b}b");
        assert_eq!(record["icap_status"], 204);
        assert_eq!(record["time"], "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn only_the_records_that_are_wanted_are_written() {
        let clean = outcome();
        let failed = Outcome {
            ending: Ending::Failed(Failure::PeerGone),
            ..outcome()
        };
        assert!(Records::All.wants(&clean) && !Records::Off.wants(&failed));
        assert!(!Records::Findings.wants(&clean) && Records::Findings.wants(&failed));
    }
}
