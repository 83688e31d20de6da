//! Base64, base64url and hex, where they spell text or a format that carries attacks.

use super::{hex_digits, is_text};

/// Decodes base64 or base64url (line ends skipped) when the whole of `bytes` is of that alphabet and what comes out is
/// text or a format that carries attacks. False when it is not.
pub fn base64(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let trimmed = trim_padding(bytes);
    // A word of eight letters is base64 too: nothing shorter says anything, and odd rests cannot be.
    let shortest = match bytes.ends_with(b"=") {
        true => PADDED_BYTES,
        false => BASE64_BYTES,
    };
    if trimmed.len() < shortest || trimmed.len() % 4 == 1 && !trimmed.contains(&b'\n') {
        return false;
    }
    let head = trimmed.get(..PROBE_BYTES).unwrap_or(trimmed);
    sextets(head, out);
    let plausible = is_text(out) || is_carrier(out);
    if !plausible {
        return false;
    }
    out.clear();
    sextets(trimmed, out);
    is_text(out) || is_carrier(out)
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
/// Hex digits below which a value is taken for a number or an id.
const HEX_BYTES: usize = 12;
/// Bytes decoded to see whether the rest is worth it.
const PROBE_BYTES: usize = 64;
