//! Sets of byte values: which occur in a body, which must.

/// Some of the 256 values of a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    /// All values.
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// The values that occur in `bytes`.
    pub(super) fn of(bytes: &[u8]) -> Self {
        // Marks in a table depend on each other less than bits in a word do: a byte a cycle.
        let mut seen = [0u8; 256];
        for byte in bytes {
            seen[usize::from(*byte)] = 1;
        }
        let mut set = Self::default();
        for (word, marks) in set.0.iter_mut().zip(seen.chunks_exact(64)) {
            *word = marks
                .iter()
                .rev()
                .fold(0, |word, mark| word << 1 | u64::from(*mark));
        }
        set
    }

    /// Without the letters, of which either case may stand for the other.
    pub(super) fn without_letters(self) -> Self {
        let letters: Vec<u8> = (b'a'..=b'z').chain(b'A'..=b'Z').collect();
        let letters = Self::of(&letters);
        Self(std::array::from_fn(|word| self.0[word] & !letters.0[word]))
    }

    /// What is in one of them.
    pub(super) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] | other.0[word]))
    }

    /// What is in both.
    pub(super) fn and(self, other: Self) -> Self {
        Self(std::array::from_fn(|word| self.0[word] & other.0[word]))
    }

    /// True when all of it is in `other` as well.
    pub(super) fn is_within(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(other.0)
            .all(|(own, other)| own & !other == 0)
    }

    /// True when there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// How many there are.
    pub(super) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_told_from_every_other() {
        for byte in 0..=u8::MAX {
            let one = ByteSet::of(&[byte]);
            assert_eq!(one.len(), 1);
            for other in 0..=u8::MAX {
                assert_eq!(one.is_within(&ByteSet::of(&[other])), byte == other);
            }
            assert!(one.is_within(&ByteSet::ALL));
        }
    }

    #[test]
    fn sets_join_meet_and_forget_letters() {
        let (a, b) = (ByteSet::of(b"aZ1"), ByteSet::of(b"1\xff"));
        assert_eq!(a.or(b), ByteSet::of(b"aZ1\xff"));
        assert_eq!(a.and(b), ByteSet::of(b"1"));
        assert_eq!(a.without_letters(), ByteSet::of(b"1"));
        assert!(ByteSet::of(b"").is_empty() && !a.is_empty());
    }
}
