//! Literal rules over a stream.
//!
//! [`search`] finds the strings; [`LiteralSet`] knows which rule a string belongs to and whether its conditions hold.
//! A rule is reported once in a part, at its first place.

use std::borrow::Cow;
use std::sync::Arc;

use crate::inspect::{Direction, Finding, Findings, PartId};
use crate::rules::About;
use crate::rules::literal::{Covers, LiteralRule, Pattern, Place, Places};
use crate::span::Span;

pub mod search;

use search::Hit;

/// What is known of a part before its first byte.
#[derive(Clone, Copy, Debug)]
pub struct PartFacts<'a> {
    /// Which part.
    pub part: PartId,
    /// What kind of bytes.
    pub place: Place,
    /// Which way the message goes.
    pub direction: Direction,
    /// Declared or sniffed media type, parameters allowed.
    pub content_type: Option<&'a str>,
    /// The same bytes are scanned as part of this place as well: what is found there is not reported twice.
    pub within: Option<Place>,
}

/// The rules behind the patterns of a [`search::Search`].
#[derive(Debug, Default)]
pub struct LiteralSet {
    rules: Vec<Arc<LiteralRule>>,
    /// Rule of each pattern.
    owner: Vec<u32>,
    lengths: Vec<u32>,
    /// Places of which some rule wants to see each value by itself.
    values: Places,
}

/// What one part has shown so far.
#[derive(Clone, Debug, Default)]
pub struct LiteralState {
    /// Rules that are reported already, sorted.
    seen: Vec<u32>,
    /// Whole-value candidates: they begin at 0, and count when the part ends where they do.
    whole: Vec<(u32, u64)>,
}

/// Rules reported in one part; a part with more is an attack on the report.
pub const MAX_RULES_A_PART: usize = 256;

impl LiteralSet {
    /// The set, and the patterns to search for, in its numbering.
    pub fn new(rules: impl IntoIterator<Item = LiteralRule>) -> (Self, Vec<Pattern>) {
        let mut set = Self {
            values: Places::none(),
            ..Self::default()
        };
        let mut patterns = Vec::new();
        for mut rule in rules {
            for place in [Place::Url, Place::Header, Place::Field] {
                if wants_values(&rule, place) {
                    set.values = set.values.with(place);
                }
            }
            let number = u32::try_from(set.rules.len()).unwrap_or(u32::MAX);
            for pattern in std::mem::take(&mut rule.patterns) {
                set.owner.push(number);
                set.lengths
                    .push(u32::try_from(pattern.bytes.len()).unwrap_or(u32::MAX));
                patterns.push(pattern);
            }
            set.rules.push(Arc::new(rule));
        }
        (set, patterns)
    }

    /// The rules, in order.
    pub fn rules(&self) -> impl Iterator<Item = &LiteralRule> {
        self.rules.iter().map(Arc::as_ref)
    }

    /// True when some rule is about single values of this kind, so that scanning what is around them is not enough.
    #[inline]
    pub fn wants_values(&self, place: Place) -> bool {
        self.values.has(place)
    }

    /// Number of patterns; higher numbers in a hit are not this set's.
    pub fn patterns(&self) -> usize {
        self.owner.len()
    }

    /// Takes one hit.
    pub fn hit(
        &self,
        state: &mut LiteralState,
        hit: Hit,
        facts: &PartFacts<'_>,
        out: &mut Findings,
    ) {
        let index = hit.pattern as usize;
        let (Some(number), Some(length)) = (self.owner.get(index), self.lengths.get(index)) else {
            return;
        };
        let Some(rule) = self.rules.get(*number as usize) else {
            return;
        };
        if !rule
            .scope
            .admits(facts.place, facts.direction, facts.content_type)
        {
            return;
        }
        let told_there = facts.within.is_some_and(|around| {
            rule.scope.covers == Covers::Anywhere
                && rule
                    .scope
                    .admits(around, facts.direction, facts.content_type)
        });
        if told_there {
            return;
        }
        let span = Span::new(hit.end.saturating_sub(u64::from(*length)), hit.end);
        match rule.scope.covers {
            Covers::Whole if span.start == 0 && state.whole.len() < MAX_RULES_A_PART => {
                state.whole.push((*number, hit.end));
            }
            Covers::Whole => {}
            Covers::Anywhere => report(state, *number, &rule.about, facts.part, span, out),
        }
    }

    /// The part is over after `length` bytes.
    pub fn finish(&self, state: &mut LiteralState, length: u64, part: PartId, out: &mut Findings) {
        for (number, end) in std::mem::take(&mut state.whole) {
            if end != length {
                continue;
            }
            if let Some(rule) = self.rules.get(number as usize) {
                report(state, number, &rule.about, part, Span::new(0, end), out);
            }
        }
    }
}

/// A rule on values of the kind that a scan of the bytes around them cannot show.
fn wants_values(rule: &LiteralRule, place: Place) -> bool {
    let around: &[Place] = match place {
        Place::Url | Place::Header => &[Place::Header],
        Place::Field => &[Place::Body, Place::File],
        Place::File | Place::Body => return false,
    };
    let places = rule.scope.places;
    places.has(place)
        && (rule.scope.covers == Covers::Whole || !around.iter().all(|place| places.has(*place)))
}

impl LiteralState {
    /// Forgets everything; keeps its memory.
    pub fn reset(&mut self) {
        self.seen.clear();
        self.whole.clear();
    }
}

fn report(
    state: &mut LiteralState,
    number: u32,
    about: &About,
    part: PartId,
    span: Span,
    out: &mut Findings,
) {
    let Err(place) = state.seen.binary_search(&number) else {
        return;
    };
    if state.seen.len() >= MAX_RULES_A_PART {
        out.anomaly(crate::anomaly::Anomaly::TooManyMatches, part, span.start);
        return;
    }
    state.seen.insert(place, number);
    out.record(finding(about, part, span));
}

/// The finding of a signature rule.
pub(crate) fn finding(about: &About, part: PartId, span: Span) -> Finding {
    Finding {
        rule: Cow::Owned(about.id.to_string()),
        category: about.category,
        severity: about.severity,
        score: 100,
        part,
        span,
        path: Box::default(),
        reason: Cow::Borrowed("signature"),
    }
}
