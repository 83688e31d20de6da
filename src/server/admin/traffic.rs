//! The transactions under way and the last verdicts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::telemetry::recent::Verdict;

use super::Admin;

/// What of the transactions is wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    limit: Option<usize>,
}

/// The transactions under way, the oldest first.
pub(super) async fn transactions(
    State(admin): State<Arc<Admin>>,
    Query(page): Query<Page>,
) -> Json<Value> {
    let most = page.limit.unwrap_or(LISTED).min(LISTED);
    let telemetry = &admin.shared.telemetry;
    let list: Vec<Value> = telemetry
        .live
        .list(most)
        .into_iter()
        .map(|live| {
            json!({
                "id": live.id.to_string(),
                "service": live.service.as_deref(),
                "method": live.method,
                "client": live.client,
                "listener": &*live.listener,
                "age_ms": live.age_ms,
                "state": live.state,
                "bytes": live.bytes,
            })
        })
        .collect();
    Json(json!({
        "total": telemetry.metrics.inflight.get(),
        "transactions": list,
    }))
}

/// Which verdicts are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    verdict: Option<String>,
    transaction: Option<String>,
    limit: Option<usize>,
}

/// The last verdicts, the newest first.
pub(super) async fn verdicts(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Json<Value> {
    let fits = |verdict: &Verdict| {
        let code = wanted.verdict.as_deref();
        code.is_none_or(|code| code == verdict.verdict)
            && wanted
                .transaction
                .as_ref()
                .is_none_or(|id| *id == verdict.id.to_string())
    };
    let list = admin.shared.telemetry.recent.list(fits);
    let most = wanted.limit.unwrap_or(LISTED).min(LISTED);
    Json(json!({ "verdicts": list.iter().take(most).map(shown).collect::<Vec<_>>() }))
}

fn shown(verdict: &Verdict) -> Value {
    let at = jiff::Timestamp::try_from(verdict.at).map(|time| time.to_string());
    let client = verdict.peer.map(|peer| peer.to_string());
    let findings = verdict.findings.iter().map(
        |(rule, severity, action)| json!({ "rule": rule, "severity": severity, "action": action }),
    );
    let anomalies = verdict
        .anomalies
        .iter()
        .map(|(code, action)| json!({ "code": code, "action": action }));
    json!({
        "id": verdict.id.to_string(),
        "time": at.unwrap_or_default(),
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "mode": verdict.mode,
        "service": verdict.service,
        "profile": verdict.profile,
        "client": client.unwrap_or_default(),
        "method": verdict.method,
        "host": verdict.host,
        "path": verdict.path,
        "bytes": verdict.bytes,
        "total_ms": verdict.millis,
        "findings": findings.collect::<Vec<_>>(),
        "anomalies": anomalies.collect::<Vec<_>>(),
    })
}

/// Entries of one answer.
const LISTED: usize = 1000;
