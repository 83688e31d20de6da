//! Transfer encodings inside a document (RFC 2045 §6): base64 and quoted-printable, push-style.
//!
//! Both decoders read like the most lenient peer: what does not belong is left out, and reported.

use crate::anomaly::Anomaly;

use super::filter::{Filter, Transform};
use super::window::Last;

/// Content-Transfer-Encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transfer {
    /// `7bit`, `8bit`, `binary` or none.
    #[default]
    Identity,
    /// `base64`.
    Base64,
    /// `quoted-printable`.
    QuotedPrintable,
}

impl Transfer {
    /// The encoding of that name in any case; `None` for an unknown one.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let name = name.trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if name.is_empty() || is("7bit") || is("8bit") || is("binary") {
            Some(Transfer::Identity)
        } else if is("base64") {
            Some(Transfer::Base64)
        } else if is("quoted-printable") {
            Some(Transfer::QuotedPrintable)
        } else {
            None
        }
    }

    /// The filter that undoes it; `None` when there is nothing to undo.
    pub(super) fn undone(self) -> Option<Filter> {
        match self {
            Transfer::Identity => None,
            Transfer::Base64 => Some(Filter::new(Box::new(Base64::default()), 0)),
            Transfer::QuotedPrintable => Some(Filter::new(Box::new(QuotedPrintable::default()), 0)),
        }
    }
}

/// A base64 decoder (RFC 4648 §4 and §5, both alphabets). White space is skipped; padding may be missing.
#[derive(Clone, Debug, Default)]
pub struct Base64 {
    bits: u32,
    held: u32,
    padded: bool,
}

impl Base64 {
    /// Appends to `out` what `piece` completes. False when a byte of it is neither alphabet, padding nor white space, or
    /// follows padding.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> bool {
        let mut fine = true;
        out.reserve(piece.len() / 4 * 3 + 3);
        for byte in piece {
            match VALUES.get(usize::from(*byte)).copied() {
                Some(value @ 0..64) => {
                    if self.padded {
                        // Encoded pieces glued together: some decoders go on, so do we.
                        *self = Self::default();
                        fine = false;
                    }
                    self.bits = (self.bits << 6) | u32::from(value);
                    self.held += 6;
                    if self.held >= 8 {
                        self.held -= 8;
                        let [.., byte] = (self.bits >> self.held).to_be_bytes();
                        out.push(byte);
                    }
                }
                Some(PAD) => self.padded = true,
                Some(SPACE) => {}
                Some(_) | None => fine = false,
            }
        }
        fine
    }

    /// True when the text may end here: no single digit is left over, no bit is lost.
    pub fn is_complete(&self) -> bool {
        self.held < 6
    }
}

impl Transform for Base64 {
    fn transform(&mut self, piece: &[u8], last: Last, out: &mut Vec<u8>) -> bool {
        self.push(piece, out) && (last == Last::Open || self.is_complete())
    }

    fn anomaly(&self) -> Anomaly {
        Anomaly::BrokenEncoding
    }
}

const PAD: u8 = 64;
const SPACE: u8 = 65;
const STRANGE: u8 = 66;

/// The value of each byte in base64.
const VALUES: [u8; 256] = {
    let mut values = [STRANGE; 256];
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut value = 0;
    while value < 64 {
        values[digits[value as usize] as usize] = value;
        value += 1;
    }
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values[b'=' as usize] = PAD;
    values[b' ' as usize] = SPACE;
    values[b'\t' as usize] = SPACE;
    values[b'\r' as usize] = SPACE;
    values[b'\n' as usize] = SPACE;
    values
};

/// What a byte is to base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    /// Six bits.
    Digit(u8),
    /// `=`.
    Pad,
    /// White space, which is skipped.
    Space,
    /// None of those: skipped as well, and reported.
    Strange,
}

impl Symbol {
    /// What `byte` is, in both alphabets (RFC 4648 §4 and §5).
    pub fn of(byte: u8) -> Self {
        match VALUES.get(usize::from(byte)).copied() {
            Some(value @ 0..64) => Symbol::Digit(value),
            Some(PAD) => Symbol::Pad,
            Some(SPACE) => Symbol::Space,
            Some(_) | None => Symbol::Strange,
        }
    }
}

/// A quoted-printable decoder (RFC 2045 §6.7).
#[derive(Clone, Debug, Default)]
pub struct QuotedPrintable {
    state: Quoted,
}

#[derive(Clone, Copy, Debug, Default)]
enum Quoted {
    #[default]
    Text,
    /// After `=`.
    Escape,
    /// After `=` and a first digit.
    Digit(u8),
    /// After `=` and white space or CR: a soft line break, if LF follows.
    Soft,
}

impl QuotedPrintable {
    /// Appends to `out` what `piece` completes. False when an escape in it is none.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) -> bool {
        let mut fine = true;
        for byte in piece {
            fine &= self.step(*byte, out);
        }
        fine
    }

    /// True between two characters: no escape has begun.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, Quoted::Text)
    }

    /// Appends to `out` what `byte` completes. False when it shows that an escape is none.
    pub fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        let state = std::mem::take(&mut self.state);
        match (state, byte) {
            (Quoted::Text, b'=') => self.state = Quoted::Escape,
            (Quoted::Text, byte) => out.push(byte),
            (Quoted::Escape | Quoted::Soft, b'\n') => {}
            (Quoted::Escape | Quoted::Soft, b' ' | b'\t' | b'\r') => self.state = Quoted::Soft,
            (Quoted::Escape, byte) if hex(byte).is_some() => self.state = Quoted::Digit(byte),
            (Quoted::Digit(first), byte) => match hex(first).zip(hex(byte)) {
                Some((high, low)) => out.push(high << 4 | low),
                None => {
                    out.extend([b'=', first]);
                    self.step(byte, out);
                    return false;
                }
            },
            // Not an escape: the text stands as it is.
            (Quoted::Escape, byte) => {
                out.push(b'=');
                self.step(byte, out);
                return false;
            }
            (Quoted::Soft, byte) => {
                self.step(byte, out);
                return false;
            }
        }
        true
    }
}

impl Transform for QuotedPrintable {
    fn transform(&mut self, piece: &[u8], last: Last, out: &mut Vec<u8>) -> bool {
        let fine = self.push(piece, out);
        fine && (last == Last::Open || !matches!(self.state, Quoted::Digit(_)))
    }

    fn anomaly(&self) -> Anomaly {
        Anomaly::BrokenEncoding
    }
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_like_a_lenient_peer_does() {
        let table: &[(&str, &[u8], bool)] = &[
            ("", b"", true),
            ("aGVsbG8=", b"hello", true),
            ("aGVsbG8", b"hello", true),
            ("aGVs\r\n bG8=\r\n", b"hello", true),
            ("_-8=", b"\xff\xef", true),
            ("aGVs!bG8=", b"hello", false),
            ("aGVsbG8=aGVsbG8=", b"hellohello", false),
            ("aGVsb", b"hel", false),
        ];
        for (text, bytes, fine) in table {
            for pieces in [text.len().max(1), 1, 3] {
                let (mut decoder, mut out, mut all) = (Base64::default(), Vec::new(), true);
                for piece in text.as_bytes().chunks(pieces) {
                    all &= decoder.push(piece, &mut out);
                }
                all &= decoder.is_complete();
                assert_eq!((out.as_slice(), all), (*bytes, *fine), "{text}");
            }
        }
    }

    #[test]
    fn quoted_printable_is_decoded_like_a_lenient_peer_does() {
        let table: &[(&str, &[u8], bool)] = &[
            ("caf=C3=A9 =3D=3d", "café ==".as_bytes(), true),
            ("soft=\r\nbreak= \nhere", b"softbreakhere", true),
            ("a=ZZ", b"a=ZZ", false),
            ("a=4Zb", b"a=4Zb", false),
            ("a==41", b"a=A", false),
        ];
        for (text, bytes, fine) in table {
            for pieces in [text.len(), 1] {
                let (mut decoder, mut out) = (QuotedPrintable::default(), Vec::new());
                let mut all = true;
                for piece in text.as_bytes().chunks(pieces) {
                    all &= decoder.push(piece, &mut out);
                }
                assert_eq!((out.as_slice(), all), (*bytes, *fine), "{text}");
            }
        }
    }
}
