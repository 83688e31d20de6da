//! What no edit can reach into is masked whole, where the profile asks for that ([`Unread::Mask`]): archives, and text in
//! a charset that is not read.

use super::editor::{Editor, VeilPiece};
use super::multipart::parameter;
use super::profile::Unread;
use crate::content::sniff;
use crate::inspect::leaf::Path;
use crate::span::Span;

/// A part that is masked whole.
#[derive(Debug)]
pub(super) struct Veil {
    path: Path,
    base: u64,
    at: u64,
}

impl Veil {
    /// One of values at `path` whose first byte has offset `base`.
    pub(super) fn new(path: Path, base: u64) -> Self {
        Self {
            path,
            base,
            at: base,
        }
    }

    pub(super) fn push(&mut self, input: &[u8], editor: &mut Editor) {
        if !input.is_empty() {
            let span = Span::new(self.at, self.at + input.len() as u64);
            let piece = match self.at == self.base {
                true => VeilPiece::First,
                false => VeilPiece::Later,
            };
            editor.veil_piece(span, piece);
            self.at = span.end;
        }
    }

    pub(super) fn finish(&self, editor: &mut Editor) {
        if self.at > self.base {
            editor.note_veil(Span::new(self.base, self.at), &self.path);
        }
    }

    /// Offset before which no edit will be planned any more.
    pub(super) fn settled(&self) -> u64 {
        self.at
    }
}

/// True when what begins with `head` is masked whole: an archive, or text in UTF-16 or UTF-32.
pub(super) fn wants(unread: Unread, head: &[u8]) -> bool {
    let wide = [b"\xff\xfe".as_slice(), b"\xfe\xff", b"\0\0\xfe\xff"];
    unread == Unread::Mask
        && (sniff::sniff(head).is_archive() || wide.iter().any(|mark| head.starts_with(mark)))
}

/// True when a part of that type is masked whole, for its charset.
pub(super) fn wants_charset(unread: Unread, content_type: &str) -> bool {
    unread == Unread::Mask
        && parameter(content_type.as_bytes(), b"charset").is_some_and(|charset| {
            let charset = charset.to_ascii_lowercase();
            !READ.iter().any(|known| charset.starts_with(known))
        })
}

/// How the names of charsets begin in which ASCII is ASCII, byte for byte.
const READ: &[&[u8]] = &[
    b"utf-8",
    b"utf8",
    b"us-ascii",
    b"ascii",
    b"iso-8859",
    b"iso8859",
    b"latin",
    b"windows-125",
    b"cp125",
];
