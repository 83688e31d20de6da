//! A queue of the pieces of a body.

use std::collections::VecDeque;

use bytes::Bytes;

/// Pieces in order. Most bodies are one piece, or are taken as they come: one alone costs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    first: Option<Bytes>,
    rest: VecDeque<Bytes>,
}

impl Pieces {
    /// Adds `piece` behind the others.
    pub fn push_back(&mut self, piece: Bytes) {
        match self.first {
            None => self.first = Some(piece),
            Some(_) => self.rest.push_back(piece),
        }
    }

    /// Takes the first.
    pub fn pop_front(&mut self) -> Option<Bytes> {
        let next = self.rest.pop_front();
        std::mem::replace(&mut self.first, next)
    }

    /// Takes the last.
    pub fn pop_back(&mut self) -> Option<Bytes> {
        self.rest.pop_back().or_else(|| self.first.take())
    }

    /// The first.
    pub fn front(&self) -> Option<&Bytes> {
        self.first.as_ref()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        self.first.iter().chain(&self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_leave_in_order_at_both_ends() {
        let piece = |byte: u8| Bytes::copy_from_slice(&[byte]);
        let mut pieces = Pieces::default();
        let mut model = VecDeque::new();
        // Each digit of base 3 is a step: push, take the first, take the last.
        for number in 0..3_u32.pow(7) {
            for at in 0..7 {
                let byte = u8::try_from(at).expect("small");
                match number / 3_u32.pow(at) % 3 {
                    0 => {
                        pieces.push_back(piece(byte));
                        model.push_back(piece(byte));
                    }
                    1 => assert_eq!(pieces.pop_front(), model.pop_front()),
                    _ => assert_eq!(pieces.pop_back(), model.pop_back()),
                }
                assert!(pieces.iter().eq(&model) && pieces.front() == model.front());
                assert_eq!(pieces.is_empty(), model.is_empty());
            }
        }
    }
}
