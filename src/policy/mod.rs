//! From facts to a verdict: pure, total, table-tested.
//!
//! [`profile::Profile`] says what an operator wants; [`judge`] turns findings and anomalies into a [`Verdict`]. No other
//! room decides anything.

pub mod allow;
pub mod exception;
pub mod facts;
pub mod judge;
pub mod profile;
pub mod route;
pub mod standing;

use std::borrow::Cow;

use crate::anomaly::Anomaly;
use crate::inspect::Category;

/// What is to happen to the message.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Verdict {
    /// Nothing stands against it.
    #[default]
    Allow,
    /// It must not pass.
    Block(Reason),
    /// It passes with edits.
    Redact {
        /// Edits made.
        edits: u64,
    },
}

/// Why a message is blocked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A finding that the profile enforces.
    Finding {
        /// Id of the rule.
        rule: Cow<'static, str>,
        /// Its class.
        category: Category,
    },
    /// An anomaly for which the profile is closed.
    Anomaly(Anomaly),
    /// A value whose mask says that the message must not pass.
    Redaction {
        /// What kind of value, such as `PAN`.
        entity: Cow<'static, str>,
    },
}

impl Reason {
    /// The stable code shown on block pages, in logs and in metrics: a category or an anomaly code.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Finding { category, .. } => category.code(),
            Reason::Anomaly(anomaly) => anomaly.code(),
            Reason::Redaction { .. } => "redaction-block",
        }
    }
}
