//! Which member names the JSON of a message has: for baselines, which know the usual ones of a route.
//!
//! The first few of a body tell its shape, so that their number, and the time that looking at them takes, is bounded.

use crate::inspect::leaf::Piece;

use super::known;

/// The names so far, each once, a line each.
#[derive(Debug, Default)]
pub(super) struct Members {
    text: String,
    /// Where each name begins in it, and its length.
    names: Vec<(usize, usize)>,
    looked_at: u32,
    /// A bit for each place of [`known::Known`]: what is there now was noted, or is nothing to be noted.
    settled: [u64; known::PLACES / 64],
}

impl Members {
    /// The name at `place` of those that are known comes once more. False when it is still to be [taken](Self::take).
    #[inline]
    pub(super) fn again(&mut self, place: usize) -> bool {
        if self.looked_at >= LOOKED_AT {
            return true;
        }
        let settled = self.settled[place / 64] >> (place % 64) & 1 != 0;
        self.looked_at += u32::from(settled);
        settled
    }

    /// Another name is known at `place` from now on.
    pub(super) fn unsettle(&mut self, place: usize) {
        self.settled[place / 64] &= !(1 << (place % 64));
    }

    /// Takes note of a member's name, which is known at `place`.
    pub(super) fn take(&mut self, name: &[u8], piece: Piece, place: Option<usize>) {
        if self.looked_at >= LOOKED_AT {
            return;
        }
        self.looked_at += 1;
        if let Some(place) = place {
            self.settled[place / 64] |= 1 << (place % 64);
        }
        if piece == Piece::Whole {
            self.note(name);
        }
    }

    fn note(&mut self, name: &[u8]) {
        // Longer ones, and such with spaces or other letters, are mostly data.
        let plain = |byte: &u8| byte.is_ascii_graphic();
        if name.is_empty()
            || name.len() > NAME_BYTES
            || self.text.len() + name.len() >= NAMES_BYTES
            || !name.iter().all(plain)
        {
            return;
        }
        let Ok(name) = std::str::from_utf8(name) else {
            return;
        };
        let known = |(start, length): &(usize, usize)| {
            *length == name.len() && self.text.get(*start..*start + *length) == Some(name)
        };
        if self.names.iter().any(known) {
            return;
        }
        self.names.push((self.text.len(), name.len()));
        self.text.push_str(name);
        self.text.push('\n');
    }

    /// The names.
    pub(super) fn into_names(self) -> Option<Box<str>> {
        (!self.text.is_empty()).then(|| self.text.into())
    }
}

/// Member names of a body that are looked at: a list of records has all of theirs among the first.
const LOOKED_AT: u32 = 128;

/// The longest name that counts as one.
const NAME_BYTES: usize = 64;

/// All names of a message.
const NAMES_BYTES: usize = 1024;
