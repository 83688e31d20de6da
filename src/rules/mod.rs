//! Signature *files*: what operators write and update. Compiling and running them is `inspect`'s.
//!
//! ```text
//! class       severity, category, direction
//! literal     literal/*.toml    fixed strings, with conditions that need no code
//! yara        yara/*.yar        rule files, split into rules
//! hash        hash/*.txt        SHA-256 and MD5 lists
//! entity      entity/*.toml    sensitive values by content and by field name
//! example     examples/*.toml   what must match and what must not
//! folder      reading files that nobody else may write
//! bundle      all of a folder: manifest, order, digest, duplicate ids
//! pack        a bundle as one file
//! raw         a bundle's bytes, before anything in them is believed
//! signature   who made a pack
//! store       updates: the version in force, and those to go back to
//! import      lists and indicators of others, as rule files
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub mod bundle;
pub mod class;
mod embedded;
pub mod entity;
pub mod example;
pub mod folder;
pub mod hash;
pub mod import;
pub mod literal;
pub mod pack;
pub mod raw;
pub mod signature;
pub mod store;
pub mod yara;

pub use bundle::Bundle;
use class::{Category, Severity};

/// What every rule says about itself, whatever its engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// Stable id, unique over all loaded bundles: `malware/eicar`.
    pub id: Arc<str>,
    /// How bad.
    pub severity: Severity,
    /// Its class.
    pub category: Category,
    /// One sentence for the operator.
    pub description: Box<str>,
    /// Where to read more; may be empty.
    pub reference: Box<str>,
    /// Licence of the rule; may be empty.
    pub licence: Box<str>,
    /// Whether a match is enforced, as far as the rule's author says; the bundle and the operator have their say as well.
    pub mode: Mode,
    /// Name of the bundle that it came in.
    pub bundle: Arc<str>,
}

/// Whether a rule's match is enforced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A match counts for the verdict.
    #[default]
    Enforce,
    /// A match is counted and audited only.
    Observe,
}

/// A rule file, or a whole folder, cannot be used.
#[derive(Debug, thiserror::Error)]
pub struct RulesError {
    /// The file, as the operator named it.
    pub file: PathBuf,
    /// Line, from 1, when one is to blame.
    pub line: Option<u32>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl RulesError {
    pub(crate) fn new(file: &Path, line: Option<u32>, fault: Fault) -> Self {
        Self {
            file: file.to_owned(),
            line,
            fault,
        }
    }
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

/// What is wrong with a rule file; the message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The file system said no.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// A symbolic link, a device or a pipe.
    #[error("is not a regular file; copy the file here instead of linking to it")]
    NotRegular,
    /// Group or others may write to it.
    #[error("is writable by group or others (mode {mode:o}); run chmod go-w on it")]
    WritableByOthers {
        /// Permission bits.
        mode: u32,
    },
    /// A file over its size limit.
    #[error("is {bytes} bytes long, over the limit of {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Too many files in a bundle, or folders too deep.
    #[error("holds more than {limit} files or folders deeper than {depth}")]
    TooManyFiles {
        /// The limit on files.
        limit: usize,
        /// The limit on depth.
        depth: usize,
    },
    /// More rules than the limit.
    #[error("brings the number of rules above the limit of {limit}")]
    TooManyRules {
        /// The limit.
        limit: usize,
    },
    /// Not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
    /// Breaks the grammar of its format.
    #[error("{reason}")]
    Syntax {
        /// What the parser expected or met; names and punctuation of the file, never of a payload.
        reason: Box<str>,
    },
    /// A rule without any pattern.
    #[error("rule {id} has no pattern: give text, hex, pieces or any")]
    NoPattern {
        /// The rule.
        id: Box<str>,
    },
    /// A pattern that is too short to mean anything, or too long.
    #[error("rule {id} has a pattern of {bytes} bytes; {min} to {max} are allowed")]
    PatternLength {
        /// The rule.
        id: Box<str>,
        /// Bytes it has.
        bytes: usize,
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
    },
    /// Hex or base64 that is not.
    #[error("is not valid {encoding}: expected pairs of digits or a whole alphabet")]
    BadEncoding {
        /// `hex` or `base64`.
        encoding: &'static str,
    },
    /// An id that is empty, too long, or has odd characters.
    #[error("rule id {id:?} may have 1 to 128 letters, digits, and . _ - / only")]
    BadId {
        /// The id.
        id: Box<str>,
    },
    /// The same id twice.
    #[error("rule id {id} is defined already in {first}")]
    DuplicateId {
        /// The id.
        id: Box<str>,
        /// The other file.
        first: Box<str>,
    },
    /// An example for a rule that does not exist.
    #[error("example names the rule {id}, which does not exist")]
    UnknownRule {
        /// The id.
        id: Box<str>,
    },
    /// A manifest's digest differs from the file's.
    #[error(
        "does not have the SHA-256 that bundle.toml gives; the bundle is incomplete or was changed"
    )]
    DigestMismatch,
    /// A file that the manifest lists is missing, or one it does not list is there.
    #[error("is in only one of bundle.toml and the folder; the bundle is half written")]
    ManifestMismatch,
    /// The bundle is past its date.
    #[error("expired at {expires}; get a newer bundle, or allow expired ones")]
    Expired {
        /// Its date.
        expires: Box<str>,
    },
    /// The bundle needs a newer program.
    #[error("needs sluice {minimum} or newer")]
    NeedsNewer {
        /// Version it needs.
        minimum: Box<str>,
    },
    /// `include` in a YARA file.
    #[error("include is off; put the included file into the folder")]
    Include,
    /// A module the engine does not have.
    #[error("rule {rule} uses the module {module}, which is not available")]
    MissingModule {
        /// The rule.
        rule: Box<str>,
        /// The module.
        module: Box<str>,
    },
}

/// The line, from 1, of a byte offset in `text`.
pub(crate) fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
    u32::try_from(memchr::memchr_iter(b'\n', before).count())
        .unwrap_or(u32::MAX)
        .saturating_add(1)
}
