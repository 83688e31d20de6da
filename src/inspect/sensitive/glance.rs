//! A glance at a text that tells most texts: no rule can match in them.

use super::around::is_wordy;
use super::check::word::is_odd;

/// False for texts in which no rule can match: moments, identifiers, prose.
#[inline]
pub(super) fn may_hold(text: &[u8]) -> bool {
    let known = match text.first() {
        Some(b'1' | b'2') if is_moment(text) => true,
        _ => text.len() == UUID_BYTES && is_uuid(text),
    };
    !known && telling(text)
}

/// False for prose in which no rule can match: no digit, none of the marks that tie a value to a name, no word as long as
/// a key, no run of capitals as long as a document number, no word that could be a password. Most texts of most documents
/// are like that.
fn telling(text: &[u8]) -> bool {
    let (groups, rest) = text.as_chunks::<8>();
    let (mut blanks, mut prose, mut long) = (0, 0, false);
    for group in groups {
        let Some(spaces) = spaces_of_prose(*group) else {
            break;
        };
        prose += 8;
        blanks |= spaces;
        long |= spaces == 0;
    }
    let mut kinds = match blanks {
        0 => 0,
        _ => BLANK,
    };
    for group in text.get(prose..).unwrap_or(rest).chunks(8) {
        let whole = group.first_chunk::<8>();
        match whole.and_then(|group| spaces_of_prose(*group)) {
            Some(0) => {}
            Some(_) => kinds |= BLANK,
            None => kinds |= kinds_of(group),
        }
        if kinds & TELLS != 0 {
            return true;
        }
    }
    // Prose without a group that has no space in it has no long word.
    (long || prose < groups.len() * 8) && has_long_word(text)
        || kinds & CAPITAL != 0 && has_run(text, CAPITALS, |byte| byte.is_ascii_uppercase())
        || kinds & BLANK != 0 && kinds & (CAPITAL | ODD) != 0 && has_odd_word(text)
}

/// The kinds of all bytes of a text.
fn kinds_of(text: &[u8]) -> u8 {
    text.iter()
        .fold(0, |kinds, byte| kinds | GLANCE[usize::from(*byte)])
}

/// Which of eight bytes are spaces, by their highest bits, where the others are small letters; `None` else.
#[inline(always)]
fn spaces_of_prose(group: [u8; 8]) -> Option<u64> {
    let word = u64::from_le_bytes(group);
    let low = word & !TOPS;
    // Highest bits: it is no space; it is `a` or higher; it is above `z` (no carry: all sums are below 0x100).
    let other = (low ^ (ONES * 0x20)) + ONES * 0x7f;
    let (from_a, past_z) = (low + ONES * (0x80 - 0x61), low + ONES * (0x80 - 0x7b));
    let spaces = !other & TOPS;
    ((spaces | from_a & !past_z) & !word & TOPS == TOPS).then_some(spaces)
}

/// True when all of `text` is a date or a moment as RFC 3339 §5.6 writes it, of the years from 1000 to 2999: what many
/// values of many documents are. A date of birth is known by its name, and no telephone number is written like that.
fn is_moment(text: &[u8]) -> bool {
    let Some((date, rest)) = text.split_first_chunk::<8>() else {
        return false;
    };
    // With another first digit it may be a telephone number: `0612-34-56`.
    if !matches!(date.first(), Some(b'1' | b'2')) || !has_shape(*date, *b"9999-99-") {
        return false;
    }
    match rest {
        [a, b] => a.is_ascii_digit() && b.is_ascii_digit(),
        [a, b, b'T' | b't' | b' ', time @ ..] => {
            a.is_ascii_digit() && b.is_ascii_digit() && is_time(time)
        }
        _ => false,
    }
}

/// `10:22`, `10:22:33`, `10:22:33.123456789`, and a zone behind each: `Z`, `+02`, `+02:00`, `+0200`.
fn is_time(time: &[u8]) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    let [h1, h2, b':', m1, m2, rest @ ..] = time else {
        return false;
    };
    let mut zone = rest;
    if let [b':', s1, s2, rest @ ..] = rest {
        if !digits(&[*s1, *s2]) {
            return false;
        }
        zone = rest;
        if let [b'.' | b',', rest @ ..] = rest {
            let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&count) {
                return false;
            }
            zone = rest.get(count..).unwrap_or_default();
        }
    }
    digits(&[*h1, *h2, *m1, *m2])
        && match zone {
            [] | [b'Z' | b'z'] => true,
            [b'+' | b'-', a, b] => digits(&[*a, *b]),
            [b'+' | b'-', a, b, b':', c, d] | [b'+' | b'-', a, b, c, d] => {
                digits(&[*a, *b, *c, *d])
            }
            _ => false,
        }
}

/// True when all of `text` is a UUID as RFC 9562 §4 writes it.
fn is_uuid(text: &[u8]) -> bool {
    let Ok(text) = <&[u8; UUID_BYTES]>::try_from(text) else {
        return false;
    };
    let fits = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.get(8) == Some(&b'-') && text.iter().enumerate().all(fits)
}

/// True when `bytes` has a digit where `shape` has `9`, and what `shape` has elsewhere.
#[inline]
fn has_shape(bytes: [u8; 8], shape: [u8; 8]) -> bool {
    let fits = |(byte, symbol): (u8, u8)| match symbol {
        b'9' => byte.is_ascii_digit(),
        other => byte == other,
    };
    // All eight are looked at, which takes no branch.
    let pairs = bytes.into_iter().zip(shape);
    pairs.fold(true, |all, pair| all & fits(pair))
}

/// True when [`KEY_WORD`] neighbours are letters, digits or `_`. Such a run covers two whole groups of eight, or one and
/// parts of those around it; and only few groups of a sentence have no blank and no mark in them.
fn has_long_word(text: &[u8]) -> bool {
    const { assert!(KEY_WORD >= 15) };
    let (groups, _) = text.as_chunks::<8>();
    groups.iter().enumerate().any(|(index, group)| {
        let word = u64::from_le_bytes(*group);
        // The highest bit of each byte: it is `0` or higher (no carry: 0x7f + 0x50 is below 0x100).
        let high = (((word & !TOPS) + ONES * 0x50) | word) & TOPS;
        high == TOPS && reaches(text, index * 8)
    })
}

/// True when the word that the byte at `at` lies in has [`KEY_WORD`] bytes.
fn reaches(text: &[u8], at: usize) -> bool {
    let (before, after) = text.split_at(at);
    let wordy = |byte: &&u8| is_wordy(**byte);
    let after = after.iter().take(KEY_WORD).take_while(wordy).count();
    after > 0 && after + before.iter().rev().take(KEY_WORD).take_while(wordy).count() >= KEY_WORD
}

/// True when there are several words and one could be what follows `the password is`
/// ([`likely_password`](super::check::word::likely_password)): a capital or a mark inside.
fn has_odd_word(text: &[u8]) -> bool {
    let mut before = BLANK;
    text.chunks(8).any(|group| {
        let whole = group.first_chunk::<8>();
        if whole.is_some_and(|group| spaces_of_prose(*group).is_some()) {
            before = group
                .last()
                .map_or(BLANK, |last| GLANCE[usize::from(*last)]);
            return false;
        }
        group.iter().any(|byte| {
            let kind = GLANCE[usize::from(*byte)];
            let inside = std::mem::replace(&mut before, kind) & BLANK == 0;
            inside && kind & (ODD | CAPITAL) != 0
        })
    })
}

/// True when `len` neighbours in `text` are all of that kind. Such a run covers a multiple of its length: only from those
/// places on is counted.
fn has_run(text: &[u8], len: usize, of_kind: impl Fn(u8) -> bool) -> bool {
    let mut at = len - 1;
    while let Some(byte) = text.get(at) {
        if of_kind(*byte) {
            let (before, after) = text.split_at(at);
            let before = before.iter().rev().take(len);
            let before = before.take_while(|byte| of_kind(**byte)).count();
            let after = after.iter().take(len);
            let after = after.take_while(|byte| of_kind(**byte)).count();
            if before + after >= len {
                return true;
            }
        }
        at += len;
    }
    false
}

/// Digits, `@`, and the marks that tie a value to a name (`:`, `=`, `>`, `|`, and the first byte of a full-width colon):
/// wherever they stand, a rule may match.
const TELLS: u8 = 1;
const CAPITAL: u8 = 2;
/// Marks that a password may have inside.
const ODD: u8 = 4;
const BLANK: u8 = 8;

/// What a byte says of the text that it stands in.
const GLANCE: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let value = byte as u8;
        table[byte] = match value {
            b'0'..=b':' | b'@' | b'=' | b'>' | b'|' | 0xef => TELLS,
            b'A'..=b'Z' => CAPITAL,
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0c' => BLANK,
            value if is_odd(value) => ODD,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// The lowest bit of each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The highest bit of each of eight bytes.
const TOPS: u64 = 0x8080_8080_8080_8080;

/// Characters of a UUID.
const UUID_BYTES: usize = 36;

/// Letters of the shortest key without a digit.
const KEY_WORD: usize = 16;

/// Letters of the shortest document number without a digit.
const CAPITALS: usize = 6;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_run_is_found_wherever_it_lies() {
        for len in [1, 2, 6, 16] {
            for run in 0..=2 * len {
                for lead in 0..3 * len {
                    let text = [vec![b' '; lead], vec![b'A'; run], vec![b' '; 5]].concat();
                    let found = has_run(&text, len, |byte| byte == b'A');
                    assert_eq!(found, run >= len, "{lead} {run} {len}");
                }
            }
        }
    }

    /// What [`telling`] says, byte by byte.
    fn told(text: &[u8]) -> bool {
        let kinds = kinds_of(text);
        let long = text
            .windows(KEY_WORD)
            .any(|word| word.iter().all(|byte| is_wordy(*byte)));
        kinds & TELLS != 0
            || long
            || has_run(text, CAPITALS, |byte| byte.is_ascii_uppercase())
            || kinds & BLANK != 0 && kinds & (CAPITAL | ODD) != 0 && has_odd_word(text)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn eight_bytes_at_once_tell_what_one_by_one_do(
            words in proptest::collection::vec(("[a-z]{0,18}|[A-Z]{0,8}|[a-zA-Z_]{0,18}|[\\x00-\u{2af}]{0,3}", "[ ,.\n]{0,2}"), 0..8),
        ) {
            let text: String = words.iter().flat_map(|(word, gap)| [word.as_str(), gap]).collect();
            prop_assert_eq!(telling(text.as_bytes()), told(text.as_bytes()), "{:?}", text);
        }
    }
}
