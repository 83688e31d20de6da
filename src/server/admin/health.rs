//! For supervisors and scrapers: alive, started, ready, and the counters.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::IntoResponse;

use super::Admin;
use crate::server::self_test;
use crate::server::snapshot::Snapshot;
use crate::telemetry::exposition::classic;

/// The process answers.
pub(super) async fn live() -> &'static str {
    "ok\n"
}

/// The rules are compiled and the listeners bound: this listener is served after both.
pub(super) async fn started() -> &'static str {
    "ok\n"
}

/// Ready: rules in force, the self-test found EICAR, not draining, memory left. A refused update leaves it ready, and
/// shows.
pub(super) async fn ready(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> impl IntoResponse {
    let snapshot = admin.shared.snapshot.load_full();
    let memory = &admin.shared.memory;
    let checks = [
        ("self-test", eicar_is_blocked(snapshot).await),
        ("accepting", !*admin.draining.borrow()),
        ("memory", memory.used() < memory.limit()),
    ];
    let is_ready = checks.iter().all(|(_, good)| *good);
    let verbose =
        query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("verbose")));
    let mut text = String::new();
    if verbose {
        // Writing to a string cannot fail.
        let _ = match admin.shared.refusals.last() {
            None => writeln!(text, "[+]rules"),
            Some(refusal) => writeln!(text, "[!]rules: {refusal}"),
        };
        for (name, good) in checks {
            let mark = if good { '+' } else { '-' };
            let _ = writeln!(text, "[{mark}]{name}");
        }
    }
    text.push_str(if is_ready { "ok\n" } else { "not ready\n" });
    let status = if is_ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, text)
}

async fn eicar_is_blocked(snapshot: Arc<Snapshot>) -> bool {
    tokio::task::spawn_blocking(move || self_test::eicar_is_blocked(&snapshot.house.rules))
        .await
        .unwrap_or(false)
}

/// The counters, for a scraper: OpenMetrics when it asks for that, else the Prometheus text.
pub(super) async fn metrics(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let shared = &admin.shared;
    let used = i64::try_from(shared.memory.used()).unwrap_or(i64::MAX);
    shared.telemetry.metrics.inflight_bytes.set(used);
    let snapshot = shared.snapshot.load();
    let yara = snapshot.house.rules.signatures().yara();
    let slowest = yara.slow().iter().zip(yara.spent());
    let slowest =
        slowest.map(|(rule, (id, spent))| (&**id, rule.per_mib.as_secs_f64(), spent.as_secs_f64()));
    shared.telemetry.metrics.slow_rules(slowest);
    let text = shared.telemetry.exposition();
    let asks = |value: &HeaderValue| {
        value
            .to_str()
            .is_ok_and(|text| text.contains("application/openmetrics-text"))
    };
    match headers.get_all(header::ACCEPT).iter().any(asks) {
        true => ([(header::CONTENT_TYPE, OPENMETRICS)], text),
        false => ([(header::CONTENT_TYPE, CLASSIC)], classic(&text)),
    }
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
