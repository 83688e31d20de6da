//! The one pass over each form of a value: which bytes and which anchors stand in it.

use std::ops::Range;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, BuildError, MatchKind, StartKind};

use super::decode::Signs;
use super::{Classes, ROOMS};

/// Where an anchor of a room stands in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    room: u8,
    anchor: u16,
    start: u32,
    end: u32,
}

impl Hit {
    /// The index in the room's `ANCHORS` and the bytes, when the anchor is one of `room`'s.
    pub(super) fn of(&self, room: usize) -> Option<(usize, Range<usize>)> {
        (usize::from(self.room) == room).then(|| {
            (
                usize::from(self.anchor),
                self.start as usize..self.end as usize,
            )
        })
    }
}

/// What one pass found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) signs: Signs,
    pub(super) classes: Classes,
}

/// Anchors of more than one byte in an automaton, the others in a table together with the signs for the decoders.
#[derive(Debug)]
pub(super) struct Prefilter {
    words: DFA,
    owners: Vec<Owner>,
    bytes: Box<[u32; 256]>,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    room: u8,
    anchor: u16,
    length: u32,
    class: Classes,
}

impl Prefilter {
    /// Builds it from the anchors of all rooms.
    ///
    /// # Errors
    /// The automaton's, when it would not fit its limits.
    pub(super) fn new() -> Result<Self, BuildError> {
        let mut words = Vec::new();
        let mut owners = Vec::new();
        let mut bytes = Box::new([0_u32; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(bytes.iter_mut()) {
            *slot = u32::from(Signs::of(&[byte]).bits());
        }
        for (room, number) in ROOMS.iter().zip(0_u8..) {
            for (word, anchor) in room.anchors.iter().zip(0_u16..) {
                if let [byte] = word.as_bytes() {
                    bytes[usize::from(*byte)] |= room.class.bits() << CLASS_SHIFT;
                    continue;
                }
                let length = u32::try_from(word.len()).unwrap_or_default();
                words.push(*word);
                owners.push(Owner {
                    room: number,
                    anchor,
                    length,
                    class: room.class,
                });
            }
        }
        let words = DFA::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .build(&words)?;
        Ok(Self {
            words,
            owners,
            bytes,
        })
    }

    /// One pass over `bytes`: signs, classes among `wanted` that have an anchor, and where the anchors stand.
    pub(super) fn read(&self, bytes: &[u8], wanted: Classes, hits: &mut Vec<Hit>) -> Sight {
        hits.clear();
        let mut bits = 0_u32;
        let mut classes = Classes::empty();
        let Ok(mut state) = self.words.start_state(Anchored::No) else {
            return Sight {
                signs: Signs::all(),
                classes: wanted,
            };
        };
        for (place, &byte) in bytes.iter().enumerate() {
            bits |= self.bytes[usize::from(byte)];
            state = self.words.next_state(Anchored::No, state, byte);
            if self.words.is_special(state) && self.words.is_match(state) {
                for index in 0..self.words.match_len(state) {
                    let pattern = self.words.match_pattern(state, index);
                    if let Some(owner) = self.owners.get(pattern.as_usize()) {
                        classes |= owner.class;
                        let end = u32::try_from(place + 1).unwrap_or(u32::MAX);
                        let start = end.saturating_sub(owner.length);
                        hits.push(Hit {
                            room: owner.room,
                            anchor: owner.anchor,
                            start,
                            end,
                        });
                    }
                }
            }
        }
        classes |= Classes::from_bits_truncate(bits >> CLASS_SHIFT);
        let signs = Signs::from_bits_truncate(u16::try_from(bits & 0xffff).unwrap_or_default());
        Sight {
            signs,
            classes: classes & wanted,
        }
    }
}

/// Classes stand above the signs in the byte table.
const CLASS_SHIFT: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_found_in_any_case_with_their_place() {
        let prefilter = Prefilter::new().expect("the anchors fit");
        let mut hits = Vec::new();
        let sight = prefilter.read(b"1 UNION Select", Classes::all(), &mut hits);
        assert!(sight.classes.contains(Classes::SQLI));
        let words: Vec<_> = hits
            .iter()
            .filter_map(|hit| hit.of(0))
            .map(|(_, range)| range)
            .collect();
        assert!(words.contains(&(2..7)) && words.contains(&(8..14)));
    }
}
