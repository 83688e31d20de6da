//! Many fixed strings in one stream: each occurrence once, at the same offset, under any split.
//!
//! Knows bytes and pattern numbers only; what a pattern means is its callers' business.

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind};

use crate::rules::literal::{Case, Pattern};

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
    folded: NFA,
    patterns: Vec<Pattern>,
}

/// Where one stream stands.
#[derive(Clone, Debug)]
pub struct SearchState {
    state: aho_corasick::automaton::StateID,
    offset: u64,
    tail: Vec<u8>,
}

/// The patterns cannot be compiled.
#[derive(Clone, Debug, thiserror::Error)]
#[error("too many patterns for one automaton")]
pub struct SearchError;

impl Search {
    /// Compiles `patterns`.
    ///
    /// # Errors
    /// [`SearchError`] when there are too many.
    pub fn new(patterns: Vec<Pattern>) -> Result<Self, SearchError> {
        let folded = NFA::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .build(patterns.iter().map(|pattern| &pattern.bytes))
            .map_err(|_| SearchError)?;
        Ok(Self { folded, patterns })
    }

    /// Number of patterns.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// True when there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The state before the first byte.
    pub fn start(&self) -> SearchState {
        SearchState {
            state: self
                .folded
                .start_state(Anchored::No)
                .expect("the automaton is built unanchored"),
            offset: 0,
            tail: Vec::new(),
        }
    }

    /// Looks at the next bytes; occurrences that end in them are appended to `hits` in order of (end, pattern).
    pub fn push(&self, at: &mut SearchState, window: &[u8], hits: &mut Vec<Hit>) {
        let kept = at.tail.len();
        at.tail.extend_from_slice(window);
        for (index, byte) in window.iter().enumerate() {
            at.state = self.folded.next_state(Anchored::No, at.state, *byte);
            if !self.folded.is_match(at.state) {
                continue;
            }
            let end = kept + index + 1;
            let from = hits.len();
            for number in 0..self.folded.match_len(at.state) {
                let id = self.folded.match_pattern(at.state, number).as_usize();
                let exact = self.patterns.get(id).is_some_and(|pattern| {
                    pattern.case == Case::Insensitive
                        || at
                            .tail
                            .get(..end)
                            .is_some_and(|seen| seen.ends_with(&pattern.bytes))
                });
                if exact {
                    hits.push(Hit {
                        end: at.offset + index as u64 + 1,
                        pattern: u32::try_from(id).unwrap_or(u32::MAX),
                    });
                }
            }
            if let Some(new) = hits.get_mut(from..) {
                new.sort_unstable();
            }
        }
        at.offset += window.len() as u64;
        let longest = self.folded.max_pattern_len();
        let drop = at.tail.len().saturating_sub(longest);
        at.tail.drain(..drop);
    }
}
