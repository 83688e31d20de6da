//! The islands of a text: what stands between its line ends and its rows of plain words.
//!
//! People write about attacks, so detectors lower what they see in written text and in documents. An attacker who knows
//! writes some text around an attack: what is no text in it is looked at by itself as well.

use std::ops::Range;

/// Finds the islands of `bytes`, in order. A text that is one island as a whole has none.
pub(super) fn find(bytes: &[u8], islands: &mut Vec<Range<usize>>) {
    islands.clear();
    let mut at = 0;
    for line in bytes.split(|byte| *byte == b'\n') {
        find_in_line(line, at, islands);
        at += line.len() + 1;
    }
    if let [only] = islands.as_slice()
        && only.len() == bytes.trim_ascii().len()
    {
        islands.clear();
    }
}

fn find_in_line(line: &[u8], line_at: usize, islands: &mut Vec<Range<usize>>) {
    let mut add = |from: usize, to: usize| {
        let text = line.get(from..to).unwrap_or_default();
        let start = line_at + to - text.trim_ascii_start().len();
        let length = text.trim_ascii().len();
        if length > 0 {
            islands.push(start..start + length);
        }
    };
    let mut start = 0;
    let (mut row, mut row_at) = (0, 0);
    let mut at = 0;
    for word in line.split(|byte| *byte == b' ') {
        let next = at + word.len() + 1;
        if !word.is_empty() {
            if is_plain(word) {
                if row == 0 {
                    row_at = at;
                }
                row += 1;
            } else {
                if row >= ROW_WORDS {
                    add(start, row_at);
                    start = at;
                }
                row = 0;
            }
        }
        at = next;
    }
    add(start, if row >= ROW_WORDS { row_at } else { line.len() });
}

/// True for a word of written text, and what ends a clause behind it.
fn is_plain(word: &[u8]) -> bool {
    let end = word
        .iter()
        .rposition(|byte| !matches!(byte, b',' | b'.' | b':' | b'!' | b'?' | b'\r'))
        .map_or(0, |last| last + 1);
    let word = word.get(..end).unwrap_or_default();
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
    word.first().is_some_and(letter)
        && word.last().is_some_and(letter)
        && word.iter().all(|byte| letter(byte) || *byte == b'\'')
}

/// Plain words in a row that no statement of an attacked language has.
const ROW_WORDS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn islands(text: &str) -> Vec<&str> {
        let mut islands = Vec::new();
        find(text.as_bytes(), &mut islands);
        islands.iter().map(|at| &text[at.clone()]).collect()
    }

    #[test]
    fn islands_lie_between_lines_and_rows_of_plain_words() {
        assert_eq!(
            islands(
                "We don't have it, sorry. 1; drop table x; -- It came back, they said:\r\n\n  a=1 \nb"
            ),
            ["1; drop table x; --", "a=1", "b"]
        );
        assert_eq!(islands("x=1 and nothing else"), [""; 0]);
        assert_eq!(islands("Nothing but plain words here."), [""; 0]);
        assert_eq!(islands("two plain x=1 words"), [""; 0]);
        assert_eq!(islands(" \n"), [""; 0]);
    }
}
