//! Which levels are open: a bit each.

/// The shapes of the open objects and arrays, one bit each.
#[derive(Debug, Default)]
pub(super) struct Levels {
    bits: Vec<u64>,
    pub(super) depth: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
}

impl Levels {
    pub(super) fn clear(&mut self) {
        self.bits.clear();
        self.depth = 0;
    }

    /// False when the level is too deep for its shape to be kept.
    #[inline]
    pub(super) fn push(&mut self, shape: Shape) -> bool {
        let index = self.depth;
        self.depth += 1;
        let Some((word, bit)) = Self::place(index) else {
            return false;
        };
        if word == self.bits.len() {
            self.bits.push(0);
        }
        if let Some(bits) = self.bits.get_mut(word) {
            match shape {
                Shape::Object => *bits |= bit,
                Shape::Array => *bits &= !bit,
            }
        }
        true
    }

    /// None when nothing is open, `Some(None)` when the shape was not kept.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Option<Shape>> {
        let index = self.depth.checked_sub(1)?;
        self.depth = index;
        Some(self.shape(index))
    }

    /// The innermost open shape; one that was not kept counts as an array.
    #[inline]
    pub(super) fn top(&self) -> Option<Shape> {
        let index = self.depth.checked_sub(1)?;
        Some(self.shape(index).unwrap_or(Shape::Array))
    }

    #[inline]
    pub(super) fn shape(&self, index: u64) -> Option<Shape> {
        let (word, bit) = Self::place(index)?;
        let bits = self.bits.get(word)?;
        Some(if bits & bit == 0 {
            Shape::Array
        } else {
            Shape::Object
        })
    }

    #[inline]
    pub(super) fn place(index: u64) -> Option<(usize, u64)> {
        if index >= TRACKED_LEVELS {
            return None;
        }
        let word = usize::try_from(index / 64).ok()?;
        Some((word, 1 << (index % 64)))
    }
}

/// Levels whose shape is kept; deeper ones are only counted. 8 KiB of bits, and far above any limit on depth.
pub const TRACKED_LEVELS: u64 = 65_536;
