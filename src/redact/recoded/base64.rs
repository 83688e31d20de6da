//! Base64 (RFC 2045 §6.8): a mask of another length moves the bits of everything behind it.
//!
//! Up to the group of the first edit the raw bytes stay as they are; from there on the rest of the part is written anew,
//! in lines as long as those before.

use super::lines::Lines;
use super::{End, Text};
use crate::content::transfer::Symbol;
use crate::redact::plan::Plan;
use crate::redact::rewriter::Rewriter;
use crate::span::Span;
use bytes::BytesMut;

/// The dress of a base64 part.
#[derive(Debug)]
pub(super) struct Base64 {
    group: Group,
    rewriter: Rewriter,
    edited: BytesMut,
    line_break: &'static [u8],
    /// From the first edit on.
    anew: Option<Anew>,
}

/// The digits of the group at hand.
#[derive(Debug, Default)]
struct Group {
    bits: u32,
    digits: u32,
    begun: u64,
    end: u64,
}

/// What is written in the place of the raw bytes from `from` on.
#[derive(Debug)]
struct Anew {
    from: u64,
    /// Bytes that do not make a group yet.
    rest: Vec<u8>,
    written: Vec<u8>,
    column: u64,
    /// Digits of a line; `None`: the part is one line.
    width: Option<u64>,
}

impl Base64 {
    pub(super) fn new(line_break: &'static [u8]) -> Self {
        Self {
            group: Group::default(),
            rewriter: Rewriter::default(),
            edited: BytesMut::new(),
            line_break,
            anew: None,
        }
    }

    /// Undoes `raw`, whose first byte has offset `at`. False when a byte of it does not belong there.
    pub(super) fn decode(&mut self, raw: &[u8], at: u64, text: &mut Text) -> bool {
        let mut fine = true;
        for (&byte, at) in raw.iter().zip(at..) {
            match Symbol::of(byte) {
                Symbol::Digit(value) => self.group.digit(value, at, text),
                Symbol::Pad => {
                    self.group.end = at + 1;
                    self.group.close(text);
                }
                Symbol::Space => {}
                Symbol::Strange => fine = false,
            }
        }
        fine
    }

    /// No more raw bytes will come.
    pub(super) fn end(&mut self, text: &mut Text) {
        self.group.close(text);
    }

    /// Takes the decoded bytes of this call; those before `settled` are edited by `plan`. Returns the raw offset before
    /// which nothing will be planned any more.
    pub(super) fn recode(
        &mut self,
        settled: u64,
        plan: &mut Plan,
        text: &Text,
        lines: &Lines,
    ) -> u64 {
        let mut input = text.bytes.as_slice();
        let first = plan.next().filter(|edit| edit.start < settled);
        if let (None, Some(edit)) = (&self.anew, first) {
            let group = text.floor(edit.start);
            self.rewriter
                .push(std::mem::take(&mut input), group, plan, &mut self.edited);
            self.edited.clear();
            self.anew = Some(Anew::at(text.place(group), lines));
        }
        self.rewriter.push(input, settled, plan, &mut self.edited);
        let edited = self.edited.split();
        match &mut self.anew {
            None => text.place(settled),
            Some(anew) => {
                anew.write(&edited, self.line_break);
                anew.from
            }
        }
    }

    /// Plans to replace the raw bytes before `at` by what was written.
    pub(super) fn write(&mut self, at: u64, end: End, raw: &mut Plan) {
        let Some(anew) = &mut self.anew else { return };
        // One byte is always kept back, so that there is something to replace when the end is written.
        let to = match end {
            End::Open => at.saturating_sub(1),
            End::Reached => {
                anew.end(self.line_break);
                at
            }
        };
        if to > anew.from {
            raw.add(Span::new(anew.from, to), &anew.written);
            anew.written.clear();
            anew.from = to;
        }
    }
}

impl Group {
    fn digit(&mut self, value: u8, at: u64, text: &mut Text) {
        if self.digits == 0 {
            self.begun = at;
            self.bits = 0;
        }
        self.bits = (self.bits << 6) | u32::from(value);
        self.digits += 1;
        self.end = at + 1;
        if self.digits == 4 {
            self.close(text);
        }
    }

    /// Ends the group: four digits are three bytes, three are two, two are one.
    fn close(&mut self, text: &mut Text) {
        let digits = std::mem::take(&mut self.digits);
        let [_, one, two, three] = (self.bits << (6 * (4 - digits.min(4)))).to_be_bytes();
        let bytes = [one, two, three];
        let len = usize::try_from(digits.saturating_sub(1)).unwrap_or(0);
        let raw = Span::new(self.begun, self.end);
        match bytes.get(..len) {
            Some([]) | None => {}
            Some(bytes) => text.unit(bytes, raw),
        }
    }
}

impl Anew {
    /// Begins at raw offset `from`, where a group begins.
    fn at(from: u64, lines: &Lines) -> Self {
        let column = lines.column(from);
        // A first line that is longer than a MIME line says that there are no lines.
        let width = match lines.longest_before(from) {
            0 if column > LINE_DIGITS => None,
            0 => Some(LINE_DIGITS),
            longest => Some(longest),
        };
        Self {
            from,
            rest: Vec::new(),
            written: Vec::new(),
            column,
            width,
        }
    }

    fn write(&mut self, edited: &[u8], line_break: &[u8]) {
        self.rest.extend_from_slice(edited);
        let mut rest = std::mem::take(&mut self.rest);
        let groups = rest.chunks_exact(3);
        let left = groups.remainder().len();
        for group in groups {
            self.group(group, line_break);
        }
        rest.drain(..rest.len() - left);
        self.rest = rest;
    }

    fn end(&mut self, line_break: &[u8]) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.group(&rest, line_break);
        }
    }

    fn group(&mut self, bytes: &[u8], line_break: &[u8]) {
        let byte = |at: usize| u32::from(bytes.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if self.width.is_some_and(|width| self.column >= width) {
                self.written.extend_from_slice(line_break);
                self.column = 0;
            }
            let value = (bits >> (18 - 6 * digit)) & 63;
            self.written.push(match digit <= bytes.len() {
                true => DIGITS[value as usize & 63],
                false => b'=',
            });
            self.column += 1;
        }
    }
}

const DIGITS: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// RFC 2045 §6.8: lines of no more than 76 characters.
const LINE_DIGITS: u64 = 76;
