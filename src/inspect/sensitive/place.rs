//! The places in a text at which a value or a keyword may begin, from the first to the last.

use super::around::is_word;
use super::keyword::{Keywords, Match};
use super::shape::Shapes;

/// Goes from one such place to the next.
#[derive(Debug)]
pub(super) struct Places<'a> {
    keywords: &'a Keywords,
    shapes: &'a Shapes,
    text: &'a [u8],
    /// Where the block at hand begins.
    block: usize,
    /// The places in it that are left, as bits.
    bits: u64,
    /// Where the next block begins.
    next: usize,
}

/// Where a search for places begins; by default, at the beginning of the text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Opening {
    block: usize,
    bits: u64,
    next: usize,
}

/// Where something may begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: usize,
    /// The bytes there; past the end of the text, spaces, which end every word.
    pub(super) head: [u8; HEAD_BYTES],
    /// The shapes by which a value may begin there, as bits.
    pub(super) shapes: u64,
    /// A keyword may lie there.
    pub(super) keyword: bool,
}

impl<'a> Places<'a> {
    /// Those in `text` from `opening`, which must be one of that text, on.
    #[inline]
    pub(super) fn new(
        keywords: &'a Keywords,
        shapes: &'a Shapes,
        text: &'a [u8],
        opening: Opening,
    ) -> Self {
        Self {
            keywords,
            shapes,
            text,
            block: opening.block,
            bits: opening.bits,
            next: opening.next,
        }
    }

    /// The first at which there is a keyword, or all of a shape; `None` when there is none. Uses the memory of `found`.
    #[inline]
    pub(super) fn opening(mut self, found: &mut Vec<Match>) -> Option<Opening> {
        let (keywords, shapes, text) = (self.keywords, self.shapes, self.text);
        found.clear();
        let begins = |at: usize| at.checked_sub(1).is_none_or(|at| !is_word(text, at));
        let place = self.find(|place| {
            if place.keyword {
                keywords.matches(text, place.at, place.head, found);
            }
            let shaped = || shapes.stay(place.shapes, text, place.at) != 0;
            place.shapes != 0 && begins(place.at) && shaped() || !found.is_empty()
        })?;
        Some(Opening {
            block: self.block,
            bits: self.bits | 1 << (place.at - self.block),
            next: self.next,
        })
    }

    /// Goes on to the next block; false when there is none.
    #[inline(always)]
    fn step(&mut self) -> bool {
        self.block = self.next;
        let rest = self.text.get(self.block..).unwrap_or_default();
        let block = rest.get(..BLOCK).unwrap_or(rest);
        // Before the text stands what keeps nothing from beginning.
        let before = self.block.checked_sub(1);
        let before = before.and_then(|at| self.text.get(at)).copied();
        self.bits = self.keywords.places(block, before.unwrap_or(b' '));
        self.next += block.len();
        !block.is_empty()
    }
}

impl Iterator for Places<'_> {
    type Item = Place;

    #[inline(always)]
    fn next(&mut self) -> Option<Place> {
        loop {
            while self.bits != 0 {
                let at = self.block + self.bits.trailing_zeros() as usize;
                self.bits &= self.bits - 1;
                let rest = self.text.get(at..).unwrap_or_default();
                let head = match rest.first_chunk() {
                    Some(head) => *head,
                    None => padded(rest),
                };
                let shapes = self.shapes.begin(head);
                let keyword = self.keywords.may_lie(self.text, at, head);
                if shapes != 0 || keyword {
                    return Some(Place {
                        at,
                        head,
                        shapes,
                        keyword,
                    });
                }
            }
            if !self.step() {
                return None;
            }
        }
    }
}

/// The last bytes of a text, and spaces.
#[cold]
fn padded(rest: &[u8]) -> [u8; HEAD_BYTES] {
    let mut head = [b' '; HEAD_BYTES];
    head.iter_mut()
        .zip(rest)
        .for_each(|(slot, byte)| *slot = *byte);
    head
}

/// Bytes by which a place is judged.
const HEAD_BYTES: usize = 4;

/// Places that are looked for at once: a bit each.
const BLOCK: usize = u64::BITS as usize;
