//! Multipart bodies (RFC 2046 §5.1, RFC 7578): each part is read by the reader of its own type.
//!
//! ```text
//!   preamble ─ delimiter ─► head ─ empty line ─► body ─ delimiter ─► head …
//!                                                  └─── closing delimiter ─► epilogue
//! ```

use super::editor::Editor;
use super::format::Format;
use super::recoded::Recoded;
use super::veil;
use crate::anomaly::Anomaly;
use crate::content::transfer::Transfer;
use crate::inspect::leaf::{Path, Root};
use crate::inspect::{Findings, PartId};

/// Splits a body into parts.
#[derive(Debug)]
pub(super) struct Parts {
    /// `--` and the boundary.
    delimiter: Vec<u8>,
    /// Offset of the next byte of the stream.
    at: u64,
    state: State,
    /// The beginning of the line at hand, while it can be a delimiter; in a head, all of the line.
    line: Vec<u8>,
    /// The line break before `line`: it belongs to the delimiter, if that is one.
    brk: Vec<u8>,
    /// The rest of the line at hand is no delimiter.
    passing: bool,
    head: Head,
    part: Option<Box<Format>>,
    /// Where the part at hand begins.
    part_at: u64,
    levels: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first delimiter, or after the last.
    Outside,
    Head,
    Body,
}

/// What a part's head says.
#[derive(Debug)]
struct Head {
    bytes: usize,
    name: Vec<u8>,
    file: bool,
    content_type: String,
    /// `None`: an encoding that we do not know.
    transfer: Option<Transfer>,
    line_break: &'static [u8],
}

impl Default for Head {
    fn default() -> Self {
        Self {
            bytes: 0,
            name: Vec::new(),
            file: false,
            content_type: String::new(),
            transfer: Some(Transfer::Identity),
            line_break: b"\r\n",
        }
    }
}

impl Parts {
    /// A body with that boundary, whose first byte has offset `base`; parts may be multipart down to `levels`.
    pub(super) fn new(boundary: &[u8], base: u64, levels: u32) -> Self {
        Self {
            delimiter: [b"--", boundary].concat(),
            at: base,
            state: State::Outside,
            line: Vec::new(),
            brk: Vec::new(),
            passing: false,
            head: Head::default(),
            part: None,
            part_at: base,
            levels,
        }
    }

    pub(super) fn push(&mut self, mut input: &[u8], editor: &mut Editor, findings: &mut Findings) {
        while !input.is_empty() {
            let length = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
            let (piece, rest) = input.split_at(length);
            self.piece(piece, editor, findings);
            self.at += piece.len() as u64;
            input = rest;
        }
    }

    pub(super) fn finish(&mut self, editor: &mut Editor, findings: &mut Findings) {
        // A last line without a break can be the closing delimiter.
        if !self.passing && self.state == State::Body && !self.is_delimiter() {
            self.pass(editor, findings);
        }
        self.end_part(editor, findings);
    }

    /// Offset before which no edit will be planned any more.
    pub(super) fn settled(&self, editor: &Editor) -> u64 {
        match &self.part {
            Some(part) => part.settled(editor),
            None => self.at,
        }
    }

    /// Reads a piece of a line: all of it, or what the window held.
    fn piece(&mut self, piece: &[u8], editor: &mut Editor, findings: &mut Findings) {
        let ends = piece.last() == Some(&b'\n');
        if self.passing {
            self.feed(piece, editor, findings);
        } else {
            let room = match self.state {
                State::Head => LINE_BYTES.saturating_sub(self.line.len()).min(piece.len()),
                State::Outside | State::Body => piece.len(),
            };
            self.line
                .extend_from_slice(piece.get(..room).unwrap_or(piece));
            if ends {
                self.end_line(self.at + piece.len() as u64, editor, findings);
            } else if self.state != State::Head && !self.may_be_delimiter() {
                self.pass(editor, findings);
                self.passing = true;
            }
        }
        if ends {
            self.passing = false;
        }
    }

    fn end_line(&mut self, after: u64, editor: &mut Editor, findings: &mut Findings) {
        if self.is_delimiter() {
            self.end_part(editor, findings);
            let rest = self.line.get(self.delimiter.len()..).unwrap_or_default();
            self.state = if rest.starts_with(b"--") {
                State::Outside
            } else {
                State::Head
            };
            self.head = Head::default();
            self.brk.clear();
            self.line.clear();
            return;
        }
        match self.state {
            State::Outside => self.line.clear(),
            State::Head => {
                let line = std::mem::take(&mut self.line);
                if line.trim_ascii().is_empty() {
                    if !line.ends_with(b"\r\n") {
                        self.head.line_break = b"\n";
                    }
                    self.begin_part(after, editor, findings);
                } else {
                    self.head.read(&line);
                }
                self.line = line;
                self.line.clear();
            }
            State::Body => self.pass(editor, findings),
        }
    }

    /// Hands the line at hand, and the break before it, to the part; keeps the line's own break.
    fn pass(&mut self, editor: &mut Editor, findings: &mut Findings) {
        let line = std::mem::take(&mut self.line);
        self.feed(&line, editor, findings);
        self.line = line;
        self.line.clear();
    }

    fn feed(&mut self, bytes: &[u8], editor: &mut Editor, findings: &mut Findings) {
        let Some(part) = &mut self.part else { return };
        if self.brk == b"\r" && bytes == b"\n" {
            // The break itself was cut.
            self.brk.push(b'\n');
            return;
        }
        if !self.brk.is_empty() {
            part.push(&self.brk, editor, findings);
            self.brk.clear();
        }
        let kept = match bytes {
            [.., b'\r', b'\n'] => 2,
            [.., b'\n' | b'\r'] => 1,
            _ => 0,
        };
        let (text, brk) = bytes.split_at(bytes.len() - kept);
        part.push(text, editor, findings);
        self.brk.extend_from_slice(brk);
    }

    fn begin_part(&mut self, base: u64, editor: &Editor, findings: &mut Findings) {
        self.state = State::Body;
        self.part_at = base;
        let transfer = self.head.transfer.unwrap_or_else(|| {
            findings.anomaly(Anomaly::BrokenEncoding, PartId::BODY, base);
            Transfer::Identity
        });
        let inner = match transfer {
            Transfer::Identity => base,
            // Its text has offsets of its own.
            Transfer::Base64 | Transfer::QuotedPrintable => 0,
        };
        let format = self.format(inner, editor, findings);
        let line_break = self.head.line_break;
        let format = match transfer {
            Transfer::Identity => format,
            Transfer::Base64 => {
                Format::Recoded(Box::new(Recoded::base64(format, base, line_break)))
            }
            Transfer::QuotedPrintable => {
                Format::Recoded(Box::new(Recoded::quoted(format, base, line_break)))
            }
        };
        self.part = Some(Box::new(format));
    }

    /// The reader of the part whose head was read, and whose first byte has offset `base`.
    fn format(&self, base: u64, editor: &Editor, findings: &mut Findings) -> Format {
        let head = &self.head;
        let mut path = Path::new(Root::Multipart);
        path.push_name(&head.name);
        if veil::wants_charset(editor.profile.unread(), &head.content_type) {
            return Format::veil(path, base);
        }
        let plain = head.content_type.is_empty() || head.content_type.starts_with("text/plain");
        if plain && !head.file && !head.name.is_empty() {
            return Format::value(path, base);
        }
        if self.levels == 0 && head.content_type.starts_with("multipart/") {
            findings.anomaly(Anomaly::TooDeep, PartId::BODY, base);
            return Format::opaque(base);
        }
        let levels = self.levels.saturating_sub(1);
        Format::below(&head.content_type, path, base, levels)
    }

    fn end_part(&mut self, editor: &mut Editor, findings: &mut Findings) {
        if let Some(mut part) = self.part.take() {
            part.finish(editor, findings);
            if part.is_veil() {
                editor.note_veiled_at(self.part_at);
            }
        }
    }

    fn may_be_delimiter(&self) -> bool {
        let length = self.line.len().min(self.delimiter.len());
        self.line.get(..length) == self.delimiter.get(..length)
            && self.line.len() <= self.delimiter.len() + PADDING_BYTES
    }

    /// RFC 2046 §5.1.1: the delimiter may be padded with blanks.
    fn is_delimiter(&self) -> bool {
        self.line
            .strip_prefix(self.delimiter.as_slice())
            .is_some_and(|rest| {
                let rest = rest.strip_prefix(b"--").unwrap_or(rest);
                rest.trim_ascii().is_empty()
            })
    }
}

impl Head {
    /// Reads one field line; folded lines are rare enough to be passed over.
    fn read(&mut self, line: &[u8]) {
        self.bytes = self.bytes.saturating_add(line.len());
        let Some(colon) = memchr::memchr(b':', line).filter(|_| self.bytes < HEAD_BYTES) else {
            return;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.eq_ignore_ascii_case(b"content-disposition") {
            self.name = parameter(value, b"name").unwrap_or_default();
            self.file =
                parameter(value, b"filename").is_some() || parameter(value, b"filename*").is_some();
        } else if name.eq_ignore_ascii_case(b"content-type") {
            self.content_type = String::from_utf8_lossy(value).into_owned();
        } else if name.eq_ignore_ascii_case(b"content-transfer-encoding") {
            self.transfer = Transfer::parse(value);
        }
    }
}

/// The value of parameter `name` of a field value, quotes removed.
pub(super) fn parameter(value: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = value;
    while let Some(at) = memchr::memchr(b';', rest) {
        rest = rest.get(at + 1..)?.trim_ascii_start();
        let equals = memchr::memchr(b'=', rest)?;
        let (found, text) = rest.split_at(equals);
        let text = text.get(1..)?.trim_ascii_start();
        if !found.trim_ascii().eq_ignore_ascii_case(name) {
            // A `;` inside quotes is no end of a parameter.
            if let Some(quoted) = text.strip_prefix(b"\"") {
                rest = quoted.get(memchr::memchr(b'"', quoted)?..)?;
            }
            continue;
        }
        return Some(match text.strip_prefix(b"\"") {
            Some(quoted) => quoted.get(..memchr::memchr(b'"', quoted)?)?.to_vec(),
            None => text
                .split(|byte| *byte == b';' || byte.is_ascii_whitespace())
                .next()?
                .to_vec(),
        });
    }
    None
}

/// Blanks after a delimiter.
const PADDING_BYTES: usize = 64;

/// A line of a part's head that is longer says nothing that is needed.
const LINE_BYTES: usize = 8 * 1024;

/// Bytes of a part's head that are read.
const HEAD_BYTES: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_with_and_without_quotes() {
        let value = br#"form-data; filename="a;name=b.txt"; name="field one""#;
        assert_eq!(
            parameter(value, b"name").as_deref(),
            Some(b"field one".as_slice())
        );
        let value = b"multipart/form-data; boundary=----abc; charset=utf-8";
        assert_eq!(
            parameter(value, b"boundary").as_deref(),
            Some(b"----abc".as_slice())
        );
        assert_eq!(parameter(b"text/plain", b"charset"), None);
    }
}
