//! Many fixed strings in one stream: each string's first occurrence, at the same offset, under any split.
//!
//! Knows bytes and pattern numbers only; what a pattern means is its callers' business.
//!
//! Three strategies share the patterns. [`grams`] looks at sampled grams of a few bytes through a bitmap and compares whole
//! patterns where the bitmap says perhaps: four times the speed of any automaton on ordinary content, whatever the
//! number of patterns. A few short patterns ([`packed`]) cost less as vector instructions. Patterns that are too short for it, or whose grams are all crowded (a million URLs of one
//! host), go to an Aho-Corasick automaton that is stepped byte by byte. `benches/signatures.rs` has the figures.
//!
//! Grams need context, so a stream carries the last (longest pattern − 1) bytes over; the automaton carries a state.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use crate::rules::literal::{Case, Pattern};

mod grams;
mod packed;

use grams::{Grams, Scaled, Small};
use packed::Packed;

/// One occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// Offset one past its last byte, from the start of the stream.
    pub end: u64,
    /// Number of the pattern, in the order in which they were given.
    pub pattern: u32,
}

/// Compiled patterns; immutable, shared by all streams.
#[derive(Debug)]
pub struct Search {
    patterns: Vec<Pattern>,
    /// Large sets: patterns of eleven bytes and more.
    long: Option<Grams<Scaled, 8, 4>>,
    /// Large sets: patterns of seven to ten bytes.
    middle: Option<Grams<Scaled, 6, 2>>,
    /// Large sets: patterns of four to six bytes.
    short: Option<Grams<Scaled, 4, 1>>,
    /// Small sets: patterns of seven bytes and more.
    few: Option<Grams<Small, 4, 4>>,
    /// Small sets: patterns of four to six bytes, where they are few.
    packed: Option<Packed>,
    /// Small sets: patterns of four to six bytes, where they are not.
    brief: Option<Grams<Small, 3, 2>>,
    rest: Option<Rest>,
    /// Bytes of the longest pattern that the grams look for.
    reach: usize,
}

/// Where one stream stands. Reuse it with [`reset`](Self::reset).
#[derive(Clone, Debug, Default)]
pub struct SearchState {
    /// The last bytes of the stream, at most `reach - 1`.
    tail: Vec<u8>,
    /// Tail and first bytes of a window, joined; between calls empty.
    border: Vec<u8>,
    automaton: Option<StateID>,
    offset: u64,
    seen: Seen,
}

/// Up to so many patterns four bytes tell them from ordinary text (`benches/signatures.rs`: at 1,000 patterns 900 MiB/s,
/// at 50,000 no better than the automaton).
const SMALL_SET: usize = 2_000;

/// The patterns cannot be compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchError {
    /// A pattern of no bytes.
    #[error("a pattern is empty")]
    Empty,
    /// More than an automaton can number.
    #[error("too many patterns for one automaton")]
    TooMany,
}

impl Search {
    /// Compiles `patterns`.
    ///
    /// # Errors
    /// [`SearchError`] when one is empty or there are too many.
    pub fn new(patterns: Vec<Pattern>) -> Result<Self, SearchError> {
        if patterns.iter().any(|pattern| pattern.bytes.is_empty()) {
            return Err(SearchError::Empty);
        }
        u32::try_from(patterns.len()).map_err(|_| SearchError::TooMany)?;
        let [mut long, mut middle, mut short] = [const { Vec::new() }; 3];
        let [mut few, mut brief, mut rest] = [const { Vec::new() }; 3];
        let small = patterns.len() <= SMALL_SET;
        for (number, pattern) in (0u32..).zip(&patterns) {
            match pattern.bytes.len() {
                0..=3 => rest.push(number),
                4..=6 if small => brief.push(number),
                _ if small => few.push(number),
                4..=6 => short.push(number),
                7..=10 => middle.push(number),
                _ => long.push(number),
            }
        }
        let long = Grams::new(&patterns, long, &mut rest);
        let middle = Grams::new(&patterns, middle, &mut rest);
        let short = Grams::new(&patterns, short, &mut rest);
        let few = Grams::new(&patterns, few, &mut rest);
        let packed = Packed::new(&patterns, &brief);
        let brief = match packed {
            Some(_) => None,
            None => Grams::new(&patterns, brief, &mut rest),
        };
        let reach = patterns
            .iter()
            .map(|pattern| pattern.bytes.len())
            .max()
            .unwrap_or(0);
        Ok(Self {
            long,
            middle,
            short,
            few,
            packed,
            brief,
            rest: Rest::new(&patterns, rest)?,
            patterns,
            reach,
        })
    }

    /// Number of patterns.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// True when there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Bytes of the pattern with that number.
    pub fn pattern(&self, number: u32) -> Option<&Pattern> {
        self.patterns.get(number as usize)
    }

    /// Memory of the compiled form, in bytes, without the patterns themselves.
    pub fn memory_bytes(&self) -> usize {
        self.long.as_ref().map_or(0, Grams::memory_bytes)
            + self.middle.as_ref().map_or(0, Grams::memory_bytes)
            + self.short.as_ref().map_or(0, Grams::memory_bytes)
            + self.few.as_ref().map_or(0, Grams::memory_bytes)
            + self.packed.as_ref().map_or(0, Packed::memory_bytes)
            + self.brief.as_ref().map_or(0, Grams::memory_bytes)
            + self
                .rest
                .as_ref()
                .map_or(0, |rest| rest.automaton.memory_usage())
    }

    /// Patterns that the automaton has to look for, being too short or too alike for grams.
    pub fn stepped(&self) -> usize {
        self.rest.as_ref().map_or(0, |rest| rest.numbers.len())
    }

    /// Looks at the next bytes. Of each pattern whose first occurrence ends in them a [`Hit`] is appended to `hits`, in
    /// order of (end, pattern). Calls may cut the stream anywhere.
    pub fn push(&self, at: &mut SearchState, window: &[u8], hits: &mut Vec<Hit>) {
        if self.patterns.is_empty() || window.is_empty() {
            at.offset += window.len() as u64;
            return;
        }
        let from = hits.len();
        self.across_border(at, window, hits);
        let mut sink = Sink {
            base: at.offset,
            border: 0,
            seen: &mut at.seen,
            hits,
        };
        self.grams(window, &mut sink);
        if let Some(rest) = &self.rest {
            rest.push(&self.patterns, at, window, hits);
        }
        self.keep_tail(at, window);
        at.offset += window.len() as u64;
        if let Some(new) = hits.get_mut(from..) {
            new.sort_unstable();
        }
    }

    /// Occurrences that begin in the tail and end in `window`.
    fn across_border(&self, at: &mut SearchState, window: &[u8], hits: &mut Vec<Hit>) {
        if at.tail.is_empty() {
            return;
        }
        let mut border = std::mem::take(&mut at.border);
        border.clear();
        border.extend_from_slice(&at.tail);
        let ahead = window.len().min(self.reach.saturating_sub(1));
        border.extend_from_slice(window.get(..ahead).unwrap_or(window));
        let mut sink = Sink {
            base: at.offset - at.tail.len() as u64,
            border: at.tail.len(),
            seen: &mut at.seen,
            hits,
        };
        self.grams(&border, &mut sink);
        at.border = border;
    }

    fn grams(&self, text: &[u8], sink: &mut Sink<'_>) {
        if let Some(long) = &self.long {
            long.search(&self.patterns, text, sink);
        }
        if let Some(middle) = &self.middle {
            middle.search(&self.patterns, text, sink);
        }
        if let Some(short) = &self.short {
            short.search(&self.patterns, text, sink);
        }
        if let Some(few) = &self.few {
            few.search(&self.patterns, text, sink);
        }
        if let Some(packed) = &self.packed {
            packed.search(&self.patterns, text, sink);
        }
        if let Some(brief) = &self.brief {
            brief.search(&self.patterns, text, sink);
        }
    }

    fn keep_tail(&self, at: &mut SearchState, window: &[u8]) {
        let keep = self.reach.saturating_sub(1);
        if let Some(end) = window.len().checked_sub(keep) {
            at.tail.clear();
            at.tail
                .extend_from_slice(window.get(end..).unwrap_or_default());
        } else {
            at.tail.extend_from_slice(window);
            let surplus = at.tail.len().saturating_sub(keep);
            at.tail.drain(..surplus);
        }
    }
}

impl SearchState {
    /// Goes back to before the first byte; keeps its memory.
    pub fn reset(&mut self) {
        self.tail.clear();
        self.automaton = None;
        self.offset = 0;
        self.seen.clear();
    }

    /// Goes on with another search over the same stream, whose patterns are the first `shared` of the one so far.
    pub fn hand_over(&mut self, to: &Search, shared: u32) {
        let tail = std::mem::take(&mut self.tail);
        self.offset -= tail.len() as u64;
        self.automaton = None;
        self.seen.forget_from(shared);
        // What ends in the tail was found by the other search already.
        to.push(self, &tail, &mut Vec::new());
    }

    /// Forgets that patterns with this number and higher ones have occurred: their next occurrence counts again.
    pub fn forget_from(&mut self, first: u32) {
        self.seen.forget_from(first);
    }
}

/// Takes occurrences in one contiguous text.
struct Sink<'a> {
    /// Stream offset of the text's first byte.
    base: u64,
    /// Only occurrences that lie on both sides of this place count; 0: all.
    border: usize,
    seen: &'a mut Seen,
    hits: &'a mut Vec<Hit>,
}

impl Sink<'_> {
    fn occurrence(&mut self, pattern: u32, start: usize, end: usize) {
        let crosses = self.border == 0 || (start < self.border && end > self.border);
        if crosses && self.seen.insert(pattern) {
            self.hits.push(Hit {
                end: self.base + end as u64,
                pattern,
            });
        }
    }
}

/// Patterns that have occurred. A flood of the same pattern costs no memory, and a flood of all of them one bit each.
#[derive(Clone, Debug, Default)]
struct Seen {
    few: Vec<u32>,
    many: Vec<u64>,
}

/// Beyond this many, a bitmap takes over from the list.
const FEW: usize = 64;

impl Seen {
    /// True when `pattern` is new.
    fn insert(&mut self, pattern: u32) -> bool {
        if self.many.is_empty() {
            if self.few.contains(&pattern) {
                return false;
            }
            self.few.push(pattern);
            if self.few.len() > FEW {
                for known in std::mem::take(&mut self.few) {
                    self.mark(known);
                }
            }
            return true;
        }
        self.mark(pattern)
    }

    fn mark(&mut self, pattern: u32) -> bool {
        let (word, bit) = ((pattern / 64) as usize, 1u64 << (pattern % 64));
        if self.many.len() <= word {
            self.many.resize(word + 1, 0);
        }
        match self.many.get_mut(word) {
            Some(bits) if *bits & bit == 0 => {
                *bits |= bit;
                true
            }
            _ => false,
        }
    }

    fn forget_from(&mut self, first: u32) {
        self.few.retain(|pattern| *pattern < first);
        let (word, bit) = ((first / 64) as usize, first % 64);
        self.many.truncate(word + 1);
        if let Some(bits) = self.many.get_mut(word) {
            *bits &= (1 << bit) - 1;
        }
    }

    fn clear(&mut self) {
        self.few.clear();
        self.many.clear();
    }
}

/// The automaton for what grams cannot do.
#[derive(Debug)]
struct Rest {
    automaton: NFA,
    /// Pattern of each of the automaton's patterns.
    numbers: Vec<u32>,
}

impl Rest {
    fn new(patterns: &[Pattern], mut numbers: Vec<u32>) -> Result<Option<Self>, SearchError> {
        if numbers.is_empty() {
            return Ok(None);
        }
        numbers.sort_unstable();
        let chosen = numbers
            .iter()
            .filter_map(|number| patterns.get(*number as usize))
            .map(|pattern| &pattern.bytes);
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            // One automaton for both kinds of case: exact patterns are compared again where it matches.
            .ascii_case_insensitive(true)
            .build(chosen)
            .map_err(|_| SearchError::TooMany)?;
        Ok(Some(Self { automaton, numbers }))
    }

    fn push(&self, patterns: &[Pattern], at: &mut SearchState, window: &[u8], hits: &mut Vec<Hit>) {
        let start = || {
            self.automaton
                .start_state(Anchored::No)
                .expect("the automaton is built unanchored")
        };
        let mut state = at.automaton.unwrap_or_else(start);
        for (index, byte) in window.iter().enumerate() {
            state = self.automaton.next_state(Anchored::No, state, *byte);
            if !self.automaton.is_special(state) || !self.automaton.is_match(state) {
                continue;
            }
            for match_number in 0..self.automaton.match_len(state) {
                let id = self.automaton.match_pattern(state, match_number).as_usize();
                let Some(number) = self.numbers.get(id) else {
                    continue;
                };
                let exact = patterns
                    .get(*number as usize)
                    .is_some_and(|pattern| ends_with(&at.tail, window.get(..=index), pattern));
                if exact && at.seen.insert(*number) {
                    hits.push(Hit {
                        end: at.offset + index as u64 + 1,
                        pattern: *number,
                    });
                }
            }
        }
        at.automaton = Some(state);
    }
}

/// True when tail and `seen`, joined, end with `pattern`.
fn ends_with(tail: &[u8], seen: Option<&[u8]>, pattern: &Pattern) -> bool {
    // The automaton matched without regard to case, so an insensitive pattern is there.
    if pattern.case == Case::Insensitive {
        return true;
    }
    let seen = seen.unwrap_or_default();
    match pattern.bytes.len().checked_sub(seen.len()) {
        None => seen.ends_with(&pattern.bytes),
        Some(before) => match pattern.bytes.split_at_checked(before) {
            Some((first, second)) => tail.ends_with(first) && seen == second,
            None => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(bytes: &[u8], case: Case) -> Pattern {
        Pattern {
            bytes: bytes.into(),
            case,
        }
    }

    #[test]
    fn an_empty_pattern_is_refused() {
        let patterns = vec![
            pattern(b"a", Case::Sensitive),
            pattern(b"", Case::Sensitive),
        ];
        assert!(matches!(Search::new(patterns), Err(SearchError::Empty)));
    }

    /// First end of each pattern, by looking everywhere.
    fn oracle(patterns: &[Pattern], text: &[u8]) -> Vec<Hit> {
        let mut hits: Vec<Hit> = (0u32..)
            .zip(patterns)
            .filter_map(|(number, pattern)| {
                let length = pattern.bytes.len();
                let start = text.windows(length).position(|found| match pattern.case {
                    Case::Sensitive => *found == *pattern.bytes,
                    Case::Insensitive => found.eq_ignore_ascii_case(&pattern.bytes),
                })?;
                Some(Hit {
                    end: (start + length) as u64,
                    pattern: number,
                })
            })
            .collect();
        hits.sort_unstable();
        hits
    }

    fn found(search: &Search, pieces: &[&[u8]]) -> Vec<Hit> {
        let mut state = SearchState::default();
        let mut hits = Vec::new();
        for piece in pieces {
            search.push(&mut state, piece, &mut hits);
        }
        hits
    }

    /// A generator that needs no crate: xorshift.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
        }

        /// Bytes over a small alphabet, so that patterns occur and overlap.
        fn bytes(&mut self, length: usize) -> Vec<u8> {
            (0..length)
                .map(|_| *b"aAbBc\x00".get(self.below(6)).unwrap_or(&b'a'))
                .collect()
        }
    }

    #[test]
    fn finds_what_a_plain_search_finds_under_every_split() {
        for seed in 1..120u64 {
            let mut random = Random(seed * 0x9E37_79B9);
            let patterns: Vec<Pattern> = (0..random.below(40) + 1)
                .map(|_| {
                    let length = random.below(14) + 1;
                    let case = if random.below(2) == 0 {
                        Case::Sensitive
                    } else {
                        Case::Insensitive
                    };
                    pattern(&random.bytes(length), case)
                })
                .collect();
            let search = Search::new(patterns.clone()).expect("compiles");
            let length = random.below(300);
            let text = random.bytes(length);
            let wanted = oracle(&patterns, &text);
            assert_eq!(found(&search, &[&text]), wanted, "whole, seed {seed}");
            for cut in 0..=text.len() {
                let (a, b) = text.split_at(cut);
                assert_eq!(found(&search, &[a, b]), wanted, "cut at {cut}, seed {seed}");
            }
            let single: Vec<&[u8]> = text.chunks(1).collect();
            assert_eq!(found(&search, &single), wanted, "byte by byte, seed {seed}");
            let mut pieces = Vec::new();
            let mut left = text.as_slice();
            while !left.is_empty() {
                let (a, b) = left.split_at((random.below(30) + 1).min(left.len()));
                pieces.push(a);
                left = b;
            }
            assert_eq!(found(&search, &pieces), wanted, "at random, seed {seed}");
        }
    }

    #[test]
    fn a_large_set_finds_what_a_plain_search_finds() {
        let mut random = Random(99);
        let patterns: Vec<Pattern> = (0..SMALL_SET + 500)
            .map(|number| {
                let length = random.below(18) + 4;
                let case = if number % 2 == 0 {
                    Case::Sensitive
                } else {
                    Case::Insensitive
                };
                pattern(&random.bytes(length), case)
            })
            .collect();
        let search = Search::new(patterns.clone()).expect("compiles");
        for length in [0, 5, 60, 400, 3000] {
            let text = random.bytes(length);
            let wanted = oracle(&patterns, &text);
            assert_eq!(found(&search, &[&text]), wanted);
            for size in [1, 3, 17, 64] {
                let pieces: Vec<&[u8]> = text.chunks(size).collect();
                assert_eq!(found(&search, &pieces), wanted, "pieces of {size}");
            }
        }
    }

    #[test]
    fn crowded_patterns_go_to_the_automaton_and_are_found() {
        let patterns: Vec<Pattern> = (0..400u32)
            .map(|number| {
                pattern(
                    format!("aaaaaaaaaaaa{}", "a".repeat(number as usize % 7)).as_bytes(),
                    Case::Sensitive,
                )
            })
            .collect();
        let search = Search::new(patterns.clone()).expect("compiles");
        assert!(search.stepped() > 300);
        let text = b"xxaaaaaaaaaaaaaaaaaaaax";
        assert_eq!(found(&search, &[text]), oracle(&patterns, text));
    }

    #[test]
    fn a_smaller_search_goes_on_where_a_larger_one_stood() {
        let own =
            [b"needle!".as_slice(), b"ab", b"noodles"].map(|text| pattern(text, Case::Sensitive));
        let more = [b"haystack".as_slice(), b"a needle"].map(|text| pattern(text, Case::Sensitive));
        let small = Search::new(own.to_vec()).expect("compiles");
        let large =
            Search::new([own, [more[0].clone(), more[1].clone(), more[0].clone()]].concat())
                .expect("compiles");
        let text = b"ab haystack, a needle! noodles ab";
        let wanted = found(&small, &[text]);
        for cut in 0..=text.len() {
            let (a, b) = text.split_at(cut);
            let (mut state, mut hits) = (SearchState::default(), Vec::new());
            large.push(&mut state, a, &mut hits);
            state.hand_over(&small, 3);
            small.push(&mut state, b, &mut hits);
            hits.retain(|hit| hit.pattern < 3);
            assert_eq!(hits, wanted, "cut at {cut}");
        }
    }

    #[test]
    fn a_flood_of_hits_is_one_hit() {
        let search = Search::new(vec![pattern(b"aaaaaaa", Case::Insensitive)]).expect("compiles");
        assert_eq!(found(&search, &[&[b'a'; 10_000]]).len(), 1);
    }

    #[test]
    fn a_state_can_be_used_again() {
        let search = Search::new(vec![pattern(b"needle!", Case::Sensitive)]).expect("compiles");
        let mut state = SearchState::default();
        let mut hits = Vec::new();
        search.push(&mut state, b"a needle! and need", &mut hits);
        assert_eq!(hits.len(), 1);
        state.reset();
        search.push(&mut state, b"le! another needle!", &mut hits);
        assert_eq!(hits.get(1).map(|hit| hit.end), Some(19));
        assert_eq!(hits.len(), 2);
    }
}
