//! UTF-7 (RFC 2152): ASCII, and UTF-16BE in base64 between `+` and `-`.

/// The state between two bytes.
#[derive(Debug, Default)]
pub(super) struct Utf7 {
    shifted: bool,
    /// True until the first base64 digit after `+`.
    fresh: bool,
    bits: u32,
    held: u32,
    high: Option<u16>,
}

impl Utf7 {
    /// Takes one byte and appends what it completes. False when it breaks the rules.
    pub(super) fn step(&mut self, byte: u8, out: &mut Vec<u8>) -> bool {
        if !self.shifted {
            if byte == b'+' {
                *self = Self {
                    shifted: true,
                    fresh: true,
                    ..Self::default()
                };
                return true;
            }
            return literal(byte, out);
        }
        let fresh = std::mem::replace(&mut self.fresh, false);
        if let Some(digit) = digit(byte) {
            return self.digit(digit, out);
        }
        self.shifted = false;
        let fine = self.high.take().is_none() && self.held < 6;
        if !fine {
            push(char::REPLACEMENT_CHARACTER, out);
        }
        match byte {
            b'-' if fresh => literal(b'+', out),
            b'-' => fine,
            _ => literal(byte, out) && fine && !fresh,
        }
    }

    /// True when the text may end here.
    pub(super) fn is_complete(&self) -> bool {
        self.high.is_none() && self.held < 6
    }

    fn digit(&mut self, digit: u8, out: &mut Vec<u8>) -> bool {
        self.bits = (self.bits << 6) | u32::from(digit);
        self.held += 6;
        if self.held < 16 {
            return true;
        }
        self.held -= 16;
        let unit = u16::try_from((self.bits >> self.held) & 0xffff).unwrap_or_default();
        self.bits &= (1 << self.held) - 1;
        self.unit(unit, out)
    }

    fn unit(&mut self, unit: u16, out: &mut Vec<u8>) -> bool {
        let high = self.high.take();
        if high.is_none() && (0xd800..0xdc00).contains(&unit) {
            self.high = Some(unit);
            return true;
        }
        let units = high.into_iter().chain([unit]);
        let mut fine = true;
        for char in char::decode_utf16(units) {
            fine &= char.is_ok();
            push(char.unwrap_or(char::REPLACEMENT_CHARACTER), out);
        }
        fine
    }
}

/// A byte outside base64; one with the top bit set has no place in UTF-7.
fn literal(byte: u8, out: &mut Vec<u8>) -> bool {
    if byte.is_ascii() {
        out.push(byte);
        return true;
    }
    push(char::REPLACEMENT_CHARACTER, out);
    false
}

pub(super) fn push(char: char, out: &mut Vec<u8>) {
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

fn digit(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}
