//! What all scans of a snapshot share: compiled signatures, injection detectors, and their digest.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::inspect::injection::Detectors;
use crate::inspect::signatures::{CompileError, Signatures};
use crate::inspect::yara::YaraLimits;
use crate::rules::Bundle;

/// Compiled rules; immutable.
#[derive(Debug)]
pub struct Ruleset {
    pub(super) signatures: Arc<Signatures>,
    pub(super) detectors: Detectors,
    digest: [u8; 32],
}

/// The rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesetError {
    /// The signatures do not compile.
    #[error("the signatures do not compile")]
    Compile(#[from] CompileError),
    /// The prefilter of the injection detectors does not build.
    #[error("the injection detectors' prefilter does not build")]
    Detectors(#[from] aho_corasick::BuildError),
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
        for bundle in &bundles {
            digest.update(bundle.digest().0);
        }
        Ok(Self {
            signatures: Arc::new(Signatures::compile(bundles, limits)?),
            detectors: Detectors::new()?,
            digest: digest.finalize().into(),
        })
    }

    /// SHA-256 over the bundles' digests, in order: equal on every node with the same rules.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The signatures.
    pub fn signatures(&self) -> &Signatures {
        &self.signatures
    }
}
