//! A redaction profile: which entities, how each is masked.

use std::sync::Arc;

/// Whether edits are made or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Values are masked.
    #[default]
    Enforce,
    /// Values are counted; the bytes pass unchanged.
    Observe,
}

/// Which entities are redacted, and how. Immutable once built.
#[derive(Clone, Debug)]
pub struct Profile {
    name: Arc<str>,
    mode: Mode,
}

impl Profile {
    /// The names that [`builtin`](Self::builtin) knows.
    pub const BUILTIN: &'static [&'static str] =
        &["all", "pci-dss", "hipaa", "gdpr", "secrets", "log-safe"];

    /// Every entity type, fixed masks.
    pub fn all() -> Self {
        Self {
            name: "all".into(),
            mode: Mode::Enforce,
        }
    }

    /// A profile that ships with the program; `None` for a name that is not in [`BUILTIN`](Self::BUILTIN).
    pub fn builtin(name: &str) -> Option<Self> {
        Self::BUILTIN.contains(&name).then(|| Self {
            name: name.into(),
            mode: Mode::Enforce,
        })
    }

    /// The same profile in another mode.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether edits are made.
    pub fn mode(&self) -> Mode {
        self.mode
    }
}
