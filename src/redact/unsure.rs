//! A body whose reader its type does not tell, or tells wrongly: the first bytes decide.
//!
//! Servers send JSON as `text/html`, error pages as `application/json`, tables as `application/octet-stream`. A receiver
//! may go by the bytes, and so do we where the declared reader would make nothing of them.

use super::editor::Editor;
use super::format::{Family, Format};
use super::veil;
use crate::anomaly::Anomaly;
use crate::content::sniff::{self, Type};
use crate::inspect::leaf::Path;
use crate::inspect::{Findings, PartId};

/// Holds the first bytes.
#[derive(Debug)]
pub(super) struct Unsure {
    declared: Family,
    content_type: Box<str>,
    path: Option<Path>,
    base: u64,
    levels: u32,
    held: Vec<u8>,
}

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Too few of them.
    Open,
    Read(Family),
    /// No reader: pictures, programs, compressed data.
    Unread,
}

/// Whether more bytes may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Maybe,
    No,
}

impl Unsure {
    /// A stream that is declared to be `content_type`, whose first byte has offset `base`.
    pub(super) fn new(content_type: &str, path: Option<Path>, base: u64, levels: u32) -> Self {
        Self {
            declared: Family::of(content_type),
            content_type: content_type.into(),
            path,
            base,
            levels,
            held: Vec::new(),
        }
    }

    /// The reader, once enough of the stream was seen: it has read all of it.
    pub(super) fn push(
        &mut self,
        input: &[u8],
        editor: &mut Editor,
        findings: &mut Findings,
    ) -> Option<Format> {
        // What is decided depends on the first bytes only, not on how many more have come with them.
        let room = HEAD_BYTES.saturating_sub(self.held.len()).min(input.len());
        let (head, rest) = input.split_at(room);
        self.held.extend_from_slice(head);
        let more = if self.held.len() < HEAD_BYTES {
            More::Maybe
        } else {
            More::No
        };
        let mut reader = self.decide(more, editor, findings)?;
        reader.push(rest, editor, findings);
        Some(reader)
    }

    /// The reader of a stream that ends here.
    pub(super) fn finish(&mut self, editor: &mut Editor, findings: &mut Findings) -> Format {
        self.decide(More::No, editor, findings)
            .unwrap_or_else(|| Format::opaque(self.base))
    }

    /// Offset of the first byte.
    pub(super) fn settled(&self) -> u64 {
        self.base
    }

    fn decide(
        &mut self,
        more: More,
        editor: &mut Editor,
        findings: &mut Findings,
    ) -> Option<Format> {
        let path = self.path.take();
        let (base, levels) = (self.base, self.levels);
        let mut reader = match verdict(self.declared, &self.held, more) {
            Verdict::Open => {
                self.path = path;
                return None;
            }
            Verdict::Read(family) => {
                Format::family(family, &self.content_type, (path, base), levels)
            }
            Verdict::Unread
                if path.is_some() && veil::wants(editor.profile.unread(), &self.held) =>
            {
                Format::veil(path?, base)
            }
            Verdict::Unread => {
                findings.anomaly(Anomaly::UnreadContent, PartId::BODY, base);
                Format::opaque(base)
            }
        };
        reader.push(&self.held, editor, findings);
        Some(reader)
    }
}

fn verdict(declared: Family, head: &[u8], more: More) -> Verdict {
    if declared == Family::Unknown {
        return match more {
            More::Maybe => Verdict::Open,
            More::No => by_sniffing(sniff::sniff(head)),
        };
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = text.trim_ascii_start();
    let Some(first) = text.first() else {
        return match more {
            More::Maybe => Verdict::Open,
            More::No => Verdict::Read(declared),
        };
    };
    let other = match (declared, first) {
        (Family::Json, b'<') | (Family::Form, b'<') => match more {
            More::Maybe => return Verdict::Open,
            More::No if sniff::sniff(head) == Type::Html => Some(Family::Html),
            More::No => Some(Family::Xml),
        },
        (Family::Json, b'a'..=b'z' | b'A'..=b'Z') => match begins_json(text, more) {
            None => return Verdict::Open,
            Some(false) => Some(Family::Text),
            Some(true) => None,
        },
        (Family::Form | Family::Xml | Family::Html, b'{' | b'[') => match (inside(text), more) {
            (None, More::Maybe) => return Verdict::Open,
            (Some(b'"' | b'{' | b'[' | b'}' | b']'), _) => Some(Family::Json),
            (Some(_) | None, _) => None,
        },
        _ => None,
    };
    Verdict::Read(other.unwrap_or(declared))
}

/// The first character after the opening bracket.
fn inside(text: &[u8]) -> Option<u8> {
    let rest = text.get(1..).unwrap_or_default();
    rest.trim_ascii_start().first().copied()
}

/// True for `true`, `false`, `null` and for a call that wraps a document (JSONP); `None` while that is open.
fn begins_json(text: &[u8], more: More) -> Option<bool> {
    let word = text
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !b"_$.".contains(byte));
    let (word, next) = match (word, more) {
        (None, More::Maybe) => return None,
        (None, More::No) => (text, None),
        (Some(end), _) => (text.get(..end).unwrap_or(text), text.get(end)),
    };
    let literal = [b"true".as_slice(), b"false", b"null"].contains(&word);
    Some(literal || next == Some(&b'('))
}

fn by_sniffing(found: Type) -> Verdict {
    Verdict::Read(match found {
        Type::Json => Family::Json,
        Type::Xml => Family::Xml,
        Type::Html => Family::Html,
        Type::Form => Family::Form,
        Type::Multipart | Type::Rtf | Type::Script | Type::Text | Type::Empty => Family::Text,
        Type::Pdf
        | Type::Zip
        | Type::Gzip
        | Type::Zstd
        | Type::Bzip2
        | Type::Xz
        | Type::SevenZip
        | Type::Rar
        | Type::Cab
        | Type::Tar
        | Type::Pe
        | Type::Elf
        | Type::MachO
        | Type::JavaClass
        | Type::Wasm
        | Type::Ole2
        | Type::Image
        | Type::Binary => return Verdict::Unread,
    })
}

/// First bytes that are looked at: a tar header.
const HEAD_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_decide_where_the_type_does_not() {
        let table: &[(&str, &[u8], Verdict)] = &[
            (
                "application/octet-stream",
                b"{\"a\":1}",
                Verdict::Read(Family::Json),
            ),
            (
                "application/octet-stream",
                b"<?xml version='1.0'?><a/>",
                Verdict::Read(Family::Xml),
            ),
            ("", b"hello", Verdict::Read(Family::Text)),
            (
                "image/png",
                b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
                Verdict::Unread,
            ),
            (
                "application/json",
                b" {\"a\":1}",
                Verdict::Read(Family::Json),
            ),
            (
                "application/json",
                b"<html><p>gone",
                Verdict::Read(Family::Html),
            ),
            (
                "application/json",
                b"Not found: x",
                Verdict::Read(Family::Text),
            ),
            ("application/json", b"true", Verdict::Read(Family::Json)),
            (
                "application/json",
                b"cb({\"a\":1})",
                Verdict::Read(Family::Json),
            ),
            ("application/json", b"", Verdict::Read(Family::Json)),
            ("text/html", b"[{\"a\":1}]", Verdict::Read(Family::Json)),
            ("text/html", b"[x] done", Verdict::Read(Family::Html)),
            (
                "application/x-www-form-urlencoded",
                b"{\"a\":1}",
                Verdict::Read(Family::Json),
            ),
            (
                "application/x-www-form-urlencoded",
                b"a=1",
                Verdict::Read(Family::Form),
            ),
        ];
        for (content_type, head, expected) in table {
            let found = verdict(Family::of(content_type), head, More::No);
            assert_eq!(found, *expected, "{content_type} {head:?}");
        }
    }
}
