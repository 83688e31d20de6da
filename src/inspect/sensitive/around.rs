//! What stands around a value: the words before it, and where it may begin and end.

use crate::rules::entity::Boundary;

/// The words before `at` on its line, from the nearest.
#[inline]
pub(super) fn words_before(text: &[u8], at: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = text
        .get(at.saturating_sub(CONTEXT_BYTES)..at)
        .unwrap_or_default();
    std::iter::from_fn(move || {
        let last = rest
            .iter()
            .rposition(|byte| SPELLS[usize::from(*byte)] != 0)?;
        let end = match SPELLS[usize::from(*rest.get(last)?)] {
            LETTER => last + 1,
            _ => return None,
        };
        let mut first = rest.get(..end)?.iter();
        let start = first.rposition(|byte| SPELLS[usize::from(*byte)] != LETTER);
        let start = start.map_or(0, |before| before + 1);
        let word = rest.get(start..end);
        rest = rest.get(..start).unwrap_or_default();
        word
    })
}

/// Part of a word, for words near values.
const LETTER: u8 = 1;
const NEWLINE: u8 = 2;

/// What a byte is to the words before a value: part of one, the end of their line, or between them.
const SPELLS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphanumeric() || value >= 0x80 {
            table[byte] = LETTER;
        } else if value == b'\n' {
            table[byte] = NEWLINE;
        }
        byte += 1;
    }
    table
};

/// True when a value with that boundary may begin at `at`.
#[inline]
pub(super) fn begins(boundary: Boundary, text: &[u8], at: usize) -> bool {
    let before = |step: usize| {
        at.checked_sub(step)
            .and_then(|place| text.get(place))
            .copied()
    };
    let code = |step: usize| before(step).is_some_and(|byte| byte.is_ascii_alphanumeric());
    match boundary {
        Boundary::None => return true,
        Boundary::Mailbox => return !(before(1) == Some(b'/') && before(2) == Some(b'/')),
        _ => {}
    }
    if at > 0 && is_word(text, at - 1) {
        return false;
    }
    match (boundary, before(1)) {
        (Boundary::Number, Some(b'.' | b'-')) => !code(2),
        (Boundary::Number, Some(b'+')) => false,
        (Boundary::Phone, Some(b'.' | b'-' | b'/')) => !code(2),
        (Boundary::Phone, Some(b'+')) => false,
        (Boundary::Token, Some(b'-')) => false,
        (Boundary::Address, Some(b':')) => !code(2),
        (Boundary::Address, Some(b'.')) => !code(2),
        _ => true,
    }
}

/// True when a value with that boundary may end at `end`.
#[inline]
pub(super) fn ends(boundary: Boundary, text: &[u8], end: usize) -> bool {
    let code = |place: usize| text.get(place).is_some_and(u8::is_ascii_alphanumeric);
    let digit = |place: usize| text.get(place).is_some_and(u8::is_ascii_digit);
    match boundary {
        Boundary::None => return true,
        Boundary::Mailbox => return !scp_path(text.get(end..).unwrap_or_default()),
        _ => {}
    }
    if is_word(text, end) {
        return false;
    }
    match (boundary, text.get(end)) {
        (Boundary::Number, Some(b'.' | b'-')) => !code(end + 1),
        (Boundary::Phone, Some(b'.' | b'-' | b'/' | b' ')) => !digit(end + 1),
        (Boundary::Token, Some(b'-')) => false,
        (Boundary::Address, Some(b':')) => false,
        (Boundary::Address, Some(b'.')) => !code(end + 1),
        _ => true,
    }
}

/// True when `rest` goes on as an scp location does: `:org/repo.git`.
fn scp_path(rest: &[u8]) -> bool {
    let [b':', path @ ..] = rest else {
        return false;
    };
    path.iter()
        .take(CONTEXT_BYTES)
        .take_while(|byte| !byte.is_ascii_whitespace())
        .any(|byte| *byte == b'/')
}

/// True when the byte at `at` is a letter, a digit or `_`.
#[inline]
pub(super) fn is_word(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|byte| is_wordy(*byte))
}

/// True for letters, digits and `_`.
#[inline]
pub(super) fn is_wordy(byte: u8) -> bool {
    CLASS[usize::from(byte)] & WORD != 0
}

/// True for bytes that a shape may begin with.
#[cfg(test)]
pub(super) fn starts(byte: u8) -> bool {
    CLASS[usize::from(byte)] & STARTS != 0
}

/// Part of a word.
const WORD: u8 = 1;
/// The first byte of a shape.
const STARTS: u8 = 2;

/// What each byte can be: part of a word, the first byte of a shape.
const CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphanumeric() {
            table[byte] = WORD | STARTS;
        } else if value == b'_' {
            table[byte] = WORD;
        } else if matches!(value, b':' | b'+' | b'(') {
            table[byte] = STARTS;
        }
        byte += 1;
    }
    table
};

/// How far before a value words are looked for.
const CONTEXT_BYTES: usize = 48;
