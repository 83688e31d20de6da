//! The prefilter, the walk over decoded forms, and the finding.

use std::borrow::Cow;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, BuildError, MatchKind};

use crate::inspect::leaf::Leaf;
use crate::inspect::{Finding, Findings, Severity};

use super::{Classes, Context, Evidence, Hints, REPORT_SCORE, ROOMS, Room, Setting, Value};

/// All injection detectors. Immutable, shared, built once.
#[derive(Debug)]
pub struct Detectors {
    prefilter: DFA,
    /// The classes of each pattern of the prefilter.
    owners: Vec<Classes>,
}

/// Buffers that one scan reuses from leaf to leaf.
#[derive(Debug, Default)]
pub struct Scratch {
    lower: Vec<u8>,
}

impl Scratch {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a new body: its budget of decoded bytes is whole again.
    pub fn begin(&mut self) {
        self.lower.clear();
    }
}

impl Detectors {
    /// Builds the prefilter.
    ///
    /// # Errors
    /// The automaton's, when it would not fit its limits; the anchors are constants, so a test would have failed first.
    pub fn new() -> Result<Self, BuildError> {
        let mut words: Vec<&'static str> = Vec::new();
        let mut owners: Vec<Classes> = Vec::new();
        for room in ROOMS {
            for anchor in room.anchors {
                match words.iter().position(|word| word == anchor) {
                    Some(known) => owners[known] |= room.class,
                    None => {
                        words.push(anchor);
                        owners.push(room.class);
                    }
                }
            }
        }
        let prefilter = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(aho_corasick::StartKind::Unanchored)
            .build(&words)?;
        Ok(Self { prefilter, owners })
    }

    /// Looks at one leaf and records at most one finding for each class.
    pub fn inspect(
        &self,
        leaf: &Leaf<'_>,
        context: &Context,
        scratch: &mut Scratch,
        findings: &mut Findings,
    ) {
        let classes = self.anchored(leaf.bytes, context.classes);
        if classes.is_empty() {
            return;
        }
        scratch.lower.clear();
        scratch
            .lower
            .extend(leaf.bytes.iter().map(u8::to_ascii_lowercase));
        let value = Value {
            bytes: leaf.bytes,
            lower: &scratch.lower,
            path: leaf.path,
            host: leaf.host,
            hints: leaf.path.last_name().map_or(Hints::empty(), Hints::of),
            setting: Setting::of(leaf.bytes),
            layers: 0,
            context,
        };
        for room in ROOMS {
            if !classes.contains(room.class) {
                continue;
            }
            let mut evidence = Evidence::default();
            (room.look)(&value, &mut evidence);
            if evidence.score() >= REPORT_SCORE {
                findings.record(finding(room, leaf, context, &evidence));
            }
        }
    }

    /// The classes that have an anchor in `bytes`.
    fn anchored(&self, bytes: &[u8], wanted: Classes) -> Classes {
        let mut found = Classes::empty();
        let Ok(mut state) = self.prefilter.start_state(Anchored::No) else {
            return wanted;
        };
        for &byte in bytes {
            state = self.prefilter.next_state(Anchored::No, state, byte);
            if self.prefilter.is_special(state) && self.prefilter.is_match(state) {
                for index in 0..self.prefilter.match_len(state) {
                    let pattern = self.prefilter.match_pattern(state, index);
                    found |= self
                        .owners
                        .get(pattern.as_usize())
                        .copied()
                        .unwrap_or(Classes::all());
                }
                if found.contains(wanted) {
                    break;
                }
            }
        }
        found & wanted
    }
}

fn finding(room: &Room, leaf: &Leaf<'_>, context: &Context, evidence: &Evidence) -> Finding {
    let code = room.category.code();
    let names = evidence.names().collect::<Vec<_>>().join(", ");
    Finding {
        rule: Cow::Owned(format!("{code}/{}", evidence.strongest())),
        category: room.category,
        severity: Severity::High,
        score: evidence.score(),
        part: context.part,
        span: evidence
            .span()
            .map_or(leaf.span, |span| leaf.map.raw(span.start, span.end)),
        path: leaf.path.shown(),
        reason: Cow::Owned(names),
    }
}
