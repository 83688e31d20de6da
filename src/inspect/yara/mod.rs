//! YARA rules: which of them a body can fulfil at all, and the run of those.
//!
//! ```text
//! files ─► split, source   cut into rules, parsed, described; references: what each refers to
//!       ─► condition, strings ─► need   what must be true of a body before a rule can be true
//!       ─► YaraSet  groups of a few dozen rules, compiled by themselves, behind
//!                     magic numbers and sizes   (lanes: a JSON body never meets the rules for executables)
//!                     necessary strings         (found by the literal search, in the one pass that it makes anyway)
//!                     necessary bytes           (of short bodies, for rules whose strings are too short to be searched)
//!       ─► unit     one engine or the other: engine knows boreal, libyara libyara, and nobody else does
//!       ─► slow     rules that take long stand alone, so that their time and its end bear their names
//! ```
//!
//! Why: with thousands of rules any engine spends half a millisecond on 1 KiB before it has looked at it, since it
//! evaluates conditions rule by rule. The gate makes that a handful of groups, most often none.
//!
//! A body for which many groups are due is scanned by all rules in one unit instead, when that is cheaper.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::anomaly::Anomaly;
use crate::inspect::literal::finding;
use crate::inspect::{Findings, PartId};
use crate::rules::literal::Pattern;
use crate::rules::yara::YaraFile;
use crate::rules::{About, RulesError};
use crate::span::Span;

mod bytes;
mod condition;
mod engine;
mod gate;
#[cfg(feature = "libyara")]
pub mod libyara;
mod modules;
mod need;
mod references;
mod slow;
mod source;
mod split;
mod strings;
mod unit;

use gate::Gate;
pub use gate::{Due, YaraGate};
use slow::Ledger;
pub use slow::SlowRule;
use source::{Source, Visibility};
use unit::{Outcome, Unit};

/// Which engine compiles and runs the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// boreal.
    #[default]
    Boreal,
    /// libyara, the reference; there with the cargo feature `libyara` only.
    Libyara,
}

impl Engine {
    /// The name in configuration and messages.
    pub fn code(self) -> &'static str {
        match self {
            Self::Boreal => "boreal",
            Self::Libyara => "libyara",
        }
    }

    /// True when this program has it.
    pub fn is_built_in(self) -> bool {
        match self {
            Self::Boreal => true,
            Self::Libyara => cfg!(feature = "libyara"),
        }
    }
}

/// Limits of compiling and scanning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YaraLimits {
    /// The engine.
    pub engine: Engine,
    /// Time for one body.
    pub scan_time: Duration,
    /// Time for each MiB of it on top.
    pub scan_time_per_mib: Duration,
    /// Matches of one string that are counted.
    pub matches: u32,
}

impl Default for YaraLimits {
    fn default() -> Self {
        Self {
            engine: Engine::default(),
            // The house's table of limits: 2 s a body, and 50 ms a MiB.
            scan_time: Duration::from_secs(2),
            scan_time_per_mib: Duration::from_millis(50),
            // Ten times the engine's own cap; a match costs some forty bytes.
            matches: 10_000,
        }
    }
}

/// External variables of a scan; what is not known is the empty string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Externals {
    /// `request` or `response`.
    pub direction: Box<str>,
    /// HTTP method.
    pub method: Box<str>,
    /// Host of the request.
    pub host: Box<str>,
    /// Path of the request.
    pub path: Box<str>,
    /// Media type.
    pub content_type: Box<str>,
    /// Name of the file, without folders.
    pub filename: Box<str>,
    /// Name of the file with folders.
    pub filepath: Box<str>,
    /// Extension of the file, with its dot, as public rules expect.
    pub extension: Box<str>,
    /// Kind of file, as public rules name it.
    pub filetype: Box<str>,
    /// Owner of the file: the authenticated user.
    pub owner: Box<str>,
    /// Address of the client.
    pub client_address: Box<str>,
}

impl Externals {
    /// Name and value of each.
    fn pairs(&self) -> [(&'static str, &str); 11] {
        [
            ("direction", &self.direction),
            ("method", &self.method),
            ("host", &self.host),
            ("path", &self.path),
            ("content_type", &self.content_type),
            ("filename", &self.filename),
            ("filepath", &self.filepath),
            ("extension", &self.extension),
            ("filetype", &self.filetype),
            ("owner", &self.owner),
            ("client_address", &self.client_address),
        ]
    }
}

/// Compiled rules; immutable, shared.
#[derive(Debug, Default)]
pub struct YaraSet {
    sources: Vec<Source>,
    gate: Gate,
    /// Rules in groups, and then the slow ones, each alone.
    groups: Vec<Unit>,
    /// The groups that are not of one slow rule.
    ordinary: usize,
    /// All ordinary rules in one unit; only when there are several groups.
    all: Option<Unit>,
    slow: Vec<SlowRule>,
    ledger: Ledger,
    limits: YaraLimits,
}

/// Rules compiled by themselves. Larger groups mean fewer tables, smaller ones fewer rules that run for nothing.
const GROUP_RULES: usize = 32;

impl YaraSet {
    /// Compiles `files`; rules that do not load are in the second value, with file and line.
    pub fn compile(files: &[YaraFile], limits: &YaraLimits) -> (Self, Vec<RulesError>) {
        let names = Externals::default().pairs().map(|(name, _)| name);
        let (sources, mut problems) = source::read(files, &names);
        let mut packs = gate::packs(&sources, GROUP_RULES);
        let mut groups = Vec::with_capacity(packs.len());
        for pack in &packs {
            let (unit, failed) = Unit::compile(&sources, &with_before(&sources, pack), limits);
            groups.push(unit);
            problems.extend(failed);
        }
        dedup(&mut problems);
        let ordinary = groups.len();
        let slow = slow::find(&sources, &groups, &packs, limits);
        slow::part(&sources, (&mut groups, &mut packs), &slow, limits);
        let all = (ordinary > 1).then(|| {
            let mut most: Vec<usize> = packs.iter().take(ordinary).flatten().copied().collect();
            most.sort_unstable();
            Unit::compile(&sources, &with_before(&sources, &most), limits).0
        });
        let set = Self {
            gate: Gate::new(&sources, &packs),
            ledger: Ledger::new(groups.len(), ordinary),
            slow: slow.into_iter().map(|(_, rule)| rule).collect(),
            sources,
            groups,
            ordinary,
            all,
            limits: limits.clone(),
        };
        (set, problems)
    }

    /// True when there are no rules.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// The rules that are reported.
    pub fn rules(&self) -> impl Iterator<Item = &About> {
        self.sources
            .iter()
            .filter(|source| source.visibility == Visibility::Public)
            .map(|source| &*source.about)
    }

    /// Rules that take long on ordinary bytes, the slowest first.
    pub fn slow(&self) -> &[SlowRule] {
        &self.slow
    }

    /// Time that the slow rules have taken since they were compiled.
    pub fn spent(&self) -> impl Iterator<Item = (&Arc<str>, Duration)> {
        let alone = self.groups.len().saturating_sub(self.ordinary);
        let rules = self.slow.iter().take(alone).map(|rule| &rule.about.id);
        rules.zip(self.ledger.spent())
    }

    /// Rules that no gate can keep from running, whatever the body: an operator should know them.
    pub fn costly(&self) -> impl Iterator<Item = &About> {
        self.gate
            .ungated()
            .filter_map(|number| self.sources.get(number))
            .map(|source| &*source.about)
    }

    /// Rules that ask a module of which nothing is known here, with file, line and module: what they make of its answer can
    /// never be true.
    pub fn mute(&self) -> impl Iterator<Item = (&About, &str, u32, &str)> {
        self.sources.iter().filter_map(|source| {
            let mut asked = source.modules.iter().map(|module| &**module);
            let module = asked.find(|module| modules::MUTE.contains(module))?;
            Some((&*source.about, &*source.file, source.line, module))
        })
    }

    /// The strings that the literal search must look for on the gate's behalf, in the gate's numbering.
    pub fn gate_patterns(&self) -> &[Pattern] {
        self.gate.patterns()
    }

    /// The gate before the first byte of a part.
    pub fn gate(&self) -> YaraGate {
        YaraGate::default()
    }

    /// Which groups a body of `length` bytes that begins with `head` must meet, after all its hits were marked. Where `head`
    /// is all of a short body, bytes that are missing from it count too.
    pub fn due(&self, gate: &YaraGate, head: &[u8], length: u64) -> Due {
        self.gate.due(gate, head, length)
    }

    /// Which groups a block must meet that begins with `head`, before the gate is told that it is over. What a block
    /// reads as the beginning and size of a file are its own.
    pub fn due_in_block(&self, gate: &YaraGate, head: &[u8], length: u64) -> Due {
        self.gate.due_in_block(gate, head, length)
    }

    /// Namespace and name of the rules that matched, sorted.
    pub fn names(&self, matches: &YaraMatches) -> Vec<(String, String)> {
        let mut names: Vec<(String, String)> = matches
            .rules
            .iter()
            .filter_map(|number| self.sources.get(*number as usize))
            .map(|source| (source.namespace.to_string(), source.name.to_string()))
            .collect();
        names.sort();
        names
    }

    /// Runs the groups that are due over `body`; findings come in the order of the rules.
    pub fn scan(&self, body: &[u8], due: &Due, externals: &Externals) -> YaraMatches {
        let together = self
            .all
            .as_ref()
            .filter(|_| self.all_is_cheaper(due, body.len()));
        self.run(body, (due, together), externals)
    }

    /// Runs every rule over `body` without the gate: the measure that the gate is held against.
    pub fn scan_ungated(&self, body: &[u8], externals: &Externals) -> YaraMatches {
        let due = Due::all(self.groups.len());
        self.run(body, (&due, self.all.as_ref()), externals)
    }

    /// Records what was found in the bytes `span` of a part.
    pub fn report(&self, matches: &YaraMatches, part: PartId, span: Span, out: &mut Findings) {
        for number in &matches.rules {
            if let Some(source) = self.sources.get(*number as usize) {
                out.record(finding(&source.about, part, span));
            }
        }
        if matches.timed_out {
            out.anomaly(Anomaly::ScanTimeout, part, span.start);
            out.late.extend(matches.late.iter().cloned());
        }
        if matches.capped {
            out.anomaly(Anomaly::TooManyMatches, part, span.start);
        }
        if matches.failed {
            out.anomaly(Anomaly::EngineFailure, part, span.start);
        }
    }

    /// Short bodies all have the same time, so that their scans need no parameters of their own.
    fn time_for(&self, body: &[u8]) -> Duration {
        let mib = u32::try_from(body.len() >> 20).unwrap_or(u32::MAX);
        let more = self.limits.scan_time_per_mib.saturating_mul(mib);
        self.limits.scan_time.saturating_add(more)
    }

    /// Runs the groups that are due, the ordinary ones as the one unit `together` where there is one.
    fn run(
        &self,
        body: &[u8],
        (due, together): (&Due, Option<&Unit>),
        externals: &Externals,
    ) -> YaraMatches {
        let begun = Instant::now();
        let time = self.time_for(body);
        let mut outcome = Outcome::default();
        if let Some(all) = together {
            all.scan(body, externals, time, &mut outcome);
            if outcome.timed_out {
                let name = self.late(
                    due.groups().take_while(|group| *group < self.ordinary),
                    body,
                );
                return YaraMatches::of(outcome, name);
            }
        }
        let left_out = together.map_or(0, |_| self.ordinary);
        for group in due.groups().skip_while(|group| *group < left_out) {
            let Some(unit) = self.groups.get(group) else {
                continue;
            };
            let before = begun.elapsed();
            let left = time.saturating_sub(before);
            if left.is_zero() {
                // Many groups together: no rule to name.
                outcome.timed_out = true;
                break;
            }
            // Most scans end within microseconds: the unit's own limit will do for them.
            let left = if left > time / 2 { time } else { left };
            unit.scan(body, externals, left, &mut outcome);
            if let Some(alone) = group.checked_sub(self.ordinary) {
                self.ledger
                    .add(alone, begun.elapsed().saturating_sub(before));
            }
            if outcome.timed_out {
                let name = self.late(std::iter::once(group), body);
                return YaraMatches::of(outcome, name);
            }
        }
        YaraMatches::of(outcome, None)
    }

    /// The rule to blame for the time that one of these groups took on `body`, if it can be told.
    fn late(&self, groups: impl Iterator<Item = usize>, body: &[u8]) -> Option<Arc<str>> {
        let groups: Vec<usize> = groups.collect();
        let alone = groups
            .first()
            .and_then(|group| group.checked_sub(self.ordinary));
        if let Some(rule) = alone.and_then(|alone| self.slow.get(alone)) {
            return Some(Arc::clone(&rule.about.id));
        }
        self.ledger.blame(&groups, || {
            let numbers = groups.iter().flat_map(|group| self.gate.rules_of(*group));
            slow::blame(&self.sources, numbers, body, &self.limits)
        })
    }

    /// Compares what the groups that are due would cost with what all rules together would, by figures measured with
    /// 32 and with 5,849 rules (`benches/signatures.rs`): a scan costs about a tenth of a microsecond a rule, and a byte
    /// 0.7 ns and 2.3 ns more for every thousand rules.
    fn all_is_cheaper(&self, due: &Due, bytes: usize) -> bool {
        let cost = |units: f64, rules: f64| {
            units * (rules * 100.0 + bytes as f64 * (0.7 + rules * 0.0023))
        };
        let groups = cost(due.groups().count() as f64, GROUP_RULES as f64);
        groups > cost(1.0, self.sources.len() as f64)
    }
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct YaraMatches {
    rules: Vec<u32>,
    capped: bool,
    timed_out: bool,
    failed: bool,
    /// The rule that took the time, where it is known.
    late: Option<Arc<str>>,
}

impl YaraMatches {
    /// True when no rule matched and nothing was cut short.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && !self.capped && !self.timed_out && !self.failed
    }

    /// Drops the rules that are in `reported`, and adds the others to it.
    pub fn keep_new(&mut self, reported: &mut Vec<u32>) {
        self.rules.retain(|rule| !reported.contains(rule));
        reported.extend_from_slice(&self.rules);
    }

    /// Numbers of the rules that match, in order.
    pub fn rules(&self) -> &[u32] {
        &self.rules
    }
}

impl YaraMatches {
    fn of(outcome: Outcome, late: Option<Arc<str>>) -> Self {
        let mut rules = outcome.matches;
        // A rule that others refer to is in several groups.
        rules.sort_unstable();
        rules.dedup();
        Self {
            rules,
            capped: outcome.capped,
            timed_out: outcome.timed_out,
            failed: outcome.failed,
            late,
        }
    }
}

/// The rules of a pack, with those that must stand before them, in the order of their files.
fn with_before(sources: &[Source], pack: &[usize]) -> Vec<usize> {
    let mut all: Vec<usize> = pack.to_vec();
    for number in pack {
        if let Some(source) = sources.get(*number) {
            all.extend_from_slice(&source.before);
        }
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// A rule that is in several groups fails in each.
fn dedup(problems: &mut Vec<RulesError>) {
    problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    problems.dedup_by(|a, b| {
        a.file == b.file && a.line == b.line && a.fault.to_string() == b.fault.to_string()
    });
}
