//! Where the raw lines of an encoded part begin, as far back as an edit may still reach.

use std::collections::VecDeque;

/// The lines of what has not settled.
#[derive(Debug)]
pub(super) struct Lines {
    starts: VecDeque<u64>,
    break_len: u64,
    /// Bytes of the longest line that ended before the first of `starts`.
    longest: u64,
}

impl Lines {
    /// The lines of a part that begins at `base`, each ended by `break_len` bytes.
    pub(super) fn new(base: u64, break_len: u64) -> Self {
        Self {
            starts: VecDeque::from([base]),
            break_len,
            longest: 0,
        }
    }

    /// Reads `raw`, whose first byte has offset `at`.
    pub(super) fn read(&mut self, raw: &[u8], at: u64) {
        for place in memchr::memchr_iter(b'\n', raw) {
            self.starts.push_back(at + place as u64 + 1);
        }
    }

    /// Bytes between the beginning of its line and `raw`.
    pub(super) fn column(&self, raw: u64) -> u64 {
        let line = self.starts.partition_point(|start| *start <= raw);
        let start = line.checked_sub(1).and_then(|at| self.starts.get(at));
        raw.saturating_sub(start.copied().unwrap_or(raw))
    }

    /// Bytes of the longest line that ends before `raw`; 0 when none does.
    pub(super) fn longest_before(&self, raw: u64) -> u64 {
        let ended = self.starts.iter().zip(self.starts.iter().skip(1));
        ended
            .take_while(|(_, next)| **next <= raw)
            .map(|(start, next)| (next - start).saturating_sub(self.break_len))
            .fold(self.longest, u64::max)
    }

    /// Forgets the lines that end before `settled`.
    pub(super) fn forget(&mut self, settled: u64) {
        while let (Some(start), Some(next)) = (self.starts.front(), self.starts.get(1))
            && *next <= settled
        {
            self.longest = self
                .longest
                .max((next - start).saturating_sub(self.break_len));
            self.starts.pop_front();
        }
    }
}
