//! Bytes that wait to be written: small pieces are copied together, so that a small answer is one write; large ones are
//! queued as they are.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes, BytesMut};

/// The outgoing bytes of one connection, in order: `queue`, then `tail`.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Bytes>,
    tail: BytesMut,
    bytes: usize,
}

impl Outbox {
    /// Bytes not yet written.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Lets `write` append to the copied part.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if self.tail.capacity() - self.tail.len() < SPARE_BYTES {
            self.tail.reserve(TAIL_BYTES);
        }
        let before = self.tail.len();
        write(&mut self.tail);
        self.bytes += self.tail.len().saturating_sub(before);
    }

    /// Appends a piece: by copy when it is small, by reference when it is not.
    pub(super) fn push(&mut self, piece: Bytes) {
        if piece.len() <= COPIED_BYTES {
            self.write(|tail| tail.extend_from_slice(&piece));
            return;
        }
        self.bytes += piece.len();
        self.close_tail();
        self.queue.push_back(piece);
    }

    /// Fills `slices` with what is to be written next; says how many were filled.
    pub(super) fn fill<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.queue.iter().map(|piece| &piece[..]);
        let pieces = pieces.chain([&self.tail[..]]);
        let mut filled = 0;
        for (slot, piece) in slices
            .iter_mut()
            .zip(pieces.filter(|piece| !piece.is_empty()))
        {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// Takes note that the first `written` bytes are gone.
    pub(super) fn advance(&mut self, written: usize) {
        let mut left = written.min(self.bytes);
        self.bytes -= left;
        while left > 0 {
            let Some(piece) = self.queue.front_mut() else {
                self.tail.advance(left.min(self.tail.len()));
                break;
            };
            let step = left.min(piece.len());
            piece.advance(step);
            left -= step;
            if piece.is_empty() {
                self.queue.pop_front();
            }
        }
        if self.bytes == 0 {
            // All of the buffer is free again, where nobody holds a part of it.
            let _ = self.tail.try_reclaim(TAIL_BYTES);
        }
    }

    /// Gives memory back; for connections that are idle.
    pub(super) fn shrink(&mut self) {
        if self.bytes == 0 {
            *self = Self::default();
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.queue.push_back(self.tail.split().freeze());
        }
    }
}

/// Up to this many bytes a copy is cheaper than another slice in the write.
const COPIED_BYTES: usize = 4 * 1024;

/// Room that is made at once for what is copied: the head of an answer, or the lines of many chunks.
const TAIL_BYTES: usize = 512;

/// When it is made: a chunk's lines are shorter.
const SPARE_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = outbox.fill(&mut slices);
            let bytes: Vec<u8> = slices[..filled]
                .iter()
                .flat_map(|s| s.iter().copied())
                .collect();
            let taken = bytes.len().min(step);
            all.extend_from_slice(&bytes[..taken]);
            outbox.advance(taken);
        }
        all
    }

    #[test]
    fn bytes_leave_in_order_whatever_the_writes_take() {
        for step in [1, 7, 4096, 4099, 100_000] {
            let mut outbox = Outbox::default();
            let mut expected = Vec::new();
            for (index, len) in [3usize, 5000, 1, 4096, 4097, 9000, 2]
                .into_iter()
                .enumerate()
            {
                let piece = vec![b'a' + index as u8; len];
                expected.extend_from_slice(&piece);
                outbox.push(piece.into());
            }
            assert_eq!(outbox.len(), expected.len());
            assert!(drain(&mut outbox, step) == expected, "step {step}");
        }
    }

    #[test]
    fn small_pieces_are_one_slice() {
        let mut outbox = Outbox::default();
        outbox.write(|tail| tail.extend_from_slice(b"head"));
        outbox.push(Bytes::from_static(b"body"));
        let mut slices = [IoSlice::new(&[]); 3];
        assert_eq!(outbox.fill(&mut slices), 1);
    }
}
