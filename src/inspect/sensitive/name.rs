//! Names of fields: split into words, and matched from their end.
//!
//! `new_password`, `userPassword` and `x-api-key` end in `password` and `api key`; `password_policy`, `token_type` and
//! `secretary` do not. A name's path counts as one sequence of words, so `card.number` is `card number`.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::rules::entity::Link;

/// Words of a name, in lower case. Digits at the end of a word are dropped (`password2`), so are indexes.
#[derive(Clone, Debug, Default)]
pub struct Words {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Words {
    /// Forgets all words; keeps its memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Splits `name` at everything that is no letter or digit, and at changes of case, and adds its words.
    pub fn push_name(&mut self, name: &[u8]) {
        if name.is_ascii() {
            self.push_ascii(name);
            return;
        }
        for chunk in name.utf8_chunks() {
            self.push_text(chunk.valid());
        }
    }

    fn push_text(&mut self, name: &str) {
        if name.is_ascii() {
            self.push_ascii(name.as_bytes());
            return;
        }
        let mut previous = Kind::Other;
        let mut chars = name.chars().peekable();
        while let Some(char) = chars.next() {
            let kind = Kind::of(char);
            let next_lower = chars.peek().is_some_and(|next| next.is_lowercase());
            let cut = match (previous, kind) {
                (_, Kind::Other) => true,
                // `apiKey` → api key; `APIKey` → api key.
                (Kind::Lower, Kind::Upper) => true,
                (Kind::Upper, Kind::Upper) => next_lower,
                // `card2number` → card number; `oauth2` and `ip6` keep no digits.
                (Kind::Digit, Kind::Lower | Kind::Upper) => true,
                _ => false,
            };
            if cut {
                self.end_word();
            }
            if kind != Kind::Other {
                for lower in char.to_lowercase() {
                    let plain = unaccented(lower);
                    let mut utf8 = [0; 4];
                    self.text
                        .extend_from_slice(plain.encode_utf8(&mut utf8).as_bytes());
                }
            }
            previous = kind;
        }
        self.end_word();
    }

    /// What [`push_text`](Self::push_text) does, word by word.
    fn push_ascii(&mut self, name: &[u8]) {
        let mut previous = Kind::Other;
        let mut from = 0;
        for (at, byte) in name.iter().enumerate() {
            let kind = KINDS[usize::from(*byte)];
            let next_lower = || name.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            let cut = match (previous, kind) {
                (_, Kind::Other) | (Kind::Lower, Kind::Upper) => true,
                (Kind::Upper, Kind::Upper) => next_lower(),
                (Kind::Digit, Kind::Lower | Kind::Upper) => true,
                _ => false,
            };
            if cut {
                self.push_word(name.get(from..at).unwrap_or_default());
                from = at + usize::from(kind == Kind::Other);
            }
            previous = kind;
        }
        self.push_word(name.get(from..).unwrap_or_default());
    }

    /// Adds a word of letters and digits, unless there is nothing in it but digits.
    fn push_word(&mut self, word: &[u8]) {
        let Some(last) = word.iter().rposition(|byte| !byte.is_ascii_digit()) else {
            return;
        };
        let word = word.get(..=last).unwrap_or(word);
        let start = self.text.len();
        self.text.extend_from_slice(word);
        if let Some(new) = self.text.get_mut(start..) {
            new.make_ascii_lowercase();
        }
        self.ends.push(self.text.len());
    }

    /// Ends the word at hand, unless there is none.
    fn end_word(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        let word = self.text.get(start..).unwrap_or_default();
        let last = word.iter().rposition(|byte| !byte.is_ascii_digit());
        let kept = start + last.map_or(0, |last| last + 1);
        self.text.truncate(kept);
        if kept > start {
            self.ends.push(kept);
        }
    }

    /// Number of words.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The word at `index`, from the first.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text.get(start..end)
    }

    /// The words, from the last.
    pub fn backwards(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).rev().filter_map(|index| self.get(index))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    Other,
}

/// What each ASCII byte is.
const KINDS: [Kind; 256] = {
    let mut table = [Kind::Other; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'a'..=b'z' => Kind::Lower,
            b'A'..=b'Z' => Kind::Upper,
            b'0'..=b'9' => Kind::Digit,
            _ => Kind::Other,
        };
        byte += 1;
    }
    table
};

impl Kind {
    fn of(char: char) -> Self {
        match char {
            'a'..='z' => Kind::Lower,
            'A'..='Z' => Kind::Upper,
            '0'..='9' => Kind::Digit,
            _ if char.is_uppercase() => Kind::Upper,
            _ if char.is_alphabetic() || char == '\u{308}' || char == '\u{301}' => Kind::Lower,
            _ => Kind::Other,
        }
    }
}

/// Latin letters with marks stand for the letter: `contraseña` is written `contrasena` as often.
fn unaccented(char: char) -> char {
    match char {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ē' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ī' | 'ı' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ő' | 'ō' => 'o',
        'ù'..='ü' | 'ű' | 'ů' | 'ū' => 'u',
        'ý' | 'ÿ' => 'y',
        'ś' | 'š' | 'ş' => 's',
        'ź' | 'ż' | 'ž' => 'z',
        'ł' => 'l',
        'ğ' => 'g',
        'ď' | 'đ' => 'd',
        'ř' => 'r',
        'ť' => 't',
        other => other,
    }
}

/// What is known of a name by its last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// How loosely a value may be tied to it in running text.
    pub(super) loosest: Link,
    /// So many words at its end say all.
    pub(super) words: usize,
}

/// Word sequences, found at the end of a name.
#[derive(Clone, Debug, Default)]
pub struct Names {
    by_last: HashMap<Box<[u8]>, Ending, BuildHasherDefault<Fnv>>,
    /// How loosely a value may be tied to the name that allows most.
    loosest: Link,
}

/// Sequences that end in the same word, from the longest.
#[derive(Clone, Debug, Default)]
struct Ending {
    sequences: Vec<Sequence>,
    /// By the low bits of their first letters: the words before the last one.
    near: u32,
    /// One of them is the word alone.
    alone: bool,
    /// How loosely a value may be tied to the one that allows most.
    loosest: Link,
    /// Words of the longest.
    longest: usize,
}

impl Ending {
    /// False when none of the sequences has `before` as its last word but one.
    #[inline]
    fn may_stand(&self, before: Option<&[u8]>) -> bool {
        self.alone || before.is_some_and(|before| self.near & letter(before) != 0)
    }
}

/// The low bits of the first letter of a word, as one bit.
fn letter(word: &[u8]) -> u32 {
    word.first().map_or(0, |first| 1 << (first & 31))
}

/// FNV-1a: what is in the table are rules, so nobody outside can crowd it.
#[derive(Clone)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Clone, Debug)]
struct Sequence {
    /// The words before the last one, from the last.
    before: Vec<Box<[u8]>>,
    /// What [`letter`] says of the first of them; 0 when there is none.
    near: u32,
    rule: u16,
}

impl Names {
    /// Adds the words of `name`, and the same words written as one: `api key` and `apikey`. `link` says how a value may be
    /// tied to it in running text.
    pub fn insert(&mut self, name: &str, rule: u16, link: Link) {
        let mut words = Words::default();
        words.push_name(name.as_bytes());
        let mut backwards = words.backwards().map(Box::from);
        let Some(last) = backwards.next() else { return };
        let before: Vec<Box<[u8]>> = backwards.collect();
        if !before.is_empty() {
            let joined = words.text.clone().into_boxed_slice();
            self.add(joined, Vec::new(), rule, link);
        }
        self.add(last, before, rule, link);
    }

    fn add(&mut self, last: Box<[u8]>, before: Vec<Box<[u8]>>, rule: u16, link: Link) {
        self.loosest = self.loosest.max(link);
        let ending = self.by_last.entry(last).or_default();
        ending.loosest = ending.loosest.max(link);
        ending.longest = ending.longest.max(before.len() + 1);
        match before.first() {
            Some(before) => ending.near |= letter(before),
            None => ending.alone = true,
        }
        let sequences = &mut ending.sequences;
        let at = sequences.partition_point(|known| known.before.len() >= before.len());
        let near = before.first().map_or(0, |before| letter(before));
        sequences.insert(at, Sequence { before, near, rule });
    }

    /// The rules whose sequence stands at the end of `words`, longest sequence first, each with the number of words it
    /// covers. Words that only qualify (`value`, `confirmation`) may stand after it.
    pub fn matching<'a>(&'a self, words: &'a Words) -> impl Iterator<Item = (u16, usize)> + 'a {
        let len = words.len();
        let mut least = len;
        while least > 1
            && len - least < MAX_QUALIFIERS
            && words.get(least - 1).is_some_and(qualifies)
        {
            least -= 1;
        }
        (least..=len).rev().flat_map(move |end| {
            let before = end.checked_sub(2).and_then(|at| words.get(at));
            let near = before.map_or(0, letter);
            words
                .get(end.wrapping_sub(1))
                .and_then(|last| self.ending(last))
                .filter(|ending| ending.may_stand(before))
                .into_iter()
                .flat_map(|ending| &ending.sequences)
                .filter(move |sequence| sequence.near & !near == 0)
                .filter(move |sequence| sequence.stands_before(words, end - 1))
                .map(move |sequence| (sequence.rule, end - 1 - sequence.before.len()))
        })
    }

    /// False when no sequence can stand at the end of a name that ends in `words`, whatever comes before them.
    pub fn may_end(&self, words: &Words) -> bool {
        words
            .backwards()
            .next()
            .is_none_or(|last| self.ending(last).is_some() || qualifies(last))
    }

    /// What a name that ends in `words` can be; `None` where [`may_end`](Self::may_end) is false.
    pub(super) fn tail(&self, words: &Words) -> Option<Tail> {
        match words.backwards().next() {
            Some(last) if !qualifies(last) => self.ending(last).map(|ending| Tail {
                loosest: ending.loosest,
                // One more may say that the name is another one's.
                words: ending.longest + 1,
            }),
            Some(_) | None => Some(Tail {
                loosest: self.loosest,
                words: usize::MAX,
            }),
        }
    }

    /// The sequences that end in `last`, or in what it ends in where words are written as one.
    fn ending(&self, last: &[u8]) -> Option<&Ending> {
        self.by_last.get(last).or_else(|| {
            let mut suffixes = SUFFIXES.iter().map(|suffix| suffix.as_bytes());
            self.by_last
                .get(suffixes.find(|suffix| last.ends_with(suffix))?)
        })
    }
}

impl Sequence {
    fn stands_before(&self, words: &Words, last: usize) -> bool {
        self.before.iter().enumerate().all(|(step, word)| {
            last.checked_sub(step + 1)
                .and_then(|index| words.get(index))
                == Some(&**word)
        })
    }
}

/// Ends of words that mean the same with anything before them: `PGPASSWORD`, `Zugangspasswort`.
pub(super) const SUFFIXES: &[&str] = &["password", "passwd", "passwort", "kennwort"];

/// True for one of [`QUALIFIERS`].
fn qualifies(word: &[u8]) -> bool {
    let first = word.first().copied().unwrap_or(0);
    word.len() < 32
        && QUALIFIER_LENGTHS[usize::from(first & 31)] >> word.len() & 1 == 1
        && QUALIFIERS.iter().any(|known| known.as_bytes() == word)
}

/// By the low bits of their first letters: the lengths of [`QUALIFIERS`], as bits.
const QUALIFIER_LENGTHS: [u32; 32] = {
    let mut table = [0; 32];
    let mut at = 0;
    while at < QUALIFIERS.len() {
        let word = QUALIFIERS[at].as_bytes();
        table[(word[0] & 31) as usize] |= 1 << word.len();
        at += 1;
    }
    table
};

/// Words after a name that do not change what it names.
const QUALIFIERS: &[&str] = &[
    "value",
    "val",
    "text",
    "str",
    "string",
    "plain",
    "plaintext",
    "cleartext",
    "raw",
    "iso",
    "formatted",
    "confirm",
    "confirmation",
    "confirmed",
    "again",
    "repeat",
    "repeated",
    "retype",
    "verify",
    "new",
    "old",
    "current",
    "field",
    "input",
    "entry",
    "data",
    "primary",
    "secondary",
    "home",
    "work",
    "temp",
    "temporary",
    "number",
    "num",
    "nr",
    "no",
    "nummer",
    "numero",
    "code",
];

const MAX_QUALIFIERS: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> Vec<String> {
        let mut words = Words::default();
        words.push_name(name.as_bytes());
        let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
        let mut list: Vec<String> = words.backwards().map(text).collect();
        list.reverse();
        list
    }

    #[test]
    fn names_split_at_marks_and_changes_of_case() {
        for (name, expected) in [
            ("new_password", "new password"),
            ("x-api-key", "x api key"),
            ("userPassword2", "user password"),
            ("APIKey", "api key"),
            ("card.cvv", "card cvv"),
            ("items[3].dateOfBirth", "items date of birth"),
            ("Contraseña", "contrasena"),
            ("AWS_SECRET_ACCESS_KEY", "aws secret access key"),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn only_the_end_of_a_name_counts() {
        let mut names = Names::default();
        names.insert("password", 1, Link::Bare);
        names.insert("api key", 2, Link::Colon);
        names.insert("token", 3, Link::Copula);
        let matched = |name: &str| {
            let mut words = Words::default();
            words.push_name(name.as_bytes());
            names.matching(&words).next().map(|found| found.0)
        };
        assert_eq!(matched("new_password"), Some(1));
        assert_eq!(matched("password_confirmation"), Some(1));
        assert_eq!(matched("xApiKey"), Some(2));
        assert_eq!(matched("apikey"), Some(2));
        let loosest = |name: &str| {
            let mut words = Words::default();
            words.push_name(name.as_bytes());
            names.tail(&words).map(|tail| tail.loosest)
        };
        assert_eq!(loosest("my token"), Some(Link::Copula));
        assert_eq!(loosest("token value"), Some(Link::Bare), "of any name");
        assert_eq!(loosest("tokens"), None);
        for name in [
            "password_policy",
            "password_reset_required",
            "token_type",
            "max_tokens",
            "secretary",
            "",
        ] {
            assert_eq!(matched(name), None, "{name}");
        }
    }
}
