//! A profile: how one kind of message is inspected and judged.

use std::sync::Arc;

/// How one kind of message is inspected and judged. Built by `config::resolve`, immutable afterwards.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Whether verdicts are enforced or only reported.
    pub mode: Mode,
    /// When bytes may leave.
    pub release: Release,
}

/// Whether verdicts are enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// No inspection at all (`/echo`).
    Off,
    /// Inspect, count and log; never block or change.
    Observe,
    /// Inspect and enforce.
    #[default]
    Enforce,
}

/// When bytes may leave for the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// Nothing leaves before the verdict.
    #[default]
    AtVerdict,
    /// Bytes leave as soon as no edit can reach them; a block after that can only cut the message off.
    AsSettled,
}
