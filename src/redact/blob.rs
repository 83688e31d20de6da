//! A text in base64 inside a value: decoded, read, and encoded again where something in it must go.
//!
//! Pictures, keys and random tokens decode to no text and are left alone.

use std::ops::Range;

use bytes::BytesMut;

use super::editor::Editor;
use super::format::Format;
use super::operator;
use super::plan::Plan;
use super::profile::Unread;
use super::rewriter::Rewriter;
use super::veil;
use crate::content::transfer::Base64;
use crate::inspect::Findings;

use crate::inspect::leaf::{HostSyntax, Leaf, Piece};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

/// Reads one such value after another.
#[derive(Debug, Default)]
pub(super) struct Blob {
    decoded: Vec<u8>,
    edited: BytesMut,
    written: Vec<u8>,
}

impl Blob {
    /// Edits the text that stands in base64 at `run` of `leaf`, if one does.
    pub(super) fn read(&mut self, leaf: &Leaf<'_>, run: Range<usize>, editor: &mut Editor) {
        let digits = leaf.bytes.get(run.clone()).unwrap_or_default();
        if !decode(digits, &mut self.decoded) {
            if is_veiled(digits, editor.profile.unread()) {
                editor.unread(leaf, run);
            }
            return;
        }
        if next_run(&self.decoded, 0).is_some_and(|all| all == (0..self.decoded.len()))
            && holds_text(&self.decoded)
        {
            editor.unread(leaf, run);
            return;
        }
        let (notes, edits) = (editor.summary.notes.len(), editor.summary.edits);
        let mut inner = editor.inside(|editor| {
            let mut findings = Findings::default();
            let mut format = Format::below("", leaf.path.clone(), 0, 0);
            format.push(&self.decoded, editor, &mut findings);
            format.finish(editor, &mut findings);
        });
        let span = leaf.map.raw(run.start, run.end).shifted(editor.base);
        for note in editor.summary.notes.iter_mut().skip(notes) {
            note.span = span;
        }
        if editor.summary.edits > edits && inner.next().is_some() {
            self.encode(&mut inner, digits);
            let mut written = Vec::new();
            operator::write(leaf.host, &self.written, &mut written);
            editor.plan.add(span, &written);
        }
    }

    /// Writes the edited text in the alphabet and in lines of the width of `digits`.
    fn encode(&mut self, plan: &mut Plan, digits: &[u8]) {
        self.edited.clear();
        Rewriter::default().push(&self.decoded, u64::MAX, plan, &mut self.edited);
        let count = digits.iter().filter(|byte| !byte.is_ascii_whitespace());
        let url = digits.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let padded =
            digits.trim_ascii_end().last() == Some(&b'=') || count.count().is_multiple_of(4);
        let text = match (url, padded) {
            (false, true) => STANDARD.encode(&self.edited),
            (false, false) => STANDARD_NO_PAD.encode(&self.edited),
            (true, true) => URL_SAFE.encode(&self.edited),
            (true, false) => URL_SAFE_NO_PAD.encode(&self.edited),
        };
        self.written.clear();
        let width = digits.iter().position(u8::is_ascii_whitespace);
        let line_break = match digits.contains(&b'\r') {
            true => &b"\r\n"[..],
            false => b"\n",
        };
        let width = width.filter(|width| *width > 0).unwrap_or(usize::MAX);
        for (index, line) in text.as_bytes().chunks(width).enumerate() {
            if index > 0 {
                self.written.extend_from_slice(line_break);
            }
            self.written.extend_from_slice(line);
        }
    }
}

/// False when no run of digits in `value` is long enough to be a text.
#[inline]
pub(super) fn may_hold(value: &[u8]) -> bool {
    value.len() >= SHORTEST && next_run(value, 0).is_some()
}

/// True when `digits` of base64 begin what is masked whole.
pub(super) fn is_veiled(digits: &[u8], unread: Unread) -> bool {
    let first = digits.get(..VEIL_GLANCE).unwrap_or(digits);
    let mut head = Vec::new();
    unread == Unread::Mask && Base64::default().push(first, &mut head) && veil::wants(unread, &head)
}

/// True when `digits` are the whole of a text in base64.
pub(super) fn holds_text(digits: &[u8]) -> bool {
    decode(digits, &mut Vec::new())
}

/// Decodes `digits`; false when they are not the whole of a text.
fn decode(digits: &[u8], decoded: &mut Vec<u8>) -> bool {
    decoded.clear();
    let mut decoder = Base64::default();
    // Hashes and random keys betray themselves in their first bytes.
    let (first, rest) = digits.split_at(digits.len().min(GLANCE));
    let mut groups = first.chunks(4);
    let first_fine = groups
        .all(|group| decoder.push(group, decoded) && is_text(decoded) && starts_as_text(decoded));
    first_fine
        && decoder.push(rest, decoded)
        && decoder.is_complete()
        && is_text(decoded)
        && std::str::from_utf8(decoded).is_ok()
}

/// True when no control character stands in `bytes`.
fn is_text(bytes: &[u8]) -> bool {
    let control = |byte: &u8| *byte < b' ' && !b"\t\r\n".contains(byte) || *byte == 0x7f;
    !bytes.iter().any(control)
}

/// True when `bytes` begin a text: a character of UTF-8 may be cut at their end.
fn starts_as_text(bytes: &[u8]) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    }
}

/// Runs of base64 digits in a value that are long enough to be a text.
#[derive(Debug)]
pub(super) struct Runs<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next run, once it was looked for.
    next: Option<Option<Range<usize>>>,
}

impl<'a> Runs<'a> {
    /// Those of `leaf`; none where base64 cannot stand.
    pub(super) fn of(leaf: &Leaf<'a>) -> Self {
        let bytes = match leaf.host {
            HostSyntax::HeaderValue | HostSyntax::CookieValue | HostSyntax::UrlPath => &[],
            _ if leaf.piece != Piece::Whole => &[],
            _ => leaf.bytes,
        };
        Self::within(bytes)
    }

    /// No runs.
    pub(super) fn none() -> Self {
        Self::within(&[])
    }

    fn within(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            next: (bytes.len() < SHORTEST).then_some(None),
        }
    }

    /// The next run that ends at `limit` or before.
    pub(super) fn before(&mut self, limit: usize) -> Option<Range<usize>> {
        let next = self
            .next
            .get_or_insert_with(|| next_run(self.bytes, self.at));
        let run = next.take_if(|run| run.end <= limit)?;
        self.at = run.end;
        self.next = None;
        Some(run)
    }

    /// Leaves out the runs that begin before `at`.
    pub(super) fn skip_to(&mut self, at: usize) {
        self.at = self.at.max(at);
        if let Some(run) = self
            .next
            .take_if(|next| next.as_ref().is_some_and(|run| run.start < at))
        {
            self.at = self.at.max(run.map_or(0, |run| run.end));
        }
    }
}

/// True when `window`, the first of a long value, is text in base64 to its end.
pub(super) fn begins_text(window: &[u8], unread: Unread) -> bool {
    let Some(run) = next_run(window, 0) else {
        return false;
    };
    // It may end in a line break.
    let digits = window.get(run.clone()).unwrap_or_default();
    let first = digits.get(..WINDOW_GLANCE).unwrap_or(digits);
    let mut decoded = Vec::new();
    let veiled = is_veiled(digits, unread);
    run.end + 2 >= window.len() && veiled
        || run.end + 2 >= window.len()
            && Base64::default().push(first, &mut decoded)
            && is_text(&decoded)
            && starts_as_text(&decoded)
}

/// The first run from `from` on. One of [`SHORTEST`] digits covers a multiple of that: only those places are looked at.
fn next_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from + SHORTEST - 1;
    while let Some(byte) = bytes.get(at) {
        if is_digit(byte) {
            let (before, after) = bytes.split_at(at);
            let before = before.get(from..).unwrap_or_default();
            let start = at
                - before
                    .iter()
                    .rev()
                    .take_while(|byte| is_digit(byte))
                    .count();
            let end = at + digits(after);
            if end - start >= SHORTEST {
                let end = end + more_lines(bytes.get(end..).unwrap_or_default(), end - start);
                let rest = bytes.get(end..).unwrap_or_default();
                let pads = rest
                    .iter()
                    .take(2)
                    .take_while(|byte| **byte == b'=')
                    .count();
                return Some(start..end + pads);
            }
            at = end;
        }
        at += SHORTEST;
    }
    None
}

/// Bytes of the lines of digits that follow a first one of that width: all but the last are as long.
fn more_lines(rest: &[u8], width: usize) -> usize {
    let mut at = 0;
    if !width.is_multiple_of(4) {
        return 0;
    }
    loop {
        let line = rest.get(at..).unwrap_or_default();
        let line_break = match line {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => break,
        };
        let more = digits(line.get(line_break..).unwrap_or_default());
        if more == 0 || more > width {
            break;
        }
        at += line_break + more;
        if more < width {
            break;
        }
    }
    at
}

/// Digits at the front of `bytes`.
fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_digit(byte)).count()
}

#[inline]
fn is_digit(byte: &u8) -> bool {
    DIGIT[usize::from(*byte)]
}

/// Digits of base64, in both alphabets.
const DIGIT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let value = byte as u8;
        table[byte] = value.is_ascii_alphanumeric() || matches!(value, b'+' | b'/' | b'-' | b'_');
        byte += 1;
    }
    table
};

/// Digits that tell a text from a hash.
const GLANCE: usize = 16;

/// Digits that tell an archive: those of the head of a tar file.
const VEIL_GLANCE: usize = 1024;

/// Digits of a long value that tell what it is.
const WINDOW_GLANCE: usize = 4096;

/// Digits of the shortest text that is looked for: eighteen bytes that are all text are no accident.
pub(super) const SHORTEST: usize = 24;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The first run, by looking at every byte.
    fn first_run(bytes: &[u8], from: usize) -> Option<Range<usize>> {
        let mut at = from;
        while at < bytes.len() {
            let run = digits(&bytes[at..]);
            if run >= SHORTEST {
                let end = at + run + more_lines(&bytes[at + run..], run);
                let pads = bytes[end..].iter().take(2).take_while(|b| **b == b'=');
                return Some(at..end + pads.count());
            }
            at += run + 1;
        }
        None
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn a_run_is_found_wherever_it_lies(
            pieces in proptest::collection::vec(("[a-zA-Z0-9+/_-]{0,40}", "[ .,:=\r\n\u{e9}\\x00-\\x7f]{0,2}"), 0..6),
            from in 0..80_usize,
        ) {
            let text: String = pieces.iter().flat_map(|(run, gap)| [run.as_str(), gap]).collect();
            prop_assert_eq!(next_run(text.as_bytes(), from), first_run(text.as_bytes(), from), "{:?}", text);
        }
    }
}
