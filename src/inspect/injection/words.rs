//! Many fixed words in one pass, in any case of their letters.
//!
//! Words of five bytes and more are entered with two neighbouring grams of four bytes, so that one of them begins at an
//! even place wherever the word stands; shorter ones with their rarest pair. Two bytes of the text cost one look at a
//! bitmap of 8 KiB and two at tables of 2 KiB, which stay in the first-level cache; what passes is compared as a whole.
//! An automaton over a thousand words has tables of a megabyte, and each of its steps waits for the one before.

use std::ops::Range;

/// The words, compiled. Only words of two bytes and more.
#[derive(Debug)]
pub(super) struct Words {
    texts: Vec<&'static [u8]>,
    pairs: Pairs,
    grams: Grams,
}

impl Words {
    /// Compiles `texts`; at most 65,535.
    pub(super) fn new(texts: Vec<&'static [u8]>) -> Self {
        debug_assert!(texts.iter().all(|text| text.to_ascii_lowercase() == **text));
        let (mut grams, mut pairs) = (Vec::new(), Vec::new());
        for (text, word) in texts.iter().zip(0_u16..) {
            if text.len() > GRAM {
                enter_grams(text, word, &mut grams);
            } else {
                enter_pair(text, word, &mut pairs);
            }
        }
        Self {
            pairs: Pairs::new(pairs),
            grams: Grams::new(grams),
            texts,
        }
    }

    /// Hands number and place of every word in `bytes` to `each`, almost in order: by the place of its gram or pair.
    #[inline(always)]
    pub(super) fn find(&self, bytes: &[u8], each: &mut impl FnMut(u16, Range<usize>)) {
        let mut at = 0;
        while let Some(window) = bytes.get(at..).and_then(<[u8]>::first_chunk::<GRAM>) {
            let [one, two, three, _] = *window;
            if self.pairs.has(one, two) | self.pairs.has(two, three) | self.grams.has(window) {
                self.look((bytes, at), each);
            }
            at += 2;
        }
        if at + 1 < bytes.len() {
            self.look((bytes, at), each);
        }
    }

    /// Looks closer at what begins at `at` or behind it.
    #[inline(never)]
    fn look(&self, (bytes, at): (&[u8], usize), each: &mut impl FnMut(u16, Range<usize>)) {
        let here = bytes.get(at..).unwrap_or_default();
        for (at, pair) in (at..at + 2).zip(here.windows(PAIR)) {
            if let [one, two] = pair
                && self.pairs.has(*one, *two)
            {
                let slot = u16::from_le_bytes([*one, *two]);
                self.compare(self.pairs.entries.of(slot), (bytes, at), each);
            }
        }
        if let Some(window) = here.first_chunk()
            && self.grams.has(window)
        {
            let entries = self.grams.entries.of(gram_slot(window));
            self.compare(entries, (bytes, at), each);
        }
    }

    /// Compares the words of `entries` for what stands at `at`.
    #[inline(always)]
    fn compare(
        &self,
        entries: &[Entry],
        (bytes, at): (&[u8], usize),
        each: &mut impl FnMut(u16, Range<usize>),
    ) {
        for entry in entries {
            let Some(start) = at.checked_sub(usize::from(entry.offset)) else {
                continue;
            };
            let end = start + usize::from(entry.length);
            let Some([first, between @ .., last]) = bytes.get(start..end) else {
                continue;
            };
            // Most places fail at one of the ends.
            if first | CASE == entry.ends[0]
                && last | CASE == entry.ends[1]
                && self.is(entry.word, *first, between, *last)
            {
                each(entry.word, start..end);
            }
        }
    }

    fn is(&self, word: u16, first: u8, between: &[u8], last: u8) -> bool {
        let Some([front, middle @ .., back]) = self.texts.get(usize::from(word)) else {
            return false;
        };
        first.eq_ignore_ascii_case(front)
            && last.eq_ignore_ascii_case(back)
            && between.eq_ignore_ascii_case(middle)
    }
}

/// Which pairs of bytes belong to a word.
#[derive(Debug)]
struct Pairs {
    /// For each first byte, a bit for each class of second ones.
    seconds: Box<[u64; 256]>,
    /// The class of each byte as a second one.
    classes: Box<[u8; 256]>,
    entries: Entries,
}

impl Pairs {
    fn new(entries: Vec<Entry>) -> Self {
        let mut classes = Box::new([0; 256]);
        let mut seconds = Box::new([0; 256]);
        let mut next = 1;
        for entry in &entries {
            let [first, byte] = entry.slot.to_le_bytes();
            let (first, second) = (usize::from(first), usize::from(byte));
            if classes[second] == 0 {
                for case in [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()] {
                    classes[usize::from(case)] = next;
                }
                // Classes beyond the last are shared: the comparison tells their bytes apart.
                next = (next + 1).min(63);
            }
            seconds[first] |= 1 << classes[second];
        }
        Self {
            seconds,
            classes,
            entries: Entries::new(entries),
        }
    }

    #[inline(always)]
    fn has(&self, first: u8, second: u8) -> bool {
        let class = self.classes[usize::from(second)];
        self.seconds[usize::from(first)] >> (class & 63) & 1 != 0
    }
}

/// Which grams belong to a word: of 65,536 slots, those that hold one.
#[derive(Debug)]
struct Grams {
    bitmap: Box<[u64; 1024]>,
    entries: Entries,
}

impl Grams {
    fn new(entries: Vec<Entry>) -> Self {
        let mut bitmap = Box::new([0_u64; 1024]);
        for entry in &entries {
            bitmap[usize::from(entry.slot >> 6)] |= 1 << (entry.slot & 63);
        }
        Self {
            bitmap,
            entries: Entries::new(entries),
        }
    }

    #[inline(always)]
    fn has(&self, gram: &[u8; GRAM]) -> bool {
        let slot = gram_slot(gram);
        self.bitmap[usize::from(slot >> 6)] >> (slot & 63) & 1 != 0
    }
}

/// A gram or a pair of a word, where in the word it is, and what of the word is compared first.
#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u16,
    word: u16,
    offset: u8,
    length: u8,
    /// First and last byte, with [`CASE`].
    ends: [u8; 2],
}

impl Entry {
    fn new(slot: u16, offset: usize, word: u16, text: &[u8]) -> Self {
        let small = |number| u8::try_from(number).unwrap_or(u8::MAX);
        let end = |byte: Option<&u8>| byte.map_or(0, |byte| byte | CASE);
        Self {
            slot,
            word,
            offset: small(offset),
            length: small(text.len()),
            ends: [end(text.first()), end(text.last())],
        }
    }
}

/// Entries by their slot.
#[derive(Debug)]
struct Entries {
    /// Where the entries begin whose slots have these upper bits; one more than there are.
    starts: Vec<u16>,
    list: Vec<Entry>,
}

impl Entries {
    fn new(mut list: Vec<Entry>) -> Self {
        list.sort_by_key(|entry| entry.slot);
        let starts = (0..=1 << (16 - BUCKET_BITS))
            .map(|bucket| {
                let before = list.partition_point(|entry| entry.slot >> BUCKET_BITS < bucket);
                u16::try_from(before).unwrap_or(u16::MAX)
            })
            .collect();
        Self { starts, list }
    }

    /// The entries of `slot`.
    #[inline(always)]
    fn of(&self, slot: u16) -> &[Entry] {
        let bucket = usize::from(slot >> BUCKET_BITS);
        let (Some(from), Some(to)) = (self.starts.get(bucket), self.starts.get(bucket + 1)) else {
            return &[];
        };
        let list = self.list.get(usize::from(*from)..usize::from(*to));
        let list = list.unwrap_or_default();
        let before = list.iter().take_while(|entry| entry.slot < slot).count();
        let list = list.get(before..).unwrap_or_default();
        let own = list.iter().take_while(|entry| entry.slot == slot).count();
        list.get(..own).unwrap_or_default()
    }
}

/// Enters the rarest two neighbouring grams of `text`.
fn enter_grams(text: &[u8], word: u16, entries: &mut Vec<Entry>) {
    // As rare as the commoner of the two.
    let rarity = |window: &[u8]| window.windows(GRAM).map(commonness).max();
    let rarest = text
        .windows(GRAM + 1)
        .enumerate()
        .min_by_key(|(_, window)| rarity(window));
    let Some((offset, window)) = rarest else {
        return;
    };
    for (offset, gram) in (offset..).zip(window.windows(GRAM)) {
        if let Some(gram) = gram.first_chunk() {
            entries.push(Entry::new(gram_slot(gram), offset, word, text));
        }
    }
}

/// Enters the rarest pair of `text` in each case that its letters may have.
fn enter_pair(text: &[u8], word: u16, entries: &mut Vec<Entry>) {
    let rarest = text
        .windows(PAIR)
        .enumerate()
        .min_by_key(|(_, window)| commonness(window));
    let Some((offset, [first, second])) = rarest else {
        return;
    };
    let cases = |byte: &u8| [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
    for one in cases(first) {
        for two in cases(second) {
            let slot = u16::from_le_bytes([one, two]);
            let is_in = |entry: &Entry| entry.slot == slot && entry.word == word;
            if !entries.iter().any(is_in) {
                entries.push(Entry::new(slot, offset, word, text));
            }
        }
    }
}

/// A slot for four bytes, the same for letters of either case. Fibonacci hashing: the upper bits depend on all of it.
#[inline(always)]
fn gram_slot(gram: &[u8; GRAM]) -> u16 {
    let folded = u32::from_le_bytes(*gram) | FOLD;
    u16::try_from(folded.wrapping_mul(0x9E37_79B1) >> 16).unwrap_or_default()
}

/// How often the bytes are met in text, markup and programs, roughly, as the sum of their ranks.
fn commonness(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .map(|byte| {
            let byte = byte.to_ascii_lowercase();
            BY_RARITY
                .iter()
                .position(|known| *known == byte)
                .map_or(1, |rank| rank + 2)
        })
        .sum()
}

/// From the rarest to the most common, in what APIs send.
const BY_RARITY: &[u8] =
    b"^`~|\\#!&?@+*;[]<>{}$%()'=zqjxkv9876_35420w1yb\"fg\n/-:,.pmuhcdlrnsioate ";

/// Bytes of a gram and of a pair.
const GRAM: usize = 4;
const PAIR: usize = 2;
/// Upper and lower case letters fall together; so do some other pairs, which the comparison tells apart.
const FOLD: u32 = 0x2020_2020;
/// The bit in which the cases of a letter differ.
const CASE: u8 = 0x20;
/// Lower bits of a slot that are not told apart by [`Entries::starts`].
const BUCKET_BITS: u32 = 5;

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, MatchKind};
    use proptest::prelude::*;

    use super::super::ROOMS;
    use super::*;

    fn anchors() -> Words {
        let texts = ROOMS.iter().flat_map(|room| room.anchors);
        Words::new(
            texts
                .map(|text| text.as_bytes())
                .filter(|text| text.len() > 1)
                .collect(),
        )
    }

    fn found(words: &Words, text: &[u8]) -> Vec<(usize, usize, &'static [u8])> {
        let mut list = Vec::new();
        words.find(text, &mut |word, at| {
            list.push((at.end, at.start, words.texts[usize::from(word)]));
        });
        list.sort_unstable();
        list
    }

    fn automaton(words: &Words) -> AhoCorasick {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&words.texts)
            .expect("the anchors fit")
    }

    fn oracle(
        words: &Words,
        automaton: &AhoCorasick,
        text: &[u8],
    ) -> Vec<(usize, usize, &'static [u8])> {
        let all = automaton.find_overlapping_iter(text);
        let mut list: Vec<_> = all
            .map(|found| (found.end(), found.start(), words.texts[found.pattern()]))
            .collect();
        list.sort_unstable();
        list
    }

    #[test]
    fn every_anchor_is_found_where_an_automaton_finds_it() {
        let words = anchors();
        let automaton = automaton(&words);
        for text in &words.texts {
            for text in [text.to_vec(), text.to_ascii_uppercase()] {
                let framed = [b"x", text.as_slice(), b"y"].concat();
                assert_eq!(found(&words, &framed), oracle(&words, &automaton, &framed));
                assert_eq!(found(&words, &text), oracle(&words, &automaton, &text));
            }
        }
    }

    #[test]
    fn no_gram_is_shared_by_so_many_anchors_that_a_flood_of_it_is_dear() {
        let words = anchors();
        for entries in [&words.grams.entries, &words.pairs.entries] {
            let crowd = (0..=u16::MAX).map(|slot| entries.of(slot).len());
            assert!(crowd.max() <= Some(32));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn texts_of_anchors_yield_what_an_automaton_finds(
            pieces in prop::collection::vec((0_usize..4096, 0_usize..6), 0..24)
        ) {
            let words = anchors();
            let automaton = automaton(&words);
            let mut text = Vec::new();
            for (pick, cut) in pieces {
                let word = words.texts[pick % words.texts.len()];
                text.extend_from_slice(&word[cut.min(word.len() - 1)..]);
                if cut == 1 {
                    text.make_ascii_uppercase();
                }
            }
            prop_assert_eq!(found(&words, &text), oracle(&words, &automaton, &text));
        }
    }
}
