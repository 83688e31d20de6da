//! Members and elements of JSON that are taken out, each with one comma.
//!
//! ```text
//!   { "a": 1, "cvv": 2, "b": 3 }      a value after one that stays goes with the comma before it
//!           └────────┘
//!   { "cvv": 2, "b": 3 }              one with nothing before it goes with the comma behind it
//!    └───────┘└┘
//! ```
//!
//! What lies between the comma and the value is held back until the value is known; where it is longer than a name can
//! sensibly be, the value becomes `null` instead.

use super::pairs::Pairs;
use crate::inspect::json::Mark;
use crate::span::Span;

/// Where the objects and arrays at hand are cut.
#[derive(Debug, Default)]
pub(super) struct Removal {
    frames: Vec<Frame>,
    /// Objects and arrays inside the innermost one that is followed.
    beyond: usize,
    /// The form at hand.
    pub(super) pairs: Pairs,
}

/// One object or array.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// A member or element stays before the one at hand.
    kept: bool,
    /// The one at hand was taken out.
    removed: bool,
    /// Where the one at hand begins, its comma included if it has to go with it; `None` once its value was seen.
    begins: Option<u64>,
}

impl Removal {
    /// Takes note of a structural character; yields the comma that has to go.
    pub(super) fn mark(&mut self, mark: Mark, at: u64) -> Option<Span> {
        match mark {
            Mark::OpenObject | Mark::OpenArray => self.open(at),
            Mark::CloseObject | Mark::CloseArray => match self.beyond.checked_sub(1) {
                Some(left) => self.beyond = left,
                None => drop(self.frames.pop()),
            },
            Mark::Comma if self.beyond == 0 => {
                let frame = self.frames.last_mut()?;
                let cut = frame.removed && !frame.kept;
                frame.kept |= !frame.removed;
                frame.removed = false;
                frame.begins = Some(if frame.kept { at } else { at + 1 });
                return cut.then(|| Span::new(at, at + 1));
            }
            Mark::Comma | Mark::Colon => {}
        }
        None
    }

    /// A value whose raw bytes begin at `at` was seen, or its first piece: where its member or element begins, if all
    /// from there on is still held back.
    pub(super) fn value(&mut self, at: u64) -> Option<u64> {
        if self.beyond > 0 {
            return None;
        }
        let begins = self.frames.last_mut()?.begins.take();
        begins.filter(|begins| at.saturating_sub(*begins) <= HELD_BYTES)
    }

    /// Takes out `value` (raw bytes, quotes included) with the member or element that begins at `begins`; yields the
    /// bytes that have to go. `None`: it cannot be taken out.
    pub(super) fn take(&mut self, begins: u64, value: Span) -> Option<Span> {
        self.frames.last_mut()?.removed = true;
        Some(Span::new(begins, value.end))
    }

    /// Up to where bytes have settled, if what is read now begins at `at`.
    pub(super) fn settled(&self, at: u64) -> u64 {
        let begins = self.frames.last().and_then(|frame| frame.begins);
        match begins
            .filter(|begins| self.beyond == 0 && at.saturating_sub(*begins) <= HELD_BYTES + 1)
        {
            Some(begins) => at.min(begins),
            None => at,
        }
    }

    /// Ends the document.
    pub(super) fn reset(&mut self) {
        self.frames.clear();
        self.beyond = 0;
    }

    fn open(&mut self, at: u64) {
        if self.frames.len() >= MOST_FRAMES {
            self.beyond += 1;
            return;
        }
        if let Some(outer) = self.frames.last_mut() {
            outer.begins = None;
        }
        self.frames.push(Frame {
            kept: false,
            removed: false,
            begins: Some(at + 1),
        });
    }
}

/// Bytes between a comma and the value behind it: a name and white space.
const HELD_BYTES: u64 = 4096;

/// Depth up to which members are taken out; deeper ones become `null`.
const MOST_FRAMES: usize = 512;
