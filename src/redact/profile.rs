//! A redaction profile: which entities, how each is masked.

use std::sync::Arc;

use super::operator::Mask;
use crate::inspect::sensitive::{Catalog, Entity};

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
    catalog: Arc<Catalog>,
    /// The mask of each entity, by index; `None`: left alone.
    masks: Vec<Option<Mask>>,
}

impl Profile {
    /// The names that [`builtin`](Self::builtin) knows.
    pub const BUILTIN: &'static [&'static str] =
        &["all", "pci-dss", "hipaa", "gdpr", "secrets", "log-safe"];

    /// Every entity type, fixed masks.
    pub fn all() -> Self {
        let catalog = Catalog::builtin();
        let masks = catalog.entities().map(|_| Some(Mask::Fixed)).collect();
        Self {
            name: "all".into(),
            mode: Mode::Enforce,
            catalog,
            masks,
        }
    }

    /// A profile that ships with the program; `None` for a name that is not in [`BUILTIN`](Self::BUILTIN).
    pub fn builtin(name: &str) -> Option<Self> {
        Self::BUILTIN.contains(&name).then(|| Self {
            name: name.into(),
            ..Self::all()
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

    /// The rules it draws on.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// How values of `entity` are masked; `None` when they are left alone.
    pub fn mask(&self, entity: Entity) -> Option<&Mask> {
        self.masks.get(usize::from(entity.0))?.as_ref()
    }
}
