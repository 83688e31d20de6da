//! Small readers that several detectors share: words, numbers, known names.

use std::ops::Range;

use memchr::memmem;

use super::words::Words;

/// Several sets of words that are looked for in one pass.
#[derive(Debug)]
pub struct WordSets {
    words: Words,
    /// The set of each word, as a bit.
    owners: Vec<u32>,
    /// Words of one byte.
    bytes: Vec<(u8, u32)>,
}

impl WordSets {
    /// All `sets` together; at most 32 of them, constants of their room, in lower case.
    pub fn new(sets: &[&[&'static str]]) -> Self {
        let (mut texts, mut owners, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for (set, bit) in sets.iter().zip((0..32).map(|index| 1_u32 << index)) {
            for word in set.iter() {
                if let [byte] = word.as_bytes() {
                    bytes.push((*byte, bit));
                } else {
                    texts.push(word.as_bytes());
                    owners.push(bit);
                }
            }
        }
        let words = Words::new(texts);
        Self {
            words,
            owners,
            bytes,
        }
    }

    /// The sets of which a word stands in `text`: bit 0 for the first.
    pub fn sets_in(&self, text: &[u8]) -> u32 {
        let mut sets = 0;
        self.each(text, &mut |_, set| sets |= set);
        sets
    }

    /// Where all words stand in `text`: for who asks about many parts of it.
    pub fn places(&self, text: &[u8]) -> Places {
        let mut list = Vec::new();
        self.each(text, &mut |at, set| list.push((at.start, at.end, set)));
        list.sort_unstable();
        Places(list)
    }

    fn each(&self, text: &[u8], each: &mut impl FnMut(Range<usize>, u32)) {
        for (byte, set) in &self.bytes {
            for at in memchr::memchr_iter(*byte, text) {
                each(at..at + 1, *set);
            }
        }
        self.words.find(text, &mut |word, at| {
            if let Some(set) = self.owners.get(usize::from(word)) {
                each(at, *set);
            }
        });
    }
}

/// Start, end and set of each word, in order.
#[derive(Debug)]
pub struct Places(Vec<(usize, usize, u32)>);

impl Places {
    /// The sets of which a word stands wholly inside `range`.
    pub fn sets_in(&self, range: Range<usize>) -> u32 {
        let first = self.0.partition_point(|(start, ..)| *start < range.start);
        let from = self.0.get(first..).unwrap_or_default();
        from.iter()
            .take_while(|(start, ..)| *start < range.end)
            .filter(|(_, end, _)| *end <= range.end)
            .fold(0, |sets, (.., set)| sets | set)
    }
}

/// All words of `lists`, in order; `N` is how many they are.
pub const fn joined<const N: usize>(lists: &[&[&'static str]]) -> [&'static str; N] {
    let mut words = [""; N];
    let (mut list, mut word, mut at) = (0, 0, 0);
    while list < lists.len() {
        if word == lists[list].len() {
            (list, word) = (list + 1, 0);
            continue;
        }
        words[at] = lists[list][word];
        (word, at) = (word + 1, at + 1);
    }
    words
}

/// A word as a number, so that tables are searched without comparing strings: its first 15 bytes, and its length.
pub const fn key(word: &[u8]) -> u128 {
    let mut packed = 0_u128;
    let mut index = 0;
    while index < 15 {
        packed <<= 8;
        if index < word.len() {
            packed |= word[index] as u128;
        }
        index += 1;
    }
    packed << 8 | (word.len() & 0xff) as u128
}

/// True for a letter, a digit or `_`: what an identifier of most languages is made of.
pub fn is_ident(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Offset of `needle` in `text` from `from` on.
pub fn find(text: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    memmem::find(text.get(from..)?, needle).map(|at| at + from)
}

/// True when `needle` stands in `text`.
pub fn has(text: &[u8], needle: &[u8]) -> bool {
    memmem::find(text, needle).is_some()
}

/// The first of `needles` that stands in `text`.
pub fn any_of<'n>(text: &[u8], needles: &[&'n str]) -> Option<&'n str> {
    needles
        .iter()
        .copied()
        .find(|needle| has(text, needle.as_bytes()))
}

/// True when `word` is one of `names`, which are sorted.
pub fn is_one_of(word: &[u8], names: &[&str]) -> bool {
    names
        .binary_search_by(|name| name.as_bytes().cmp(word))
        .is_ok()
}

/// The bytes of `text` from `at` on that satisfy `keep`.
pub fn run(text: &[u8], at: usize, keep: impl Fn(u8) -> bool) -> &[u8] {
    let rest = text.get(at..).unwrap_or_default();
    let mut end = 0;
    // Four at a time: the compiler unrolls no search by itself.
    for quad in rest.as_chunks::<4>().0 {
        match quad.iter().position(|byte| !keep(*byte)) {
            Some(kept) => return rest.get(..end + kept).unwrap_or_default(),
            None => end += 4,
        }
    }
    let tail = rest.get(end..).unwrap_or_default();
    end += tail.iter().take_while(|byte| keep(**byte)).count();
    rest.get(..end).unwrap_or_default()
}

/// Offset of the first byte at or after `at` that is no blank.
pub fn skip_blanks(text: &[u8], at: usize) -> usize {
    at + run(text, at, |byte| byte.is_ascii_whitespace()).len()
}

/// True for a value that is a JSON document: what its strings hold is looked at string by string.
pub fn is_json(text: &[u8]) -> bool {
    let text = trim(text);
    let opens = text.starts_with(b"{\"") || text.starts_with(b"[{\"") || text.starts_with(b"[\"");
    opens && matches!(text.last(), Some(b'}' | b']')) && has(text, b"\":")
}

/// `text` without the blanks around it.
pub fn trim(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}

/// True when the tables of a room are sorted, as [`is_one_of`] needs them.
#[cfg(test)]
pub fn is_sorted(names: &[&str]) -> bool {
    names.windows(2).all(|pair| pair[0] < pair[1])
}
