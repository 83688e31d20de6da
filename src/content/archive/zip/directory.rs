//! The members that the walk has found, and what the central directory says of them.

use std::collections::HashSet;

use super::record::{Entry, u16_at, u32_at};

/// What is known of the archive so far. At most as many entries as the limit on archive members lets through.
#[derive(Debug, Default)]
pub(super) struct Directory {
    entries: Vec<Entry>,
    /// Their names' hashes.
    names: HashSet<u64>,
    /// What offsets in the directory count from: 0, or the first local header behind other data.
    origin: Option<u64>,
    listed: u64,
    /// Where its first record stands.
    begin: Option<u64>,
    ended: bool,
}

impl Directory {
    /// True while nothing of an archive has been seen.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.begin.is_none() && !self.ended
    }

    /// True after the end record.
    pub(super) fn is_ended(&self) -> bool {
        self.ended
    }

    /// True when no member of that name was there before.
    pub(super) fn is_new(&self, entry: &Entry) -> bool {
        !self.names.contains(&entry.name)
    }

    /// A member that the walk has passed.
    pub(super) fn add(&mut self, entry: Entry) {
        self.names.insert(entry.name);
        self.entries.push(entry);
    }

    /// Holds a record of the central directory, which stands at `at`, against the walk. False when they disagree.
    pub(super) fn list(&mut self, central: &Entry, at: u64) -> bool {
        self.begin.get_or_insert(at);
        self.listed = self.listed.saturating_add(1);
        let first = self.entries.first().map_or(0, |entry| entry.offset);
        let origin = *self.origin.get_or_insert_with(|| {
            let absolute = self
                .entries
                .iter()
                .any(|entry| entry.offset == central.offset);
            if absolute { 0 } else { first }
        });
        let offset = central.offset.checked_add(origin);
        let known = self
            .entries
            .binary_search_by(|entry| Some(entry.offset).cmp(&offset));
        let Some(entry) = known.ok().and_then(|at| self.entries.get_mut(at)) else {
            return false;
        };
        entry.listed = entry.listed.saturating_add(1);
        entry.listed == 1 && entry.agrees(central)
    }

    /// Holds the end record, which stands at `at`, against all that came before. False when they disagree.
    pub(super) fn end(&mut self, record: &[u8], at: u64) -> bool {
        let twice = std::mem::replace(&mut self.ended, true);
        let origin = self.origin.unwrap_or(0);
        let begin = self.begin.unwrap_or(at);
        let fits = |field: u64, all_ones: u64, real: u64| field == all_ones || field == real;
        let count = |at| u64::from(u16_at(record, at));
        let wide = |at| u64::from(u32_at(record, at));
        let all_listed = self.entries.iter().all(|entry| entry.listed == 1);
        // A comment that holds another end record: readers search from behind.
        let comment = record.get(22..).unwrap_or_default();
        let disguised = memchr::memmem::find(comment, b"PK\x05\x06").is_some();
        !twice
            && !disguised
            && all_listed
            && fits(count(4), 0xffff, 0)
            && fits(count(6), 0xffff, 0)
            && fits(count(8), 0xffff, self.listed)
            && fits(count(10), 0xffff, self.listed)
            && fits(wide(16), 0xffff_ffff, begin.saturating_sub(origin))
    }
}
