//! Telephone numbers.

use super::digits;

/// A number in international form (ITU-T E.164): `+`, a country code, and as many digits as that country has.
pub fn phone_international(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    if digits.all_same() {
        return false;
    }
    // `+31.612345678` has its country code before the dot (RFC 5733 §2.5); `+ 3.1415926535` is a sum.
    let group = text.iter().skip_while(|byte| !byte.is_ascii_digit());
    let group = group.take_while(|byte| byte.is_ascii_digit()).count();
    let digits_on = text.iter().skip_while(|byte| !byte.is_ascii_digit());
    let mut marks = digits_on.filter(|byte| !byte.is_ascii_digit());
    let codes = match (marks.next(), marks.next()) {
        (Some(b'.'), None) => group..=group.min(3),
        _ => 1..=3,
    };
    // `+44 (0) 20 …`: the zero is for callers inside the country.
    let open = memchr::memchr(b'(', text).and_then(|at| text.get(at..));
    let trunk = usize::from(open.is_some_and(|rest| rest.windows(3).any(|part| part == b"(0)")));
    codes.into_iter().any(|code_digits| {
        let code = digits.number(0, code_digits);
        let rest = digits.len.saturating_sub(code_digits + trunk);
        CALLING_CODES
            .binary_search_by_key(&code, |known| u32::from(known.0))
            .ok()
            .and_then(|index| CALLING_CODES.get(index))
            .is_some_and(|(_, shortest, longest)| {
                (usize::from(*shortest)..=usize::from(*longest)).contains(&rest)
            })
    })
}

/// A number in national form, with separators: North American exchanges do not begin with 0 or 1, other numbers begin
/// with the trunk zero or have a shape of their own (the pattern sees to that).
pub fn phone_national(text: &[u8]) -> bool {
    let Some(digits) = digits(text) else {
        return false;
    };
    if digits.all_same() || !(8..=12).contains(&digits.len) || not_dialled(text) {
        return false;
    }
    let american_trunk = digits.len == 11 && digits.number(0, 1) == 1 && digits.number(1, 2) > 1;
    let trunk = digits.number(0, 1) == 0 && digits.number(1, 2) != 0;
    let american = digits.len == 10
        && digits.number(0, 1) > 1
        && digits.number(3, 4) > 1
        && digits.number(1, 3) != 11;
    let other = text.first() == Some(&b'(') || digits.number(0, 1) >= 6;
    trunk || american || american_trunk || other
}

/// A date (`2026-11-18 10`) or the shape of an SSN.
fn not_dialled(text: &[u8]) -> bool {
    let date = matches!(
        text,
        [b'1' | b'2', _, _, _, first @ (b'-' | b'/' | b'.'), _, _, second, ..] if first == second
    );
    date || super::national::ssn_shape(text)
}

/// Digits (and telephone punctuation) where a name or words say that it is a telephone number.
pub fn phone_digits(text: &[u8]) -> bool {
    digits(text).is_some_and(|digits| (7..=15).contains(&digits.len) && !digits.all_same())
}

/// Calling codes (ITU-T E.164 annex) in order, with the shortest and longest national number.
const CALLING_CODES: &[(u16, u8, u8)] = &[
    (1, 10, 10),
    (7, 10, 10),
    (20, 8, 10),
    (27, 9, 9),
    (30, 10, 10),
    (31, 9, 9),
    (32, 8, 9),
    (33, 9, 9),
    (34, 9, 9),
    (36, 8, 9),
    (39, 6, 11),
    (40, 9, 9),
    (41, 9, 9),
    (43, 7, 13),
    (44, 9, 10),
    (45, 8, 8),
    (46, 7, 10),
    (47, 8, 8),
    (48, 9, 9),
    (49, 7, 12),
    (51, 8, 9),
    (52, 10, 11),
    (53, 8, 8),
    (54, 10, 11),
    (55, 10, 11),
    (56, 9, 9),
    (57, 8, 10),
    (58, 10, 10),
    (60, 8, 10),
    (61, 9, 9),
    (62, 8, 12),
    (63, 8, 10),
    (64, 8, 10),
    (65, 8, 8),
    (66, 8, 9),
    (81, 9, 10),
    (82, 8, 11),
    (84, 9, 10),
    (86, 10, 11),
    (90, 10, 10),
    (91, 10, 10),
    (92, 9, 10),
    (93, 9, 9),
    (94, 9, 9),
    (95, 8, 10),
    (98, 10, 10),
    (211, 9, 9),
    (212, 9, 9),
    (213, 8, 9),
    (216, 8, 8),
    (218, 8, 9),
    (220, 7, 7),
    (221, 9, 9),
    (222, 8, 8),
    (223, 8, 8),
    (224, 9, 9),
    (225, 8, 10),
    (226, 8, 8),
    (227, 8, 8),
    (228, 8, 8),
    (229, 8, 10),
    (230, 7, 8),
    (231, 7, 9),
    (232, 8, 8),
    (233, 9, 9),
    (234, 8, 10),
    (235, 8, 8),
    (236, 8, 8),
    (237, 8, 9),
    (238, 7, 7),
    (239, 7, 7),
    (240, 9, 9),
    (241, 7, 8),
    (242, 9, 9),
    (243, 9, 9),
    (244, 9, 9),
    (245, 7, 9),
    (248, 7, 7),
    (249, 9, 9),
    (250, 9, 9),
    (251, 9, 9),
    (252, 7, 9),
    (253, 8, 8),
    (254, 9, 10),
    (255, 9, 9),
    (256, 9, 9),
    (257, 8, 8),
    (258, 8, 9),
    (260, 9, 9),
    (261, 9, 9),
    (262, 9, 9),
    (263, 9, 9),
    (264, 8, 9),
    (265, 7, 9),
    (266, 8, 8),
    (267, 7, 8),
    (268, 8, 8),
    (269, 7, 7),
    (290, 4, 5),
    (291, 7, 7),
    (297, 7, 7),
    (298, 6, 6),
    (299, 6, 6),
    (350, 8, 8),
    (351, 9, 9),
    (352, 6, 11),
    (353, 7, 9),
    (354, 7, 9),
    (355, 8, 9),
    (356, 8, 8),
    (357, 8, 8),
    (358, 6, 11),
    (359, 8, 9),
    (370, 8, 8),
    (371, 8, 8),
    (372, 7, 8),
    (373, 8, 8),
    (374, 8, 8),
    (375, 9, 9),
    (376, 6, 9),
    (377, 8, 9),
    (378, 6, 10),
    (380, 9, 9),
    (381, 8, 9),
    (382, 8, 8),
    (383, 8, 8),
    (385, 8, 9),
    (386, 8, 8),
    (387, 8, 8),
    (389, 8, 8),
    (420, 9, 9),
    (421, 9, 9),
    (423, 7, 9),
    (500, 5, 5),
    (501, 7, 7),
    (502, 8, 8),
    (503, 8, 8),
    (504, 8, 8),
    (505, 8, 8),
    (506, 8, 8),
    (507, 7, 8),
    (509, 8, 8),
    (590, 9, 9),
    (591, 8, 8),
    (592, 7, 7),
    (593, 8, 9),
    (594, 9, 9),
    (595, 9, 9),
    (596, 9, 9),
    (597, 6, 7),
    (598, 8, 8),
    (599, 7, 8),
    (670, 7, 8),
    (673, 7, 7),
    (675, 8, 8),
    (676, 5, 7),
    (677, 5, 7),
    (679, 7, 7),
    (685, 5, 7),
    (687, 6, 6),
    (689, 6, 8),
    (852, 8, 8),
    (853, 8, 8),
    (855, 8, 9),
    (856, 8, 10),
    (880, 8, 10),
    (886, 8, 9),
    (960, 7, 7),
    (961, 7, 8),
    (962, 8, 9),
    (963, 8, 9),
    (964, 8, 10),
    (965, 8, 8),
    (966, 8, 9),
    (967, 7, 9),
    (968, 8, 8),
    (970, 8, 9),
    (971, 8, 9),
    (972, 8, 9),
    (973, 8, 8),
    (974, 8, 8),
    (975, 8, 8),
    (976, 8, 8),
    (977, 8, 10),
    (992, 9, 9),
    (993, 8, 8),
    (994, 9, 9),
    (995, 9, 9),
    (996, 9, 9),
    (998, 9, 9),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calling_codes_are_in_order_and_decide_on_lengths() {
        assert!(CALLING_CODES.is_sorted_by_key(|code| code.0));
        for good in [
            "+33 1 49 13 71 58",
            "+1 (503) 735-8080",
            "+34636321015",
            "+44 (0)20 7946 0759",
        ] {
            assert!(phone_international(good.as_bytes()), "{good}");
        }
        for bad in ["+1 234", "+999 123 456 789", "+0123456789"] {
            assert!(!phone_international(bad.as_bytes()), "{bad}");
        }
    }
}
