//! A profile: how one kind of message is inspected and judged. Built by `config::resolve`, immutable afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::content;
use crate::inspect::cut::{self, Cuts};
use crate::inspect::signatures::Keeping;
use crate::inspect::{Category, Direction};
use crate::policy::allow::Allow;
use crate::policy::exception::Exception;
use crate::redact;

/// How one kind of message is inspected and judged.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Whose messages may get it, by ICAP client.
    pub allow: Allow,
    /// Whether verdicts are enforced or only reported.
    pub mode: Mode,
    /// When bytes may leave.
    pub release: Release,
    /// Which inspections run.
    pub inspect: Inspect,
    /// Limits of inspection and decoding.
    pub limits: Limits,
    /// What each anomaly means.
    pub fail_modes: FailModes,
    /// What each class of finding means.
    pub classes: Classes,
    /// What single rules mean, by rule id; overrides the class.
    pub rules: BTreeMap<Box<str>, Action>,
    /// Known false positives, each counted when it is used.
    pub exceptions: Vec<Exception>,
    /// What is redacted, if anything.
    pub redact: Option<Arc<redact::Profile>>,
}

impl Profile {
    /// Names that [`named`](Self::named) knows.
    pub const BUILT_IN: &'static [&'static str] =
        &["default", "strict", "lenient", "observe", "echo", "redact"];

    /// The built-in profile of that name for messages of `direction`.
    ///
    /// | name | what it does |
    /// |---|---|
    /// | `default` | enforces every class (responses: malware, exploits and structure), anomalies closed |
    /// | `strict` | as `default`, one kind of evidence is enough, every anomaly closed, sloppy XML and JSON blocked |
    /// | `lenient` | as `default`, three kinds of evidence needed, odd JSON observed |
    /// | `observe` | looks for everything, blocks nothing |
    /// | `echo` | inspects nothing |
    /// | `redact` | masks sensitive values; blocks malware and structure attacks, looks for no injection |
    pub fn named(name: &str, direction: Direction) -> Option<Self> {
        let default = Self::built_in(direction);
        let profile = match name {
            "default" => default,
            "strict" => Self {
                fail_modes: FailModes::closed(),
                classes: default.classes.strict(),
                ..default
            },
            "lenient" => Self {
                classes: default.classes.lenient(),
                ..default
            },
            "observe" => Self {
                mode: Mode::Observe,
                ..default
            },
            "echo" => Self {
                mode: Mode::Off,
                release: Release::AsSettled,
                ..default
            },
            "redact" => Self {
                classes: Classes::response(),
                redact: Some(Arc::new(redact::Profile::all())),
                ..default
            },
            _ => return None,
        };
        Some(Self {
            name: name.into(),
            ..profile
        })
    }

    /// What this profile wants cut out of documents.
    pub fn cuts(&self) -> Cuts {
        let mut cuts = Cuts::default();
        if self.mode != Mode::Enforce {
            return cuts;
        }
        for (rule, category, cut) in cut::RULES {
            let class = self.classes.of(*category);
            match self.rules.get(*rule) {
                Some(Action::Sanitize) => cuts.add(*cut, 0),
                None if class.action == Action::Sanitize => cuts.add(*cut, class.threshold),
                Some(_) | None => {}
            }
        }
        cuts
    }

    /// The `default` profile of a direction.
    pub fn built_in(direction: Direction) -> Self {
        Self {
            name: "default".into(),
            allow: Allow::default(),
            mode: Mode::Enforce,
            release: Release::AtVerdict,
            inspect: Inspect::default(),
            limits: Limits::default(),
            fail_modes: FailModes::default(),
            classes: match direction {
                Direction::Request => Classes::enforcing(),
                Direction::Response => Classes::response(),
            },
            rules: BTreeMap::new(),
            exceptions: Vec::new(),
            redact: None,
        }
    }
}

/// Whether verdicts are enforced.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
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
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// Nothing leaves before the verdict.
    #[default]
    AtVerdict,
    /// Bytes leave as soon as no edit can reach them; a block after that can only cut the message off.
    AsSettled,
}

/// Which inspections run. Signatures cover literals, YARA and hashes; structure covers JSON and XML facts; injection
/// covers the detectors on values. Which injection classes run follows from [`Classes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Inspect {
    /// Literal, YARA and hash rules.
    pub signatures: bool,
    /// JSON and XML structure.
    pub structure: bool,
    /// Injection detectors on every value.
    pub injection: bool,
}

impl Default for Inspect {
    fn default() -> Self {
        Self {
            signatures: true,
            structure: true,
            injection: true,
        }
    }
}

/// Limits of inspection and decoding.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Body bytes as received; 0 means no limit.
    pub body_bytes: u64,
    /// Limits of decoding.
    pub content: content::Limits,
    /// How much of a part is kept so that YARA can scan it whole; a larger one is scanned in overlapping blocks
    /// ([`Anomaly::Windowed`]).
    pub yara: Keeping,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // security.md §3: a stream needs no memory, only time.
            body_bytes: 2 << 30,
            content: content::Limits::default(),
            yara: Keeping::default(),
        }
    }
}

/// What happens to a message that could not be fully inspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailMode {
    /// It passes; the anomaly is counted and logged.
    Open,
    /// It is blocked.
    Closed,
}

/// A [`FailMode`] for every [`Anomaly`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailModes {
    modes: Vec<FailMode>,
}

impl Default for FailModes {
    /// Closed, but for the anomalies in [`OPEN_BY_DEFAULT`].
    fn default() -> Self {
        let modes = Anomaly::ALL
            .iter()
            .map(|anomaly| match OPEN_BY_DEFAULT.contains(anomaly) {
                true => FailMode::Open,
                false => FailMode::Closed,
            })
            .collect();
        Self { modes }
    }
}

impl FailModes {
    /// What `anomaly` means.
    pub fn of(&self, anomaly: Anomaly) -> FailMode {
        self.modes
            .get(anomaly as usize)
            .copied()
            .unwrap_or(FailMode::Closed)
    }

    /// Sets what `anomaly` means.
    pub fn set(&mut self, anomaly: Anomaly, mode: FailMode) {
        if let Some(slot) = self.modes.get_mut(anomaly as usize) {
            *slot = mode;
        }
    }

    /// Every anomaly closed.
    pub fn closed() -> Self {
        Self {
            modes: vec![FailMode::Closed; Anomaly::ALL.len()],
        }
    }
}

/// Anomalies that do not block unless the profile says so, each because every byte was inspected all the same:
/// text in a wrong or broken charset is inspected raw and decoded, and a body too large for a whole YARA scan went
/// through every literal, structure check and, block by block, through YARA.
/// Content that the redactor cannot read goes through all of that too; were it closed, no picture would pass a redacting
/// service.
pub const OPEN_BY_DEFAULT: &[Anomaly] = &[
    Anomaly::BrokenCharset,
    Anomaly::Windowed,
    Anomaly::UnreadContent,
];

/// What a finding leads to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The class is not looked for.
    Off,
    /// Counted and logged.
    Observe,
    /// What was found is cut out of the document where that is well defined ([`crate::inspect::cut`]); elsewhere the
    /// message is blocked.
    Sanitize,
    /// The message is blocked.
    Block,
}

/// Action and threshold of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Class {
    /// What a finding at or over the threshold leads to.
    pub action: Action,
    /// Least score (0 to 100) that counts; below it a finding is observed only.
    pub threshold: u8,
}

/// A [`Class`] for every [`Category`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classes {
    classes: Vec<Class>,
}

impl Classes {
    /// Every class with the same setting.
    pub fn all(class: Class) -> Self {
        Self {
            classes: vec![class; Category::ALL.len()],
        }
    }

    /// What `/reqmod` enforces: every class blocks. XML that is declared as such and breaks its grammar beyond what any
    /// conforming reader goes over (XML 1.0 §1.2, fatal errors) blocks as well: no honest service reads it, and a lenient
    /// one reads something else than we do. Slips that lenient readers forgive score below the threshold.
    pub fn enforcing() -> Self {
        let mut classes = Self::all(Class {
            action: Action::Block,
            threshold: DEFAULT_THRESHOLD,
        });
        classes.set_action(Category::Sensitive, Action::Observe);
        classes
    }

    /// What `/respmod` enforces: malware, exploits and structure that attacks its reader; no injection detectors, since
    /// web pages are full of markup, and sloppy JSON and XML of a service is observed only.
    pub fn response() -> Self {
        let mut classes = Self::enforcing();
        for category in REQUEST_ONLY {
            classes.set_action(*category, Action::Off);
        }
        classes.set_action(Category::JsonMalformed, Action::Observe);
        classes.set_action(Category::XmlMalformed, Action::Observe);
        classes.set_action(Category::JsonAbuse, Action::Observe);
        classes
    }

    /// Whatever is enforced needs one kind of evidence only, and broken XML counts.
    pub fn strict(mut self) -> Self {
        for class in &mut self.classes {
            class.threshold = STRICT_THRESHOLD;
        }
        self.set_threshold(Category::XmlMalformed, 1);
        self
    }

    /// Whatever is enforced needs a third kind of evidence; JSON that is merely odd is observed.
    pub fn lenient(mut self) -> Self {
        for class in &mut self.classes {
            class.threshold = LENIENT_THRESHOLD;
        }
        self.set_action(Category::JsonAbuse, Action::Observe);
        self.set_action(Category::JsonMalformed, Action::Observe);
        self.set_action(Category::XmlMalformed, Action::Observe);
        self
    }

    /// The setting of a class.
    pub fn of(&self, category: Category) -> Class {
        self.classes
            .get(category as usize)
            .copied()
            .unwrap_or(Class {
                action: Action::Block,
                threshold: 0,
            })
    }

    /// Sets what a class leads to.
    pub fn set_action(&mut self, category: Category, action: Action) {
        if let Some(class) = self.classes.get_mut(category as usize) {
            class.action = action;
        }
    }

    /// Sets the least score that counts.
    pub fn set_threshold(&mut self, category: Category, threshold: u8) {
        if let Some(class) = self.classes.get_mut(category as usize) {
            class.threshold = threshold;
        }
    }
}

/// Score from which on an injection finding blocks: two independent kinds of evidence.
pub const DEFAULT_THRESHOLD: u8 = 60;

/// The threshold of the `strict` profile.
pub const STRICT_THRESHOLD: u8 = 45;

/// The threshold of the `lenient` profile.
pub const LENIENT_THRESHOLD: u8 = 80;

/// Classes that attack a service through its input and mean nothing in its output.
pub const REQUEST_ONLY: &[Category] = &[
    Category::Sqli,
    Category::Nosqli,
    Category::Xss,
    Category::Cmdi,
    Category::PathTraversal,
    Category::Ssti,
    Category::Ldapi,
    Category::Jndi,
    Category::Ssrf,
    Category::Deser,
    Category::Graphql,
    Category::CodeInjection,
    Category::Crlf,
    Category::PrototypePollution,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_anomaly_is_closed_unless_it_is_listed() {
        let modes = FailModes::default();
        for anomaly in Anomaly::ALL {
            let open = OPEN_BY_DEFAULT.contains(anomaly);
            assert_eq!(modes.of(*anomaly) == FailMode::Open, open, "{anomaly}");
        }
    }

    #[test]
    fn every_built_in_profile_has_its_name() {
        for name in Profile::BUILT_IN {
            for direction in [Direction::Request, Direction::Response] {
                let profile = Profile::named(name, direction).expect("a built-in profile");
                assert_eq!(*profile.name, **name);
            }
        }
        assert!(Profile::named("no-such", Direction::Request).is_none());
    }

    #[test]
    fn a_set_fail_mode_changes_that_anomaly_only() {
        let mut modes = FailModes::default();
        modes.set(Anomaly::Windowed, FailMode::Closed);
        assert_eq!(modes.of(Anomaly::Windowed), FailMode::Closed);
        assert_eq!(modes.of(Anomaly::BrokenCharset), FailMode::Open);
    }
}
