//! The rules in force: what they are, how often each was met, and a reload.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::rules::catalogue::{self, Entry};

use super::Admin;
use super::problem::Problem;

/// Which rules, and how many of them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Wanted {
    bundle: Option<String>,
    category: Option<String>,
    mode: Option<String>,
    kind: Option<String>,
    offset: usize,
    limit: Option<usize>,
}

impl Wanted {
    fn takes(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        same(&self.bundle, &entry.bundle)
            && same(&self.category, entry.category.code())
            && same(&self.mode, entry.mode_code())
            && same(&self.kind, entry.kind)
    }
}

/// Id, bundle, kind, category, severity, mode and hits since the start of each rule.
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Value>, Problem> {
    let shared = Arc::clone(&admin.shared);
    // Fifty thousand rules take milliseconds: not on the reactor.
    let listed = tokio::task::spawn_blocking(move || {
        let snapshot = shared.snapshot.load_full();
        let rules = &snapshot.house.rules;
        let (mut total, mut page) = (0usize, Vec::new());
        for entry in catalogue::entries(rules, Some(&shared.telemetry.metrics)) {
            if !wanted.takes(&entry) {
                continue;
            }
            total += 1;
            if total > wanted.offset && page.len() < wanted.limit.unwrap_or(usize::MAX) {
                page.push(entry);
            }
        }
        json!({ "total": total, "rules": page })
    });
    let listed = listed.await;
    listed
        .map(Json)
        .map_err(|_| Problem::refused("the rules could not be listed"))
}

/// The bundles in force, and what was refused last.
pub(super) async fn bundles(State(admin): State<Arc<Admin>>) -> Json<Value> {
    let snapshot = admin.shared.snapshot.load_full();
    Json(json!({
        "istag": snapshot.house.istag.as_str(),
        "bundles": catalogue::bundles(&snapshot.house.rules),
        "refused": admin.shared.refusals.last().map(|refusal| refusal.to_string()),
    }))
}

/// Configuration and rules anew.
pub(super) async fn reload(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let before = admin.shared.snapshot.load().house.istag;
    match admin.reloader.reload().await {
        Ok(snapshot) => Ok(Json(json!({
            "istag": snapshot.house.istag.as_str(),
            "changed": snapshot.house.istag != before,
        }))),
        Err(refusal) => Err(Problem::refused(refusal.to_string())),
    }
}
