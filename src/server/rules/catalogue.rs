//! What is loaded: rules with their hits since the start, and bundles.

use serde::{Deserialize, Serialize};

use crate::inspect::{Category, Severity};
use crate::rules::{About, Mode};
use crate::scan::Ruleset;
use crate::telemetry::metrics::Metrics;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its id.
    pub id: Box<str>,
    /// The bundle that it came in.
    pub bundle: Box<str>,
    /// The engine that runs it: `literal`, `yara`, `hash`.
    pub kind: &'static str,
    /// Its class.
    pub category: Category,
    /// How bad.
    pub severity: Severity,
    /// Enforced, or observed: what rule, bundle and operator say together.
    pub mode: Mode,
    /// Findings since the start; `None` where no server counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
    /// One sentence for the operator.
    pub description: Box<str>,
}

impl Entry {
    /// `enforce` or `observe`.
    pub fn mode_code(&self) -> &'static str {
        mode_code(self.mode)
    }
}

/// A bundle in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleEntry {
    /// Its name.
    pub name: Box<str>,
    /// Its version; may be empty.
    pub version: Box<str>,
    /// Its digest, in hex.
    pub digest: String,
    /// What it says of its rules itself.
    pub mode: Mode,
    /// Rules in it.
    pub rules: usize,
    /// When it stops being good, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Box<str>>,
}

/// All rules of a set, in order; with hits where `metrics` counts them.
pub fn entries<'a>(
    rules: &'a Ruleset,
    metrics: Option<&'a Metrics>,
) -> impl Iterator<Item = Entry> + 'a {
    rules
        .signatures()
        .rules_by_kind()
        .map(move |(kind, about)| entry(rules, kind, about, metrics))
}

fn entry(rules: &Ruleset, kind: &'static str, about: &About, metrics: Option<&Metrics>) -> Entry {
    Entry {
        id: (&*about.id).into(),
        bundle: (&*about.bundle).into(),
        kind,
        category: about.category,
        severity: about.severity,
        mode: rules.standings().of_rule(&about.id, about.category).mode(),
        hits: metrics.map(|metrics| metrics.hits(&about.id, about.severity)),
        description: about.description.clone(),
    }
}

/// All bundles of a set, in order.
pub fn bundles(rules: &Ruleset) -> Vec<BundleEntry> {
    rules
        .bundles()
        .iter()
        .map(|bundle| BundleEntry {
            name: (&*bundle.name).into(),
            version: bundle.version.clone(),
            digest: bundle.digest.to_string(),
            mode: bundle.mode,
            rules: rules
                .signatures()
                .rules()
                .filter(|about| about.bundle == bundle.name)
                .count(),
            expires: bundle.expires.clone(),
        })
        .collect()
}

/// `enforce` or `observe`.
pub fn mode_code(mode: Mode) -> &'static str {
    match mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    }
}
