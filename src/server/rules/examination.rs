//! What becomes of a set of bundles before it may be in force: read, held against each other, compiled, tried on its own
//! examples. Done by [`aside`](super::aside) for a server, and right here for the command line.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::inspect::trial::{self, Outcome, Trial};
use crate::inspect::yara::{SlowRule, YaraLimits};
use crate::rules::example::{Example, Expect};
use crate::rules::raw::Raw;
use crate::rules::{Bundle, RulesError};
use crate::scan::{Ruleset, RulesetError};

use super::catalogue::{self, BundleEntry};

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Examination {
    /// The bundles, in order.
    pub bundles: Vec<BundleEntry>,
    /// Rules in all.
    pub rules: usize,
    /// Time that compiling took.
    pub compile_ms: u64,
    /// Rules that were left out, with file and line.
    pub problems: Vec<String>,
    /// Ids that rules of two bundles have; the set cannot be in force with them.
    pub clashes: Vec<String>,
    /// Ids that two rules of one bundle have: they are counted and set as one.
    pub duplicates: Vec<String>,
    /// Rules that nothing keeps from running on every body.
    pub costly: Vec<String>,
    /// Rules that ask for what is never known here, with file and line.
    pub mute: Vec<String>,
    /// Rules that take long on ordinary bytes, the slowest first.
    pub slow: Vec<Slow>,
    /// Examples that were run.
    pub examples: Vec<Tried>,
}

/// A slow rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Slow {
    /// Its id.
    pub rule: String,
    /// Its file.
    pub file: String,
    /// The line in which it begins.
    pub line: u32,
    /// Milliseconds for a MiB of the kind of bytes that takes it the longest.
    pub ms_per_mib: u64,
}

/// How one example fared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tried {
    /// The rule.
    pub rule: String,
    /// File and line of the example.
    pub source: String,
    /// `match` or `clean`.
    pub expect: String,
    /// Whether it came out so.
    pub passed: bool,
    /// In words.
    pub outcome: String,
}

/// Whose examples are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Examples {
    /// All.
    All,
    /// Not those of the rules that come with the program: its own tests hold them to it.
    OfOperator,
    /// None.
    None,
}

/// A set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// A signature file is wrong.
    #[error(transparent)]
    File(#[from] RulesError),
    /// A bundle without a single rule.
    #[error("{} holds no rule files: expected literal/*.toml, *.yar or hash/*.txt", .0.display())]
    Empty(std::path::PathBuf),
    /// The rules do not compile.
    #[error(transparent)]
    Rules(#[from] RulesetError),
}

/// Reads the bundles of a set.
///
/// # Errors
/// [`SetError`] for the first that cannot be read, or holds nothing.
pub fn parsed(raws: &[Raw]) -> Result<Vec<Bundle>, SetError> {
    let mut bundles = Vec::with_capacity(raws.len());
    for raw in raws {
        let bundle = raw.parse()?;
        bundle
            .manifest
            .check(&raw.shown().join("bundle.toml"), None)?;
        if bundle.literals.is_empty() && bundle.yara.is_empty() && bundle.hashes.is_empty() {
            // A wrong path must not look like a rule set in force.
            return Err(SetError::Empty(raw.shown().into()));
        }
        bundles.push(bundle);
    }
    Ok(bundles)
}

/// Reads, compiles and tries a set. Takes up to minutes: not for a reactor thread.
///
/// # Errors
/// [`SetError`] when there is nothing to look at.
pub fn examine(raws: &[Raw], whose: Examples) -> Result<Examination, SetError> {
    let mut bundles = parsed(raws)?;
    let mut examples: Vec<Example> = Vec::new();
    for (raw, bundle) in raws.iter().zip(&mut bundles) {
        let own = std::mem::take(&mut bundle.examples);
        match whose {
            Examples::All => examples.extend(own),
            Examples::OfOperator if !raw.is_embedded() => examples.extend(own),
            Examples::OfOperator | Examples::None => {}
        }
    }
    let begun = Instant::now();
    let rules = Ruleset::compile(bundles, YaraLimits::default())?;
    let compile_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let signatures = rules.signatures();
    Ok(Examination {
        bundles: catalogue::bundles(&rules),
        rules: signatures.rules().count(),
        compile_ms,
        problems: signatures
            .problems()
            .iter()
            .map(ToString::to_string)
            .collect(),
        clashes: doubles(&rules, Within::TwoBundles),
        duplicates: doubles(&rules, Within::OneBundle),
        costly: signatures
            .costly()
            .map(|about| about.id.to_string())
            .collect(),
        mute: signatures
            .yara()
            .mute()
            .map(|(about, file, line, module)| {
                format!(
                    "{file}:{line}: {} asks {module}, which knows nothing here",
                    about.id
                )
            })
            .collect(),
        slow: signatures.yara().slow().iter().map(Slow::from).collect(),
        examples: tried(&rules, &examples),
    })
}

fn tried(rules: &Ruleset, examples: &[Example]) -> Vec<Tried> {
    let signatures: Arc<_> = rules.shared_signatures();
    trial::run(&signatures, examples)
        .into_iter()
        .map(Tried::from)
        .collect()
}

/// Whose rules have the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// One bundle: public sets have such.
    OneBundle,
    /// Two: one could be meant where the other is said.
    TwoBundles,
}

/// Ids that two rules have.
pub fn doubles(rules: &Ruleset, within: Within) -> Vec<String> {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    let mut found = Vec::new();
    for about in rules.signatures().rules() {
        let Some(first) = seen.insert(&about.id, &about.bundle) else {
            continue;
        };
        let wanted = match within {
            Within::OneBundle => first == &*about.bundle,
            Within::TwoBundles => first != &*about.bundle,
        };
        if wanted {
            found.push(format!(
                "rule id {} is in the bundles {first} and {}; rename one",
                about.id, about.bundle
            ));
        }
    }
    found
}

impl From<&SlowRule> for Slow {
    fn from(slow: &SlowRule) -> Self {
        Self {
            rule: slow.about.id.to_string(),
            file: slow.file.to_string(),
            line: slow.line,
            ms_per_mib: u64::try_from(slow.per_mib.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<Trial> for Tried {
    fn from(trial: Trial) -> Self {
        Self {
            expect: match trial.expect {
                Expect::Match => "match",
                Expect::Clean => "clean",
            }
            .into(),
            passed: trial.outcome == Outcome::Passed,
            outcome: match (trial.outcome, trial.expect) {
                (Outcome::Passed, _) => "as expected",
                (Outcome::NoSuchRule, _) => "there is no such rule",
                (Outcome::Failed, Expect::Match) => "should match and does not",
                (Outcome::Failed, Expect::Clean) => "should not match and does",
            }
            .into(),
            rule: trial.rule.into(),
            source: trial.source.into(),
        }
    }
}

impl Examination {
    /// The examples that did not come out as they should.
    pub fn failed(&self) -> impl Iterator<Item = &Tried> {
        self.examples.iter().filter(|tried| !tried.passed)
    }

    /// The first thing that keeps the set from being in force, if anything does.
    pub fn objection(&self, broken: crate::config::file::BrokenRules) -> Option<String> {
        use crate::config::file::BrokenRules;
        let problem = match broken {
            BrokenRules::Fatal => self
                .problems
                .first()
                .map(|problem| format!("{problem}; mend the rule, or set rules.broken = \"skip\"")),
            BrokenRules::Skip => None,
        };
        problem
            .or_else(|| self.clashes.first().cloned())
            .or_else(|| {
                let failed = self.failed().next()?;
                Some(format!(
                    "{}: an example of {} {}; mend the rule or the example",
                    failed.source, failed.rule, failed.outcome
                ))
            })
    }
}
