//! The one immutable snapshot: services, rules and ISTag, made of one configuration. A transaction pins it once.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::config::file::BrokenRules;
use crate::icap::IsTag;
use crate::inspect::yara::YaraLimits;
use crate::policy::standing::Modes;
use crate::rules::bundle::BundleDigest;
use crate::rules::raw::Raw;
use crate::scan::Ruleset;
use crate::service::transaction::House;

use super::rules::load::{self, LoadError};

/// Everything that a reload replaces.
#[derive(Debug)]
pub struct Snapshot {
    /// What transactions share.
    pub house: Arc<House>,
    /// The configuration that it was made of.
    pub config: Arc<Config>,
    /// When it was made; shown in metrics, never part of the ISTag.
    pub loaded: SystemTime,
    /// What the operator enforces and observes, by configuration and admin API.
    pub modes: Modes,
    /// Digest of the bytes that the rules were compiled from.
    sources: BundleDigest,
}

impl Snapshot {
    /// Compiles the rules and joins them with the configuration. Takes up to seconds: not for a reactor thread.
    ///
    /// # Errors
    /// When the rules do not load.
    pub fn load(config: Arc<Config>) -> Result<Self, LoadError> {
        let raws = load::gathered(&config.rules)?;
        let rules = load::compiled(&raws, &config)?;
        Ok(Self::of(
            config,
            &rules,
            (Raw::digest_of(&raws), &Modes::default()),
        ))
    }

    /// The snapshot that is to follow this one. Rules whose bytes have not changed stay compiled; others are tried aside by
    /// `program` first.
    ///
    /// # Errors
    /// When the rules cannot be in force.
    pub fn next(
        &self,
        config: Arc<Config>,
        raws: &[Raw],
        (modes, program): (&Modes, &Path),
    ) -> Result<Self, LoadError> {
        let sources = Raw::digest_of(raws);
        let same = sources == self.sources && settings(&config) == settings(&self.config);
        if same {
            return Ok(Self::of(config, &self.house.rules, (sources, modes)));
        }
        let rules = load::replacing(&self.house.rules, raws, &config, program)?;
        Ok(Self::of(config, &rules, (sources, modes)))
    }

    /// True when the rules were compiled from these bytes.
    pub fn is_of(&self, sources: BundleDigest) -> bool {
        self.sources == sources
    }

    /// The same with other words of the operator. Cheap.
    #[must_use]
    pub fn with_modes(&self, modes: &Modes) -> Self {
        Self::of(
            Arc::clone(&self.config),
            &self.house.rules,
            (self.sources, modes),
        )
    }

    fn of(config: Arc<Config>, rules: &Ruleset, (sources, over): (BundleDigest, &Modes)) -> Self {
        let modes = config.rules.modes.clone().overlaid(over);
        let rules = Arc::new(rules.with_modes(&modes));
        let house = House {
            services: config.services.clone(),
            routes: config.routes.clone(),
            istag: istag(&rules, &config),
            rules,
            style: config.style.clone(),
            hosts: config.hosts.clone(),
            watch: config.watch(),
            date: http_date,
        };
        Self {
            house: Arc::new(house),
            config,
            loaded: SystemTime::now(),
            modes,
            sources,
        }
    }
}

/// What else decides how rules are compiled, besides their bytes.
fn settings(config: &Config) -> (BrokenRules, bool, YaraLimits) {
    let rules = &config.rules;
    (rules.broken, rules.embedded, load::limits(config))
}

/// Equal rules, policy and engine version give equal tags on all nodes, without a clock or a counter (RFC 3507 §4.7).
fn istag(rules: &Ruleset, config: &Config) -> IsTag {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    digest.update(rules.digest());
    digest.update(config.policy_digest);
    digest.update(rules.standings().digest());
    IsTag::from_digest(&digest.finalize())
}

/// Now, as HTTP writes it (RFC 9110 §5.6.7).
fn http_date() -> String {
    jiff::Timestamp::now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
