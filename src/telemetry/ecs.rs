//! Log lines as JSON with the field names of the Elastic Common Schema; what it has no name for stands under `sluice.`.
//! `docs/logs.md` lists the fields, `deploy/logs/*.schema.json` says it to programs, and a test holds real lines against
//! both.

use std::time::SystemTime;

use crate::inspect::Severity;
use crate::service::outcome::{Method, Outcome};

use super::detection::Detection;
use super::object::Object;
use super::{audit, severity_code};

/// The line of one transaction, without its end.
pub fn access(outcome: &Outcome, at: SystemTime, cap: usize, line: &mut Vec<u8>) {
    let mut record = Object::begin(line, cap);
    heading(&mut record, at, Stream::Access);
    record.text("event.action", outcome.verdict_code());
    let verdict = outcome.verdict_code();
    record.text(
        "event.outcome",
        if verdict == "error" {
            "failure"
        } else {
            "success"
        },
    );
    record.text_if("event.reason", outcome.reason_code());
    let nanos = u64::try_from(outcome.timing.total.as_nanos()).unwrap_or(u64::MAX);
    record.number("event.duration", nanos);
    record.text_if("rule.name", outcome.blocking_rule());
    message(&mut record, outcome);
    record.under(OWN);
    record.number("icap_status", u64::from(outcome.status));
    audit::numbers(&mut record, outcome);
    audit::lists(&mut record, outcome);
    record.end();
}

/// The line of one detection, without its end.
pub fn detection(detection: &Detection<'_>, cap: usize, line: &mut Vec<u8>) {
    let mut record = Object::begin(line, cap);
    heading(&mut record, detection.at, Stream::Finding);
    record.text("event.id", &detection.id());
    record.text("event.action", detection.action);
    record.number("event.severity", severity_number(detection.severity));
    record.text_if("event.reason", Some(detection.reason));
    record.text("rule.name", detection.rule);
    record.text("rule.category", detection.category);
    message(&mut record, detection.outcome);
    record.under(OWN);
    record.text("verdict", detection.outcome.verdict_code());
    record.text("severity", severity_code(detection.severity));
    record.number("score", u64::from(detection.score));
    record.text_if("place", Some(detection.place));
    record.number("start", detection.start);
    record.number("end", detection.end);
    record.end();
}

/// Which stream a line belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// What the program does.
    Application,
    /// One line a transaction.
    Access,
    /// One line a detection.
    Finding,
}

/// What every line begins with.
pub(super) fn heading(record: &mut Object<'_>, at: SystemTime, stream: Stream) {
    record.time("@timestamp", at);
    record.members(match stream {
        Stream::Application => concat!(
            r#""ecs.version":"8.17.0","event.module":"sluice","event.dataset":"sluice.application","#,
            r#""event.kind":"event","event.category":["process"],"event.type":["info"]"#
        ),
        Stream::Access => concat!(
            r#""ecs.version":"8.17.0","event.module":"sluice","event.dataset":"sluice.access","#,
            r#""event.kind":"event","event.category":["web"],"event.type":["access"]"#
        ),
        Stream::Finding => concat!(
            r#""ecs.version":"8.17.0","event.module":"sluice","event.dataset":"sluice.finding","#,
            r#""event.kind":"alert","event.category":["intrusion_detection"],"event.type":["info"]"#
        ),
    });
}

/// Who asked for what.
fn message(record: &mut Object<'_>, outcome: &Outcome) {
    let facts = &outcome.message;
    record.shown("transaction.id", outcome.id);
    if let Some(context) = &facts.trace {
        record.text("trace.id", &context.trace_id());
    }
    if let Some(peer) = outcome.peer {
        record.address("source.ip", peer);
    }
    // What a gateway says need not be an address, which source.ip has to be.
    record.text_if("client.address", Some(&facts.client));
    record.text_if("user.name", Some(&facts.user));
    record.text_if("http.request.method", Some(&facts.http_method));
    record.text_if("url.domain", Some(&facts.host));
    record.text_if("url.path", Some(&facts.path));
    if facts.http_status != 0 {
        record.number("http.response.status_code", u64::from(facts.http_status));
    }
    let media_type = match outcome.method {
        Method::Respmod => "http.response.mime_type",
        Method::Reqmod | Method::Options | Method::Unknown => "http.request.mime_type",
    };
    record.text_if(media_type, Some(&facts.media_type));
    record.under(OWN);
    record.text("mode", outcome.mode());
    record.text_if("service", outcome.service.as_deref());
    record.text_if("profile", outcome.profile.as_deref());
    record.text_if("route", outcome.route.as_deref());
    record.under("");
}

/// 1 to 5, from informational to critical.
pub(super) fn severity_number(severity: Severity) -> u64 {
    match severity {
        Severity::Info => 1,
        Severity::Low => 2,
        Severity::Medium => 3,
        Severity::High => 4,
        Severity::Critical => 5,
    }
}

/// Before names of our own.
pub(super) const OWN: &str = "sluice.";
