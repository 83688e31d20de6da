//! Observe mode: whether a rule's match may count at all, before any profile is asked.
//!
//! | who says so | what | how long |
//! |---|---|---|
//! | the rule (`mode = "observe"`) | it is on trial: observed, unless a profile names the rule itself | until the operator sets the rule to enforce |
//! | the bundle (`bundle.toml`: `mode = "observe"`) | all its rules are on trial | until the operator sets the bundle to enforce |
//! | the operator ([`Modes`]) | a rule, a category or a bundle is held: observed, whatever a profile says | until he sets it otherwise |
//!
//! The most special word counts: the rule's, then that of its category or bundle, where observe beats enforce.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::inspect::{Category, Finding};
use crate::rules::{About, Mode};

/// What the operator says, from the configuration and the admin API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Modes {
    /// By rule id; detectors have ids as well.
    pub rules: BTreeMap<Box<str>, Mode>,
    /// By class of finding.
    pub categories: BTreeMap<Category, Mode>,
    /// By name of bundle.
    pub bundles: BTreeMap<Box<str>, Mode>,
}

impl Modes {
    /// These, with what `over` says in their place.
    #[must_use]
    pub fn overlaid(mut self, over: &Self) -> Self {
        self.rules
            .extend(over.rules.iter().map(|(id, mode)| (id.clone(), *mode)));
        self.categories.extend(&over.categories);
        self.bundles.extend(
            over.bundles
                .iter()
                .map(|(name, mode)| (name.clone(), *mode)),
        );
        self
    }
}

/// What a match is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// The profile decides.
    #[default]
    Enforced,
    /// Observed, unless the profile names the rule itself.
    OnTrial,
    /// Observed.
    Held,
}

impl Standing {
    /// The word for operators: `enforce` or `observe`.
    pub fn mode(self) -> Mode {
        match self {
            Standing::Enforced => Mode::Enforce,
            Standing::OnTrial | Standing::Held => Mode::Observe,
        }
    }
}

/// The standing of every rule of a set.
#[derive(Clone, Debug, Default)]
pub struct Standings {
    /// Rules that do not simply follow their category.
    rules: HashMap<Box<str>, Standing>,
    held: Vec<Category>,
    digest: [u8; 32],
}

impl Standings {
    /// Joins what rules, bundles (name and mode) and the operator say.
    pub fn new<'a>(
        modes: &Modes,
        rules: impl Iterator<Item = &'a About>,
        bundles: &[(impl AsRef<str>, Mode)],
    ) -> Self {
        let held = modes
            .categories
            .iter()
            .filter(|(_, mode)| **mode == Mode::Observe)
            .map(|(category, _)| *category)
            .collect();
        let mut all = Self {
            rules: modes
                .rules
                .iter()
                .map(|(id, mode)| (id.clone(), by_operator(*mode)))
                .collect(),
            held,
            digest: [0; 32],
        };
        let (mut known, mut special) = (HashSet::new(), HashSet::new());
        for about in rules {
            let of_bundle = modes.bundles.get(&*about.bundle).copied();
            let on_trial = about.mode == Mode::Observe
                || of_bundle != Some(Mode::Enforce)
                    && bundles.iter().any(|(name, mode)| {
                        name.as_ref() == &*about.bundle && *mode == Mode::Observe
                    });
            let held = all.is_held(about.category);
            let standing = if of_bundle == Some(Mode::Observe) || held {
                Standing::Held
            } else if on_trial {
                Standing::OnTrial
            } else {
                Standing::Enforced
            };
            if let Some((id, mode)) = modes.rules.get_key_value(&*about.id) {
                known.insert(&**id);
                if held != (*mode == Mode::Observe) {
                    special.insert(&**id);
                }
            } else if standing != Standing::Enforced && !held {
                all.rules.entry((&*about.id).into()).or_insert(standing);
            }
        }
        // A rule that stands as its category does is not special, whatever was said. Detectors are in no bundle: to enforce
        // one means something only where some category is held.
        let words = modes.rules.iter().map(|(id, mode)| (&**id, *mode));
        let idle = words.filter(|(id, mode)| match known.contains(id) {
            true => !special.contains(id),
            false => *mode == Mode::Enforce && all.held.is_empty(),
        });
        let idle: HashSet<&str> = idle.map(|(id, _)| id).collect();
        all.digest = all.digest_without(&idle);
        all
    }

    /// A digest of what holds, by whatever words: equal on all nodes where the same rules are enforced and observed, and
    /// not changed by a word that changes nothing.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn digest_without(&self, idle: &HashSet<&str>) -> [u8; 32] {
        let mut digest = Sha256::new();
        for category in &self.held {
            digest.update([0]);
            digest.update(category.code());
        }
        let mut rules: Vec<_> = self.rules.iter().collect();
        rules.sort_unstable_by_key(|(id, _)| *id);
        for (id, standing) in rules {
            if idle.contains(&**id) {
                continue;
            }
            digest.update([match standing {
                Standing::Enforced => 1,
                Standing::OnTrial => 2,
                Standing::Held => 3,
            }]);
            digest.update(id.as_bytes());
        }
        digest.finalize().into()
    }

    /// The standing of a rule of that category.
    pub fn of_rule(&self, id: &str, category: Category) -> Standing {
        match self.rules.get(id) {
            Some(standing) => *standing,
            None if self.is_held(category) => Standing::Held,
            None => Standing::Enforced,
        }
    }

    /// The standing of the rule that found it.
    pub fn of(&self, finding: &Finding) -> Standing {
        self.of_rule(&finding.rule, finding.category)
    }

    fn is_held(&self, category: Category) -> bool {
        self.held.contains(&category)
    }
}

fn by_operator(mode: Mode) -> Standing {
    match mode {
        Mode::Enforce => Standing::Enforced,
        Mode::Observe => Standing::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Severity;

    fn about(id: &str, bundle: &str, mode: Mode) -> About {
        About {
            id: id.into(),
            severity: Severity::High,
            category: Category::Malware,
            description: Box::default(),
            reference: Box::default(),
            licence: Box::default(),
            mode,
            bundle: bundle.into(),
        }
    }

    fn modes(text: &str) -> Modes {
        toml::from_str(text).expect("modes")
    }

    #[test]
    fn the_most_special_word_counts_and_observe_beats_enforce() {
        use Standing::{Enforced, Held, OnTrial};
        // Author's mode, the bundle's mode, the operator's words, what follows.
        let (enforce, observe) = (Mode::Enforce, Mode::Observe);
        for (author, bundle, operator, standing) in [
            (enforce, enforce, "", Enforced),
            (observe, enforce, "", OnTrial),
            (enforce, observe, "", OnTrial),
            (enforce, observe, "bundles.b = 'enforce'", Enforced),
            (observe, observe, "bundles.b = 'enforce'", OnTrial),
            (observe, observe, "rules.r = 'enforce'", Enforced),
            (enforce, enforce, "bundles.b = 'observe'", Held),
            (observe, enforce, "bundles.b = 'observe'", Held),
            (enforce, enforce, "categories.malware = 'observe'", Held),
            (enforce, enforce, "categories.sqli = 'observe'", Enforced),
            (enforce, enforce, "rules.r = 'observe'", Held),
            (
                enforce,
                enforce,
                "bundles.b = 'observe'\nrules.r = 'enforce'",
                Enforced,
            ),
            (
                enforce,
                observe,
                "bundles.b = 'enforce'\ncategories.malware = 'observe'",
                Held,
            ),
            (enforce, enforce, "bundles.other = 'observe'", Enforced),
        ] {
            let rule = about("r", "b", author);
            let all = Standings::new(&modes(operator), std::iter::once(&rule), &[("b", bundle)]);
            let found = all.of_rule("r", Category::Malware);
            assert_eq!(found, standing, "{author:?} {bundle:?} {operator}");
        }
    }

    #[test]
    fn a_detector_can_be_held_by_its_id_and_by_its_category() {
        let none = || std::iter::empty::<&About>();
        let bundles: [(&str, Mode); 0] = [];
        let by_id = Standings::new(&modes("rules.'sqli/union' = 'observe'"), none(), &bundles);
        assert_eq!(by_id.of_rule("sqli/union", Category::Sqli), Standing::Held);
        assert_eq!(
            by_id.of_rule("sqli/stacked", Category::Sqli),
            Standing::Enforced
        );
        let by_class = Standings::new(&modes("categories.sqli = 'observe'"), none(), &bundles);
        assert_eq!(
            by_class.of_rule("sqli/stacked", Category::Sqli),
            Standing::Held
        );
    }

    #[test]
    fn a_word_that_changes_nothing_changes_no_digest() {
        let digest = |operator: &str, bundle| {
            let rules = [
                about("r", "b", Mode::Enforce),
                about("t", "b", Mode::Observe),
            ];
            *Standings::new(&modes(operator), rules.iter(), &[("b", bundle)]).digest()
        };
        let (enforce, observe) = (Mode::Enforce, Mode::Observe);
        for idle in [
            "bundles.b = 'enforce'",
            "bundles.other = 'observe'",
            "rules.r = 'enforce'",
            "rules.'sqli/union' = 'enforce'",
            "categories.malware = 'enforce'",
            "rules.r = 'enforce'\nbundles.b = 'enforce'",
        ] {
            assert_eq!(digest(idle, enforce), digest("", enforce), "{idle}");
        }
        let words = [
            "",
            "bundles.b = 'observe'",
            "rules.r = 'observe'",
            "rules.t = 'enforce'",
            "rules.'sqli/union' = 'observe'",
            "categories.sqli = 'observe'",
            "categories.sqli = 'observe'\nrules.'sqli/union' = 'enforce'",
            "categories.malware = 'observe'",
            "categories.malware = 'observe'\nrules.r = 'enforce'",
        ];
        for (number, one) in words.iter().enumerate() {
            for other in words.iter().skip(number + 1) {
                assert_ne!(
                    digest(one, enforce),
                    digest(other, enforce),
                    "{one} | {other}"
                );
            }
        }
        // To promote a bundle on trial is a change; which words did it is none.
        assert_ne!(
            digest("", observe),
            digest("bundles.b = 'enforce'", observe)
        );
        assert_eq!(
            digest("bundles.b = 'observe'", enforce),
            digest("bundles.b = 'observe'\nrules.r = 'observe'", enforce)
        );
        assert_eq!(
            digest("categories.malware = 'observe'", enforce),
            digest(
                "categories.malware = 'observe'\nrules.r = 'observe'",
                enforce
            )
        );
    }
}
