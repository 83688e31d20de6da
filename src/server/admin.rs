//! The admin listener: is it alive, is it ready, what does it count. Loopback by default; nothing here changes anything.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::snapshot::Snapshot;
use super::{Shared, self_test};

#[derive(Clone)]
struct Admin {
    shared: Arc<Shared>,
    draining: watch::Receiver<bool>,
}

/// Serves for ever; ended by whoever started it.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    draining: watch::Receiver<bool>,
) {
    let router = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Admin { shared, draining });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the admin listener ended");
    }
}

/// Ready: rules in force, the self-test found EICAR, not draining, memory left.
async fn ready(State(admin): State<Admin>, RawQuery(query): RawQuery) -> impl IntoResponse {
    let snapshot = admin.shared.snapshot.load_full();
    let memory = &admin.shared.memory;
    let checks = [
        ("rules", true),
        ("self-test", eicar_is_blocked(snapshot).await),
        ("accepting", !*admin.draining.borrow()),
        ("memory", memory.used() < memory.limit()),
    ];
    let is_ready = checks.iter().all(|(_, good)| *good);
    let verbose =
        query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("verbose")));
    let mut text = String::new();
    if verbose {
        for (name, good) in checks {
            let mark = if good { '+' } else { '-' };
            // Writing to a string cannot fail.
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

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let shared = &admin.shared;
    let used = i64::try_from(shared.memory.used()).unwrap_or(i64::MAX);
    shared.telemetry.metrics.inflight_bytes.set(used);
    (
        [(header::CONTENT_TYPE, EXPOSITION)],
        shared.telemetry.exposition(),
    )
}

const EXPOSITION: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
