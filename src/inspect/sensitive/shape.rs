//! What the first bytes of values look like.

use super::catalog::CatalogError;

/// Shapes of the first bytes of words, matched all at once: one bit a shape, one table a place.
#[derive(Clone, Debug)]
pub(super) struct Shapes {
    /// `tables[place][byte]`: the shapes that accept `byte` there.
    tables: Box<[[u64; 256]; SHAPE_BYTES]>,
    detectors: Vec<u16>,
    /// By a priority: the shapes whose values may stand where a value of that priority does.
    above: Box<[u64; 256]>,
}

impl Default for Shapes {
    fn default() -> Self {
        Self {
            tables: Box::new([[0; 256]; SHAPE_BYTES]),
            detectors: Vec::new(),
            above: Box::new([0; 256]),
        }
    }
}

impl Shapes {
    /// Adds a shape of `detector`, whose values never take the place of one with a higher priority than `rank`.
    pub(super) fn insert(
        &mut self,
        shape: &str,
        detector: u16,
        rank: Option<u8>,
    ) -> Result<(), CatalogError> {
        if self.detectors.len() >= MAX_SHAPES || shape.len() > SHAPE_BYTES {
            return Err(CatalogError::TooMany);
        }
        let bit = 1_u64 << self.detectors.len();
        self.detectors.push(detector);
        for (priority, slot) in (0..=u8::MAX).zip(self.above.iter_mut()) {
            if rank.is_none_or(|rank| rank > priority) {
                *slot |= bit;
            }
        }
        let mut symbols = shape.bytes();
        for table in self.tables.iter_mut() {
            let symbol = symbols.next();
            for (byte, slot) in (0..=u8::MAX).zip(table.iter_mut()) {
                let accepts = match symbol {
                    None => true,
                    Some(b'9') => byte.is_ascii_digit(),
                    Some(b'A') => byte.is_ascii_alphabetic(),
                    Some(b'x') => byte.is_ascii_hexdigit(),
                    Some(b'w') => byte.is_ascii_alphanumeric(),
                    Some(literal) => byte == literal,
                };
                if accepts {
                    *slot |= bit;
                }
            }
        }
        Ok(())
    }

    /// Which shapes begin with these bytes, as bits.
    #[inline]
    pub(super) fn begin(&self, [a, b, c, _]: [u8; 4]) -> u64 {
        let [first, second, third, ..] = &*self.tables;
        first[usize::from(a)] & second[usize::from(b)] & third[usize::from(c)]
    }

    /// Which shapes the bytes at `at` have, as bits.
    #[inline]
    pub(super) fn at(&self, text: &[u8], at: usize) -> u64 {
        self.narrow::<0>(u64::MAX, text, at)
    }

    /// Which of `bits`, those that [`begin`](Self::begin) there, the bytes at `at` have.
    #[inline]
    pub(super) fn stay(&self, bits: u64, text: &[u8], at: usize) -> u64 {
        self.narrow::<3>(bits, text, at)
    }

    /// Which of `bits` have the bytes at `at`; the first `KNOWN` of those are known to be fine.
    #[inline]
    fn narrow<const KNOWN: usize>(&self, mut bits: u64, text: &[u8], at: usize) -> u64 {
        let rest = text.get(at..).unwrap_or_default();
        let tables = self.tables.iter().enumerate().skip(KNOWN);
        if let Some(head) = rest.first_chunk::<SHAPE_BYTES>() {
            for (place, table) in tables {
                bits &= table[usize::from(head[place])];
            }
            return bits;
        }
        for (place, table) in tables {
            // Past the end of the text a space stands in: it ends every word.
            let byte = rest.get(place).copied().unwrap_or(b' ');
            bits &= table[usize::from(byte)];
            if bits == 0 {
                break;
            }
        }
        bits
    }

    /// The shapes whose values may take the place of one that has `priority` and begins before them.
    #[inline]
    pub(super) fn above(&self, priority: u8) -> u64 {
        self.above[usize::from(priority)]
    }

    /// The detector of a shape.
    pub(super) fn detector(&self, bit: u32) -> Option<u16> {
        self.detectors.get(bit as usize).copied()
    }
}

/// Shapes that fit the bits of one word.
pub const MAX_SHAPES: usize = 64;

/// Bytes of the longest shape: `999-99-9`.
const SHAPE_BYTES: usize = 8;
