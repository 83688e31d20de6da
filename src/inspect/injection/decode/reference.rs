//! Character references: named, decimal and hex, with or without their semicolon.

use super::push_scalar;

/// Decodes character references, with or without `;`, padded or not. False when nothing was decoded.
pub fn entity(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'&', rest) {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        match reference(tail) {
            Some((value, left)) => {
                push_scalar(value, out);
                rest = left;
                changed = true;
            }
            None => {
                out.push(b'&');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.extend_from_slice(rest);
    changed
}

/// The scalar that the reference at the start of `tail` (which begins with `&`) stands for, and what follows it.
pub fn reference(tail: &[u8]) -> Option<(u32, &[u8])> {
    let body = tail.get(1..)?;
    if let Some(number) = body.strip_prefix(b"#") {
        let (radix, digits) = match number.split_first() {
            Some((b'x' | b'X', hex)) => (16, hex),
            _ => (10, number),
        };
        let count = digits
            .iter()
            .take(REFERENCE_DIGITS)
            .take_while(|digit| char::from(**digit).is_digit(radix))
            .count();
        let (value, left) = digits.split_at_checked(count)?;
        let value = std::str::from_utf8(value)
            .ok()
            .and_then(|value| u32::from_str_radix(value, radix).ok())?;
        return Some((value, left.strip_prefix(b";").unwrap_or(left)));
    }
    let count = body
        .iter()
        .take(REFERENCE_NAME)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    if count < SHORTEST_NAME {
        return None;
    }
    let name = body.get(..count)?;
    let left = body.get(count..)?;
    let (_, value) = NAMED
        .iter()
        .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))?;
    // HTML lets these four go without `;`; the others need it.
    let bare = matches!(*value, 0x3c | 0x3e | 0x26 | 0x22);
    match left.strip_prefix(b";") {
        Some(left) => Some((*value, left)),
        None if bare => Some((*value, left)),
        None => None,
    }
}

const NAMED: &[(&str, u32)] = &[
    ("lt", 0x3c),
    ("gt", 0x3e),
    ("amp", 0x26),
    ("quot", 0x22),
    ("apos", 0x27),
    ("nbsp", 0x20),
    ("tab", 0x09),
    ("newline", 0x0a),
    ("colon", 0x3a),
    ("semi", 0x3b),
    ("lpar", 0x28),
    ("rpar", 0x29),
    ("equals", 0x3d),
    ("sol", 0x2f),
    ("bsol", 0x5c),
    ("lsqb", 0x5b),
    ("lbrack", 0x5b),
    ("rsqb", 0x5d),
    ("rbrack", 0x5d),
    ("lcub", 0x7b),
    ("lbrace", 0x7b),
    ("rcub", 0x7d),
    ("rbrace", 0x7d),
    ("grave", 0x60),
    ("excl", 0x21),
    ("quest", 0x3f),
    ("period", 0x2e),
    ("comma", 0x2c),
    ("num", 0x23),
    ("percnt", 0x25),
    ("ast", 0x2a),
    ("plus", 0x2b),
    ("hyphen", 0x2d),
    ("dash", 0x2d),
    ("lowbar", 0x5f),
    ("verbar", 0x7c),
    ("vert", 0x7c),
    ("commat", 0x40),
    ("dollar", 0x24),
    ("hat", 0x5e),
];

/// Digits of a numeric reference; longer padding than any payload list has.
const REFERENCE_DIGITS: usize = 16;
/// Letters of the longest name in the table, and of the shortest.
const REFERENCE_NAME: usize = 8;
const SHORTEST_NAME: usize = 2;
