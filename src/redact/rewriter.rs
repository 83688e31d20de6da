//! The streaming splice: raw bytes in, edited bytes out, as far as they have settled.

use bytes::BytesMut;

use super::plan::Plan;
use crate::span::Span;

/// Holds the raw bytes that an edit may still reach.
#[derive(Debug, Default)]
pub struct Rewriter {
    held: Vec<u8>,
    /// Stream offset of the next byte to be released.
    at: u64,
    /// Bytes released.
    written: u64,
    seam: Seam,
}

/// Where the part of a body that nothing changed begins: all that follows is the same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seam {
    /// Offset in the body as it came, in bytes.
    pub original: u64,
    /// Offset in the edited body, in bytes.
    pub edited: u64,
}

impl Rewriter {
    /// Bytes held.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Where the last edit so far ends.
    pub fn seam(&self) -> Seam {
        self.seam
    }

    /// Takes `input`, the next bytes of the stream, and appends to `out` all bytes before `settled`, edited by `plan`.
    /// Edits that begin at or after `settled` wait. Bytes that are held are copied twice, the others once.
    pub fn push(&mut self, input: &[u8], settled: u64, plan: &mut Plan, out: &mut BytesMut) {
        let (out_before, written_before) = (out.len(), self.written);
        let written = |out: &BytesMut| written_before + (out.len() - out_before) as u64;
        let input_at = self.at + self.held.len() as u64;
        let end = input_at + input.len() as u64;
        let settled = settled.min(end);
        let held = std::mem::take(&mut self.held);
        let pieces = Pieces {
            held: &held,
            held_at: self.at,
            input,
            input_at,
        };
        while let Some(edit) = plan
            .next()
            .filter(|edit| edit.start < settled && edit.end <= end)
        {
            pieces.copy(Span::new(self.at, edit.start), out);
            plan.take(|bytes| out.extend_from_slice(bytes));
            self.at = edit.end.max(self.at);
            self.seam = Seam {
                original: self.at,
                edited: written(out),
            };
        }
        // An edit whose end has not arrived yet keeps all from its start on.
        let waits = plan.next().map_or(settled, |edit| settled.min(edit.start));
        if waits > self.at {
            pieces.copy(Span::new(self.at, waits), out);
            self.at = waits;
        }
        self.written = written(out);
        let rest = Span::new(self.at, end);
        self.held = held;
        let gone = rest.start.saturating_sub(input_at - self.held.len() as u64);
        let gone = usize::try_from(gone)
            .unwrap_or(usize::MAX)
            .min(self.held.len());
        self.held.drain(..gone);
        let skip = usize::try_from(rest.start.saturating_sub(input_at)).unwrap_or(usize::MAX);
        self.held
            .extend_from_slice(input.get(skip..).unwrap_or_default());
    }
}

/// The held bytes and the input, as one stretch of the stream.
struct Pieces<'a> {
    held: &'a [u8],
    held_at: u64,
    input: &'a [u8],
    input_at: u64,
}

impl Pieces<'_> {
    #[inline]
    fn copy(&self, span: Span, out: &mut BytesMut) {
        // Most of what is copied came in one piece with what stands before it.
        let offset = |at: u64| usize::try_from(at - self.input_at).ok();
        if span.start >= self.input_at
            && let (Some(start), Some(end)) = (offset(span.start), offset(span.end))
            && let Some(part) = self.input.get(start..end)
        {
            out.extend_from_slice(part);
            return;
        }
        self.copy_any(span, out);
    }

    fn copy_any(&self, span: Span, out: &mut BytesMut) {
        for (bytes, at) in [(self.held, self.held_at), (self.input, self.input_at)] {
            let clip = |offset: u64| {
                usize::try_from(offset.saturating_sub(at))
                    .unwrap_or(usize::MAX)
                    .min(bytes.len())
            };
            let part = bytes.get(clip(span.start)..clip(span.end));
            out.extend_from_slice(part.unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Splices `text` at once.
    fn naive(text: &[u8], edits: &[(u64, u64, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        for (start, end, by) in edits {
            out.extend_from_slice(&text[at..*start as usize]);
            out.extend_from_slice(by);
            at = *end as usize;
        }
        out.extend_from_slice(&text[at..]);
        out
    }

    #[test]
    fn a_plan_applied_in_pieces_equals_the_naive_splice() {
        let text: Vec<u8> = (b'a'..=b'z').collect();
        let edits: [(u64, u64, &[u8]); 3] = [(1, 3, b"1"), (3, 10, b""), (20, 26, b"long mask")];
        for size in 1..=text.len() {
            for lag in 0..6 {
                let (mut rewriter, mut plan) = (Rewriter::default(), Plan::default());
                let mut out = BytesMut::new();
                let mut next = edits.iter().peekable();
                for (index, piece) in text.chunks(size).enumerate() {
                    let end = (index * size + piece.len()) as u64;
                    while let Some((start, stop, by)) = next.next_if(|edit| edit.1 <= end) {
                        assert!(plan.add(Span::new(*start, *stop), by));
                    }
                    // An edit that is not planned yet must not lie in what has settled.
                    let settled = end
                        .saturating_sub(lag)
                        .min(next.peek().map_or(end, |edit| edit.0));
                    rewriter.push(piece, settled, &mut plan, &mut out);
                }
                rewriter.push(b"", u64::MAX, &mut plan, &mut out);
                assert_eq!(out, naive(&text, &edits), "pieces of {size}, lag {lag}");
                assert_eq!(rewriter.held(), 0);
                let Seam { original, edited } = rewriter.seam();
                assert_eq!(original, 26, "the last edit ends there");
                assert_eq!(out[edited as usize..], text[original as usize..]);
            }
        }
    }
}
