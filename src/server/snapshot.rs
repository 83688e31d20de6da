//! The one immutable snapshot: services, rules and ISTag, made of one configuration. A transaction pins it once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::config::file::{BrokenRules, Rules};
use crate::icap::IsTag;
use crate::inspect::yara::YaraLimits;
use crate::rules::{Bundle, RulesError};
use crate::scan::{Ruleset, RulesetError};
use crate::service::transaction::House;

/// Everything that a reload replaces.
#[derive(Debug)]
pub struct Snapshot {
    /// What transactions share.
    pub house: Arc<House>,
    /// The configuration that it was made of.
    pub config: Arc<Config>,
    /// When it was made; shown in metrics, never part of the ISTag.
    pub loaded: SystemTime,
}

impl Snapshot {
    /// Compiles the rules and joins them with the configuration. Takes up to seconds: not for a reactor thread.
    ///
    /// # Errors
    /// When the rules do not load.
    pub fn load(config: Arc<Config>) -> Result<Self, SnapshotError> {
        let rules = Arc::new(ruleset(&config.rules)?.with_modes(&config.rules.modes));
        let house = House {
            services: config.services.clone(),
            routes: config.routes.clone(),
            istag: istag(&rules, &config),
            rules,
            style: config.style.clone(),
            hosts: config.hosts.clone(),
            date: http_date,
        };
        Ok(Self {
            house: Arc::new(house),
            config,
            loaded: SystemTime::now(),
        })
    }
}

/// The rules that the configuration names, compiled together.
fn ruleset(rules: &Rules) -> Result<Ruleset, SnapshotError> {
    let mut bundles = Vec::new();
    if rules.embedded {
        bundles.push(Bundle::embedded());
    }
    for path in &rules.bundles {
        let bundle = Bundle::load(path).map_err(SnapshotError::File)?;
        if bundle.literals.is_empty() && bundle.yara.is_empty() && bundle.hashes.is_empty() {
            // A wrong path must not look like a rule set in force.
            return Err(SnapshotError::Empty(path.clone()));
        }
        bundles.push(bundle);
    }
    let ruleset = Ruleset::compile(bundles, YaraLimits::default())?;
    for problem in ruleset.signatures().problems() {
        match rules.broken {
            BrokenRules::Fatal => return Err(SnapshotError::Broken(problem.to_string().into())),
            BrokenRules::Skip => tracing::warn!(%problem, "a rule does not load and is left out"),
        }
    }
    Ok(ruleset)
}

/// No snapshot can be made.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The rules do not compile.
    #[error("the rules cannot be used")]
    Rules(#[from] RulesetError),
    /// A signature file is wrong.
    #[error(transparent)]
    File(RulesError),
    /// A bundle without a single rule.
    #[error("{} holds no rule files: expected literal/*.toml, *.yar or hash/*.txt", .0.display())]
    Empty(PathBuf),
    /// A rule does not load, and the configuration does not say that it may be left out.
    #[error("{0}; mend the rule, or set rules.broken = \"skip\"")]
    Broken(Box<str>),
}

/// Equal rules, policy and engine version give equal tags on all nodes, without a clock or a counter (RFC 3507 §4.7).
fn istag(rules: &Ruleset, config: &Config) -> IsTag {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    digest.update(rules.digest());
    digest.update(config.policy_digest);
    digest.update(config.rules.modes.digest());
    IsTag::from_digest(&digest.finalize())
}

/// Now, as HTTP writes it (RFC 9110 §5.6.7).
fn http_date() -> String {
    jiff::Timestamp::now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
