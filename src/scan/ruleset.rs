//! What all scans of a snapshot share: compiled signatures, injection detectors, and their digest.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::inspect::injection::Detectors;
use crate::inspect::signatures::{CompileError, Signatures};
use crate::inspect::yara::YaraLimits;
use crate::policy::standing::{Modes, Standings};
use crate::rules::bundle::BundleDigest;
use crate::rules::{Bundle, Mode};

/// Compiled rules; immutable.
#[derive(Debug)]
pub struct Ruleset {
    pub(super) signatures: Arc<Signatures>,
    pub(super) detectors: Arc<Detectors>,
    pub(super) standings: Standings,
    bundles: Arc<[Loaded]>,
    digest: [u8; 32],
}

/// What is known of a bundle whose rules are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// Its name.
    pub name: Arc<str>,
    /// Its version; may be empty.
    pub version: Box<str>,
    /// Its digest.
    pub digest: BundleDigest,
    /// What it says of its rules: enforce, or observe until it is promoted.
    pub mode: Mode,
    /// When it stops being good, RFC 3339.
    pub expires: Option<Box<str>>,
}

/// The rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesetError {
    /// The signatures do not compile.
    #[error("the signatures do not compile")]
    Compile(#[from] CompileError),
}

impl Ruleset {
    /// The rules that come with the program.
    ///
    /// # Errors
    /// [`RulesetError`]; a test of the shipped rules would have failed first.
    pub fn embedded() -> Result<Self, RulesetError> {
        Self::compile(vec![Bundle::embedded()], YaraLimits::default())
    }

    /// Compiles bundles; takes seconds for thousands of rules.
    ///
    /// # Errors
    /// [`RulesetError`] when they cannot be compiled as a set.
    pub fn compile(bundles: Vec<Bundle>, limits: YaraLimits) -> Result<Self, RulesetError> {
        let mut digest = Sha256::new();
        let mut loaded = Vec::new();
        for bundle in &bundles {
            digest.update(bundle.digest().0);
            loaded.push(Loaded {
                name: Arc::clone(bundle.name()),
                version: bundle.manifest.version.clone(),
                digest: bundle.digest(),
                mode: bundle.manifest.mode,
                expires: bundle.manifest.expires.clone(),
            });
        }
        let ruleset = Self {
            signatures: Arc::new(Signatures::compile(bundles, limits)?),
            detectors: Arc::new(Detectors::new()),
            standings: Standings::default(),
            bundles: loaded.into(),
            digest: digest.finalize().into(),
        };
        Ok(ruleset.with_modes(&Modes::default()))
    }

    /// The same compiled rules, enforced and observed as `modes` says. Cheap.
    #[must_use]
    pub fn with_modes(&self, modes: &Modes) -> Self {
        let bundles: Vec<_> = self
            .bundles
            .iter()
            .map(|bundle| (&*bundle.name, bundle.mode))
            .collect();
        Self {
            signatures: Arc::clone(&self.signatures),
            detectors: Arc::clone(&self.detectors),
            standings: Standings::new(modes, self.signatures.rules(), &bundles),
            bundles: Arc::clone(&self.bundles),
            digest: self.digest,
        }
    }

    /// The bundles that it was made of, in order.
    pub fn bundles(&self) -> &[Loaded] {
        &self.bundles
    }

    /// Which rules are enforced and which observed.
    pub fn standings(&self) -> &Standings {
        &self.standings
    }

    /// SHA-256 over the bundles' digests, in order: equal on every node with the same rules.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The signatures, to run them by themselves.
    pub fn shared_signatures(&self) -> Arc<Signatures> {
        Arc::clone(&self.signatures)
    }

    /// The signatures.
    pub fn signatures(&self) -> &Signatures {
        &self.signatures
    }
}
