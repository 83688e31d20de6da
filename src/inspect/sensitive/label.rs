//! Names inside running text and the values that follow them: `password: …`, `DB_PASSWORD=…`, `born on …`.

use super::catalog::Entity;
use super::name::{SUFFIXES, Tail};
use super::scanner::{Hit, Run};
use crate::rules::entity::Link;

/// How a name is followed by its value.
struct Tie {
    link: Link,
    /// Where the value begins.
    value: usize,
    /// One past the last byte that can belong to it.
    limit: usize,
    /// The value stands in quotes: all of `value..limit` is it.
    quoted: bool,
}

impl Run<'_> {
    /// Looks at the name in the text of which a label word stands at `start..end`.
    pub(super) fn label(&mut self, start: usize, end: usize) -> Option<Hit> {
        let text = self.text;
        if joined(text, start, end) {
            return None;
        }
        let stop = name_end(text, end)?;
        if stop == self.label_end {
            return None;
        }
        self.label_end = stop;
        // The last word alone tells of most names that they are none, and how far from it a value may stand.
        let tail = self.tail(text.get(..stop).unwrap_or_default())?;
        let begin = name_start(text, start)?;
        if text.get(..begin)?.ends_with(MASK) {
            return None;
        }
        let tie = tie(text, begin, stop)?;
        if tie.link > tail.loosest {
            return None;
        }
        let name = text.get(begin..stop).unwrap_or_default();
        self.words.clear();
        self.words.push_name(last_words(name, tail.words));
        self.labelled(&tie)
    }

    /// What a name can be that `before` ends in; `None` when it is no name.
    fn tail(&mut self, before: &[u8]) -> Option<Tail> {
        let letters = before.iter().rev().take(3 * NAME_BYTES);
        let last = letters
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte >= 0x80)
            .count();
        self.words.clear();
        self.words
            .push_name(before.get(before.len() - last..).unwrap_or_default());
        self.catalog.names.tail(self.words)
    }

    fn labelled(&mut self, tie: &Tie) -> Option<Hit> {
        let text = self.text;
        self.catalog.fields_named(self.words, self.fields);
        let wants = |entity: Entity| self.wanted.get(usize::from(entity.0)) == Some(&true);
        self.fields
            .iter()
            .filter_map(|index| self.catalog.fields.get(usize::from(*index)))
            .filter(|field| wants(field.entity) && tie.link <= field.link)
            .find_map(|field| {
                if tie.quoted {
                    field.whole_value(text, tie.value, tie.limit)
                } else {
                    field.value(text, tie.value, tie.limit)
                }
            })
    }
}

/// The end of `name` in which the last `count` words are, or more.
fn last_words(name: &[u8], count: usize) -> &[u8] {
    let (mut words, mut spelled) = (0, false);
    for (at, byte) in name.iter().enumerate().rev() {
        if *byte == b' ' && spelled {
            words += 1;
            spelled = false;
            if words >= count {
                return name.get(at..).unwrap_or(name);
            }
        }
        // What has no such letter may be no word.
        spelled |= byte.is_ascii_alphabetic();
    }
    name
}

/// Where the value at `start..end` of running text really ends: before the next `&name=`, before the punctuation of
/// the sentence, before a bracket that was opened outside.
pub(super) fn value_end(text: &[u8], start: usize, end: usize) -> usize {
    let mut end = end.min(start + RUN_BYTES);
    let value = text.get(start..end).unwrap_or_default();
    let next = value
        .iter()
        .enumerate()
        .find(|(at, byte)| match byte {
            b'&' | b';' | b',' => next_pair(value.get(at + 1..).unwrap_or_default()),
            b'<' => true,
            // In the middle of a word it is a part of it: `p4ss'word`.
            b'"' | b'\'' | b'`' => !value
                .get(at + 1)
                .is_some_and(|next| next.is_ascii_alphanumeric() || *next >= 0x80),
            b'\\' => value.get(at + 1) == Some(&b'"'),
            _ => false,
        })
        .map(|(at, _)| start + at);
    if let Some(next) = next {
        end = next;
    }
    while let Some(last) = end
        .checked_sub(1)
        .filter(|last| *last > start)
        .and_then(|last| text.get(last))
    {
        let opened = |open: u8| {
            let line = text
                .get(start.saturating_sub(OPEN_BYTES)..start)
                .unwrap_or_default();
            let inside = text.get(start..end).unwrap_or_default();
            memchr::memchr(open, line).is_some() && memchr::memchr(open, inside).is_none()
        };
        let drop = match last {
            b'.' | b',' | b';' | b':' => true,
            b')' => opened(b'('),
            b']' => opened(b'['),
            b'}' => opened(b'{'),
            b'>' => opened(b'<'),
            _ => false,
        };
        if !drop {
            break;
        }
        end -= 1;
    }
    end
}

/// True when `rest` begins with a name and `=`.
fn next_pair(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    let name = rest
        .iter()
        .take(NAME_BYTES)
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.[] ".contains(byte))
        .count();
    name > 0 && rest.get(name) == Some(&b'=')
}

/// True when the word at `start..end` is a piece of a longer word: `secretary`, `compass`.
fn joined(text: &[u8], start: usize, end: usize) -> bool {
    let at = |place: Option<usize>| place.and_then(|place| text.get(place)).copied();
    let (first, last) = (at(Some(start)), at(end.checked_sub(1)));
    let (before, after) = (at(start.checked_sub(1)), at(Some(end)));
    let (Some(first), Some(last)) = (first, last) else {
        return true;
    };
    let suffix = || {
        let word = text.get(start..end).unwrap_or_default();
        let mut suffixes = SUFFIXES.iter();
        suffixes.any(|suffix| word.eq_ignore_ascii_case(suffix.as_bytes()))
    };
    let glued_before = before.is_some_and(|before| match before {
        b'a'..=b'z' => first.is_ascii_lowercase(),
        b'A'..=b'Z' | b'0'..=b'9' => first.is_ascii_alphanumeric(),
        _ => false,
    }) && !suffix();
    let glued_after = after.is_some_and(|after| match after {
        b'a'..=b'z' => last.is_ascii_alphanumeric(),
        b'A'..=b'Z' => last.is_ascii_uppercase(),
        // `ñ`, `é`: the word goes on. In scripts without spaces it does not matter.
        0xc3..=0xc9 => last.is_ascii_alphabetic(),
        _ => false,
    });
    glued_before || glued_after
}

/// The end of the identifier that goes on at `from`; `None` when it is too long for a name.
fn name_end(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    let more = rest
        .iter()
        .take(NAME_BYTES + 1)
        .take_while(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']')
        })
        .count();
    if more > NAME_BYTES {
        return None;
    }
    // A mark at the end is no part of the name: `token.`, `password-`.
    let name = rest.get(..more)?;
    let kept = name
        .iter()
        .rposition(|byte| byte.is_ascii_alphanumeric())
        .map_or(0, |last| last + 1);
    Some(from + kept)
}

/// The beginning of the identifier that `from` lies in, and of up to three words before it.
fn name_start(text: &[u8], from: usize) -> Option<usize> {
    let mut start = from;
    let mut blanks = 0;
    while let Some(byte) = start.checked_sub(1).and_then(|at| text.get(at)) {
        match NAMING[usize::from(*byte)] {
            Naming::Part => {}
            Naming::Blank if blanks < WORDS_BEFORE => blanks += 1,
            Naming::Blank | Naming::Other => break,
        }
        start -= 1;
        if from - start > NAME_BYTES {
            // Running text may go on; an identifier of that length is none.
            return (blanks > 0).then_some(start);
        }
    }
    Some(start)
}

/// What a byte is to a name that goes on behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Part,
    Blank,
    Other,
}

const NAMING: [Naming; 256] = {
    let mut table = [Naming::Other; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        let value = byte as u8;
        let mark = matches!(value, b'_' | b'-' | b'.' | b'[' | b']');
        if value == b' ' {
            table[byte] = Naming::Blank;
        } else if mark || value.is_ascii_alphanumeric() || value >= 0x80 {
            table[byte] = Naming::Part;
        }
        byte += 1;
    }
    table
};

/// Reads what stands between a name at `name..at` and its value.
fn tie(text: &[u8], name: usize, at: usize) -> Option<Tie> {
    let mut reader = Cursor { text, at };
    reader.skip(b"\"'`*_\\]} \t");
    if let Some(next) = reader.one_of(&QUALIFIERS) {
        reader.at = next;
        reader.skip(b".\"'`*_ \t");
    }
    // `Pass-Nr.: …`
    if reader.peek() == Some(b'.') && matches!(text.get(reader.at + 1), Some(b':' | b'=')) {
        reader.at += 1;
    }
    if reader.peek() == Some(b'(') {
        reader.remark();
    }
    let mut link = Link::Bare;
    if let Some(next) = reader.one_of(&FILLERS) {
        reader.at = next;
        reader.skip(b" \t");
    }
    if let Some(next) = reader.one_of(&PURPOSES) {
        reader.purpose(next);
    }
    if let Some(next) = reader.one_of(&COPULAS) {
        reader.at = next;
        reader.skip(b" \t");
        link = Link::Copula;
    }
    let marks = reader.at;
    reader.skip(b":=>|\xef\xbc\x9a");
    if reader.at > marks {
        link = Link::Colon;
    }
    let option = text
        .get(..name)
        .is_some_and(|before| before.ends_with(b"--"))
        || text.get(name..).is_some_and(|name| name.starts_with(b"--"));
    if option && reader.at < text.len() {
        link = Link::Colon;
    }
    reader.skip(b"*_ \t");
    let escaped = reader.peek() == Some(b'\\');
    if escaped {
        reader.at += 1;
    }
    let quote = reader.peek().filter(|byte| b"\"'`".contains(byte));
    // No further than the value can reach: else each name of a long line would read all of it.
    let Some(quote) = quote else {
        let run = text.get(reader.at..)?;
        let run = run.get(..RUN_BYTES).unwrap_or(run);
        return Some(Tie {
            link,
            value: reader.at,
            limit: reader.at + memchr::memchr(b'\n', run).unwrap_or(run.len()),
            quoted: false,
        });
    };
    let value = reader.at + 1;
    let end = memchr::memchr2(quote, b'\n', text.get(value..)?)
        .map_or(text.len(), |length| value + length);
    let quoted = text.get(end) == Some(&quote);
    let behind = quoted && escaped && text.get(end - 1) == Some(&b'\\');
    Some(Tie {
        link,
        value,
        limit: end - usize::from(behind),
        quoted,
    })
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Steps over up to [`MARKS`] of `bytes`.
    fn skip(&mut self, bytes: &[u8]) {
        let more = self
            .text
            .get(self.at..)
            .unwrap_or_default()
            .iter()
            .take(MARKS)
            .take_while(|byte| bytes.contains(byte))
            .count();
        self.at += more;
    }

    /// Where the first of `words` ends that stands here as a word.
    fn one_of(&self, list: &Phrases) -> Option<usize> {
        let first = self.peek()?.to_ascii_lowercase();
        let second = self.text.get(self.at + 1).copied().unwrap_or(b' ');
        if list.begin[usize::from(first & 31)] >> (second & 31) & 1 == 0 {
            return None;
        }
        let words = list.words;
        let begins = |word: &&&str| word.as_bytes().first() == Some(&first);
        words.iter().filter(begins).find_map(|word| self.word(word))
    }

    /// Where `word` ends, when it stands here as a word.
    fn word(&self, word: &str) -> Option<usize> {
        let end = self.at + word.len();
        let here = self.text.get(self.at..end)?;
        let next = self.text.get(end).copied().unwrap_or(b' ');
        (here.eq_ignore_ascii_case(word.as_bytes()) && !next.is_ascii_alphanumeric()).then_some(end)
    }

    /// Steps over what a name is for, if its value comes after that: `password for your account is …`.
    fn purpose(&mut self, from: usize) {
        let mut ahead = Cursor {
            text: self.text,
            at: from,
        };
        for _ in 0..=PURPOSE_WORDS {
            ahead.skip(b" \t");
            let says = ahead.one_of(&VERBS).is_some();
            if says || ahead.peek() == Some(b':') {
                self.at = ahead.at;
                return;
            }
            let rest = ahead.text.get(ahead.at..).unwrap_or_default();
            let letters = rest.iter().take(PURPOSE_WORD_BYTES);
            let word = letters
                .take_while(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80 || **byte == b'-')
                .count();
            if word == 0 {
                return;
            }
            ahead.at += word;
        }
    }

    /// Steps over a short remark in parentheses: `date of birth (dd/mm/yyyy): …`.
    fn remark(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let near = rest.get(..REMARK_BYTES).unwrap_or(rest);
        if let Some(close) = memchr::memchr(b')', near)
            && !near
                .get(..close)
                .unwrap_or_default()
                .iter()
                .any(u8::is_ascii_digit)
        {
            self.at += close + 1;
            self.skip(b" \t");
        }
    }
}

/// Words, one of which may stand at a place.
struct Phrases {
    words: &'static [&'static str],
    /// By the low bits of a first byte: one bit for those of each second byte.
    begin: [u32; 32],
}

impl Phrases {
    const fn of(words: &'static [&'static str]) -> Self {
        let (mut begin, mut at) = ([0; 32], 0);
        while at < words.len() {
            let word = words[at].as_bytes();
            begin[(word[0] & 31) as usize] |= match word.len() {
                1 => u32::MAX,
                _ => 1 << (word[1] & 31),
            };
            at += 1;
        }
        Self { words, begin }
    }
}

/// Words that may stand between a name and its value.
static QUALIFIERS: Phrases = Phrases::of(&[
    "number", "no", "nr", "num", "nummer", "numero", "número", "numéro", "n°", "nº", "#", "code",
    "id", "value",
]);

/// Words that may stand before those: `call me at`, `password changed to`.
static FILLERS: Phrases = Phrases::of(&[
    "has been set",
    "has been changed",
    "has been reset",
    "was set",
    "was changed",
    "was reset",
    "is now",
    "me",
    "us",
    "him",
    "her",
    "changed",
    "set",
    "reset",
    "now",
    "mich",
    "uns",
    "me a",
]);

/// Words that say what a name is for.
static PURPOSES: Phrases = Phrases::of(&[
    "for", "für", "para", "pour", "per", "voor", "of", "de", "del", "du", "di", "zu", "zum", "zur",
]);

/// Words that come between that and the value.
static VERBS: Phrases = Phrases::of(&[
    "is", "was", "will be", "ist", "lautet", "es", "est", "era", "è", "é", "jest",
]);

/// Words of what a name is for.
const PURPOSE_WORDS: usize = 4;

/// Bytes of one of them.
const PURPOSE_WORD_BYTES: usize = 24;

/// Words that tie a value to a name.
static COPULAS: Phrases = Phrases::of(&[
    "is", "was", "are", "to", "on", "at", "ist", "lautet", "am", "es", "est", "era", "è", "é",
    "el", "il", "le", "em", "op", "den", "dnia", "under", "will be",
]);

/// How a mask begins: the entity that it names is no name of what follows it.
const MASK: &[u8] = b"[REDACTED:";

/// Bytes of an identifier that can be a name.
const NAME_BYTES: usize = 64;

/// Words before an identifier that may belong to the name: `date of birth`.
const WORDS_BEFORE: usize = 4;

/// Marks between a name and its value.
const MARKS: usize = 6;

/// Bytes of a remark in parentheses after a name.
const REMARK_BYTES: usize = 40;

/// How far before a value a bracket may have been opened.
const OPEN_BYTES: usize = 80;

/// Bytes of a value without quotes in running text; keys and passwords are shorter.
const RUN_BYTES: usize = 512;
