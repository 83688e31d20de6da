//! The audit record: one JSON line a transaction. Never payload, never a query or credential; each string that came
//! from outside is escaped down to printable ASCII and capped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::inspect::Severity;
use crate::policy::judge::Ruling;
use crate::redact::Action;
use crate::service::outcome::Outcome;

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

/// Writes the record of `outcome`, with its line end.
pub fn render(outcome: &Outcome, at: SystemTime, line: &mut Vec<u8>) {
    let mut record = Record { line, first: true };
    record.line.push(b'{');
    record.time(at);
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
    record.message(outcome);
    record.report(outcome);
    record.number("bytes_in", outcome.bytes_in);
    record.number("bytes_out", outcome.bytes_out);
    if let Some(first) = outcome.timing.first_byte {
        record.number("first_byte_us", micros(first));
    }
    record.number("total_us", micros(outcome.timing.total));
    record.line.extend_from_slice(b"}\n");
}

/// `text` as printable ASCII of at most `cap` bytes, safe on a terminal and in any log format: controls, quotes of JSON,
/// C1, bidirectional marks and all that is not ASCII become `\uXXXX`.
pub fn escape_into(text: &str, cap: usize, out: &mut Vec<u8>) {
    for (at, character) in text.char_indices() {
        if at >= cap {
            out.extend_from_slice(b"...");
            return;
        }
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.push(u8::try_from(character).unwrap_or(b'?')),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    // Writing to a vector cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
}

struct Record<'a> {
    line: &'a mut Vec<u8>,
    first: bool,
}

impl Record<'_> {
    fn key(&mut self, key: &str) {
        if !self.first {
            self.line.push(b',');
        }
        self.first = false;
        self.line.push(b'"');
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    fn string(&mut self, text: &str) {
        self.line.push(b'"');
        escape_into(text, FIELD_BYTES, self.line);
        self.line.push(b'"');
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.string(text);
    }

    fn text_if(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.text(key, text);
        }
    }

    fn number(&mut self, key: &str, number: u64) {
        self.key(key);
        let _ = write!(self.line, "{number}");
    }

    fn time(&mut self, at: SystemTime) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = i128::try_from(since.as_nanos()).unwrap_or_default();
        if let Ok(at) = jiff::Timestamp::from_nanosecond(nanos) {
            self.key("time");
            let _ = write!(self.line, "\"{at:.6}\"");
        }
    }

    fn message(&mut self, outcome: &Outcome) {
        let facts = &outcome.message;
        for (key, value) in [
            ("http_method", &facts.http_method),
            ("host", &facts.host),
            ("path", &facts.path),
            ("media_type", &facts.media_type),
            ("client", &facts.client),
            ("user", &facts.user),
        ] {
            self.text_if(key, Some(value));
        }
        if facts.http_status != 0 {
            self.number("http_status", u64::from(facts.http_status));
        }
    }

    fn report(&mut self, outcome: &Outcome) {
        let report = &outcome.report;
        self.number("decoded_bytes", report.decoded_bytes);
        self.number("uninspected_bytes", report.uninspected_bytes());
        if !report.findings.is_empty() {
            self.key("findings");
            self.list(&report.findings, |record, judged| {
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
        if report.edits > 0 {
            self.number("edits", report.edits);
        }
        if !report.edit_notes.is_empty() {
            self.key("redactions");
            self.list(&report.edit_notes, |record, note| {
                record.text("entity", &note.entity);
                record.text("rule", &note.rule);
                record.text("path", &note.path);
                record.number("length", note.span.len());
                record.text("action", edit_code(note.action));
            });
        }
        if !report.redactions.is_empty() {
            self.key("redaction_counts");
            self.counts(&report.redactions);
        }
        if report.findings_dropped > 0 {
            self.number("findings_dropped", report.findings_dropped);
        }
        if !report.anomalies.is_empty() {
            self.key("anomalies");
            self.list(&report.anomalies, |record, judged| {
                let at = &judged.fact;
                record.text("code", at.anomaly.code());
                record.number("part", u64::from(at.part.0));
                record.text("place", report.path_of(at.part));
                record.number("offset", at.offset);
                record.text("action", action_code(&judged.ruling));
            });
        }
    }

    fn counts(&mut self, counts: &BTreeMap<Cow<'static, str>, u64>) {
        self.line.push(b'{');
        let mut inner = Record {
            line: self.line,
            first: true,
        };
        for (name, count) in counts {
            inner.number(name, *count);
        }
        self.line.push(b'}');
    }

    fn list<T>(&mut self, items: &[T], each: impl Fn(&mut Record<'_>, &T)) {
        self.line.push(b'[');
        for (at, item) in items.iter().take(LISTED).enumerate() {
            if at > 0 {
                self.line.push(b',');
            }
            self.line.push(b'{');
            let mut inner = Record {
                line: self.line,
                first: true,
            };
            each(&mut inner, item);
            self.line.push(b'}');
        }
        self.line.push(b']');
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

/// A field of a record: long enough for real hosts and paths, short enough that a flood of records stays small.
const FIELD_BYTES: usize = 256;

/// Findings and anomalies listed in one record; the counts are in the metrics.
const LISTED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::outcome::{Ending, Facts, Failure, Method, Timing, TransactionId};

    fn outcome() -> Outcome {
        Outcome {
            id: TransactionId::next(),
            peer: "127.0.0.1".parse().ok(),
            method: Method::Reqmod,
            service: Some("/reqmod".into()),
            profile: None,
            route: None,
            message: Facts {
                path: "/a\r\n\u{1b}[31m\"\u{2028}\u{9b}b".into(),
                host: "h".repeat(100_000).into(),
                ..Facts::default()
            },
            report: Default::default(),
            status: 204,
            ending: Ending::Answered,
            bytes_in: 3,
            bytes_out: 0,
            timing: Timing::default(),
        }
    }

    #[test]
    fn a_record_is_one_line_of_json_in_printable_ascii_whatever_the_peer_sent() {
        let mut line = Vec::new();
        render(&outcome(), UNIX_EPOCH, &mut line);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(line.len() < 2048);
        assert!(
            line.iter()
                .all(|byte| (b' '..=b'~').contains(byte) || *byte == b'\n')
        );
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
