//! Names that were looked at before and hold nothing.
//!
//! APIs send the same member names over and over. A name in which no decoder, no detector of any class and no document
//! reader finds anything to look at is kept, so that the next one costs a comparison. What is found does not depend on
//! what is kept: a name is entered for what its bytes are, and compared with all of them. Values are never kept; names stay in
//! the memory of a thread, like what pooled buffers held last, until others take their place.

use crate::inspect::leaf::packed;

/// The names, two places for those of one hash; a new one takes the place of an old one.
#[derive(Debug)]
pub(super) struct Known {
    sets: Box<[[Name; 2]; SETS]>,
    /// Which of a set's two gives way next.
    turn: usize,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    /// The first and the last eight bytes, of a shorter name all: most names differ in them.
    ends: (u64, u64),
    length: u8,
    bytes: [u8; LONGEST],
}

impl Known {
    /// Where a name is kept that was [`enter`](Self::enter)ed, below [`PLACES`]; `None` for others.
    #[inline(always)]
    pub(super) fn place(&self, name: &[u8]) -> Option<usize> {
        let ends = ends(name)?;
        let set = set(ends);
        let [one, two] = &self.sets[set];
        match () {
            () if one.is(name, ends) => Some(2 * set),
            () if two.is(name, ends) => Some(2 * set + 1),
            () => None,
        }
    }

    /// Keeps a name that is not kept, unless it is too long: where, instead of whichever was there.
    pub(super) fn enter(&mut self, name: &[u8]) -> Option<usize> {
        let ends = ends(name)?;
        let set = set(ends);
        self.turn ^= 1;
        let kept = &mut self.sets[set][self.turn];
        kept.bytes.get_mut(..name.len())?.copy_from_slice(name);
        kept.length = u8::try_from(name.len()).ok()?;
        kept.ends = ends;
        Some(2 * set + self.turn)
    }
}

impl Name {
    #[inline(always)]
    fn is(&self, name: &[u8], ends: (u64, u64)) -> bool {
        let length = usize::from(self.length);
        self.ends == ends
            && length == name.len()
            && (length <= ENDS || self.bytes.get(..length) == Some(name))
    }
}

impl Default for Known {
    fn default() -> Self {
        let free = Name {
            ends: (0, 0),
            length: 0,
            bytes: [0; LONGEST],
        };
        Self {
            sets: Box::new([[free; 2]; SETS]),
            turn: 0,
        }
    }
}

/// The ends of a name; `None` when it is too long, or nothing.
#[inline(always)]
fn ends(name: &[u8]) -> Option<(u64, u64)> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    Some(match (name.first_chunk(), name.last_chunk()) {
        (Some(front), Some(back)) => (u64::from_le_bytes(*front), u64::from_le_bytes(*back)),
        _ => (packed(name), name.len() as u64),
    })
}

/// The set of names with such ends.
#[inline]
fn set((front, back): (u64, u64)) -> usize {
    let mixed = (front ^ back.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - SETS.ilog2())).unwrap_or_default()
}

/// Names that are kept: as many as a busy API has, in 32 KiB.
pub(super) const PLACES: usize = 2 * SETS;
const SETS: usize = 256;
/// Bytes of the longest name that is kept.
const LONGEST: usize = 31;
/// Bytes of a name that are in its ends.
const ENDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_by_all_of_its_bytes() {
        let mut known = Known::default();
        let names: Vec<Vec<u8>> = (1..=LONGEST)
            .map(|length| (0..length).map(|at| b'a' + (at % 26) as u8).collect())
            .collect();
        for name in &names {
            assert!(known.place(name).is_none());
            known.enter(name);
            assert!(known.place(name).is_some());
            for at in 0..name.len() {
                let mut other = name.clone();
                other[at] ^= 1;
                assert!(known.place(&other).is_none());
            }
        }
        assert!(known.place(b"").is_none());
        assert_eq!(known.enter(&[b'x'; LONGEST + 1]), None);
        assert!(known.place(&[b'x'; LONGEST + 1]).is_none());
    }
}
