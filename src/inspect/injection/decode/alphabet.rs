//! Base64, base64url and hex, where they spell text or a format that carries attacks.

use crate::inspect::leaf::LEAF_OVERLAP_BYTES;

use super::{hex_digits, is_control, is_odd, is_text};

/// Decodes base64 or base64url (blanks and line ends skipped) when the whole of `bytes` is of that alphabet and what comes out is
/// text or a format that carries attacks. False when it is not.
pub fn base64(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let trimmed = trim_padding(bytes);
    // A word of eight letters is base64 too: nothing shorter says anything, and odd rests cannot be.
    let shortest = match bytes.ends_with(b"=") {
        true => PADDED_BYTES,
        false => BASE64_BYTES,
    };
    let rest_is_odd = || trimmed.len() % 4 == 1 && !trimmed.iter().any(u8::is_ascii_whitespace);
    if trimmed.len() < shortest || rest_is_odd() {
        return false;
    }
    // A window of a long value may begin anywhere in a group of four, which line ends may be between.
    let shifts = match trimmed.len() >= WINDOW_BYTES {
        true => 0..6,
        false => 0..1,
    };
    shifts
        .filter_map(|shift| trimmed.get(shift..))
        .any(|digits| spells(digits, out))
}

/// Decodes `digits` when text comes out or a format that carries attacks. False when it does not.
fn spells(digits: &[u8], out: &mut Vec<u8>) -> bool {
    let head = digits.get(..PROBE_BYTES).unwrap_or(digits);
    if begins_odd(head) {
        return false;
    }
    out.clear();
    sextets(head, out);
    let plausible = is_text(out) || is_carrier(out);
    if !plausible {
        return false;
    }
    out.clear();
    sextets(digits, out);
    is_text(out) || is_carrier(out)
}

/// True when `bytes` begins like something with base64 in it: cheap.
#[inline]
pub fn begins_wrapped(bytes: &[u8]) -> bool {
    let scheme = bytes.first_chunk().is_some_and(|front: &[u8; 3]| {
        matches!(
            &front.map(|byte| byte | 0x20),
            b"dat" | b"bas" | b"bea" | b"jwt" | b"tok"
        )
    });
    scheme || begins_object(bytes)
}

/// True when `digits` are the base64 of an object of JSON, as far as its brace, blanks before it included.
#[inline]
fn begins_object(digits: &[u8]) -> bool {
    // The first digits of a brace, a space, a tab or a line feed, and a carriage return.
    if !matches!(digits.first(), Some(b'e' | b'I' | b'C' | b'D')) {
        return false;
    }
    let (mut bits, mut held) = (0_u32, 0_u32);
    for digit in digits {
        let value = SEXTETS[usize::from(*digit)];
        if value > 63 {
            return false;
        }
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            match bits >> held & 0xff {
                0x20 | 0x09 | 0x0a | 0x0d => {}
                byte => return byte == u32::from(b'{'),
            }
        }
    }
    false
}

/// True for base64 between blanks, which decoders pass over: cheap for texts, since they begin as no base64 of text does.
pub fn is_spaced(bytes: &[u8]) -> bool {
    let fits =
        |byte: &u8| SEXTETS[usize::from(*byte)] < 64 || *byte == b'=' || byte.is_ascii_whitespace();
    let head = bytes.get(..PROBE_BYTES).unwrap_or(bytes);
    // In that order: most texts end like a sentence.
    bytes.len() >= SPACED_BYTES
        && bytes.last().is_some_and(fits)
        && !begins_odd(head)
        && bytes.iter().all(fits)
}

/// Base64 in another text: between blanks, behind the comma of a data URL, behind `Basic` (RFC 7617); of a token (RFC 7519,
/// RFC 7515 §3.1), alone or behind a scheme, the objects of its first two segments as an array. False when it is none of them.
pub fn wrapped(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let behind = |scheme: &str| {
        let (front, rest) = bytes.split_at_checked(scheme.len())?;
        let there = front.eq_ignore_ascii_case(scheme.as_bytes());
        there.then(|| rest.trim_ascii_start())
    };
    if let Some(uri) = behind("data:") {
        let marked = memchr::memmem::find(uri, b";base64,");
        let digits = marked.and_then(|at| uri.get(at + 8..));
        return digits.is_some_and(|digits| base64(digits, out));
    }
    if let Some(digits) = behind("basic ") {
        return base64(digits, out);
    }
    let token = TOKEN_SCHEMES.iter().find_map(|scheme| behind(scheme));
    let segments = token.unwrap_or(bytes).split(|byte| *byte == b'.');
    out.push(b'[');
    for segment in segments.take(2).filter(|segment| begins_object(segment)) {
        if out.len() > 1 {
            out.push(b',');
        }
        sextets(segment, out);
    }
    out.push(b']');
    if out.len() > 2 {
        return true;
    }
    out.clear();
    is_spaced(bytes) && base64(bytes, out)
}

pub(super) fn sextets(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len());
    let mut bits = 0_u32;
    let mut held = 0_u32;
    for &byte in bytes {
        let value = SEXTETS[usize::from(byte)];
        if value > 63 {
            continue;
        }
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push(u8::try_from((bits >> held) & 0xff).unwrap_or_default());
        }
    }
}

/// True when the first digits of `head` say already that it decodes to neither text nor a carrier, whatever follows: so it
/// is for most words.
fn begins_odd(head: &[u8]) -> bool {
    let Some(beginning) = beginning(head) else {
        return false;
    };
    let odd = beginning.iter().filter(|byte| is_odd(**byte)).count();
    let most = head.len() * 3 / 4;
    // In that order: most words fail here.
    odd * 20 > most
        && (beginning.iter().any(|byte| is_control(*byte))
            || std::str::from_utf8(&beginning).is_err_and(|wrong| wrong.error_len().is_some()))
        && !is_carrier(&beginning)
        && !CARRIERS.iter().any(|magic| magic.starts_with(&beginning))
}

/// What the first digits of `head` decode to.
fn beginning(head: &[u8]) -> Option<[u8; BEGINNING_DIGITS / 4 * 3]> {
    let mut digits = [0; BEGINNING_DIGITS];
    let mut all = 0;
    for (digit, byte) in digits.iter_mut().zip(head) {
        *digit = SEXTETS[usize::from(*byte)];
        all |= *digit;
    }
    if head.len() < BEGINNING_DIGITS || all > 63 {
        // What is no digit is passed over.
        let values = head.iter().map(|byte| SEXTETS[usize::from(*byte)]);
        let mut values = values.filter(|value| *value <= 63);
        for digit in &mut digits {
            *digit = values.next()?;
        }
    }
    let bits = digits
        .iter()
        .fold(0_u64, |bits, digit| bits << 6 | u64::from(*digit));
    let [_, _, beginning @ ..] = bits.to_be_bytes();
    Some(beginning)
}

/// What each byte stands for in base64 and base64url; more than 63: nothing.
static SEXTETS: [u8; 256] = {
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [64; 256];
    let mut value = 0;
    while value < 64 {
        table[letters[value] as usize] = value as u8;
        value += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

fn trim_padding(bytes: &[u8]) -> &[u8] {
    let mut trimmed = bytes.trim_ascii();
    while let Some(shorter) = trimmed.strip_suffix(b"=") {
        trimmed = shorter;
    }
    trimmed
}

/// Decodes pairs of hex digits when that yields text. False when it does not.
pub fn hex(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    if bytes.len() < HEX_BYTES || bytes.len() % 2 == 1 {
        return false;
    }
    for pair in bytes.chunks_exact(2) {
        match hex_digits(pair, 2) {
            Some((value, _)) => out.push(u8::try_from(value).unwrap_or_default()),
            None => return false,
        }
        if out.len() == PROBE_BYTES && !is_text(out) {
            return false;
        }
    }
    is_text(out)
}

/// True for the beginnings of binary formats that carry attacks: serialized Java, .NET and Python objects.
fn is_carrier(bytes: &[u8]) -> bool {
    CARRIERS.iter().any(|magic| bytes.starts_with(magic))
}

const CARRIERS: &[&[u8]] = &[
    b"\xac\xed\x00\x05",
    b"\x00\x01\x00\x00\x00\xff\xff\xff\xff",
    b"\x80\x02",
    b"\x80\x03",
    b"\x80\x04",
    b"\x80\x05",
    b"\xff\x01",
    b"\x04\x08",
];

/// The same with a `=` behind them, which no word has.
const PADDED_BYTES: usize = 6;
/// Base64 characters below which a value is taken for a word.
const BASE64_BYTES: usize = 8;
/// Bytes of base64 between blanks below which a value is taken for words.
const SPACED_BYTES: usize = 12;
/// Hex digits below which a value is taken for a number or an id.
const HEX_BYTES: usize = 12;
/// Digits that most words are told by: they decode to six bytes.
const BEGINNING_DIGITS: usize = 8;
/// Base64 characters from which on a value may be a window of a longer one.
const WINDOW_BYTES: usize = LEAF_OVERLAP_BYTES;
/// What stands before a token in `Authorization`.
const TOKEN_SCHEMES: [&str; 3] = ["bearer ", "jwt ", "token "];
/// Bytes decoded to see whether the rest is worth it.
const PROBE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes all of it before it judges.
    fn patient(bytes: &[u8]) -> bool {
        let mut out = Vec::new();
        let head = bytes.get(..PROBE_BYTES).unwrap_or(bytes);
        sextets(head, &mut out);
        is_text(&out) || is_carrier(&out)
    }

    #[test]
    fn every_carrier_is_told_from_a_word() {
        use base64::Engine as _;
        for magic in CARRIERS {
            let body = [magic, b"\xff\xfe\x01\x02\x03\x80\x81".as_slice()].concat();
            let digits = base64::engine::general_purpose::STANDARD_NO_PAD.encode(body);
            assert!(!begins_odd(digits.as_bytes()), "{magic:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn a_beginning_condemns_only_what_the_whole_would(
            digits in "[A-Za-z0-9+/_\n-]{6,90}",
            text in "[ -~\n\u{80}-\u{2fff}\u{10000}]{4,40}",
            odd in prop::collection::vec(any::<u8>(), 0..3),
            at in 0_usize..8,
        ) {
            use base64::Engine as _;
            prop_assert!(!begins_odd(digits.as_bytes()) || !patient(digits.as_bytes()));
            let mut bytes = text.into_bytes();
            let at = at.min(bytes.len());
            bytes.splice(at..at, odd);
            let digits = base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes);
            prop_assert!(!begins_odd(digits.as_bytes()) || !patient(digits.as_bytes()));
        }
    }
}
