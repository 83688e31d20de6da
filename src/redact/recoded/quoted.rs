//! Quoted-printable (RFC 2045 §6.7): an edit replaces the escapes that it covers.

use super::Text;
use super::lines::Lines;
use crate::content::transfer::QuotedPrintable;
use crate::redact::plan::Plan;
use crate::span::Span;

/// The dress of a quoted-printable part.
#[derive(Debug)]
pub(super) struct Quoted {
    decoder: QuotedPrintable,
    /// Raw offset of the first byte of the escape at hand.
    begun: u64,
    /// What the escape at hand stands for so far.
    escape: Vec<u8>,
    line_break: &'static [u8],
    value: Vec<u8>,
    written: Vec<u8>,
}

impl Quoted {
    pub(super) fn new(line_break: &'static [u8]) -> Self {
        Self {
            decoder: QuotedPrintable::default(),
            begun: 0,
            escape: Vec::new(),
            line_break,
            value: Vec::new(),
            written: Vec::new(),
        }
    }

    /// Undoes `raw`, whose first byte has offset `at`. False when an escape in it is none.
    pub(super) fn decode(&mut self, mut raw: &[u8], mut at: u64, text: &mut Text) -> bool {
        let mut fine = true;
        while let Some(&byte) = raw.first() {
            if self.decoder.is_at_rest() {
                let length = memchr::memchr(b'=', raw).unwrap_or(raw.len());
                let (plain, rest) = raw.split_at(length);
                text.bytes.extend_from_slice(plain);
                at += length as u64;
                raw = rest;
                self.begun = at;
                if length > 0 {
                    continue;
                }
            }
            fine &= self.decoder.step(byte, &mut self.escape);
            at += 1;
            if self.decoder.is_at_rest() {
                text.unit(&self.escape, Span::new(self.begun, at));
                self.escape.clear();
            }
            raw = raw.get(1..).unwrap_or_default();
        }
        fine
    }

    /// Writes the edits that `plan` has for the decoded text into that of the raw stream.
    pub(super) fn write(&mut self, plan: &mut Plan, text: &Text, lines: &Lines, raw: &mut Plan) {
        while let Some(span) = plan.next() {
            self.value.clear();
            plan.take(|bytes| self.value.extend_from_slice(bytes));
            let span = text.raw(span);
            self.escaped(lines.column(span.start), lines.column(span.end));
            raw.add(span, &self.written);
        }
    }

    /// Writes the value at column `from`; what follows it stood at column `then` before.
    fn escaped(&mut self, from: u64, then: u64) {
        self.written.clear();
        let mut column = from;
        for &byte in &self.value {
            let literal = matches!(byte, b'\r' | b'\n' | b' '..=b'~') && byte != b'=';
            let width = if literal { 1 } else { 3 };
            if column + width > LINE_BYTES {
                self.written.push(b'=');
                self.written.extend_from_slice(self.line_break);
                column = 0;
            }
            if literal {
                self.written.push(byte);
            } else {
                self.written.push(b'=');
                self.written
                    .extend([byte >> 4, byte & 15].map(|half| HEX[usize::from(half & 15)]));
            }
            column = if byte == b'\n' { 0 } else { column + width };
        }
        // RFC 2045 §6.7 (5): at most 76 characters; the rest of the line fits if it begins no later than it did.
        if column > then {
            self.written.push(b'=');
            self.written.extend_from_slice(self.line_break);
        }
    }
}

const HEX: [u8; 16] = *b"0123456789ABCDEF";

/// Characters of a line before its soft break.
const LINE_BYTES: u64 = 75;
