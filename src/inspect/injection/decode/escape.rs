//! Escapes of JavaScript, JSON and CSS.

use super::{hex_digits, push_scalar};

/// Decodes the numeric escapes of JavaScript, JSON, C and shells, and the one-letter ones beside them. False when there
/// was no numeric one.
pub fn escape(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut changed = false;
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (before, tail) = rest.split_at(at);
        out.extend_from_slice(before);
        let body = tail.get(1..).unwrap_or_default();
        let (value, left, numeric) = escape_at(body);
        match value {
            Some(value) => push_scalar(value, out),
            None => out.push(b'\\'),
        }
        changed |= numeric;
        rest = left;
    }
    out.extend_from_slice(rest);
    changed
}

/// What the escape whose text after the backslash is `body` stands for; what follows; whether it is a numeric one.
fn escape_at(body: &[u8]) -> (Option<u32>, &[u8], bool) {
    let Some((&kind, after)) = body.split_first() else {
        return (None, body, false);
    };
    match kind {
        b'x' => match hex_digits(after, 2) {
            Some((value, left)) => (Some(value), left, true),
            None => (None, body, false),
        },
        b'u' | b'U' => {
            if let Some((value, left)) = hex_digits(after, 4) {
                return surrogates(value, left);
            }
            let Some(braced) = after.strip_prefix(b"{") else {
                return (None, body, false);
            };
            let count = braced
                .iter()
                .take(8)
                .take_while(|byte| byte.is_ascii_hexdigit())
                .count();
            match hex_digits(braced, count) {
                Some((value, left)) if count > 0 && left.first() == Some(&b'}') => {
                    (Some(value), left.get(1..).unwrap_or_default(), true)
                }
                _ => (None, body, false),
            }
        }
        b'0'..=b'7' => {
            let count = body
                .iter()
                .take(3)
                .take_while(|byte| (b'0'..=b'7').contains(byte))
                .count();
            let value = body
                .iter()
                .take(count)
                .fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
            (
                Some(value),
                body.get(count..).unwrap_or_default(),
                count >= 2,
            )
        }
        b'n' => (Some(0x0a), after, false),
        b'r' => (Some(0x0d), after, false),
        b't' => (Some(0x09), after, false),
        b'"' | b'\'' | b'/' | b'\\' => (Some(u32::from(kind)), after, false),
        _ => (None, body, false),
    }
}

fn surrogates(high: u32, left: &[u8]) -> (Option<u32>, &[u8], bool) {
    if (0xd800..0xdc00).contains(&high)
        && let Some(tail) = left.strip_prefix(b"\\u")
        && let Some((low, left)) = hex_digits(tail, 4)
        && (0xdc00..0xe000).contains(&low)
    {
        return (
            Some(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)),
            left,
            true,
        );
    }
    (Some(high), left, true)
}
