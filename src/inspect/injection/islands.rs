//! The islands of a text: what stands between its line ends and its rows of plain words.
//!
//! People write about attacks, so detectors lower what they see in written text and in documents. An attacker who knows
//! writes some text around an attack: what is no text in it is looked at by itself as well.

use std::ops::Range;

use super::Setting;
use super::lexis::run;

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Island {
    /// Where its bytes lie.
    pub(super) at: Range<usize>,
    /// What sort of text it is by itself.
    pub(super) setting: Setting,
    /// True for the first and the last island of the text.
    pub(super) is_end: bool,
}

/// Finds the islands of the lines of `bytes` that are worth a look, in order. A text that is one island as a whole has none.
/// Of a text in windows, `begins` says that this is the first one and `ends` that it is the last.
pub(super) fn find(
    bytes: &[u8],
    (begins, ends): (bool, bool),
    mut is_worth: impl FnMut(Range<usize>) -> bool,
    islands: &mut Vec<Island>,
) {
    islands.clear();
    let mut is_first = begins;
    let mut read = 0;
    let mut at = 0;
    for end in memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]) {
        let line = bytes.get(at..end).unwrap_or_default();
        let worth = is_worth(at..end);
        if worth || is_first {
            let known = islands.len();
            find_in_line(line, at, islands);
            if let Some(first) = islands.get_mut(known) {
                first.is_end = is_first;
                is_first = false;
            }
            if !worth {
                islands.truncate(known);
            } else if islands.len() > known {
                read = end;
            }
        }
        at = end + 1;
    }
    if let [only] = islands.as_slice()
        && only.at.len() == bytes.trim_ascii().len()
    {
        islands.clear();
    }
    if ends && let Some(last) = islands.last_mut() {
        let rest = bytes.get(read..).unwrap_or_default();
        let mut behind = Vec::new();
        last.is_end |= rest.split(|byte| *byte == b'\n').all(|line| {
            find_in_line(line, 0, &mut behind);
            behind.is_empty()
        });
    }
}

fn find_in_line(line: &[u8], line_at: usize, islands: &mut Vec<Island>) {
    let mut add = |from: usize, to: usize| {
        let text = line.get(from..to).unwrap_or_default();
        let start = line_at + to - text.trim_ascii_start().len();
        let text = text.trim_ascii();
        let mut push = |from: usize, to: usize, setting: Setting| {
            islands.push(Island {
                at: start + from..start + to,
                setting,
                is_end: false,
            });
        };
        if text.is_empty() {
            return;
        }
        // Written text all the same, whose rows odd words break: what could stand before it and behind it.
        let setting = Setting::of(text);
        if setting == Setting::Prose
            && let Some(front) = memchr::memchr_iter(b' ', text).nth(FEW_WORDS)
            && let Some(back) = memchr::memrchr_iter(b' ', text).nth(FEW_WORDS)
        {
            let of = |part: Option<&[u8]>| part.map_or(setting, Setting::of);
            push(0, front, of(text.get(..front)));
            push(back + 1, text.len(), of(text.get(back + 1..)));
        } else {
            push(0, text.len(), setting);
        }
    };
    let mut start = 0;
    let (mut row, mut row_at) = (0, 0);
    let mut at = 0;
    while at < line.len() {
        let word_at = at;
        at = plain_end(line, at);
        if !matches!(line.get(at), None | Some(b' ')) {
            at += run(line, at, |byte| byte != b' ').len();
            if row >= ROW_WORDS {
                add(start, row_at);
                start = word_at;
            }
            row = 0;
        } else if at > word_at {
            if row == 0 {
                row_at = word_at;
            }
            row += 1;
        }
        at += 1;
    }
    add(start, if row >= ROW_WORDS { row_at } else { line.len() });
}

/// Where what stands at `at` stops being a plain word: letters, with apostrophes between them, and the end of a clause.
fn plain_end(line: &[u8], mut at: usize) -> usize {
    let mut end = at;
    loop {
        let letters = run(line, at, |byte| SORTS[usize::from(byte)] == LETTER).len();
        if letters == 0 {
            return end;
        }
        end = at + letters;
        match line.get(end).map(|byte| SORTS[usize::from(*byte)]) {
            Some(APOSTROPHE) => at = end + 1,
            Some(CLAUSE_END) => {
                return end + run(line, end, |byte| SORTS[usize::from(byte)] == CLAUSE_END).len();
            }
            _ => return end,
        }
    }
}

/// Sorts of bytes.
static SORTS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => LETTER,
            b'\'' => APOSTROPHE,
            b',' | b'.' | b':' | b'!' | b'?' | b'\r' => CLAUSE_END,
            _ => OTHER,
        };
        byte += 1;
    }
    table
};
const OTHER: u8 = 0;
const LETTER: u8 = 1;
const APOSTROPHE: u8 = 2;
/// What ends a clause.
const CLAUSE_END: u8 = 3;

/// Plain words in a row that no statement of an attacked language has.
const ROW_WORDS: usize = 4;

/// Blanks between the words that are looked at before and behind written text without rows: fewer words than make one.
const FEW_WORDS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// The islands of all lines with a digit, a sign of equality or the word `worth`; a star marks the ends.
    fn islands_of(text: &str, ends: (bool, bool)) -> Vec<String> {
        let mut islands = Vec::new();
        let is_worth = |line: Range<usize>| {
            let line = &text.as_bytes()[line];
            line.iter()
                .any(|byte| byte.is_ascii_digit() || *byte == b'=')
        };
        find(text.as_bytes(), ends, is_worth, &mut islands);
        let shown = |island: &Island| {
            let star = if island.is_end { "*" } else { "" };
            format!("{}{star}", &text[island.at.clone()])
        };
        islands.iter().map(shown).collect()
    }

    fn islands(text: &str) -> Vec<String> {
        islands_of(text, (true, true))
    }

    #[test]
    fn islands_lie_between_lines_and_rows_of_plain_words() {
        let letter =
            "We don't have it, sorry. 1; drop table x; -- It came back, they said:\r\n\n  a=1 \nb=";
        assert_eq!(islands(letter), ["1; drop table x; --*", "a=1", "b=*"]);
        for none in [
            "x=1 and nothing else",
            "Nothing but plain words here.",
            "two plain x=1 words",
            " \n",
        ] {
            assert_eq!(islands(none), [""; 0], "{none}");
        }
    }

    #[test]
    fn rows_are_broken_by_words_that_are_not_plain() {
        for plain in ["don't", "o'clock's", "word?!", "Wörter,"] {
            assert_eq!(islands(&format!("x=1 a b {plain} d")), ["x=1*"], "{plain}");
        }
        for odd in [
            "dogs'", "'tis", "a''b", "a.b", "a.'", "7", "a7", "(a", "a-b", ".",
        ] {
            assert_eq!(islands(&format!("x=1 a b {odd} d")), [""; 0], "{odd}");
        }
    }

    #[test]
    fn lines_that_are_not_worth_a_look_are_ends_all_the_same() {
        assert_eq!(islands("a=1\nThe rest is plain words."), ["a=1*"]);
        assert_eq!(islands("Some words that say little.\n\n a=1\n"), ["a=1*"]);
        assert_eq!(islands("(x)\na=1\n(y)"), ["a=1"]);
        assert_eq!(islands("(x)\na=1\n\nb=2"), ["a=1", "b=2*"]);
        // The last line is worth a look and has no island.
        let text = "(x)\na=1\n(y)\nFour plain words, then: worth\n";
        assert_eq!(islands(text), ["a=1"]);
    }

    #[test]
    fn written_text_without_rows_has_a_front_and_a_back() {
        let text = "' or a=1 -- Our order 4711 for twelve 12 lamps came on 3 May and two 2 were already broken \
            5 days later here";
        let ends = [
            "' or a=1 -- Our order 4711 for twelve*",
            "two 2 were already broken 5 days later here*",
        ];
        assert_eq!(islands(text), ends);
    }

    #[test]
    fn a_window_ends_no_text() {
        let text = "a=1\nb=2\nc=3";
        assert_eq!(islands_of(text, (true, false)), ["a=1*", "b=2", "c=3"]);
        assert_eq!(islands_of(text, (false, false)), ["a=1", "b=2", "c=3"]);
        assert_eq!(islands_of(text, (false, true)), ["a=1", "b=2", "c=3*"]);
    }
}
