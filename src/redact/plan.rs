//! Sorted, disjoint edits.

use std::collections::VecDeque;

use crate::span::Span;

/// The edits that are still to be made, in order. Replacement bytes lie in one shared buffer.
#[derive(Debug, Default)]
pub struct Plan {
    edits: VecDeque<Edit>,
    replacements: Vec<u8>,
    /// Bytes of `replacements` that were written.
    written: usize,
    /// One past the last byte that any edit so far replaces.
    end: u64,
}

/// Replace the raw bytes of `span` by the next `len` bytes of the buffer.
#[derive(Clone, Copy, Debug)]
struct Edit {
    span: Span,
    len: usize,
}

impl Plan {
    /// Plans to replace `span`. False, and nothing is planned, when an earlier edit covers its first byte: windows of a
    /// long value overlap, and what the second one sees again was dealt with by the first.
    #[inline]
    pub fn add(&mut self, span: Span, replacement: &[u8]) -> bool {
        if span.start < self.end || span.is_empty() {
            return false;
        }
        self.end = span.end;
        self.replacements.extend_from_slice(replacement);
        let len = replacement.len();
        self.edits.push_back(Edit { span, len });
        true
    }

    /// Bytes that wait to be written.
    pub fn held(&self) -> usize {
        self.replacements.len() - self.written
    }

    /// One past the last byte that any edit so far replaces.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The next edit's span.
    pub fn next(&self) -> Option<Span> {
        self.edits.front().map(|edit| edit.span)
    }

    /// Takes the next edit: hands its replacement to `write`.
    #[inline]
    pub fn take(&mut self, write: impl FnOnce(&[u8])) {
        let Some(edit) = self.edits.pop_front() else {
            return;
        };
        let end = self.written + edit.len;
        write(self.replacements.get(self.written..end).unwrap_or_default());
        self.written = end;
        // What was written goes when all of it was, or most.
        if end == self.replacements.len() {
            self.replacements.clear();
            self.written = 0;
        } else if end >= WRITTEN_BYTES && end > self.replacements.len() / 2 {
            self.replacements.drain(..end);
            self.written = 0;
        }
    }
}

/// Bytes that were written and are kept, so that not each edit moves those that wait.
const WRITTEN_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_stay_sorted_and_disjoint() {
        let mut plan = Plan::default();
        assert!(plan.add(Span::new(2, 4), b"xy"));
        assert!(!plan.add(Span::new(3, 9), b"no"));
        assert!(!plan.add(Span::new(5, 5), b"no"));
        assert!(plan.add(Span::new(4, 6), b"z"));
        let mut written = Vec::new();
        assert_eq!(plan.next(), Some(Span::new(2, 4)));
        plan.take(|bytes| written.extend_from_slice(bytes));
        plan.take(|bytes| written.extend_from_slice(bytes));
        assert_eq!(written, b"xyz");
        assert_eq!(plan.next(), None);
    }
}
