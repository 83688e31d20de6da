//! Detections as events of the Open Cybersecurity Schema Framework: class Detection Finding (2004), profile
//! `security_control`, of the version that collectors take today.

use std::time::UNIX_EPOCH;

use super::detection::Detection;
use super::ecs::severity_number;
use super::object::Object;

/// The event of one detection, without a line end.
pub fn detection(detection: &Detection<'_>, cap: usize, line: &mut Vec<u8>) {
    let mut event = Object::begin(line, cap);
    let since = detection.at.duration_since(UNIX_EPOCH).unwrap_or_default();
    for (key, number) in [
        ("class_uid", 2004),
        ("category_uid", 2),
        ("activity_id", 1),
        ("type_uid", 200_401),
        ("severity_id", severity_number(detection.severity)),
        ("status_id", 1),
        ("confidence_score", u64::from(detection.score)),
        ("time", u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
    ] {
        event.number(key, number);
    }
    let (action, disposition) = control(detection.action);
    event.number("action_id", action);
    event.number("disposition_id", disposition);
    event.text_if("status_detail", detection.outcome.reason_code());
    event.object("metadata", |metadata| {
        metadata.text("version", OCSF_VERSION);
        metadata.literal("profiles", "[\"security_control\"]");
        metadata.text("uid", &detection.id());
        metadata.text("correlation_uid", &detection.outcome.id.to_string());
        metadata.object("product", |product| {
            product.text("name", "sluice");
            product.text("vendor_name", "sluice");
            product.text("version", env!("CARGO_PKG_VERSION"));
        });
    });
    event.object("finding_info", |finding| {
        finding.text("uid", &detection.id());
        finding.text("title", detection.rule);
        finding.text_if("desc", Some(detection.reason));
        finding.literal("types", &format!("[\"{}\"]", detection.category));
        finding.object("analytic", |analytic| {
            analytic.text("uid", detection.rule);
            analytic.text("name", detection.rule);
            // 1: a rule.
            analytic.number("type_id", 1);
        });
    });
    event.list("evidences", &[detection], |evidence, detection| {
        let outcome = detection.outcome;
        let facts = &outcome.message;
        if let Some(peer) = outcome.peer {
            evidence.object("src_endpoint", |endpoint| {
                endpoint.text("ip", &peer.to_string());
            });
        }
        evidence.object("http_request", |request| {
            request.text_if("http_method", Some(&facts.http_method));
            request.object("url", |url| {
                url.text_if("hostname", Some(&facts.host));
                url.text_if("path", Some(&facts.path));
            });
        });
        if facts.http_status != 0 {
            evidence.object("http_response", |response| {
                response.number("code", u64::from(facts.http_status));
            });
        }
    });
    event.object("unmapped", |own| {
        let outcome = detection.outcome;
        own.text("mode", outcome.mode());
        own.text("verdict", outcome.verdict_code());
        own.text_if("service", outcome.service.as_deref());
        own.text_if("profile", outcome.profile.as_deref());
        own.text_if("client", Some(&outcome.message.client));
        own.text_if("user", Some(&outcome.message.user));
        own.text_if("place", Some(detection.place));
        own.number("start", detection.start);
        own.number("end", detection.end);
    });
    event.end();
}

/// `action_id` and `disposition_id` of what a detection led to.
fn control(action: &str) -> (u64, u64) {
    match action {
        // Denied, blocked.
        "block" => (2, 2),
        // Modified, corrected.
        "sanitize" => (4, 11),
        // Observed, detected.
        _ => (3, 15),
    }
}

/// The version that AWS Security Hub takes; later ones added to it only.
const OCSF_VERSION: &str = "1.6.0";
