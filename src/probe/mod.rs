//! A black-box check of any ICAP server against RFC 3507: [`run`] talks to it over TCP like a client and says, section by
//! section, what holds.
//!
//! It shares no code with the server's own protocol rooms: an oracle that parses with the parser it judges would agree
//! with every mistake. [`wire`] is the client, [`message`] makes the requests, [`checks`] holds the table; [`bench`] puts load on a
//! server with the same client.
//!
//! The checks send harmless content only. A service that blocks it anyway answers 200 with its own page; that is legal,
//! so checks look at the protocol and not at the verdict.

pub mod bench;
mod checks;
mod message;
mod wire;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What a check came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable id, kebab-case.
    pub id: &'static str,
    /// Where it is demanded: `RFC 3507 §4.5`, `errata e2`.
    pub section: &'static str,
    /// What is demanded, as a sentence.
    pub what: &'static str,
    /// How strongly.
    pub level: Level,
    /// Whether it holds.
    pub outcome: Outcome,
}

/// How strongly something is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// By the standard.
    Must,
    /// By security: two readers must not see two different streams.
    Security,
    /// By practice: real clients need it.
    Should,
}

/// Whether a demand is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result", content = "reason")]
pub enum Outcome {
    /// It is.
    Pass,
    /// It is not.
    Fail(Failure),
    /// The service does not offer what the check needs.
    Skip,
}

/// How a demand was missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// No connection.
    #[error("cannot connect")]
    NoConnection,
    /// Silence.
    #[error("no answer in time")]
    NoAnswer,
    /// The connection ended without a whole answer.
    #[error("connection closed before the answer was whole")]
    Closed,
    /// Bytes that are no ICAP answer.
    #[error("answer is not ICAP")]
    NotIcap,
    /// Sections that are not where `Encapsulated` says.
    #[error("sections are not where Encapsulated says")]
    BadSections,
    /// A body whose chunks are broken.
    #[error("broken chunks")]
    BadChunks,
    /// Another status.
    #[error("status {found}")]
    Status {
        /// The status that came.
        found: u16,
    },
    /// No ISTag, or one that is not quoted or too long.
    #[error("no well-formed ISTag")]
    BadIsTag,
    /// A field that is missing or malformed.
    #[error("missing or malformed {name}")]
    BadField {
        /// The field.
        name: &'static str,
    },
    /// The message came back changed.
    #[error("message came back changed")]
    Changed,
    /// The connection stayed open.
    #[error("connection was not closed")]
    StillOpen,
    /// More bytes than one answer.
    #[error("bytes after the answer")]
    ExtraBytes,
}

/// Why nothing could be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Not `icap://host[:port]/path`.
    #[error("expected icap://host[:port]/path")]
    BadUrl,
    /// The name has no address, or nobody listens there.
    #[error("cannot connect")]
    NoConnection,
}

/// Runs every check against the service at `url`, one after the other, waiting up to `patience` for each answer.
///
/// # Errors
/// [`ProbeError`] when there is nothing to talk to; what the server does wrong is in the checks.
pub fn run(url: &str, patience: Duration) -> Result<Vec<Check>, ProbeError> {
    let target = wire::Target::parse(url, patience)?;
    target.connect().map_err(|_| ProbeError::NoConnection)?;
    let offer = checks::Offer::of(&target);
    let outcome = |check: &checks::Demand| match (check.holds)(&target, &offer) {
        Ok(checks::Verdict::Held) => Outcome::Pass,
        Ok(checks::Verdict::NotOffered) => Outcome::Skip,
        Err(failure) => Outcome::Fail(failure),
    };
    let run = |check: &checks::Demand| Check {
        id: check.id,
        section: check.section,
        what: check.what,
        level: check.level,
        outcome: outcome(check),
    };
    Ok(checks::DEMANDS.iter().map(run).collect())
}

/// The checks as a table, one line each, failures last, and a line of totals.
pub struct Table<'a>(pub &'a [Check]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut totals = [0usize; 3];
        for check in self.0 {
            let (slot, word) = match check.outcome {
                Outcome::Pass => (&mut totals[0], "pass"),
                Outcome::Fail(_) => (&mut totals[1], "FAIL"),
                Outcome::Skip => (&mut totals[2], "skip"),
            };
            *slot += 1;
            write!(f, "{word}  {:<22} {}", check.section, check.what)?;
            match check.outcome {
                Outcome::Fail(failure) => writeln!(f, ": {failure}")?,
                Outcome::Pass | Outcome::Skip => writeln!(f)?,
            }
        }
        let [passed, failed, skipped] = totals;
        writeln!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
