//! A redaction profile: which entities, how each is masked.

use std::sync::Arc;

use super::operator::{self, Mask};
use super::selector::Selector;
use crate::inspect::leaf::{Path, Root};
use crate::inspect::sensitive::{Catalog, Entity, Hit};

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
    /// The fixed mask of each entity, where that is written as it is.
    fixed: Vec<Option<Box<[u8]>>>,
    /// What single rules do otherwise than their entity, by rule index; empty when none does.
    rule_masks: Vec<Option<Choice>>,
    selected: Vec<Selected>,
    exempt: Vec<Selector>,
    heads: Heads,
    despite: Despite,
    unread: Unread,
    recode: Recode,
}

/// What is done with a value that holds text which is not read (base64 over the size that is decoded, or inside other
/// base64), and with values and parts where no edit reaches: archives, text in a charset that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unread {
    /// It stays, and is judged: block, or pass with a record. What is not read is
    /// [`Anomaly::DecodeLimit`](crate::anomaly::Anomaly::DecodeLimit), a value that should have gone
    /// [`Anomaly::UnreachableEdit`](crate::anomaly::Anomaly::UnreachableEdit).
    #[default]
    Judge,
    /// It is masked whole.
    Mask,
}

/// How a body leaves that came in content-codings and was edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recode {
    /// In the same codings.
    #[default]
    Same,
    /// In none.
    Identity,
}

/// What is done with values.
#[derive(Clone, Debug)]
enum Choice {
    /// They stay.
    Keep,
    /// They are masked.
    Mask(Mask),
}

/// Values at a place that an operator names.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    selector: Selector,
    pub(super) mask: Mask,
    /// What they are called in masks and records.
    pub(super) label: Box<str>,
}

bitflags::bitflags! {
    /// What a profile does not let itself be kept from editing by.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Despite: u8 {
        /// `Cache-Control: no-transform`.
        const NO_TRANSFORM = 1;
        /// A signature over the body, which no longer fits then.
        const SIGNATURE = 1 << 1;
    }
}

/// Which parts of a message's heads are redacted. Nothing by default: a request without its `Authorization` is refused,
/// a response without its `Set-Cookie` logs nobody in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Field names, compared without regard to case; their values are searched by name and by content. `*` names all but
    /// those that frame or route the message.
    pub fields: Vec<Box<str>>,
    /// The values of `Cookie` and `Set-Cookie`, by the cookies' names.
    pub cookies: bool,
    /// The query of the request target, and of the URLs in `Referer`, `Location` and `Content-Location`.
    pub query: bool,
}

/// Why a profile could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No rule has that label.
    #[error("no entity has that label")]
    UnknownEntity,
    /// No rule has that id.
    #[error("no rule of an entity has that id")]
    UnknownRule,
    /// Digits of anything but a card number stay secret.
    #[error("the mask bin-last-4 is for PAN only")]
    NotForEntity,
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
            fixed: catalog.labels().map(operator::verbatim).collect(),
            catalog,
            masks,
            rule_masks: Vec::new(),
            selected: Vec::new(),
            exempt: Vec::new(),
            heads: Heads::default(),
            despite: Despite::default(),
            unread: Unread::default(),
            recode: Recode::default(),
        }
    }

    /// The same profile under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// A profile that masks nothing by itself: selectors and masks are added to it.
    pub fn none() -> Self {
        Self::masking("none", |_| None)
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
    /// [`ProfileError::UnknownEntity`] when no rule has that label, [`ProfileError::NotForEntity`] for a mask that would
    /// show too much of it.
    pub fn with_mask(mut self, label: &str, mask: Option<Mask>) -> Result<Self, ProfileError> {
        let entity = self
            .catalog
            .entity(label)
            .ok_or(ProfileError::UnknownEntity)?;
        if matches!(mask, Some(Mask::BinLast4)) && label != "PAN" {
            return Err(ProfileError::NotForEntity);
        }
        if let Some(slot) = self.masks.get_mut(usize::from(entity.0)) {
            *slot = mask;
        }
        Ok(self)
    }

    /// The same profile with another mask for what the rule `id` finds; `None` leaves it alone.
    ///
    /// # Errors
    /// [`ProfileError::UnknownRule`] when there is no such rule, [`ProfileError::NotForEntity`] as for entities.
    pub fn with_rule_mask(mut self, id: &str, mask: Option<Mask>) -> Result<Self, ProfileError> {
        let (rule, entity) = self.catalog.rule(id).ok_or(ProfileError::UnknownRule)?;
        if matches!(mask, Some(Mask::BinLast4)) && **self.catalog.label(entity) != *"PAN" {
            return Err(ProfileError::NotForEntity);
        }
        let at = usize::from(rule.0);
        if self.rule_masks.len() <= at {
            self.rule_masks.resize(at + 1, None);
        }
        if let Some(slot) = self.rule_masks.get_mut(at) {
            *slot = Some(mask.map_or(Choice::Keep, Choice::Mask));
        }
        Ok(self)
    }

    /// The same profile with `mask` for every entity that it masks.
    #[must_use]
    pub fn with_every_mask(mut self, mask: &Mask) -> Self {
        for slot in self.masks.iter_mut().flatten() {
            *slot = mask.clone();
        }
        self
    }

    /// The same profile that masks no entity by itself.
    #[must_use]
    pub fn without_masks(mut self) -> Self {
        self.masks.iter_mut().for_each(|slot| *slot = None);
        self
    }

    /// The same profile that masks whole values at a place, whatever they are, and calls them `label`.
    #[must_use]
    pub fn with_selector(mut self, selector: Selector, mask: Mask, label: &str) -> Self {
        self.selected.push(Selected {
            selector,
            mask,
            label: label.into(),
        });
        self
    }

    /// The same profile that edits although something forbids it.
    #[must_use]
    pub fn with_despite(mut self, despite: Despite) -> Self {
        self.despite = despite;
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

    /// The same profile with another way of treating text that is not read.
    #[must_use]
    pub fn with_unread(mut self, unread: Unread) -> Self {
        self.unread = unread;
        self
    }

    /// The same profile with another way of sending bodies that came in content-codings.
    #[must_use]
    pub fn with_recode(mut self, recode: Recode) -> Self {
        self.recode = recode;
        self
    }

    /// What is done with text that is not read.
    pub fn unread(&self) -> Unread {
        self.unread
    }

    /// How an edited body leaves that came in content-codings.
    pub fn recode(&self) -> Recode {
        self.recode
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

    /// What it does not let itself be kept from editing by.
    pub fn despite(&self) -> Despite {
        self.despite
    }

    /// How values of `entity` are masked; `None` when they are left alone.
    pub fn mask(&self, entity: Entity) -> Option<&Mask> {
        self.masks.get(usize::from(entity.0))?.as_ref()
    }

    /// True when values of `entity` are looked for.
    pub(super) fn wants(&self, entity: Entity) -> bool {
        let by_rule = || {
            self.rule_masks.iter().enumerate().any(|(at, choice)| {
                matches!(choice, Some(Choice::Mask(_)))
                    && self.catalog.entity_of(at) == Some(entity)
            })
        };
        self.mask(entity).is_some() || by_rule()
    }

    /// How what was found is masked; `None` when it is left alone.
    pub(super) fn mask_of(&self, hit: Hit) -> Option<&Mask> {
        match self.rule_masks.get(usize::from(hit.rule.0)) {
            Some(Some(Choice::Keep)) => None,
            Some(Some(Choice::Mask(mask))) => Some(mask),
            Some(None) | None => self.mask(hit.entity),
        }
    }

    /// The fixed mask of what was found where it is written as it is; `None` when it has another, or none.
    #[inline]
    pub(super) fn verbatim_mask(&self, hit: Hit) -> Option<&[u8]> {
        match self.mask_of(hit) {
            Some(Mask::Fixed) => self.fixed.get(usize::from(hit.entity.0))?.as_deref(),
            _ => None,
        }
    }

    /// True when a selector names values of `root` called `name`, or any such value where no name is given.
    pub(super) fn selects(&self, root: Root, name: Option<&[u8]>) -> bool {
        self.selected.iter().any(|selected| match name {
            None => selected.selector.root() == root,
            Some(name) => {
                let mut path = Path::new(root);
                path.push_name(name);
                selected.selector.matches(&path)
            }
        })
    }

    /// What tells the keys of its tokens from others.
    pub fn key_fingerprints(&self) -> Vec<Vec<u8>> {
        self.all_masks()
            .filter_map(|mask| match mask {
                Mask::Token(key) => Some(key.fingerprint()),
                _ => None,
            })
            .collect()
    }

    fn all_masks(&self) -> impl Iterator<Item = &Mask> {
        let by_rule = self
            .rule_masks
            .iter()
            .flatten()
            .filter_map(|choice| match choice {
                Choice::Mask(mask) => Some(mask),
                Choice::Keep => None,
            });
        let selected = self.selected.iter().map(|selected| &selected.mask);
        self.masks.iter().flatten().chain(by_rule).chain(selected)
    }

    /// True when some mask takes more than the value between its quotes.
    pub(super) fn removes(&self) -> bool {
        self.all_masks()
            .any(|mask| matches!(mask, Mask::Remove | Mask::Null))
    }

    /// True when no selector names a place.
    pub(super) fn is_open(&self) -> bool {
        self.selected.is_empty() && self.exempt.is_empty()
    }

    /// What an operator's selectors say of the value at `path`.
    pub(super) fn place(&self, path: &Path) -> Place<'_> {
        if self.is_open() {
            return Place::Open;
        }
        if self.exempt.iter().any(|selector| selector.matches(path)) {
            return Place::Exempt;
        }
        self.selected
            .iter()
            .find(|selected| selected.selector.matches(path))
            .map_or(Place::Open, Place::Selected)
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
    Selected(&'a Selected),
}

/// The label of values that a selector names.
pub const SELECTED: &str = "SELECTED";

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
        assert_eq!(
            Profile::all().with_rule_mask("entity/nope", None).err(),
            Some(ProfileError::UnknownRule)
        );
        for rule in ["entity/pan", "entity/email"] {
            let mask = Profile::all().with_rule_mask(rule, Some(Mask::BinLast4));
            let refused = (rule != "entity/pan").then_some(ProfileError::NotForEntity);
            assert_eq!(mask.err(), refused, "{rule}");
        }
    }
}
