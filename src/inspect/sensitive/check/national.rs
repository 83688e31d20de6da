//! National identifiers: ranges and check digits as their issuers publish them.

use super::digits;

/// A US social security number in an issued range (SSA, POMS RM 10201.035), with two separators that are alike.
pub fn ssn(text: &[u8]) -> bool {
    let separators: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_digit())
        .collect();
    matches!(separators.as_slice(), [first, second] if first == second) && ssn_digits(text)
}

/// The same, with or without separators.
pub fn ssn_digits(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    let (area, group, serial) = (
        digits.number(0, 3),
        digits.number(3, 5),
        digits.number(5, 9),
    );
    let issued = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    // Printed on wallets and in adverts, so never a person's.
    let specimen = matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999));
    digits.len == 9 && issued && !specimen && !digits.all_same()
}

/// Three, two and four digits with dashes: an SSN or something that must not be taken for one.
pub(super) fn ssn_shape(text: &[u8]) -> bool {
    let mut parts = text.split(|byte| *byte == b'-').map(<[u8]>::len);
    parts.by_ref().take(3).eq([3, 2, 4]) && parts.next().is_none()
}

/// A UK national insurance number (HMRC NIM39110): a prefix that is issued, six digits, suffix A to D.
pub fn nino(text: &[u8]) -> bool {
    let mut compact = text
        .iter()
        .copied()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_uppercase());
    let (Some(first), Some(second)) = (compact.next(), compact.next()) else {
        return false;
    };
    let mut digits = 0;
    let mut suffix = None;
    for byte in compact {
        match byte {
            b'0'..=b'9' if suffix.is_none() => digits += 1,
            b'A'..=b'D' if suffix.is_none() => suffix = Some(byte),
            _ => return false,
        }
    }
    let letter = |byte: u8| byte.is_ascii_uppercase() && !b"DFIQUV".contains(&byte);
    let barred = matches!(
        &[first, second],
        b"BG" | b"GB" | b"NK" | b"KN" | b"TN" | b"NT" | b"ZZ"
    );
    digits == 6 && suffix.is_some() && letter(first) && letter(second) && second != b'O' && !barred
}

/// An NHS number: ten digits, mod 11.
pub fn nhs(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    let [body @ .., check] = digits.as_slice() else {
        return false;
    };
    let sum: u32 = body
        .iter()
        .zip((2..=10).rev())
        .map(|(digit, weight)| u32::from(*digit) * weight)
        .sum();
    let expected = match 11 - sum % 11 {
        11 => 0,
        other => other,
    };
    digits.len == 10 && expected == u32::from(*check) && !digits.all_same()
}

/// An Aadhaar number: twelve digits, not beginning with 0 or 1, Verhoeff check digit.
pub fn aadhaar(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    let first = digits.number(0, 1);
    digits.len == 12 && first > 1 && !digits.all_same() && verhoeff(digits.as_slice())
}

/// The Verhoeff check (dihedral group D5) holds.
pub fn verhoeff(digits: &[u8]) -> bool {
    let check = digits
        .iter()
        .rev()
        .enumerate()
        .fold(0_u8, |check, (place, digit)| {
            let permuted = PERMUTATION[place % 8][usize::from(digit % 10)];
            PRODUCT[usize::from(check)][usize::from(permuted)]
        });
    check == 0
}

/// A Brazilian CPF: eleven digits, two mod-11 check digits.
pub fn cpf(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    if digits.len != 11 || digits.all_same() {
        return false;
    }
    let check = |length: usize| {
        let sum: u32 = digits
            .as_slice()
            .iter()
            .take(length)
            .zip((2..=11).rev().skip(10 - length))
            .map(|(digit, weight)| u32::from(*digit) * weight)
            .sum();
        (sum * 10 % 11) % 10
    };
    check(9) == digits.number(9, 10) && check(10) == digits.number(10, 11)
}

/// A Spanish DNI or NIE: eight digits (or X, Y, Z and seven) and the letter of their remainder by 23.
pub fn dni(text: &[u8]) -> bool {
    let compact: Vec<u8> = text
        .iter()
        .copied()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_uppercase())
        .collect();
    let [first, .., letter] = compact.as_slice() else {
        return false;
    };
    let lead = match first {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        b'0'..=b'9' => u32::from(first - b'0'),
        _ => return false,
    };
    let rest = compact.get(1..8).unwrap_or_default();
    if compact.len() != 9 || !rest.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = rest
        .iter()
        .fold(lead, |sum, byte| sum * 10 + u32::from(byte - b'0'));
    b"TRWAGMYFPDXBNJZSQVHLCKE".get((number % 23) as usize) == Some(letter)
}

/// A French INSEE number: thirteen digits and a key, 97 minus the remainder by 97 (Corsica aside).
pub fn insee(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    let number = digits
        .as_slice()
        .iter()
        .take(13)
        .fold(0_u64, |sum, digit| sum * 10 + u64::from(*digit));
    let key = u64::from(digits.number(13, 15));
    digits.len == 15 && matches!(digits.number(0, 1), 1 | 2) && 97 - number % 97 == key
}

/// A passport number where a name or words say that it is one: letters and digits of ICAO 9303 shape.
pub fn passport(text: &[u8]) -> bool {
    let digits = text.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = text
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let spaced = text.len() - digits - letters;
    // Without any digit it must be of the alphabet that leaves vowels out, or it is a word.
    let vowel = text.iter().any(|byte| b"AEIOUaeiou".contains(byte));
    (6..=12).contains(&(digits + letters))
        && spaced <= 2
        && (digits >= 2 || !vowel && letters >= 8)
        && !super::token::placeholder(text)
}

const PRODUCT: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

const PERMUTATION: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn social_security_numbers_lie_in_issued_ranges() {
        assert!(ssn(b"536-90-4399"));
        for bad in [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "123-00-4567",
            "123-45-0000",
            "123-45 6789",
        ] {
            assert!(!ssn(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn insurance_numbers_have_an_issued_prefix() {
        assert!(nino(b"AB 12 34 56 C"));
        for bad in [
            "DA123456C",
            "AO123456C",
            "ZZ123456C",
            "AB123456E",
            "AB12345C",
        ] {
            assert!(!nino(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn check_digits_of_other_nations_are_checked() {
        assert!(nhs(b"943 476 5919"));
        assert!(!nhs(b"943 476 5918"));
        assert!(verhoeff(&[2, 3, 6, 3]));
        assert!(!verhoeff(&[2, 3, 6, 4]));
        assert!(cpf(b"529.982.247-25"));
        assert!(!cpf(b"529.982.247-26"));
        assert!(dni(b"12345678Z"));
        assert!(!dni(b"12345678A"));
        assert!(insee(b"2 55 08 14 168 025 38"));
    }

    #[test]
    fn a_passport_number_is_not_a_word() {
        assert!(passport(b"C01X00T47"));
        assert!(passport(b"LKMNPRTVW"));
        assert!(!passport(b"PENDING"));
        assert!(!passport(b"renewal"));
    }
}
