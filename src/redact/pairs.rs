//! Pairs of a form that are taken out, each with one `&`.
//!
//! ```text
//!   a=1&cvv=2&b=3      a pair after one that stays goes with the `&` before it
//!      └────┘
//!   cvv=2&b=3          one with nothing before it goes with the `&` behind it
//!   └────┘
//! ```
//!
//! What lies between the pair before and the value is held back until the value is known; where it is longer than a name
//! can sensibly be, the value is emptied instead.

use crate::inspect::leaf::Piece;
use crate::span::Span;

/// Where the form at hand is cut.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Where the last pair ended: at the `&` behind it, if there is one.
    from: u64,
    /// A pair stays before the one at hand.
    kept: bool,
    /// That was so before the one at hand.
    kept_before: bool,
    /// Pairs at the front went, and the `&` behind them is still there.
    owes: bool,
    /// The name at hand.
    name: Option<Span>,
}

impl Pairs {
    /// A form whose first byte has offset `base`.
    pub(super) fn new(base: u64) -> Self {
        Self {
            from: base,
            ..Self::default()
        }
    }

    /// A name was read; yields the `&` before it if that has to go.
    pub(super) fn name(&mut self, name: Span) -> Option<Span> {
        if let Some(alone) = self.name.replace(name) {
            // It had no value.
            self.from = alone.end;
            self.kept = true;
        }
        let owed = std::mem::take(&mut self.owes) && name.start > self.from && self.holds(name);
        let from = self.from;
        if owed {
            self.from += 1;
        }
        owed.then(|| Span::new(from, from + 1))
    }

    /// A value was read, or a piece of it: what has to go if all of it does.
    pub(super) fn value(&mut self, value: Span, piece: Piece) -> Option<Span> {
        let start = match self.name.take() {
            Some(name) if !self.kept => name.start,
            Some(_) | None => self.from,
        };
        let held = piece == Piece::Whole && self.holds(value);
        self.from = value.end;
        self.kept_before = std::mem::replace(&mut self.kept, true);
        held.then(|| Span::new(start, value.end))
    }

    /// The pair of the value that was read last went.
    pub(super) fn gone(&mut self) {
        self.kept = self.kept_before;
        self.owes = !self.kept;
    }

    /// Up to where bytes have settled, if what is read now begins at `at`.
    pub(super) fn settled(&self, at: u64) -> u64 {
        match at.saturating_sub(self.from) <= HELD_BYTES + 1 {
            true => at.min(self.from),
            false => at,
        }
    }

    fn holds(&self, next: Span) -> bool {
        next.start.saturating_sub(self.from) <= HELD_BYTES
    }
}

/// Bytes between two values: `&`, a name and `=`.
const HELD_BYTES: u64 = 4096;
