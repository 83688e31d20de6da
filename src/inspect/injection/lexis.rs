//! Small readers that several detectors share: words, numbers, known names.

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};
use memchr::memmem;

/// Several sets of words that are looked for in one pass.
#[derive(Debug)]
pub struct WordSets {
    automaton: DFA,
    /// The set of each pattern, as a bit.
    owners: Vec<u32>,
}

impl WordSets {
    /// One automaton over all `sets`; at most 32 of them, constants of their room.
    pub fn new(sets: &[&[&str]]) -> Self {
        let words: Vec<&str> = sets.iter().copied().flatten().copied().collect();
        let owners = sets
            .iter()
            .enumerate()
            .flat_map(|(index, set)| std::iter::repeat_n(1_u32 << (index % 32), set.len()))
            .collect();
        let automaton = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .build(words)
            .expect("tables of words in the source are far below the automaton's limits");
        Self { automaton, owners }
    }

    /// The sets of which a word stands in `text`: bit 0 for the first.
    pub fn sets_in(&self, text: &[u8]) -> u32 {
        let mut sets = 0;
        let Ok(mut state) = self.automaton.start_state(Anchored::No) else {
            return u32::MAX;
        };
        for &byte in text {
            state = self.automaton.next_state(Anchored::No, state, byte);
            if self.automaton.is_special(state) && self.automaton.is_match(state) {
                for index in 0..self.automaton.match_len(state) {
                    let pattern = self.automaton.match_pattern(state, index);
                    sets |= self
                        .owners
                        .get(pattern.as_usize())
                        .copied()
                        .unwrap_or_default();
                }
            }
        }
        sets
    }
}

/// A word as a number, so that tables are searched without comparing strings: its first 15 bytes, and its length.
pub const fn key(word: &[u8]) -> u128 {
    let mut packed = 0_u128;
    let mut index = 0;
    while index < 15 {
        packed <<= 8;
        if index < word.len() {
            packed |= word[index] as u128;
        }
        index += 1;
    }
    packed << 8 | (word.len() & 0xff) as u128
}

/// True for a letter, a digit or `_`: what an identifier of most languages is made of.
pub fn is_ident(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Offset of `needle` in `text` from `from` on.
pub fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    memmem::find(text.get(from..)?, needle).map(|at| at + from)
}

/// True when `needle` stands in `text`.
pub fn has(text: &[u8], needle: &[u8]) -> bool {
    memmem::find(text, needle).is_some()
}

/// The first of `needles` that stands in `text`.
pub fn any_of<'n>(text: &[u8], needles: &[&'n str]) -> Option<&'n str> {
    needles
        .iter()
        .copied()
        .find(|needle| has(text, needle.as_bytes()))
}

/// True when `word` is one of `names`, which are sorted.
pub fn is_one_of(word: &[u8], names: &[&str]) -> bool {
    names
        .binary_search_by(|name| name.as_bytes().cmp(word))
        .is_ok()
}

/// The bytes of `text` from `at` on that satisfy `keep`.
pub fn run(text: &[u8], at: usize, keep: impl Fn(u8) -> bool) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest
        .iter()
        .position(|byte| !keep(*byte))
        .unwrap_or(rest.len());
    rest.get(..end).unwrap_or_default()
}

/// Offset of the first byte at or after `at` that is no blank.
pub fn skip_blanks(text: &[u8], at: usize) -> usize {
    at + run(text, at, |byte| byte.is_ascii_whitespace()).len()
}

/// True for a value that is a JSON document: what its strings hold is looked at string by string.
pub fn is_json(text: &[u8]) -> bool {
    let text = trim(text);
    let opens = text.starts_with(b"{\"") || text.starts_with(b"[{\"") || text.starts_with(b"[\"");
    opens && matches!(text.last(), Some(b'}' | b']')) && has(text, b"\":")
}

/// `text` without the blanks around it.
pub fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// True when the tables of a room are sorted, as [`is_one_of`] needs them.
#[cfg(test)]
pub fn is_sorted(names: &[&str]) -> bool {
    names.windows(2).all(|pair| pair[0] < pair[1])
}
