//! Rules compiled together, by whichever engine the configuration names. Nothing else knows that there are two.

use std::time::Duration;

use crate::inspect::yara::source::Source;
use crate::inspect::yara::{Engine, Externals, YaraLimits, engine};
use crate::rules::RulesError;

#[cfg(feature = "libyara")]
use crate::inspect::yara::libyara;

/// What a unit found.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Numbers of the rules that match; unordered, each once.
    pub(super) matches: Vec<u32>,
    /// A string had more matches than are counted, in a rule that counts.
    pub(super) capped: bool,
    /// The time was over before the end.
    pub(super) timed_out: bool,
    /// The engine could not do its work.
    pub(super) failed: bool,
}

/// Rules of one engine.
#[derive(Debug)]
pub(super) enum Unit {
    Boreal(engine::Unit),
    #[cfg(feature = "libyara")]
    Libyara(libyara::Unit),
}

impl Unit {
    /// Compiles the rules with these numbers, in order. What does not compile is in the second value.
    pub(super) fn compile(
        sources: &[Source],
        numbers: &[usize],
        limits: &YaraLimits,
    ) -> (Self, Vec<RulesError>) {
        match limits.engine {
            #[cfg(feature = "libyara")]
            Engine::Libyara => {
                let (unit, problems) = libyara::Unit::compile(sources, numbers, limits);
                (Self::Libyara(unit), problems)
            }
            // Who asks for what is not built in is told so before it comes to this.
            #[cfg_attr(
                feature = "libyara",
                expect(
                    unreachable_patterns,
                    reason = "the arm above takes it where it is built in"
                )
            )]
            Engine::Boreal | Engine::Libyara => {
                let (unit, problems) = engine::Unit::compile(sources, numbers, limits);
                (Self::Boreal(unit), problems)
            }
        }
    }

    /// Scans `body` whole.
    pub(super) fn scan(
        &self,
        body: &[u8],
        externals: &Externals,
        time: Duration,
        out: &mut Outcome,
    ) {
        match self {
            Self::Boreal(unit) => unit.scan(body, externals, time, out),
            #[cfg(feature = "libyara")]
            Self::Libyara(unit) => unit.scan(body, externals, time, out),
        }
    }
}
