//! The totals of one tree of parts, against its limits.

use crate::anomaly::Anomaly;

use super::Limits;
use crate::budget::{Budget, Reservation};

/// Counts what the whole tree has cost so far.
#[derive(Debug)]
pub(super) struct Meter {
    limits: Limits,
    wire_bytes: u64,
    decoded_bytes: u64,
    parts: u32,
    archive_entries: u32,
    multipart_parts: u32,
    budget: Option<Budget>,
}

impl Meter {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            budget: None,
            wire_bytes: 0,
            decoded_bytes: 0,
            parts: 0,
            archive_entries: 0,
            multipart_parts: 0,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// From now on decoders draw on `budget`.
    pub(super) fn draw_on(&mut self, budget: &Budget) {
        self.budget = Some(budget.clone());
    }

    /// Raises the share of the process-wide budget that `memory` is to `bytes`.
    ///
    /// # Errors
    /// [`Anomaly::MemoryBudget`] when there is no room.
    pub(super) fn hold(&self, memory: &mut Option<Reservation>, bytes: u64) -> Result<(), Anomaly> {
        let Some(budget) = &self.budget else {
            return Ok(());
        };
        let memory = memory.get_or_insert_with(|| budget.reservation());
        let more = bytes.saturating_sub(memory.bytes());
        if more == 0 {
            return Ok(());
        }
        memory.grow(more).map_err(|_| Anomaly::MemoryBudget)
    }

    /// Bytes that came in from outside.
    pub(super) fn wire(&mut self, bytes: usize) {
        self.wire_bytes = self.wire_bytes.saturating_add(bytes as u64);
    }

    /// Bytes that decompressors have yielded.
    pub(super) fn decoded_bytes(&self) -> u64 {
        self.decoded_bytes
    }

    /// Counts bytes that a decompressor yields.
    ///
    /// # Errors
    /// The limit that they pass, as an anomaly.
    pub(super) fn decoded(&mut self, bytes: usize) -> Result<(), Anomaly> {
        self.decoded_bytes = self.decoded_bytes.saturating_add(bytes as u64);
        if self.decoded_bytes > self.limits.decoded_bytes {
            return Err(Anomaly::DecodedTooLarge);
        }
        let fair = self.wire_bytes.saturating_mul(self.limits.ratio);
        if self.decoded_bytes > self.limits.ratio_floor_bytes.max(fair) {
            return Err(Anomaly::RatioTooHigh);
        }
        Ok(())
    }

    /// Counts one more part at that depth.
    ///
    /// # Errors
    /// The limit that it passes, as an anomaly.
    pub(super) fn part(&mut self, depth: u8) -> Result<(), Anomaly> {
        if depth > self.limits.depth {
            return Err(Anomaly::TooDeep);
        }
        count(&mut self.parts, self.limits.parts)
    }

    /// Counts one more archive member.
    ///
    /// # Errors
    /// [`Anomaly::TooManyParts`].
    pub(super) fn archive_entry(&mut self) -> Result<(), Anomaly> {
        count(&mut self.archive_entries, self.limits.archive_entries)
    }

    /// Counts one more part of a multipart body.
    ///
    /// # Errors
    /// [`Anomaly::TooManyParts`].
    pub(super) fn multipart_part(&mut self) -> Result<(), Anomaly> {
        count(&mut self.multipart_parts, self.limits.multipart_parts)
    }
}

fn count(counter: &mut u32, limit: u32) -> Result<(), Anomaly> {
    *counter = counter.saturating_add(1);
    if *counter > limit {
        return Err(Anomaly::TooManyParts);
    }
    Ok(())
}
