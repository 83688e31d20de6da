//! A value put together from what stands for itself and from escapes, and handed out whole or in overlapping windows.

use crate::span::Span;

use super::{HostSyntax, LEAF_BYTES, LEAF_OVERLAP_BYTES, Leaf, LeafSink, OffsetMap, Path, Piece};

/// Puts a value together from verbatim runs and units, and hands it out whole or, past [`LEAF_BYTES`], in windows whose
/// edges depend on the value only. Keeps its memory from value to value.
#[derive(Debug, Default)]
pub struct Assembler {
    bytes: Vec<u8>,
    map: OffsetMap,
    overlap: usize,
    windowed: bool,
    start: u64,
    end: u64,
}

/// Where an [`Assembler`] hands its leaves to: the sink, and what the leaves have in common.
#[derive(Debug)]
pub struct Outlet<'a, S: ?Sized> {
    /// Receives the leaves.
    pub sink: &'a mut S,
    /// Their path.
    pub path: &'a Path,
    /// Their syntax.
    pub host: HostSyntax,
}

impl Assembler {
    /// Begins a value whose raw bytes begin at `start`.
    pub fn begin(&mut self, start: u64) {
        self.bytes.clear();
        self.map.reset(start);
        self.overlap = 0;
        self.windowed = false;
        self.start = start;
        self.end = start;
    }

    /// Decoded bytes that wait: all of the value so far, or its current window.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Offset of the first raw byte of the value.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// True when windows of the value were handed out already.
    pub fn is_windowed(&self) -> bool {
        self.windowed
    }

    /// Adds bytes that stand for themselves; the first lies at `at`.
    pub fn plain<S: LeafSink + ?Sized>(
        &mut self,
        mut raw: &[u8],
        mut at: u64,
        out: &mut Outlet<'_, S>,
    ) {
        while !raw.is_empty() {
            if self.bytes.len() >= LEAF_BYTES {
                self.cut(out);
            }
            let room = LEAF_BYTES - self.bytes.len();
            let (now, later) = raw.split_at(room.min(raw.len()));
            self.bytes.extend_from_slice(now);
            at += now.len() as u64;
            self.end = at;
            raw = later;
        }
    }

    /// Adds an escape: `raw_len` bytes at `at` stand for `decoded`.
    pub fn unit<S: LeafSink + ?Sized>(
        &mut self,
        decoded: &[u8],
        raw: Span,
        out: &mut Outlet<'_, S>,
    ) {
        if self.bytes.len() + decoded.len() > LEAF_BYTES {
            self.cut(out);
        }
        let raw_len = usize::try_from(raw.len()).unwrap_or(usize::MAX);
        self.map
            .push_unit(self.bytes.len(), decoded.len(), raw.start, raw_len);
        self.bytes.extend_from_slice(decoded);
        self.end = raw.end;
    }

    /// Leaves out raw bytes that are no part of the value, up to `at`.
    pub fn skip_to<S: LeafSink + ?Sized>(&mut self, at: u64, out: &mut Outlet<'_, S>) {
        if at > self.end {
            self.unit(b"", Span::new(self.end, at), out);
        }
    }

    /// Ends the value and hands out what is left of it.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, out: &mut Outlet<'_, S>) {
        let piece = if self.windowed {
            Piece::Window {
                overlap: self.overlap,
                last: true,
            }
        } else {
            Piece::Whole
        };
        self.emit(piece, out);
    }

    fn cut<S: LeafSink + ?Sized>(&mut self, out: &mut Outlet<'_, S>) {
        let piece = Piece::Window {
            overlap: self.overlap,
            last: false,
        };
        self.emit(piece, out);
        self.windowed = true;
        let keep_from = self
            .map
            .floor(self.bytes.len().saturating_sub(LEAF_OVERLAP_BYTES));
        self.map.drop_front(keep_from);
        self.bytes.drain(..keep_from);
        self.overlap = self.bytes.len();
    }

    fn emit<S: LeafSink + ?Sized>(&self, piece: Piece, out: &mut Outlet<'_, S>) {
        out.sink.leaf(&Leaf {
            path: out.path,
            host: out.host,
            span: Span::new(self.map.start(), self.end),
            bytes: &self.bytes,
            map: &self.map,
            piece,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::Root;
    use super::*;

    #[test]
    fn a_long_value_comes_in_overlapping_windows_that_do_not_cut_escapes() {
        struct Windows(Vec<(Vec<u8>, Span, Piece)>);
        impl LeafSink for Windows {
            fn leaf(&mut self, leaf: &Leaf<'_>) {
                self.0.push((leaf.bytes.to_vec(), leaf.span, leaf.piece));
            }
        }
        let path = Path::new(Root::Json);
        let mut sink = Windows(Vec::new());
        let mut assembler = Assembler::default();
        assembler.begin(0);
        let mut out = Outlet {
            sink: &mut sink,
            path: &path,
            host: HostSyntax::JsonString,
        };
        let mut raw = 0u64;
        let mut whole = Vec::new();
        while whole.len() < 3 * LEAF_BYTES {
            assembler.plain(b"abcdefg", raw, &mut out);
            assembler.unit("é".as_bytes(), Span::new(raw + 7, raw + 13), &mut out);
            whole.extend_from_slice("abcdefgé".as_bytes());
            raw += 13;
        }
        assembler.finish(&mut out);
        let mut joined = Vec::new();
        for (bytes, _, piece) in &sink.0 {
            let Piece::Window { overlap, .. } = piece else {
                panic!("a long value is never whole")
            };
            assert!(joined.ends_with(&bytes[..*overlap]));
            joined.extend_from_slice(&bytes[*overlap..]);
        }
        assert_eq!(joined, whole);
        assert_eq!(sink.0.last().map(|last| last.1.end), Some(raw));
    }
}
