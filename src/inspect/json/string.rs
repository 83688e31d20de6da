//! The inside of strings (RFC 8259 §7, §8): escapes undone, UTF-8 checked, across windows.

use super::token::Fragment;
use crate::inspect::leaf::{Assembler, LeafSink, Outlet};
use crate::span::Span;

/// What is wrong inside a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// An escape that there is not.
    Escape,
    /// Half of a surrogate pair.
    LoneSurrogate,
    /// `\u0000`
    Nul,
    /// Bytes that are not UTF-8.
    Utf8,
}

/// Flaws of one string: the offset of the first of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Flaws {
    escape: Option<u64>,
    surrogate: Option<u64>,
    nul: Option<u64>,
    utf8: Option<u64>,
}

impl Flaws {
    fn note(&mut self, flaw: Flaw, at: u64) {
        let place = match flaw {
            Flaw::Escape => &mut self.escape,
            Flaw::LoneSurrogate => &mut self.surrogate,
            Flaw::Nul => &mut self.nul,
            Flaw::Utf8 => &mut self.utf8,
        };
        place.get_or_insert(at);
    }

    /// The flaws found.
    pub(super) fn iter(self) -> impl Iterator<Item = (Flaw, u64)> {
        [
            self.escape.map(|at| (Flaw::Escape, at)),
            self.surrogate.map(|at| (Flaw::LoneSurrogate, at)),
            self.nul.map(|at| (Flaw::Nul, at)),
            self.utf8.map(|at| (Flaw::Utf8, at)),
        ]
        .into_iter()
        .flatten()
    }
}

/// Undoes the escapes of one string after another.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    state: State,
    /// A high surrogate that waits for its other half, and where it began.
    high: Option<(u32, u64)>,
    utf8: Utf8,
    flaws: Flaws,
}

/// Inside which escape the last fragment ended.
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Plain,
    /// After `\`, which lies at the offset.
    Escape(u64),
    /// After `\u` and some digits.
    Hex(Hex),
}

/// A `\u` escape that is being read.
#[derive(Clone, Copy, Debug)]
struct Hex {
    at: u64,
    digits: usize,
    value: u32,
    raw: [u8; 6],
}

impl Decoder {
    /// Begins a string.
    pub(super) fn begin(&mut self) {
        self.state = State::Plain;
        self.high = None;
        self.utf8 = Utf8::default();
        self.flaws = Flaws::default();
    }

    /// Checks the UTF-8 of a fragment.
    pub(super) fn check(&mut self, fragment: &Fragment<'_>) {
        if (!fragment.ascii || self.utf8.is_open())
            && let Some(at) = self.utf8.push(fragment.raw, fragment.at)
        {
            self.flaws.note(Flaw::Utf8, at);
        }
        if fragment.last
            && let Some(at) = self.utf8.finish()
        {
            self.flaws.note(Flaw::Utf8, at);
        }
    }

    /// Undoes the escapes of a fragment and adds what results to the value.
    pub(super) fn push<S: LeafSink + ?Sized>(
        &mut self,
        fragment: &Fragment<'_>,
        value: &mut Assembler,
        out: &mut Outlet<'_, S>,
    ) {
        let mut rest = fragment.raw;
        let mut at = fragment.at;
        while let Some(&byte) = rest.first() {
            match self.state {
                State::Plain => {
                    let len = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
                    let (plain, later) = rest.split_at(len);
                    if !plain.is_empty() {
                        self.end_pair(value, out);
                        value.plain(plain, at, out);
                        at += plain.len() as u64;
                    }
                    rest = later;
                    if let Some((_, later)) = rest.split_first() {
                        self.state = State::Escape(at);
                        at += 1;
                        rest = later;
                    }
                    continue;
                }
                State::Escape(start) => self.escape(byte, start, value, out),
                State::Hex(hex) => {
                    if !self.hex(byte, hex, value, out) {
                        continue;
                    }
                }
            }
            rest = rest.get(1..).unwrap_or_default();
            at += 1;
        }
    }

    /// Ends the string; says what was wrong with it.
    pub(super) fn finish<S: LeafSink + ?Sized>(
        &mut self,
        value: &mut Assembler,
        out: &mut Outlet<'_, S>,
    ) -> Flaws {
        match std::mem::take(&mut self.state) {
            State::Plain => {}
            State::Escape(start) => {
                self.flaws.note(Flaw::Escape, start);
                self.end_pair(value, out);
                value.plain(b"\\", start, out);
            }
            State::Hex(hex) => self.broken_hex(hex, value, out),
        }
        self.end_pair(value, out);
        self.flaws
    }

    fn escape<S: LeafSink + ?Sized>(
        &mut self,
        byte: u8,
        start: u64,
        value: &mut Assembler,
        out: &mut Outlet<'_, S>,
    ) {
        self.state = State::Plain;
        let decoded = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let raw = [b'\\', b'u', 0, 0, 0, 0];
                self.state = State::Hex(Hex {
                    at: start,
                    digits: 0,
                    value: 0,
                    raw,
                });
                return;
            }
            _ => {
                self.flaws.note(Flaw::Escape, start);
                self.end_pair(value, out);
                value.plain(&[b'\\', byte], start, out);
                return;
            }
        };
        self.end_pair(value, out);
        value.unit(&[decoded], Span::new(start, start + 2), out);
    }

    /// One more byte of a `\u` escape; false when it does not belong to it.
    fn hex<S: LeafSink + ?Sized>(
        &mut self,
        byte: u8,
        mut hex: Hex,
        value: &mut Assembler,
        out: &mut Outlet<'_, S>,
    ) -> bool {
        let Some(digit) = char::from(byte).to_digit(16) else {
            self.broken_hex(hex, value, out);
            self.state = State::Plain;
            return false;
        };
        if let Some(raw) = hex.raw.get_mut(2 + hex.digits) {
            *raw = byte;
        }
        hex.value = hex.value * 16 + digit;
        hex.digits += 1;
        if hex.digits < 4 {
            self.state = State::Hex(hex);
        } else {
            self.state = State::Plain;
            self.unit(hex.value, hex.at, value, out);
        }
        true
    }

    /// A `\u` escape with fewer than four digits stands for itself.
    fn broken_hex<S: LeafSink + ?Sized>(
        &mut self,
        hex: Hex,
        value: &mut Assembler,
        out: &mut Outlet<'_, S>,
    ) {
        self.flaws.note(Flaw::Escape, hex.at);
        self.end_pair(value, out);
        let raw = hex.raw.get(..2 + hex.digits).unwrap_or_default();
        value.plain(raw, hex.at, out);
    }

    /// A UTF-16 code unit, escaped at `at`.
    fn unit<S: LeafSink + ?Sized>(
        &mut self,
        unit: u32,
        at: u64,
        value: &mut Assembler,
        out: &mut Outlet<'_, S>,
    ) {
        match (unit, self.high) {
            (0xdc00..=0xdfff, Some((high, start))) => {
                self.high = None;
                let code = 0x1_0000 + ((high - 0xd800) << 10) + (unit - 0xdc00);
                let span = Span::new(start, start + 12);
                character(code, span, value, out);
            }
            (0xd800..=0xdbff, _) => {
                self.end_pair(value, out);
                self.high = Some((unit, at));
            }
            _ => {
                self.end_pair(value, out);
                match unit {
                    0 => self.flaws.note(Flaw::Nul, at),
                    0xdc00..=0xdfff => self.flaws.note(Flaw::LoneSurrogate, at),
                    _ => {}
                }
                character(unit, Span::new(at, at + 6), value, out);
            }
        }
    }

    /// A high surrogate that found no other half stands alone.
    fn end_pair<S: LeafSink + ?Sized>(&mut self, value: &mut Assembler, out: &mut Outlet<'_, S>) {
        if let Some((high, at)) = self.high.take() {
            self.flaws.note(Flaw::LoneSurrogate, at);
            character(high, Span::new(at, at + 6), value, out);
        }
    }
}

/// Adds a code point; half of a surrogate pair becomes U+FFFD.
fn character<S: LeafSink + ?Sized>(
    code: u32,
    raw: Span,
    value: &mut Assembler,
    out: &mut Outlet<'_, S>,
) {
    let char = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    value.unit(char.encode_utf8(&mut [0; 4]).as_bytes(), raw, out);
}

/// Checks UTF-8 (RFC 3629) in pieces.
#[derive(Clone, Copy, Debug, Default)]
struct Utf8 {
    carry: [u8; 4],
    len: usize,
    /// Where the carried character begins.
    start: u64,
}

impl Utf8 {
    /// True when the last piece ended inside a character.
    fn is_open(&self) -> bool {
        self.len > 0
    }

    /// Checks a piece whose first byte lies at `at`; the offset of the first wrong sequence, if there is one. After a
    /// wrong one the rest of the piece is not looked at.
    fn push(&mut self, piece: &[u8], at: u64) -> Option<u64> {
        let mut rest = piece;
        while self.len > 0 {
            let (&byte, later) = rest.split_first()?;
            if let Some(place) = self.carry.get_mut(self.len) {
                *place = byte;
            }
            self.len += 1;
            let seen = self.carry.get(..self.len).unwrap_or_default();
            match std::str::from_utf8(seen) {
                Ok(_) => {
                    self.len = 0;
                    rest = later;
                }
                Err(error) if error.error_len().is_some() => {
                    self.len = 0;
                    return Some(self.start);
                }
                Err(_) => rest = later,
            }
        }
        let error = std::str::from_utf8(rest).err()?;
        let valid = error.valid_up_to();
        let wrong = at + (piece.len() - rest.len() + valid) as u64;
        if error.error_len().is_some() {
            return Some(wrong);
        }
        self.start = wrong;
        for &byte in rest.get(valid..).unwrap_or_default() {
            if let Some(place) = self.carry.get_mut(self.len) {
                *place = byte;
                self.len += 1;
            }
        }
        None
    }

    /// Ends the text; the offset of a character that was cut off, if one was.
    fn finish(&mut self) -> Option<u64> {
        let len = std::mem::take(&mut self.len);
        (len > 0).then_some(self.start)
    }
}
