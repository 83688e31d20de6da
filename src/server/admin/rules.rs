//! The rules in force: what they are, how often each was met, and a reload.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::inspect::Category;
use crate::rules::Mode;
use crate::rules::store::Store;
use crate::server::rules::catalogue::{self, Entry};
use crate::server::rules::changes::Subject;

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
    let root = snapshot.config.rules.store.clone();
    let kept = tokio::task::spawn_blocking(move || kept(&root)).await;
    Json(json!({
        "istag": snapshot.house.istag.as_str(),
        "bundles": catalogue::bundles(&snapshot.house.rules),
        "store": kept.unwrap_or_default(),
        "modes": snapshot.modes,
        "refused": admin.shared.refusals.last().map(|refusal| refusal.to_string()),
    }))
}

/// Name, version and digest of the packs in the store, the one in force first.
fn kept(root: &std::path::Path) -> Vec<Value> {
    if root.as_os_str().is_empty() {
        return Vec::new();
    }
    let state = Store::open(root).ok().and_then(|store| store.state().ok());
    state
        .map(|state| state.versions)
        .unwrap_or_default()
        .iter()
        .map(|kept| json!({ "name": kept.name, "version": kept.version, "pack": kept.pack }))
        .collect()
}

/// `{"rule": "a/b", "mode": "observe"}`: exactly one of rule, category and bundle.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    rule: Option<Box<str>>,
    category: Option<Category>,
    bundle: Option<Box<str>>,
    mode: Wish,
}

/// What the operator wishes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Wish {
    Enforce,
    Observe,
    /// What configuration, bundle and rule say.
    Default,
}

/// Sets a rule, a category or a bundle to observe or to enforce.
pub(super) async fn mode(
    State(admin): State<Arc<Admin>>,
    Json(word): Json<Word>,
) -> Result<Json<Value>, Problem> {
    let subject = match (word.rule, word.category, word.bundle) {
        (Some(id), None, None) => Subject::Rule(id),
        (None, Some(category), None) => Subject::Category(category),
        (None, None, Some(name)) => Subject::Bundle(name),
        _ => {
            return Err(Problem::refused(
                "expected one of rule, category and bundle",
            ));
        }
    };
    let snapshot = admin.shared.snapshot.load_full();
    let rules = &snapshot.house.rules;
    let known = match &subject {
        Subject::Rule(id) => {
            crate::rules::literal::check_id(id)
                .map_err(|fault| Problem::refused(fault.to_string()))?;
            rules.signatures().rules().any(|about| *about.id == **id)
        }
        Subject::Category(_) => true,
        Subject::Bundle(name) => rules.bundles().iter().any(|bundle| *bundle.name == **name),
    };
    if let (Subject::Bundle(name), false) = (&subject, known) {
        let text = format!("no bundle in force is called {}", name.escape_debug());
        return Err(Problem::refused(text));
    }
    let mode = match word.mode {
        Wish::Enforce => Some(Mode::Enforce),
        Wish::Observe => Some(Mode::Observe),
        Wish::Default => None,
    };
    let kept = admin.reloader.set_mode(subject, mode).await?;
    let snapshot = admin.shared.snapshot.load_full();
    Ok(Json(json!({
        "istag": snapshot.house.istag.as_str(),
        "kept": kept,
        // Detectors have ids that no file lists.
        "loaded": known,
        "modes": snapshot.modes,
    })))
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
