//! Card numbers (ISO/IEC 7812), IBAN (ISO 13616) and ABA routing numbers.

use super::digits;

/// A card number: a known issuer range, a length that the issuer uses, and the Luhn check digit.
///
/// Luhn alone lets one random number in ten through; with the ranges it is about one in forty.
pub fn card_number(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    if digits.all_same() {
        return false;
    }
    let (prefix, length) = (digits.number(0, 6), digits.len);
    ISSUERS.iter().any(|issuer| {
        (issuer.first..=issuer.last).contains(&prefix) && issuer.lengths & (1 << length) != 0
    }) && luhn(digits.as_slice())
}

/// The Luhn sum (ISO/IEC 7812-1, annex B) is a multiple of ten.
pub fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| u32::from(digit) * 2 - if digit > 4 { 9 } else { 0 };
    let pairs = digits.rchunks(2).map(|pair| match *pair {
        [tens, ones] => doubled(tens) + u32::from(ones),
        [ones] => u32::from(ones),
        _ => 0,
    });
    let sum: u32 = pairs.sum();
    sum.is_multiple_of(10)
}

/// A card verification code: three or four digits.
pub fn card_code(text: &[u8]) -> bool {
    matches!(text.len(), 3 | 4) && text.iter().all(u8::is_ascii_digit)
}

/// An IBAN: a country of the registry, its length, and 97-10 check digits (ISO 7064).
pub fn iban(text: &[u8]) -> bool {
    let mut values = [0_u8; IBAN_BYTES];
    let mut length = 0;
    for byte in text {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 10,
            _ => continue,
        };
        let Some(slot) = values.get_mut(length) else {
            return false;
        };
        *slot = value;
        length += 1;
    }
    let country = [values[0], values[1]].map(|letter| letter.wrapping_add(b'A' - 10));
    let known = IBAN_LENGTHS.binary_search_by(|(known, _)| (*known).cmp(&country));
    let expected = known.ok().and_then(|index| IBAN_LENGTHS.get(index));
    if expected.is_none_or(|(_, expected)| usize::from(*expected) != length) {
        return false;
    }
    let join = |sum: u64, value: &u8| {
        let shift = if *value > 9 { 100 } else { 10 };
        let sum = sum * shift + u64::from(*value);
        if sum > IBAN_ROOM { sum % 97 } else { sum }
    };
    // The first four go behind the others.
    let (first, rest) = values.split_at(4);
    let rest = rest.iter().take(length.saturating_sub(4));
    first.iter().fold(rest.fold(0, join), join) % 97 == 1
}

/// An ABA routing transit number: nine digits, 3-7-1 weighted sum, a Federal Reserve prefix.
pub fn routing_number(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    let sum: u32 = digits
        .as_slice()
        .iter()
        .zip([3, 7, 1, 3, 7, 1, 3, 7, 1])
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum();
    let prefix = digits.number(0, 2);
    let known = matches!(prefix, 1..=12 | 21..=32 | 61..=72 | 80);
    digits.len == 9 && known && sum.is_multiple_of(10)
}

/// A range of issuer identification numbers, six digits, and the lengths it is issued in (bit n: n digits).
struct Issuer {
    first: u32,
    last: u32,
    lengths: u32,
}

const fn issuer(first: u32, last: u32, lengths: u32) -> Issuer {
    Issuer {
        first,
        last,
        lengths,
    }
}

const fn span(shortest: u32, longest: u32) -> u32 {
    (1 << (longest + 1)) - (1 << shortest)
}

/// Issuer ranges by network, from the networks' published tables. Maestro's cards of 12 to 15 digits are left out: they
/// are rare, and parcel numbers are not.
const ISSUERS: &[Issuer] = &[
    issuer(400_000, 499_999, 1 << 13 | 1 << 16 | 1 << 18 | 1 << 19), // Visa
    issuer(510_000, 559_999, 1 << 16),                               // Mastercard
    issuer(222_100, 272_099, 1 << 16),                               // Mastercard, 2-series
    issuer(340_000, 349_999, 1 << 15),                               // American Express
    issuer(370_000, 379_999, 1 << 15),                               // American Express
    issuer(300_000, 305_999, 1 << 14 | 1 << 16 | 1 << 19),           // Diners Club
    issuer(309_500, 309_599, 1 << 14 | 1 << 16 | 1 << 19),           // Diners Club
    issuer(360_000, 369_999, 1 << 14 | 1 << 16 | 1 << 19),           // Diners Club
    issuer(380_000, 399_999, 1 << 14 | 1 << 16 | 1 << 19),           // Diners Club
    issuer(352_800, 358_999, span(16, 19)),                          // JCB
    issuer(601_100, 601_199, span(16, 19)),                          // Discover
    issuer(644_000, 659_999, span(16, 19)),                          // Discover, RuPay 65
    issuer(620_000, 629_999, span(16, 19)),                          // UnionPay
    issuer(810_000, 829_999, span(16, 19)),                          // UnionPay, RuPay 81 and 82
    issuer(220_000, 220_499, span(16, 19)),                          // Mir
    issuer(606_900, 608_999, 1 << 16),                               // RuPay
    issuer(652_100, 653_199, 1 << 16),                               // RuPay
    issuer(508_500, 508_999, 1 << 16),                               // RuPay
    issuer(353_800, 353_999, 1 << 16),                               // RuPay with JCB
    issuer(500_000, 509_999, span(16, 19)),                          // Maestro
    issuer(560_000, 589_999, span(16, 19)),                          // Maestro
    issuer(600_000, 600_999, 1 << 16),                               // Maestro, Hipercard
    issuer(601_200, 606_899, 1 << 16),                               // Maestro, Naranja, Hipercard
    issuer(630_400, 630_499, span(16, 19)),                          // Maestro, Laser
    issuer(636_000, 639_999, 1 << 16), // Elo, InstaPayment, InterPayment
    issuer(670_000, 679_999, span(16, 19)), // Maestro
    issuer(979_200, 979_289, 1 << 16), // Troy
];

/// Characters of the longest IBAN that ISO 13616 allows.
const IBAN_BYTES: usize = 34;

/// Up to here two more digits of an IBAN fit behind those before.
const IBAN_ROOM: u64 = u64::MAX / 100 - 1;

/// Lengths by country, in order, from the SWIFT IBAN registry.
const IBAN_LENGTHS: &[(&[u8; 2], u8)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_need_issuer_length_and_check_digit() {
        for good in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "3782-822463-10005",
            "5555555555554444",
            "6011111111111117",
            "2223003122003222",
            "30569309025904",
        ] {
            assert!(card_number(good.as_bytes()), "{good}");
        }
        for bad in [
            "4111111111111112",
            "9111111111111116",
            "411111111111116",
            "0000000000000000",
        ] {
            assert!(!card_number(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn ibans_need_country_length_and_check_digits() {
        for good in [
            "GB82 WEST 1234 5698 7654 32",
            "DE89370400440532013000",
            "NO9386011117947",
        ] {
            assert!(iban(good.as_bytes()), "{good}");
        }
        for bad in [
            "GB82WEST12345698765433",
            "DE8937040044053201300",
            "ZZ82WEST12345698765432",
        ] {
            assert!(!iban(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn routing_numbers_need_their_weighted_sum() {
        assert!(routing_number(b"021000021"));
        assert!(!routing_number(b"021000022"));
    }
}
