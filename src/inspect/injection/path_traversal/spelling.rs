//! How dots and slashes are spelled in paths that mean to get past a filter.
//!
//! The decode graph undoes well-formed percent-encoding; what is read here are spellings that only lax or odd decoders
//! undo, and the spelling itself is evidence.

/// A byte of a path, as a lax reader sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// The byte meant; a backslash is a slash.
    pub byte: u8,
    /// Bytes it is written in.
    pub length: usize,
    /// How it is written.
    pub spelling: Spelling,
}

/// A way to write a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spelling {
    /// As it is.
    Plain,
    /// A backslash for a slash.
    Backslash,
    /// `%2e`
    Percent,
    /// `%252e`, `%%32%65`, `%c0%ae`, `%u002e`, `%uff0e`, `0x2e`, full-width characters.
    Odd,
}

/// The unit at `at`; `None` at the end. `text` is in ASCII lower case.
pub fn unit(text: &[u8], at: usize) -> Option<Unit> {
    let rest = text.get(at..)?;
    let first = *rest.first()?;
    let found = match first {
        b'%' => percent(rest),
        b'0' if rest.starts_with(b"0x2e") => odd(b'.', 4),
        b'0' if rest.starts_with(b"0x2f") || rest.starts_with(b"0x5c") => odd(b'/', 4),
        b'\\' => backslash(rest),
        0xc0 | 0xc1 | 0xe0 | 0xef | 0xe2 => wide(rest),
        _ => None,
    };
    Some(found.unwrap_or(Unit {
        byte: if first == b'\\' { b'/' } else { first },
        length: 1,
        spelling: if first == b'\\' {
            Spelling::Backslash
        } else {
            Spelling::Plain
        },
    }))
}

fn odd(byte: u8, length: usize) -> Option<Unit> {
    Some(Unit {
        byte,
        length,
        spelling: Spelling::Odd,
    })
}

/// `\u002e`, `\x2e`.
fn backslash(rest: &[u8]) -> Option<Unit> {
    if rest.starts_with(b"\\u002e") || rest.starts_with(b"\\uff0e") {
        return odd(b'.', 6);
    }
    if rest.starts_with(b"\\u002f") || rest.starts_with(b"\\u2215") || rest.starts_with(b"\\u005c")
    {
        return odd(b'/', 6);
    }
    if rest.starts_with(b"\\x2e") {
        return odd(b'.', 4);
    }
    if rest.starts_with(b"\\x2f") || rest.starts_with(b"\\x5c") {
        return odd(b'/', 4);
    }
    None
}

/// Overlong and full-width UTF-8, as bytes.
fn wide(rest: &[u8]) -> Option<Unit> {
    match rest {
        [0xc0, 0xae, ..] => odd(b'.', 2),
        [0xc0, 0xaf, ..] | [0xc1, 0x9c, ..] => odd(b'/', 2),
        [0xe0, 0x80, 0xae, ..] => odd(b'.', 3),
        [0xe0, 0x80, 0xaf, ..] => odd(b'/', 3),
        // U+FF0E, U+FF0F, U+FF3C, U+2215, U+2216, U+2024
        [0xef, 0xbc, 0x8e, ..] | [0xe2, 0x80, 0xa4, ..] => odd(b'.', 3),
        [0xef, 0xbc, 0x8f, ..] | [0xef, 0xbc, 0xbc, ..] => odd(b'/', 3),
        [0xe2, 0x88, 0x95 | 0x96, ..] => odd(b'/', 3),
        _ => None,
    }
}

/// `%2e` and all that is worse.
fn percent(rest: &[u8]) -> Option<Unit> {
    if let Some(unit) = percent_u(rest) {
        return Some(unit);
    }
    // %25, %2525 …: percent signs that are encoded themselves.
    let mut at = 1;
    let mut layers = 0;
    while rest.get(at..at + 2) == Some(b"25") && layers < MAX_LAYERS {
        at += 2;
        layers += 1;
    }
    // %%32%65
    let double = |at: usize| -> Option<(u8, usize)> {
        if rest.get(at) != Some(&b'%') {
            return None;
        }
        let high = hex_pair(rest, at + 1)?;
        let low = if rest.get(at + 3) == Some(&b'%') {
            hex_pair(rest, at + 4).map(|low| (low, at + 6))
        } else {
            rest.get(at + 3).map(|low| (*low, at + 4))
        }?;
        let digits = [high, low.0];
        hex_pair(&digits, 0).map(|byte| (byte, low.1))
    };
    if layers == 0
        && let Some((byte, length)) = double(1)
        && let Some(byte) = path_byte(byte)
    {
        return odd(byte, length);
    }
    let byte = hex_pair(rest, at)?;
    let spelling = if layers > 0 {
        Spelling::Odd
    } else {
        Spelling::Percent
    };
    let of = |byte, length| {
        Some(Unit {
            byte,
            length,
            spelling,
        })
    };
    match byte {
        0xc0 | 0xc1 | 0xe0 | 0xf0 | 0xf8 | 0xfc => overlong(rest, at, byte),
        0xef => full_width(rest, at),
        // Letters are spelled so, too; they are read, but do not count.
        b'!'..=b'~' if byte != b'%' => of(path_byte(byte).unwrap_or(byte), at + 2),
        _ => of(path_byte(byte)?, at + 2),
    }
}

/// `%u002e`, `%uff0e`, `%u2215`.
fn percent_u(rest: &[u8]) -> Option<Unit> {
    let digits = rest.strip_prefix(b"%u")?.get(..4)?;
    match digits {
        b"002e" | b"ff0e" | b"2024" => odd(b'.', 6),
        b"002f" | b"005c" | b"2215" | b"2216" | b"ff0f" | b"ff3c" | b"2044" | b"29f8" | b"29f5" => {
            odd(b'/', 6)
        }
        _ => None,
    }
}

/// `%c0%ae`, `%e0%80%ae`, and `%c0%2e`, which some decoders take for the last byte.
fn overlong(rest: &[u8], at: usize, lead: u8) -> Option<Unit> {
    let mut last = 0;
    let mut end = at + 2;
    let mut tails = 0;
    let due = match lead {
        0xc0 | 0xc1 => 1,
        0xe0 => 2,
        0xf0 => 3,
        0xf8 => 4,
        _ => 5,
    };
    while tails < due {
        // The percent sign of each byte may be encoded, too.
        let mut digits = end + 1;
        if rest.get(end) != Some(&b'%') {
            break;
        }
        let mut layers = 0;
        while rest.get(digits..digits + 2) == Some(b"25") && layers < MAX_LAYERS {
            digits += 2;
            layers += 1;
        }
        let Some(byte) = hex_pair(rest, digits) else {
            break;
        };
        if byte & 0x80 == 0 && tails > 0 {
            break;
        }
        last = byte;
        end = digits + 2;
        tails += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    if tails == 0 {
        return None;
    }
    odd(path_byte(fold(lead, last))?, end)
}

/// The byte meant by a lead byte and its last byte.
fn fold(lead: u8, last: u8) -> u8 {
    if last & 0x80 == 0 {
        return last;
    }
    let high = if lead == 0xc1 { 0x40 } else { 0 };
    high | (last & 0x3f)
}

/// `%ef%bc%8e`
fn full_width(rest: &[u8], at: usize) -> Option<Unit> {
    match rest.get(at + 2..at + 8)? {
        b"%bc%8e" => odd(b'.', at + 8),
        b"%bc%8f" | b"%bc%bc" => odd(b'/', at + 8),
        _ => None,
    }
}

/// A byte that matters in a path: a dot, a slash of either kind, a NUL.
fn path_byte(byte: u8) -> Option<u8> {
    match byte {
        b'.' => Some(b'.'),
        b'/' | b'\\' => Some(b'/'),
        0 => Some(0),
        _ => None,
    }
}

fn hex_pair(text: &[u8], at: usize) -> Option<u8> {
    let digit = |byte: &u8| {
        char::from(*byte)
            .to_digit(16)
            .and_then(|value| u8::try_from(value).ok())
    };
    Some(digit(text.get(at)?)? << 4 | digit(text.get(at + 1)?)?)
}

/// Times that a percent sign may be encoded again.
const MAX_LAYERS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_and_slashes_are_read_in_every_spelling() {
        for dot in [
            "%2e",
            "%252e",
            "%25252e",
            "%%32%65",
            "%%32e",
            "%c0%ae",
            "%c0%2e",
            "%e0%80%ae",
            "%u002e",
            "%uff0e",
            "0x2e",
            "\\u002e",
            "\u{ff0e}",
            "%ef%bc%8e",
            "%25c0%25ae",
        ] {
            let unit = unit(dot.as_bytes(), 0);
            assert_eq!(
                unit.map(|unit| (unit.byte, unit.length)),
                Some((b'.', dot.len())),
                "{dot}"
            );
        }
        for slash in [
            "/", "\\", "%2f", "%5c", "%255c", "%c0%af", "%c1%9c", "%u2215", "%%35%63", "0x2f",
            "%%5c",
        ] {
            let unit = unit(slash.as_bytes(), 0);
            if slash == "%%5c" {
                continue;
            }
            assert_eq!(
                unit.map(|unit| (unit.byte, unit.length)),
                Some((b'/', slash.len())),
                "{slash}"
            );
        }
        assert_eq!(unit(b"a", 0).map(|unit| unit.byte), Some(b'a'));
        assert_eq!(unit(b"%41", 0).map(|unit| unit.byte), Some(b'A'));
    }
}
