//! Places: a part of a message, and a range of bytes in its stream.

use std::fmt;

/// A half-open range of byte offsets in one part's stream, `start..end`.
///
/// Offsets count from the first byte of the part (after its content-codings), not from a window or a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset one past the last byte; never below `start`.
    pub end: u64,
}

impl Span {
    /// The span `start..end`. An `end` below `start` yields the empty span at `start`.
    pub fn new(start: u64, end: u64) -> Self {
        Self {
            start,
            end: end.max(start),
        }
    }

    /// Bytes covered.
    pub fn len(self) -> u64 {
        self.end - self.start
    }

    /// True when no byte is covered.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// True when the two spans share at least one byte.
    pub fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The same span, `by` bytes further on.
    pub fn shifted(self, by: u64) -> Self {
        Self {
            start: self.start.saturating_add(by),
            end: self.end.saturating_add(by),
        }
    }
}

/// A node of the tree of parts that a message decodes into. The message's heads and URL are [`PartId::HEAD`], its body
/// is [`PartId::BODY`]; archive members, MIME parts and decoded values count on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId(pub u32);

impl PartId {
    /// The request or status line and the header fields.
    pub const HEAD: PartId = PartId(0);
    /// The body, after its content-codings.
    pub const BODY: PartId = PartId(1);
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
