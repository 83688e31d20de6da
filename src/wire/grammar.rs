//! Byte classes and small parsers of RFC 9110 §5.6, which ICAP takes over from HTTP (RFC 3507 §4.3.1).
//!
//! Numbers are read digit by digit: the standard library's parsers accept a sign.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::combinator::{map_opt, recognize};
use nom::multi::many0_count;
use nom::sequence::delimited;
use nom::{IResult, Parser};

/// True for a byte of `token`.
#[inline]
pub fn is_tchar(byte: u8) -> bool {
    TCHAR.get(usize::from(byte)).copied().unwrap_or(false)
}

/// True for a non-empty `token`.
#[inline]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().fold(true, |all, byte| all & is_tchar(*byte))
}

/// Without the spaces and tabs at both ends.
#[inline]
pub fn trim(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [b' ' | b'\t', tail @ ..] = rest {
        rest = tail;
    }
    while let [head @ .., b' ' | b'\t'] = rest {
        rest = head;
    }
    rest
}

/// A decimal number of at most `max_digits` digits and nothing else.
pub fn decimal(bytes: &[u8], max_digits: usize) -> Option<u64> {
    if bytes.is_empty() || bytes.len() > max_digits {
        return None;
    }
    bytes.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

/// A `token`.
pub fn token(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while1(is_tchar)(input)
}

/// A run of decimal digits as a number.
pub fn digits(input: &[u8]) -> IResult<&[u8], u64> {
    map_opt(take_while1(|byte: u8| byte.is_ascii_digit()), |digits| {
        decimal(digits, MAX_DECIMAL_DIGITS)
    })
    .parse(input)
}

/// Spaces and tabs, perhaps none.
pub fn spaces(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte| byte == b' ' || byte == b'\t')(input)
}

/// A `quoted-string`; yields what is between the quotes, escapes not undone.
pub fn quoted_string(input: &[u8]) -> IResult<&[u8], &[u8]> {
    let plain = take_while1(|byte: u8| is_text(byte) && byte != b'"' && byte != b'\\');
    let pair = recognize((tag("\\"), nom::bytes::complete::take(1usize))).map_opt(
        |pair: &[u8]| match pair {
            [_, escaped] if is_text(*escaped) => Some(pair),
            _ => None,
        },
    );
    delimited(
        tag("\""),
        recognize(many0_count(alt((plain, pair)))),
        tag("\""),
    )
    .parse(input)
}

/// True for a byte that a field value may hold: visible, space, tab, or above ASCII.
#[inline]
pub fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

/// The elements of a comma-separated list, trimmed, empty ones left out (RFC 9110 §5.6.1.2). Quotes are not looked at.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value
        .split(|byte| *byte == b',')
        .map(trim)
        .filter(|element| !element.is_empty())
}

/// RFC 9110 §5.6.2 as a table: names are checked byte by byte on the hot path.
static TCHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let char = byte as u8;
        table[byte] = char.is_ascii_alphanumeric()
            || matches!(
                char,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

/// More digits than this do not fit a `u64` whatever they are.
const MAX_DECIMAL_DIGITS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_no_sign_no_prefix_and_no_end() {
        for (text, value) in [
            ("0", Some(0)),
            ("007", Some(7)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+5", None),
            ("-5", None),
            ("0x5", None),
            ("5 ", None),
            ("5_0", None),
            ("000000000000000000000", None),
        ] {
            assert_eq!(decimal(text.as_bytes(), 20), value, "{text}");
        }
    }

    #[test]
    fn quoted_strings_end_at_the_first_quote_that_is_not_escaped() {
        let cases: [(&[u8], Option<&[u8]>); 6] = [
            (b"\"a;b\"", Some(b"a;b")),
            (b"\"a\\\"b\"", Some(b"a\\\"b")),
            (b"\"\"", Some(b"")),
            (b"\"a", None),
            (b"\"a\\\"", None),
            (b"\"a\x00\"", None),
        ];
        for (text, inner) in cases {
            assert_eq!(quoted_string(text).ok().map(|(_, inner)| inner), inner);
        }
    }
}
