//! Runs of bytes, eight at a time where it pays.

use crate::inspect::table;

/// True for bytes that end a number or a literal.
#[inline]
pub(super) fn ends_scalar(byte: u8) -> bool {
    ENDS_SCALAR[usize::from(byte)]
}

static ENDS_SCALAR: [bool; 256] = table::of(b" \n\r\t,:[]{}\"");

/// True for bytes that end a bare word.
pub(super) fn ends_word(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\t') && ends_scalar(byte)
}

/// Length of the run of blanks at the front; indentation goes by eight bytes at a time.
#[inline]
pub(super) fn blank_len(bytes: &[u8]) -> usize {
    let mut len = 0;
    let mut rest = bytes;
    while let [b' ' | b'\n' | b'\r' | b'\t', later @ ..] = rest {
        len += 1;
        rest = later;
        while let Some((spaces, later)) = rest.split_first_chunk::<8>() {
            if *spaces != [b' '; 8] {
                break;
            }
            len += 8;
            rest = later;
        }
    }
    len
}

/// Length of the run at the front without quote, backslash and control characters; `high` gathers the top bits of what
/// was looked at. Eight bytes at a time (SWAR): the lowest byte that a zero-byte test marks is always a true one.
#[inline(always)]
pub(super) fn plain_len(bytes: &[u8], quotes: u64, high: &mut u64) -> usize {
    let mut len = 0;
    let mut rest = bytes;
    while let Some((chunk, later)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ quotes;
        let backslash = word ^ (LOW * 0x5c);
        let hit = (quote.wrapping_sub(LOW) & !quote
            | backslash.wrapping_sub(LOW) & !backslash
            | word.wrapping_sub(LOW * 0x20) & !word)
            & HIGH;
        *high |= word;
        if hit != 0 {
            return len + (hit.trailing_zeros() / 8) as usize;
        }
        len += 8;
        rest = later;
    }
    let [quote, ..] = quotes.to_le_bytes();
    for &byte in rest {
        if byte == quote || byte == b'\\' || byte < 0x20 {
            break;
        }
        *high |= u64::from(byte);
        len += 1;
    }
    len
}

pub(super) const LOW: u64 = 0x0101_0101_0101_0101;
pub(super) const HIGH: u64 = 0x8080_8080_8080_8080;
