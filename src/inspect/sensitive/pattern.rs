//! Regular expressions over bytes, anchored: how far a match that begins at a given place reaches.

use regex_automata::dfa::dense;
use regex_automata::dfa::{Automaton, StartKind};
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

/// A regular expression.
#[derive(Clone)]
pub(super) struct Pattern(Kind);

#[derive(Clone)]
enum Kind {
    Steps(Steps),
    /// Where a match begins depends on the byte before.
    Library(Box<dense::DFA<Vec<u32>>>),
}

/// The automaton as one table: a step costs two loads.
#[derive(Clone)]
struct Steps {
    /// Which column a byte has.
    columns: Box<[u8; 256]>,
    /// By state and column: where the next state's row begins, and what it is ([`MATCH`], [`DEAD`]).
    next: Box<[u32]>,
    /// The row at which a search begins.
    first: u32,
    /// The column of the end of the text.
    end: usize,
}

impl std::fmt::Debug for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pattern").finish_non_exhaustive()
    }
}

impl Pattern {
    /// Compiles `pattern`.
    ///
    /// # Errors
    /// No regular expression, or too large a one.
    pub(super) fn compile(pattern: &str) -> Result<Self, Box<dense::BuildError>> {
        let dfa = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Anchored)
                    .dfa_size_limit(Some(PATTERN_BYTES))
                    .determinize_size_limit(Some(PATTERN_BYTES * 2)),
            )
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(pattern)
            .map_err(Box::new)?;
        let start = dfa.universal_start_state(Anchored::Yes);
        let steps = start.and_then(|start| Steps::of(&dfa, start));
        Ok(Self(match steps {
            Some(steps) => Kind::Steps(steps),
            None => Kind::Library(Box::new(dfa)),
        }))
    }

    /// The byte that every match begins with, if there is only one, and no match is empty.
    pub(super) fn first(&self) -> Option<u8> {
        let Kind::Steps(steps) = &self.0 else {
            return None;
        };
        let ends_at_once = |column: usize| steps.step(steps.first, column) >= MATCH;
        let goes_on = |byte: &u8| {
            steps.step(steps.first, usize::from(steps.columns[usize::from(*byte)])) < DEAD
        };
        let mut firsts = (0..=u8::MAX).filter(goes_on);
        let first = firsts.next().filter(|_| firsts.next().is_none());
        first.filter(|_| !(0..=steps.end).any(ends_at_once))
    }

    /// Where the preferred match that begins at `start` ends; bytes from `limit` on are not looked at.
    #[inline]
    pub(super) fn end(&self, text: &[u8], start: usize, limit: usize) -> Option<usize> {
        match &self.0 {
            Kind::Steps(steps) => steps.end(text, start, limit),
            Kind::Library(dfa) => {
                if start > limit || limit > text.len() {
                    return None;
                }
                let input = Input::new(text).span(start..limit).anchored(Anchored::Yes);
                // An error means that the search gave up; these automata have no bytes to give up at.
                let found = dfa.try_search_fwd(&input).ok().flatten();
                found.map(|found| found.offset())
            }
        }
    }
}

impl Steps {
    /// Those of `dfa` that can be reached from `start`; `None` when there are too many.
    fn of(dfa: &dense::DFA<Vec<u32>>, start: StateID) -> Option<Self> {
        let classes = dfa.byte_classes();
        let mut columns = Box::new([0; 256]);
        let mut samples = Vec::new();
        for (byte, column) in (0..=u8::MAX).zip(columns.iter_mut()) {
            *column = classes.get(byte);
            if usize::from(*column) == samples.len() {
                samples.push(byte);
            }
        }
        let width = u32::try_from(samples.len() + 1).ok()?;
        let mut reached = Reached::default();
        reached.number(dfa, start)?;
        let (mut next, mut at) = (Vec::new(), 0);
        while let Some(state) = reached.states.get(at).copied() {
            at += 1;
            let bytes = samples.iter().map(|byte| dfa.next_state(state, *byte));
            for target in bytes.chain([dfa.next_eoi_state(state)]) {
                let number = reached.number(dfa, target)?;
                let row = number.checked_mul(width).filter(|row| *row < DEAD)?;
                next.push(row | kind(dfa, target));
            }
        }
        Some(Self {
            columns,
            next: next.into(),
            first: 0,
            end: samples.len(),
        })
    }

    fn end(&self, text: &[u8], start: usize, limit: usize) -> Option<usize> {
        let (mut row, mut end) = (self.first, None);
        for (at, byte) in text.get(start..limit)?.iter().enumerate() {
            let column = usize::from(self.columns[usize::from(*byte)]);
            // The table is whole: there is always a next one.
            let Some(state) = self.next.get(row as usize + column) else {
                return end;
            };
            row = *state;
            if row >= DEAD {
                if row < MATCH {
                    return end;
                }
                // A match is known one byte late.
                end = Some(start + at);
                row &= DEAD - 1;
            }
        }
        let column = match text.get(limit) {
            Some(byte) => usize::from(self.columns[usize::from(*byte)]),
            None => self.end,
        };
        match self.step(row, column) >= MATCH {
            true => Some(limit),
            false => end,
        }
    }

    #[inline]
    fn step(&self, row: u32, column: usize) -> u32 {
        self.next
            .get(row as usize + column)
            .copied()
            .unwrap_or(DEAD)
    }
}

/// States in the order in which they are reached.
#[derive(Default)]
struct Reached {
    states: Vec<StateID>,
    /// By the place of a state among those of the automaton: one more than its place among these, 0 for none.
    numbers: Vec<u32>,
}

impl Reached {
    /// The place of `state` among these; it becomes one of them.
    fn number(&mut self, dfa: &dense::DFA<Vec<u32>>, state: StateID) -> Option<u32> {
        // Ids of states are multiples of the length of a row.
        let place = state.as_usize() >> dfa.stride2();
        if self.numbers.len() <= place {
            self.numbers.resize(place + 1, 0);
        }
        let number = self.numbers.get_mut(place)?;
        if *number == 0 {
            self.states.push(state);
            *number = u32::try_from(self.states.len()).ok()?;
        }
        Some(*number - 1)
    }
}

fn kind(dfa: &dense::DFA<Vec<u32>>, state: StateID) -> u32 {
    if dfa.is_match_state(state) {
        MATCH
    } else if dfa.is_dead_state(state) || dfa.is_quit_state(state) {
        DEAD
    } else {
        0
    }
}

/// A match ended before the byte that led here.
const MATCH: u32 = 1 << 31;

/// No match goes on from here.
const DEAD: u32 = 1 << 30;

/// Bytes of one automaton.
const PATTERN_BYTES: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_only_byte_that_a_match_begins_with_is_known() {
        for (pattern, first) in [
            ("@[a-z]+(?:[/?]|$)", Some(b'@')),
            ("@", Some(b'@')),
            ("@?x", None),
            ("@*", None),
            ("@a|x", None),
            ("$", None),
            ("", None),
            ("(?i:a)", None),
        ] {
            let compiled = Pattern::compile(pattern).expect("a pattern");
            assert_eq!(compiled.first(), first, "{pattern}");
        }
    }

    #[test]
    fn the_table_says_what_the_library_says() {
        let texts: [&[u8]; 6] = [
            b"",
            b"abcabc",
            b"ab-12 ",
            b"12-12-12",
            b"a@b.cd\n",
            b"aaaa\xff",
        ];
        for pattern in [
            "[a-c]+",
            "(?:ab|abc)-?[0-9]*",
            "[0-9]{2}(?:-[0-9]{2})*?$",
            "a(?:@|$)",
            "[^a]*",
            "a{2,3}?",
        ] {
            let table = Pattern::compile(pattern).expect("a pattern");
            assert!(matches!(table.0, Kind::Steps(_)));
            let library = dense::Builder::new()
                .syntax(syntax::Config::new().unicode(false).utf8(false))
                .build(pattern)
                .expect("a pattern");
            for text in texts {
                for start in 0..=text.len() {
                    for limit in start..=text.len() {
                        let input = Input::new(text).span(start..limit).anchored(Anchored::Yes);
                        let found = library.try_search_fwd(&input).expect("no quit bytes");
                        let expected = found.map(|found| found.offset());
                        assert_eq!(
                            table.end(text, start, limit),
                            expected,
                            "{pattern} {start} {limit}"
                        );
                    }
                }
                assert_eq!(table.end(text, 1, 0), None);
                assert_eq!(table.end(text, 0, text.len() + 1), None);
            }
        }
    }
}
