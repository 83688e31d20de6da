//! A reader with one child whose bytes are the parent's in another dress: another charset, another transfer encoding.

use std::fmt;

use crate::anomaly::Anomaly;

use super::reader::{Event, Input};
use super::window::{Last, Window};

/// Turns pieces of one stream into pieces of another.
pub(super) trait Transform: fmt::Debug + Send {
    /// Appends to `out` what `piece` completes; `last` says whether the stream ends with it. False when something in it
    /// was out of place.
    fn transform(&mut self, piece: &[u8], last: Last, out: &mut Vec<u8>) -> bool;

    /// What being out of place means.
    fn anomaly(&self) -> Anomaly;
}

/// Drives a [`Transform`]: fills the child's window to the brim and reports the first misdeed.
#[derive(Debug)]
pub(super) struct Filter {
    transform: Box<dyn Transform>,
    /// Bytes at the front still to skip (a byte order mark).
    skip: usize,
    ready: Vec<u8>,
    passed: usize,
    broken: Broken,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    No,
    At(u64),
    Told,
}

impl Filter {
    /// A filter that leaves out the first `skip` bytes.
    pub(super) fn new(transform: Box<dyn Transform>, skip: usize) -> Self {
        Self {
            transform,
            skip,
            ready: Vec::new(),
            passed: 0,
            broken: Broken::No,
            over: false,
        }
    }

    pub(super) fn read(&mut self, input: &mut Input<'_>, out: &mut Window) -> Event {
        let mut offset = input.offset;
        loop {
            if let Broken::At(at) = self.broken {
                self.broken = Broken::Told;
                return Event::Fact(self.transform.anomaly(), at);
            }
            let mut rest = self.ready.get(self.passed..).unwrap_or_default();
            self.passed += out.copy(&mut rest);
            if out.is_full() {
                return Event::Full;
            }
            self.ready.clear();
            self.passed = 0;
            if input.bytes.is_empty() && (input.last == Last::Open || self.over) {
                return Event::NeedInput;
            }
            let skip = self.skip.min(input.bytes.len());
            let piece = (input.bytes.len() - skip).min(PIECE_BYTES);
            let (now, later) = input.bytes.split_at(skip + piece);
            input.bytes = later;
            self.skip -= skip;
            let last = if later.is_empty() {
                input.last
            } else {
                Last::Open
            };
            self.over = last == Last::Known;
            let now = now.get(skip..).unwrap_or_default();
            let fine = self.transform.transform(now, last, &mut self.ready);
            if !fine && self.broken == Broken::No {
                self.broken = Broken::At(offset);
            }
            offset = offset.saturating_add((skip + piece) as u64);
        }
    }
}

/// Bytes transformed at a time: small enough that the result stays in the first cache level.
pub(super) const PIECE_BYTES: usize = 4096;
