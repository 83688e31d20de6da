//! A redaction profile: which entities, how each is masked.

use std::sync::Arc;

use super::operator::Mask;
use super::selector::Selector;
use crate::inspect::leaf::Path;
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
    selected: Vec<(Selector, Mask)>,
    exempt: Vec<Selector>,
    heads: Heads,
}

/// Which parts of a message's heads are redacted. Nothing by default: a request without its `Authorization` is refused,
/// a response without its `Set-Cookie` logs nobody in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Field names, compared without regard to case; their values are searched by name and by content.
    pub fields: Vec<Box<str>>,
    /// The values of `Cookie` and `Set-Cookie`, by the cookies' names.
    pub cookies: bool,
    /// The query of the request target.
    pub query: bool,
}

/// Why a profile could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No rule has that label.
    #[error("no entity has that label")]
    UnknownEntity,
}

impl Profile {
    /// The names that [`builtin`](Self::builtin) knows.
    pub const BUILTIN: &'static [&'static str] =
        &["all", "pci-dss", "hipaa", "gdpr", "secrets", "log-safe"];

    /// Every entity type, fixed masks.
    pub fn all() -> Self {
        Self::masking("all", |_| Some(Mask::Fixed))
    }

    /// A profile that ships with the program; `None` for a name that is not in [`BUILTIN`](Self::BUILTIN).
    pub fn builtin(name: &str) -> Option<Self> {
        let only = |labels: &'static [&'static [&'static str]]| {
            Self::masking(name, |label| {
                let listed = labels.iter().any(|list| list.contains(&label));
                listed.then_some(Mask::Fixed)
            })
        };
        match name {
            "all" => Some(Self::all()),
            "pci-dss" => Some(Self::masking(name, |label| match label {
                // PCI DSS 4.0.1 requirement 3.4.1: BIN and last four at the most. 3.3.1: the code is never kept.
                "PAN" => Some(Mask::BinLast4),
                "CVV" => Some(Mask::Fixed),
                _ => None,
            })),
            "hipaa" => Some(only(&[CONTACT, NETWORK, PERSON])),
            "gdpr" => Some(only(&[CONTACT, NETWORK, PERSON, ACCOUNTS])),
            "secrets" => Some(Self::masking(name, |label| {
                let personal = [CONTACT, NETWORK, PERSON, ACCOUNTS];
                let other = personal.iter().any(|list| list.contains(&label));
                (!other && label != "CVV" && label != SELECTED).then_some(Mask::Fixed)
            })),
            "log-safe" => Some(Self::masking(name, |label| {
                (!NETWORK.contains(&label)).then_some(Mask::Fixed)
            })),
            _ => None,
        }
    }

    fn masking(name: &str, mask: impl Fn(&str) -> Option<Mask>) -> Self {
        let catalog = Catalog::builtin();
        let masks = catalog
            .entities()
            .map(|entity| mask(catalog.label(entity)))
            .collect();
        Self {
            name: name.into(),
            mode: Mode::Enforce,
            catalog,
            masks,
            selected: Vec::new(),
            exempt: Vec::new(),
            heads: Heads::default(),
        }
    }

    /// The same profile in another mode.
    #[must_use]
    pub fn with_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// The same profile with another mask for the entity `label`; `None` leaves it alone.
    ///
    /// # Errors
    /// [`ProfileError::UnknownEntity`] when no rule has that label.
    pub fn with_mask(mut self, label: &str, mask: Option<Mask>) -> Result<Self, ProfileError> {
        let entity = self
            .catalog
            .entity(label)
            .ok_or(ProfileError::UnknownEntity)?;
        if let Some(slot) = self.masks.get_mut(usize::from(entity.0)) {
            *slot = mask;
        }
        Ok(self)
    }

    /// The same profile that masks whole values at a place, whatever they are.
    #[must_use]
    pub fn with_selector(mut self, selector: Selector, mask: Mask) -> Self {
        self.selected.push((selector, mask));
        self
    }

    /// The same profile that leaves values at a place alone.
    #[must_use]
    pub fn with_exemption(mut self, selector: Selector) -> Self {
        self.exempt.push(selector);
        self
    }

    /// The same profile with another policy for heads.
    #[must_use]
    pub fn with_heads(mut self, heads: Heads) -> Self {
        self.heads = heads;
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

    /// The policy for heads.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// How values of `entity` are masked; `None` when they are left alone.
    pub fn mask(&self, entity: Entity) -> Option<&Mask> {
        self.masks.get(usize::from(entity.0))?.as_ref()
    }

    /// What an operator's selectors say of the value at `path`.
    pub(super) fn place(&self, path: &Path) -> Place<'_> {
        if self.selected.is_empty() && self.exempt.is_empty() {
            return Place::Open;
        }
        if self.exempt.iter().any(|selector| selector.matches(path)) {
            return Place::Exempt;
        }
        self.selected
            .iter()
            .find(|(selector, _)| selector.matches(path))
            .map_or(Place::Open, |(_, mask)| Place::Selected(mask))
    }
}

/// What an operator's selectors say of a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    /// Nothing: the rules decide.
    Open,
    /// It stays.
    Exempt,
    /// It is masked whole.
    Selected(&'a Mask),
}

/// The label of values that a selector names.
pub(super) const SELECTED: &str = "SELECTED";

const CONTACT: &[&str] = &["EMAIL", "PHONE"];
const NETWORK: &[&str] = &["IPV4", "IPV6"];
const PERSON: &[&str] = &[
    "US_SSN",
    "UK_NINO",
    "UK_NHS",
    "IN_AADHAAR",
    "BR_CPF",
    "ES_DNI",
    "FR_INSEE",
    "DOB",
    "PASSPORT",
];
const ACCOUNTS: &[&str] = &["PAN", "IBAN", "US_ROUTING", "CRYPTO"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_profiles_mask_what_their_names_say() {
        let masks = |name: &str, label: &str| {
            let profile = Profile::builtin(name).expect("a built-in name");
            let entity = profile.catalog().entity(label).expect("a shipped label");
            profile.mask(entity).is_some()
        };
        for (name, label, expected) in [
            ("pci-dss", "PAN", true),
            ("pci-dss", "EMAIL", false),
            ("hipaa", "US_SSN", true),
            ("hipaa", "JWT", false),
            ("gdpr", "IPV4", true),
            ("secrets", "JWT", true),
            ("secrets", "PAN", false),
            ("log-safe", "PASSWORD", true),
            ("log-safe", "IPV4", false),
            ("all", "IPV4", true),
        ] {
            assert_eq!(masks(name, label), expected, "{name} {label}");
        }
        assert!(
            Profile::BUILTIN
                .iter()
                .all(|name| Profile::builtin(name).is_some())
        );
        assert!(Profile::builtin("none").is_none());
        assert_eq!(
            Profile::all().with_mask("NOPE", None).err(),
            Some(ProfileError::UnknownEntity)
        );
    }
}
