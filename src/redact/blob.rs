//! A text in base64 that fills a value: decoded, read, and encoded again where something in it must go.
//!
//! Pictures, keys and random tokens decode to no text and are left alone.

use bytes::BytesMut;

use super::editor::Editor;
use super::format::Format;
use super::operator;
use super::plan::Plan;
use super::rewriter::Rewriter;
use crate::content::transfer::{Base64, Symbol};
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
    /// Edits the text that `leaf` holds in base64, if it does.
    pub(super) fn read(&mut self, leaf: &Leaf<'_>, editor: &mut Editor) {
        let Some(start) = begins(leaf) else { return };
        let digits = leaf.bytes.get(start..).unwrap_or_default();
        if !self.decode(digits) {
            return;
        }
        let (notes, edits) = (editor.summary.notes.len(), editor.summary.edits);
        let outer = std::mem::take(&mut editor.plan);
        let (base, windowed) = (editor.base, editor.windowed);
        editor.base = 0;
        let mut findings = Findings::default();
        let mut format = Format::below("", leaf.path.clone(), 0, 0);
        format.push(&self.decoded, editor, &mut findings);
        format.finish(editor, &mut findings);
        let mut inner = std::mem::replace(&mut editor.plan, outer);
        (editor.base, editor.windowed) = (base, windowed);
        let span = leaf.map.raw(start, leaf.bytes.len()).shifted(base);
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

    /// True when `digits` are the whole of a text.
    fn decode(&mut self, digits: &[u8]) -> bool {
        self.decoded.clear();
        let mut decoder = Base64::default();
        let fine = decoder.push(digits, &mut self.decoded) && decoder.is_complete();
        let control = |byte: &u8| *byte < b' ' && !b"\t\r\n".contains(byte) || *byte == 0x7f;
        fine && !self.decoded.iter().any(control) && std::str::from_utf8(&self.decoded).is_ok()
    }

    /// Writes the edited text in the alphabet of `digits`.
    fn encode(&mut self, plan: &mut Plan, digits: &[u8]) {
        self.edited.clear();
        Rewriter::default().push(&self.decoded, u64::MAX, plan, &mut self.edited);
        let url = digits.iter().any(|byte| matches!(byte, b'-' | b'_'));
        let padded = digits.last() == Some(&b'=') || digits.len().is_multiple_of(4);
        let text = match (url, padded) {
            (false, true) => STANDARD.encode(&self.edited),
            (false, false) => STANDARD_NO_PAD.encode(&self.edited),
            (true, true) => URL_SAFE.encode(&self.edited),
            (true, false) => URL_SAFE_NO_PAD.encode(&self.edited),
        };
        self.written.clear();
        self.written.extend_from_slice(text.as_bytes());
    }
}

/// Where the digits begin in a value that can be a text in base64: after `data:…;base64,`, if it has that.
fn begins(leaf: &Leaf<'_>) -> Option<usize> {
    match leaf.host {
        HostSyntax::JsonString
        | HostSyntax::XmlText
        | HostSyntax::XmlCdata
        | HostSyntax::XmlAttribute
        | HostSyntax::FormValue
        | HostSyntax::CsvCell
        | HostSyntax::CsvQuoted => {}
        _ => return None,
    }
    if leaf.piece != Piece::Whole || leaf.bytes.len() < SHORTEST {
        return None;
    }
    let start = match leaf.bytes.strip_prefix(b"data:") {
        Some(_) => memchr::memmem::find(leaf.bytes, b";base64,")? + 8,
        None => 0,
    };
    let digits = leaf.bytes.get(start..)?;
    let digit = |byte: &u8| matches!(Symbol::of(*byte), Symbol::Digit(_) | Symbol::Pad);
    digits.iter().all(digit).then_some(start)
}

/// Digits of the shortest text that is looked for: eighteen bytes that are all text are no accident.
pub(super) const SHORTEST: usize = 24;
