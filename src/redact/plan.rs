//! Sorted, disjoint edits.

use std::collections::VecDeque;

use crate::span::Span;

/// The edits that are still to be made, in order. Replacement bytes lie in one shared buffer.
#[derive(Debug, Default)]
pub struct Plan {
    edits: VecDeque<Edit>,
    replacements: VecDeque<u8>,
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
    pub fn add(&mut self, span: Span, replacement: &[u8]) -> bool {
        if span.start < self.end || span.is_empty() {
            return false;
        }
        self.end = span.end;
        self.replacements.extend(replacement);
        self.edits.push_back(Edit {
            span,
            len: replacement.len(),
        });
        true
    }

    /// Bytes that wait to be written.
    pub fn held(&self) -> usize {
        self.replacements.len()
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
    pub fn take(&mut self, mut write: impl FnMut(&[u8])) {
        let Some(edit) = self.edits.pop_front() else {
            return;
        };
        let (front, back) = self.replacements.as_slices();
        let in_front = edit.len.min(front.len());
        write(front.get(..in_front).unwrap_or_default());
        write(back.get(..edit.len - in_front).unwrap_or_default());
        self.replacements.drain(..edit.len);
    }
}

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
