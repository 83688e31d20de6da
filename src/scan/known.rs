//! Names that were looked at before and hold nothing.
//!
//! APIs send the same member names over and over. A name in which no decoder, no detector of any class and no document
//! reader finds anything to look at is kept, so that the next one costs a comparison. What is found does not depend on
//! what is kept: a name is entered for what its bytes are, and compared with all of them. Values are never kept; names stay in
//! the memory of a thread, like what pooled buffers held last, until others take their place.

/// The names, by a hash of them; a new one takes the place of an old one.
#[derive(Debug)]
pub(super) struct Known {
    slots: Box<[Name; SLOTS]>,
}

#[derive(Clone, Copy, Debug)]
struct Name {
    length: u8,
    bytes: [u8; LONGEST],
}

impl Known {
    /// True for a name that was [`enter`](Self::enter)ed.
    #[inline]
    pub(super) fn has(&self, name: &[u8]) -> bool {
        slot(name).is_some_and(|slot| {
            let kept = &self.slots[slot];
            kept.bytes.get(..usize::from(kept.length)) == Some(name)
        })
    }

    /// Keeps a name, unless it is too long.
    pub(super) fn enter(&mut self, name: &[u8]) {
        let Some(slot) = slot(name) else { return };
        let kept = &mut self.slots[slot];
        if let (Some(place), Ok(length)) =
            (kept.bytes.get_mut(..name.len()), u8::try_from(name.len()))
        {
            place.copy_from_slice(name);
            kept.length = length;
        }
    }
}

impl Default for Known {
    fn default() -> Self {
        let free = Name {
            length: 0,
            bytes: [0; LONGEST],
        };
        Self {
            slots: Box::new([free; SLOTS]),
        }
    }
}

/// Where a name is kept; `None` for one that is not.
#[inline]
fn slot(name: &[u8]) -> Option<usize> {
    if name.is_empty() || name.len() > LONGEST {
        return None;
    }
    let (front, back) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(front), Some(back)) => (u64::from_le_bytes(*front), u64::from_le_bytes(*back)),
        _ => {
            let mut word = [0; 8];
            word.get_mut(..name.len())?.copy_from_slice(name);
            (u64::from_le_bytes(word), name.len() as u64)
        }
    };
    let mixed = (front ^ back.rotate_left(29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (64 - SLOTS.ilog2())).ok()
}

/// Names that are kept: as many as a busy API has, in 16 KiB.
const SLOTS: usize = 512;
/// Bytes of the longest name that is kept.
const LONGEST: usize = 31;

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
            assert!(!known.has(name));
            known.enter(name);
            assert!(known.has(name));
            for at in 0..name.len() {
                let mut other = name.clone();
                other[at] ^= 1;
                assert!(!known.has(&other));
            }
        }
        assert!(!known.has(b""));
        known.enter(&[b'x'; LONGEST + 1]);
        assert!(!known.has(&[b'x'; LONGEST + 1]));
    }
}
