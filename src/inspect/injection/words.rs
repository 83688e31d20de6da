//! Many fixed words in one pass, in any case of their letters.
//!
//! Words of four bytes and more are entered with their rarest four neighbouring bytes, shorter ones with their rarer
//! two. A place in the text costs one look at a bitmap of 8 KiB, which stays in the first-level cache; what passes it is
//! compared as a whole. An automaton over a thousand words has tables of a megabyte, and each of its steps waits for the
//! one before.

use std::ops::Range;

/// The words, compiled. Only words of two bytes and more.
#[derive(Debug)]
pub(super) struct Words {
    texts: Vec<&'static [u8]>,
    grams: Filter,
    pairs: Filter,
    tells: Vec<u8>,
}

/// Which words are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All.
    All,
    /// Those of four bytes and more: none of [`Words::tells`] stands in the text.
    Long,
}

impl Words {
    /// Compiles `texts`; at most 65,535.
    pub(super) fn new(texts: Vec<&'static [u8]>) -> Self {
        debug_assert!(texts.iter().all(|text| text.to_ascii_lowercase() == **text));
        let (mut grams, mut pairs, mut tells) = (Vec::new(), Vec::new(), Vec::new());
        for (text, word) in texts.iter().zip(0_u16..) {
            if text.len() >= GRAM {
                enter_gram(text, word, &mut grams);
            } else {
                enter_pair(text, word, &mut pairs, &mut tells);
            }
        }
        Self {
            grams: Filter::new(grams),
            pairs: Filter::new(pairs),
            texts,
            tells,
        }
    }

    /// Bytes of which one at least stands in every text that holds a word of two or three bytes.
    pub(super) fn tells(&self) -> &[u8] {
        &self.tells
    }

    /// Hands number and place of every word in `bytes` to `each`, almost in order: by the place of its gram or pair.
    #[inline(always)]
    pub(super) fn find(
        &self,
        bytes: &[u8],
        reach: Reach,
        each: &mut impl FnMut(u16, Range<usize>),
    ) {
        match reach {
            Reach::Long => {
                for (at, window) in bytes.windows(GRAM).enumerate() {
                    self.gram((bytes, at), window, each);
                }
            }
            Reach::All => {
                for (at, window) in bytes.windows(GRAM).enumerate() {
                    self.pair((bytes, at), window, each);
                    self.gram((bytes, at), window, each);
                }
                let from = bytes.len().saturating_sub(GRAM - 1);
                let rest = bytes.get(from..).unwrap_or_default();
                for (at, window) in (from..).zip(rest.windows(PAIR)) {
                    self.pair((bytes, at), window, each);
                }
            }
        }
    }

    #[inline(always)]
    fn pair(
        &self,
        (bytes, at): (&[u8], usize),
        window: &[u8],
        each: &mut impl FnMut(u16, Range<usize>),
    ) {
        if let Some(pair) = window.first_chunk()
            && self.pairs.passes(u16::from_le_bytes(*pair))
        {
            let slot = u16::from_le_bytes(*pair);
            self.compare(&self.pairs, slot, (bytes, at), each);
        }
    }

    #[inline(always)]
    fn gram(
        &self,
        (bytes, at): (&[u8], usize),
        window: &[u8],
        each: &mut impl FnMut(u16, Range<usize>),
    ) {
        if let Some(gram) = window.first_chunk()
            && self.grams.passes(gram_slot(gram))
        {
            self.compare(&self.grams, gram_slot(gram), (bytes, at), each);
        }
    }

    /// Compares the words that `filter` has for what stands at `at`.
    #[inline(never)]
    fn compare(
        &self,
        filter: &Filter,
        slot: u16,
        (bytes, at): (&[u8], usize),
        each: &mut impl FnMut(u16, Range<usize>),
    ) {
        for entry in filter.entries(slot) {
            let (Some(text), Some(start)) = (
                self.texts.get(usize::from(entry.word)),
                at.checked_sub(usize::from(entry.offset)),
            ) else {
                continue;
            };
            let end = start + text.len();
            let there = bytes.get(start..end).is_some_and(|found| {
                let same = |(one, known): (&u8, &u8)| one.to_ascii_lowercase() == *known;
                // A pair is entered in each case; of the others, most places fail at the end.
                text.len() == PAIR
                    || found.last().zip(text.last()).is_some_and(same)
                        && found.iter().zip(*text).all(same)
            });
            if there {
                each(entry.word, start..end);
            }
        }
    }
}

/// Which of 65,536 slots hold something, and what.
#[derive(Debug)]
struct Filter {
    bitmap: Box<[u64; WORDS]>,
    /// Slots that hold something, before each word of the bitmap.
    ranks: Box<[u16; WORDS]>,
    /// Where the entries of each slot that holds something begin; one more than there are.
    starts: Vec<u16>,
    entries: Vec<Entry>,
}

/// A gram or a pair of a word, and where in the word it is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u16,
    offset: u16,
    word: u16,
}

impl Filter {
    fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.slot);
        let mut bitmap = Box::new([0_u64; WORDS]);
        for entry in &entries {
            bitmap[usize::from(entry.slot >> 6)] |= 1 << (entry.slot & 63);
        }
        let mut ranks = Box::new([0_u16; WORDS]);
        let mut before = 0;
        for (rank, word) in ranks.iter_mut().zip(bitmap.iter()) {
            *rank = before;
            before += word.count_ones() as u16;
        }
        let slots = entries.chunk_by(|one, other| one.slot == other.slot);
        let mut starts = vec![0];
        starts.extend(slots.scan(0_u16, |at, slot| {
            *at += slot.len() as u16;
            Some(*at)
        }));
        Self {
            bitmap,
            ranks,
            starts,
            entries,
        }
    }

    #[inline(always)]
    fn passes(&self, slot: u16) -> bool {
        self.bitmap[usize::from(slot >> 6)] >> (slot & 63) & 1 != 0
    }

    /// The entries of a slot that [`Self::passes`].
    fn entries(&self, slot: u16) -> &[Entry] {
        let word = usize::from(slot >> 6);
        let below = (1_u64 << (slot & 63)) - 1;
        let rank =
            usize::from(self.ranks[word]) + (self.bitmap[word] & below).count_ones() as usize;
        match (self.starts.get(rank), self.starts.get(rank + 1)) {
            (Some(from), Some(to)) => self.entries.get(usize::from(*from)..usize::from(*to)),
            _ => None,
        }
        .unwrap_or_default()
    }
}

/// Enters the rarest gram of `text`.
fn enter_gram(text: &[u8], word: u16, entries: &mut Vec<Entry>) {
    let rarest = text
        .windows(GRAM)
        .zip(0_u16..)
        .min_by_key(|(window, _)| commonness(window));
    if let Some((window, offset)) = rarest
        && let Some(gram) = window.first_chunk()
    {
        entries.push(Entry {
            slot: gram_slot(gram),
            offset,
            word,
        });
    }
}

/// Enters the rarer pair of `text` in each case that its letters may have, and its rarer byte among the tells.
fn enter_pair(text: &[u8], word: u16, entries: &mut Vec<Entry>, tells: &mut Vec<u8>) {
    let rarer = text
        .windows(PAIR)
        .zip(0_u16..)
        .min_by_key(|(window, _)| commonness(window));
    let Some(([first, second], offset)) =
        rarer.and_then(|(window, offset)| Some((*window.first_chunk::<PAIR>()?, offset)))
    else {
        return;
    };
    let cases = |byte: u8| [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
    for one in cases(first) {
        for two in cases(second) {
            let slot = u16::from_le_bytes([one, two]);
            if !entries
                .iter()
                .any(|entry| entry.slot == slot && entry.word == word)
            {
                entries.push(Entry { slot, offset, word });
            }
        }
    }
    let tell = match commonness(&[first]) <= commonness(&[second]) {
        true => first,
        false => second,
    };
    tells.extend(cases(tell));
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
/// Words of a bitmap of 65,536 bits.
const WORDS: usize = 1024;

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
        let tells = text.iter().any(|byte| words.tells().contains(byte));
        let reach = if tells { Reach::All } else { Reach::Long };
        let mut list = Vec::new();
        words.find(text, reach, &mut |word, at| {
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
        for filter in [&words.grams, &words.pairs] {
            let slots = (0..=u16::MAX).filter(|slot| filter.passes(*slot));
            let crowd = slots.map(|slot| filter.entries(slot).len());
            assert!(crowd.max() <= Some(24));
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
