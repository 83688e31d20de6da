//! The one immutable snapshot: services, rules and ISTag, made of one configuration. A transaction pins it once.

use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::icap::IsTag;
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
        let rules = Arc::new(Ruleset::embedded()?);
        let house = House {
            services: config.services.clone(),
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

/// No snapshot can be made.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The rules do not compile.
    #[error("the rules cannot be used")]
    Rules(#[from] RulesetError),
}

/// Equal rules, policy and engine version give equal tags on all nodes, without a clock or a counter (RFC 3507 §4.7).
fn istag(rules: &Ruleset, config: &Config) -> IsTag {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    digest.update(rules.digest());
    digest.update(config.policy_digest);
    IsTag::from_digest(&digest.finalize())
}

/// Now, as HTTP writes it (RFC 9110 §5.6.7).
fn http_date() -> String {
    jiff::Timestamp::now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
