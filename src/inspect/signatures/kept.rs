//! What is kept of a part for YARA: all of it in memory, then all of it in a spool file, then one block.
//!
//! ```text
//! Whole ──over memory──► Spooled ──over the spool's share──► Blocks
//!    └───────────────────── no spool ──────────────────────────▲
//! ```
//!
//! Blocks are counted from the first byte on, whatever the mode, and for each the gate says at its end whether any rule
//! could be true in it: so a part that turns out too long needs only the few blocks back that are due.

use crate::anomaly::Anomaly;
use crate::budget::{Exhausted, Reservation};
use crate::inspect::yara::Due;

use super::spooled::SpoolFile;

/// How much of one part is kept for YARA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// A part up to this many bytes is held in memory and scanned whole.
    pub memory_bytes: u64,
    /// A longer one up to this many bytes is held in a spool file and scanned whole; a longer one yet in blocks. Below
    /// `memory_bytes`: no part is spooled.
    pub spool_bytes: u64,
}

impl Default for Keeping {
    fn default() -> Self {
        Self {
            // Eight bodies of this size at once stay below the 96 MiB that one server may take.
            memory_bytes: 8 << 20,
            // As much as all decompressors of a body may yield: only plain bodies are larger.
            spool_bytes: 256 << 20,
        }
    }
}

/// Bytes of a block; blocks begin at multiples of it.
pub const BLOCK_BYTES: usize = 1024 * 1024;

/// Bytes that a block shares with the one before: far more than the longest string of a sensible rule.
pub const BLOCK_OVERLAP_BYTES: usize = 64 * 1024;

/// Magic numbers are looked for in so many bytes.
pub(super) const HEAD_BYTES: usize = 1024;

/// Memory that is not worth a reservation.
const FREE_BYTES: usize = 64 * 1024;

/// Up to here a part's memory doubles.
const GROWN_BYTES: usize = 256 * 1024;

/// Addresses that are taken ahead at most, where a configuration holds larger parts in memory.
const MOST_AHEAD_BYTES: usize = 16 << 20;

/// What is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// Stream offset of the first kept byte; not 0 once blocks were given away.
    pub(super) base: u64,
    /// The first bytes of the stream, once `base` is not 0.
    pub(super) head: Vec<u8>,
    pub(super) mode: Keep,
    pub(super) limits: Keeping,
    pub(super) reserved: Reservation,
    /// Blocks in which some rule could be true, of a part that may yet be scanned whole.
    pub(super) due: Vec<(u64, Due)>,
    /// Bytes that have gone into the file: what is kept begins with some of them.
    pub(super) file: Option<SpoolFile>,
}

/// How a part is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Not at all: no YARA rules, or a value that is not content.
    Nothing,
    /// All of it, so far, in memory.
    Whole,
    /// All of it, so far, most of it in a file.
    Spooled,
    /// One block; it is longer than the limits, or a budget is exhausted.
    Blocks,
}

impl Kept {
    pub(super) fn new(reserved: Reservation) -> Self {
        Self {
            bytes: Vec::new(),
            base: 0,
            head: Vec::new(),
            mode: Keep::Nothing,
            limits: Keeping::default(),
            reserved,
            due: Vec::new(),
            file: None,
        }
    }

    pub(super) fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(FREE_BYTES);
        self.base = 0;
        self.head.clear();
        self.limits = Keeping::default();
        self.reserved.shrink(u64::MAX);
        self.due.clear();
        self.file = None;
    }

    /// Chooses the mode in which `more` bytes after `length` can be kept. What it costs, as anomalies.
    pub(super) fn make_room(&mut self, length: u64, more: usize) -> [Option<Anomaly>; 2] {
        let total = length.saturating_add(more as u64);
        let mut why = None;
        if self.mode == Keep::Whole {
            let fits = total <= self.limits.memory_bytes;
            match fits.then(|| self.reserve(self.bytes.len() + more)) {
                Some(Ok(())) => return [None, None],
                Some(Err(Exhausted)) => why = Some(Anomaly::MemoryBudget),
                None => {}
            }
            self.file = SpoolFile::new(&self.reserved);
            self.mode = Keep::Spooled;
        }
        if self.mode == Keep::Spooled {
            let fits = total <= self.limits.spool_bytes;
            if let Some(file) = self.file.as_mut().filter(|_| fits) {
                match file.reserve(total) {
                    // A part that is still scanned whole has lost nothing.
                    Ok(()) => return [None, None],
                    Err(Exhausted) => why = Some(Anomaly::SpoolFailure),
                }
            }
            self.mode = Keep::Blocks;
            return [Some(Anomaly::Windowed), why];
        }
        [None, None]
    }

    /// Keeps `window`, for which there is room.
    pub(super) fn push(&mut self, window: &[u8]) {
        let length = self.bytes.len() + window.len();
        if length > self.bytes.capacity() && length > GROWN_BYTES && self.mode == Keep::Whole {
            // A vector that doubles copies megabytes at once, and others wait for that. What is not written to yet costs
            // addresses, and no memory.
            let most = usize::try_from(self.limits.memory_bytes).unwrap_or(usize::MAX);
            self.bytes
                .reserve_exact(most.saturating_sub(self.bytes.len()).min(MOST_AHEAD_BYTES));
        }
        self.bytes.extend_from_slice(window);
    }

    /// Makes sure that the budget knows of `total` bytes.
    fn reserve(&mut self, total: usize) -> Result<(), Exhausted> {
        let wanted = total.saturating_sub(FREE_BYTES) as u64;
        let missing = wanted.saturating_sub(self.reserved.bytes());
        if missing == 0 {
            return Ok(());
        }
        // In steps, so that the shared counter is not touched for every window.
        self.reserved.grow(missing.next_multiple_of(256 * 1024))
    }

    /// The first bytes of the part.
    pub(super) fn first(&self) -> &[u8] {
        match self.base {
            0 => self.bytes.get(..HEAD_BYTES).unwrap_or(&self.bytes),
            _ => &self.head,
        }
    }

    /// As many of the first bytes of the part as are kept: all of a short one.
    pub(super) fn start(&self) -> &[u8] {
        match self.base {
            0 => &self.bytes,
            _ => &self.head,
        }
    }

    /// Where the block with that number lies in what is kept.
    pub(super) fn block(&self, number: u64) -> &[u8] {
        let (from, to) = block_span(number);
        let place = |offset: u64| usize::try_from(offset.saturating_sub(self.base)).ok();
        match (place(from), place(to)) {
            (Some(from), Some(to)) => {
                let to = to.min(self.bytes.len());
                self.bytes.get(from..to).unwrap_or_default()
            }
            _ => &[],
        }
    }

    /// Forgets what lies before the block after `number`; the forgotten bytes, in front of what both share.
    pub(super) fn pass(&mut self, number: u64) -> Vec<u8> {
        if self.base == 0 {
            self.head = self.first().to_vec();
        }
        let (next, _) = block_span(number + 1);
        let drop = usize::try_from(next.saturating_sub(self.base)).unwrap_or(usize::MAX);
        let keep = self.bytes.get(drop..).unwrap_or_default();
        let mut fresh = Vec::with_capacity(BLOCK_BYTES + BLOCK_OVERLAP_BYTES);
        fresh.extend_from_slice(keep);
        self.base = next;
        let passed = std::mem::replace(&mut self.bytes, fresh);
        let surplus = self.reserved.bytes().saturating_sub(BLOCK_BYTES as u64);
        self.reserved.shrink(surplus);
        passed
    }

    pub(super) fn take_reserved(&mut self) -> Reservation {
        let fresh = self.reserved.sibling();
        std::mem::replace(&mut self.reserved, fresh)
    }
}

/// Stream offsets between which the block with that number lies.
pub(super) fn block_span(number: u64) -> (u64, u64) {
    let begin = number.saturating_mul(BLOCK_BYTES as u64);
    let from = begin.saturating_sub(match number {
        0 => 0,
        _ => BLOCK_OVERLAP_BYTES as u64,
    });
    (from, begin.saturating_add(BLOCK_BYTES as u64))
}
