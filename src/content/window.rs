//! The 16 KiB window that inspectors see, cut at absolute multiples of a part's stream.

use std::collections::VecDeque;

use bytes::Bytes;

/// Bytes of a full window. Large enough to carry the fixed cost of an inspector, small enough that a step is short.
pub const WINDOW_BYTES: usize = 16 * 1024;

/// A window that is filled to the brim before anybody sees it: by copying or decoding into its buffer, or, without a
/// copy, by taking a piece of the input whole.
#[derive(Debug, Default)]
pub(super) struct Window {
    buffer: Vec<u8>,
    filled: usize,
    shared: Option<Bytes>,
}

impl Window {
    /// What it holds.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.shared {
            Some(bytes) => bytes,
            None => self.buffer.get(..self.filled).unwrap_or_default(),
        }
    }

    /// Bytes held.
    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    /// True when not a byte more fits.
    pub(super) fn is_full(&self) -> bool {
        self.len() >= WINDOW_BYTES
    }

    /// Forgets what it holds.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
        self.shared = None;
    }

    /// The room left, to be decoded into; [`advance`](Self::advance) says how much was used.
    pub(super) fn spare(&mut self) -> &mut [u8] {
        if self.buffer.len() < WINDOW_BYTES {
            self.buffer.resize(WINDOW_BYTES, 0);
        }
        self.buffer.get_mut(self.filled..).unwrap_or_default()
    }

    /// Counts `written` bytes of the room as filled.
    pub(super) fn advance(&mut self, written: usize) {
        self.filled = self.filled.saturating_add(written).min(self.buffer.len());
    }

    /// Copies as much of the front of `input` as fits and removes it there.
    pub(super) fn copy(&mut self, input: &mut &[u8]) -> usize {
        let take = input.len().min(WINDOW_BYTES.saturating_sub(self.filled));
        let Some((now, later)) = input.split_at_checked(take) else {
            return 0;
        };
        self.buffer.truncate(self.filled);
        self.buffer.extend_from_slice(now);
        self.filled = self.buffer.len();
        *input = later;
        take
    }

    /// Fills itself from the queue: a whole window by reference, else by copying.
    pub(super) fn take(&mut self, queue: &mut VecDeque<Bytes>, (last, place): (Last, Place)) {
        while let Some(front) = queue.front_mut() {
            let whole = front.len() >= WINDOW_BYTES;
            let alone = queue.len() == 1 && (last == Last::Known || place == Place::First);
            let Some(front) = queue.front_mut() else {
                return;
            };
            if self.len() == 0 && (whole || alone) {
                let take = front.len().min(WINDOW_BYTES);
                self.shared = (take > 0).then(|| front.split_to(take));
                if front.is_empty() {
                    queue.pop_front();
                }
                return;
            }
            if let Some(shared) = self.shared.take() {
                if shared.len() >= WINDOW_BYTES {
                    self.shared = Some(shared);
                    return;
                }
                self.copy(&mut &*shared);
                continue;
            }
            let mut rest: &[u8] = front;
            let taken = self.copy(&mut rest);
            bytes::Buf::advance(front, taken);
            if !front.is_empty() {
                return;
            }
            queue.pop_front();
        }
    }
}

/// Which window of its part it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The first: most bodies come in one piece, so one is held as it is until more comes.
    First,
    /// A later one: what a long body is read into is to be free again for its next bytes.
    Later,
}

/// Whether the queue holds the end of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// Nothing will follow what is queued.
    Known,
    /// More may follow.
    Open,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(pieces: &[usize]) -> VecDeque<Bytes> {
        pieces.iter().map(|len| vec![7; *len].into()).collect()
    }

    #[test]
    fn a_whole_window_is_taken_without_a_copy() {
        let mut window = Window::default();
        let mut input = queue(&[WINDOW_BYTES + 5]);
        let place = input[0].as_ptr();
        window.take(&mut input, (Last::Open, Place::Later));
        assert_eq!(window.bytes().as_ptr(), place);
        assert!(window.is_full());
        assert_eq!(input[0].len(), 5);
    }

    #[test]
    fn small_pieces_are_gathered() {
        let mut window = Window::default();
        let mut input = queue(&[10, WINDOW_BYTES - 11, 3]);
        window.take(&mut input, (Last::Open, Place::First));
        assert!(window.is_full());
        assert_eq!(input.len(), 1);
        assert_eq!(input[0].len(), 2);
    }

    #[test]
    fn the_first_piece_is_held_without_a_copy_until_more_comes() {
        let mut window = Window::default();
        let mut input = queue(&[10]);
        let place = input[0].as_ptr();
        window.take(&mut input, (Last::Open, Place::First));
        assert_eq!((window.bytes().as_ptr(), window.len()), (place, 10));
        let mut more = queue(&[5]);
        window.take(&mut more, (Last::Open, Place::First));
        assert_eq!((window.bytes(), more.len()), ([7; 15].as_slice(), 0));
    }
}
