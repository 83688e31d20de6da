//! Which member names the JSON of a message has: for baselines, which know the usual ones of a route.
//!
//! The first few of a body tell its shape, so that their number, and the time that looking at them takes, is bounded.

use crate::inspect::leaf::{HostSyntax, Leaf, Piece};

/// The names so far, each once, a line each.
#[derive(Debug, Default)]
pub(super) struct Members {
    text: String,
    /// Where each name begins in it, and its length.
    names: Vec<(usize, usize)>,
    looked_at: u32,
}

impl Members {
    /// True when a leaf in such a syntax may be noted.
    pub(super) fn wants(&self, host: HostSyntax) -> bool {
        host == HostSyntax::JsonKey && self.looked_at < LOOKED_AT
    }

    /// Takes note of `leaf` if it is a member's name.
    pub(super) fn leaf(&mut self, leaf: &Leaf<'_>) {
        if !self.wants(leaf.host) {
            return;
        }
        self.looked_at += 1;
        // Longer ones, and such with spaces or other letters, are mostly data.
        let plain = |byte: &u8| byte.is_ascii_graphic();
        let name = leaf.bytes;
        if leaf.piece != Piece::Whole
            || name.is_empty()
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
