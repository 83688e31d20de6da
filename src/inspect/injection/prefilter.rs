//! The one pass over each form of a value: which bytes and which anchors stand in it.
//!
//! ```text
//! bytes ─► table of 256   signs for the decoders, classes of one-byte anchors
//!       ─► Words          anchors of more than one byte, with their places
//! ```

use std::ops::Range;

use super::decode::Signs;
use super::words::Words;
use super::{Classes, ROOMS};

/// Where an anchor of a room stands in a form. In order of the end; at one end the longer comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    end: u32,
    start: u32,
    room: u8,
    anchor: u16,
}

impl Hit {
    /// What hits are in order of.
    #[inline]
    fn place(&self) -> (u64, u8, u16) {
        let place = u64::from(self.end) << 32 | u64::from(self.start);
        (place, self.room, self.anchor)
    }

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

/// Anchors of more than one byte, and a table for the others and the signs.
#[derive(Debug)]
pub(super) struct Prefilter {
    bytes: Box<[u32; 256]>,
    words: Words,
    owners: Vec<Owner>,
}

/// Whose a word is.
#[derive(Clone, Copy, Debug)]
struct Owner {
    room: u8,
    anchor: u16,
    class: Classes,
}

impl Prefilter {
    /// Builds it from the anchors of all rooms.
    pub(super) fn new() -> Self {
        let mut bytes = Box::new([0_u32; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(bytes.iter_mut()) {
            *slot = u32::from(Signs::of(&[byte]).bits());
        }
        let (mut texts, mut owners) = (Vec::new(), Vec::new());
        for (room, number) in ROOMS.iter().zip(0_u8..) {
            for (word, anchor) in room.anchors.iter().zip(0_u16..) {
                if let [byte] = word.as_bytes() {
                    bytes[usize::from(*byte)] |= room.class.bits() << CLASS_SHIFT;
                    continue;
                }
                texts.push(word.as_bytes());
                owners.push(Owner {
                    room: number,
                    anchor,
                    class: room.class,
                });
            }
        }
        let words = Words::new(texts);
        Self {
            bytes,
            words,
            owners,
        }
    }

    /// One pass over `bytes`: signs, classes that have an anchor, and where the anchors stand.
    pub(super) fn read(&self, bytes: &[u8], hits: &mut Vec<Hit>) -> Sight {
        hits.clear();
        let bits = self.bits(bytes);
        let mut classes = Classes::from_bits_truncate(bits >> CLASS_SHIFT);
        self.words.find(bytes, &mut |word, at| {
            let Some(owner) = self.owners.get(usize::from(word)) else {
                return;
            };
            classes |= owner.class;
            hits.push(Hit {
                end: u32::try_from(at.end).unwrap_or(u32::MAX),
                start: u32::try_from(at.start).unwrap_or(u32::MAX),
                room: owner.room,
                anchor: owner.anchor,
            });
        });
        sort(hits);
        let signs = Signs::from_bits_truncate(u16::try_from(bits & SIGNS).unwrap_or_default());
        Sight { signs, classes }
    }

    /// What a part of a form that was read wakes by itself: its hits, with their places in the part, go to `inside`.
    /// Quotes and brackets, which stand in most lines of a document, wake no reading of SQL.
    pub(super) fn part(
        &self,
        form: &[u8],
        hits: &[Hit],
        at: &Range<usize>,
        inside: &mut Vec<Hit>,
    ) -> Classes {
        let bytes = form.get(at.clone()).unwrap_or_default();
        inside.clear();
        let mut classes = Classes::from_bits_truncate(self.bits(bytes) >> CLASS_SHIFT);
        classes -= Classes::SQLI;
        let begin = u32::try_from(at.start).unwrap_or(u32::MAX);
        let first = hits.partition_point(|hit| hit.end <= begin);
        for hit in hits.get(first..).unwrap_or_default() {
            if hit.end as usize > at.end {
                break;
            }
            if let (Some(start), Some(end)) =
                (hit.start.checked_sub(begin), hit.end.checked_sub(begin))
            {
                let room = ROOMS.get(usize::from(hit.room));
                classes |= room.map_or(Classes::empty(), |room| room.class);
                inside.push(Hit { start, end, ..*hit });
            }
        }
        classes
    }

    /// What the bytes say each for itself.
    fn bits(&self, bytes: &[u8]) -> u32 {
        let of = |byte: u8| self.bytes[usize::from(byte)];
        let (quads, rest) = bytes.as_chunks::<4>();
        let bits = quads.iter().fold(0, |bits, [one, two, three, four]| {
            bits | of(*one) | of(*two) | of(*three) | of(*four)
        });
        rest.iter().fold(bits, |bits, byte| bits | of(*byte))
    }
}

/// Sorts hits that are almost in order: a word's end lies less than its length behind the place where it was seen, so that
/// each hit moves past few others, however many there are.
fn sort(hits: &mut [Hit]) {
    for index in 1..hits.len() {
        let mut at = index;
        while let Some([before, hit]) = at.checked_sub(1).and_then(|from| hits.get(from..=at)) {
            if before.place() <= hit.place() {
                break;
            }
            hits.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// Bits of the table: signs, then classes.
const SIGNS: u32 = 0xffff;
const CLASS_SHIFT: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_found_in_any_case_with_their_place() {
        let prefilter = Prefilter::new();
        let mut hits = Vec::new();
        let sight = prefilter.read(b"1 UNION Select", &mut hits);
        assert!(sight.classes.contains(Classes::SQLI));
        let words: Vec<_> = hits
            .iter()
            .filter_map(|hit| hit.of(0))
            .map(|(_, range)| range)
            .collect();
        assert!(words.contains(&(2..7)) && words.contains(&(8..14)));
    }

    #[test]
    fn hits_are_in_order_whatever_anchors_meet() {
        let prefilter = Prefilter::new();
        let anchors: Vec<_> = ROOMS.iter().flat_map(|room| room.anchors).collect();
        let mut hits = Vec::new();
        for step in 1..40 {
            let text: String = (0..200)
                .filter_map(|at| anchors.get(at * step * 7 % anchors.len()))
                .map(|anchor| **anchor)
                .collect();
            prefilter.read(text.as_bytes(), &mut hits);
            assert!(hits.len() > 100);
            assert!(hits.is_sorted_by_key(Hit::place));
        }
    }
}
