//! Which numbers two readers would take differently (RFC 8259 §6: interoperability is within IEEE 754 doubles).

/// What is wrong with a number that is grammatical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// More digits than the limit.
    Long,
    /// Overflows a double.
    Overflow,
}

/// Looks at a number, whole or the front of one that is too long anyway.
pub(super) fn flaw(raw: &[u8], digits_limit: u32) -> Option<Flaw> {
    // Whole numbers of any length are read exactly or rounded; what readers differ on is an exponent. Most are a few
    // bytes long: no search begins as fast as this one is over.
    let is_exponent = |byte: &u8| *byte | 0x20 == b'e';
    if !raw.iter().fold(false, |any, byte| any | is_exponent(byte)) {
        return long(raw, digits_limit);
    }
    if let Some(flaw) = long(raw, digits_limit) {
        return Some(flaw);
    }
    if exponent_digits(raw) > EXPONENT_DIGITS {
        return Some(Flaw::Overflow);
    }
    let text = std::str::from_utf8(raw).ok()?;
    match text.parse::<f64>() {
        Ok(number) if number.is_infinite() => Some(Flaw::Overflow),
        Ok(_) | Err(_) => None,
    }
}

/// Digits of the exponent that count.
fn exponent_digits(raw: &[u8]) -> usize {
    let Some(at) = memchr::memchr2(b'e', b'E', raw) else {
        return 0;
    };
    let digits = raw.get(at + 1..).unwrap_or_default();
    let sign = usize::from(matches!(digits.first(), Some(b'+' | b'-')));
    let digits = digits.get(sign..).unwrap_or_default();
    digits.iter().skip_while(|digit| **digit == b'0').count()
}

/// A double's exponent has three. One of more than four, of either sign, is a trap for readers that compute with it in
/// arbitrary precision, or that wrap it round.
const EXPONENT_DIGITS: usize = 4;

fn long(raw: &[u8], digits_limit: u32) -> Option<Flaw> {
    let limit = usize::try_from(digits_limit).unwrap_or(usize::MAX);
    if raw.len() <= limit {
        return None;
    }
    let digits = raw.iter().filter(|byte| byte.is_ascii_digit()).count();
    (digits > limit).then_some(Flaw::Long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_a_double_cannot_hold_are_flawed() {
        let table: [(&str, Option<Flaw>); 11] = [
            ("0", None),
            ("-1.5e300", None),
            ("123456789012345678901234567890", None),
            ("1e308", None),
            ("1.7976931348623159e308", Some(Flaw::Overflow)),
            ("-1e9999", Some(Flaw::Overflow)),
            ("0e9999", None),
            ("0e99999999999", Some(Flaw::Overflow)),
            ("1e-0009999", None),
            ("1e-99999999999", Some(Flaw::Overflow)),
            ("0.4e00669999999999999999", Some(Flaw::Overflow)),
        ];
        for (text, expected) in table {
            assert_eq!(flaw(text.as_bytes(), 300), expected, "{text}");
        }
        assert_eq!(flaw(&[b'9'; 300], 300), None);
        assert_eq!(flaw(&[b'9'; 301], 300), Some(Flaw::Long));
        assert_eq!(flaw(&[b'9'; 310], 400), None);
    }
}
