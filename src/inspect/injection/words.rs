//! Many fixed words in one pass, in any case of their letters.
//!
//! Words of five bytes and more are entered with two neighbouring grams of four bytes, so that one of them begins at an
//! even place wherever the word stands; shorter ones with what three bytes from an even place on show of them. Two bytes
//! of the text cost one look at a bitmap of 8 KiB and three at tables of 2 KiB, which stay in the first-level cache; what
//! passes is compared as a whole. An automaton over a thousand words has tables of a megabyte, and each of its steps
//! waits for the one before.

use std::cmp::Reverse;
use std::ops::Range;

/// The words, compiled. Only words of two bytes and more.
#[derive(Debug)]
pub(super) struct Words {
    texts: Vec<&'static [u8]>,
    shorts: Shorts,
    grams: Grams,
}

impl Words {
    /// Compiles `texts`; at most 65,535.
    pub(super) fn new(texts: Vec<&'static [u8]>) -> Self {
        debug_assert!(texts.iter().all(|text| text.to_ascii_lowercase() == **text));
        let (mut grams, mut glimpses) = (Vec::new(), Vec::new());
        for (text, word) in texts.iter().zip(0_u16..) {
            if text.len() > GRAM {
                enter_grams(text, word, &mut grams);
            } else {
                enter_glimpses(text, word, &mut glimpses);
            }
        }
        Self {
            shorts: Shorts::new(glimpses),
            grams: Grams::new(grams),
            texts,
        }
    }

    /// Hands number and place of every word in `bytes` to `each`, almost in order: by the place where it was seen.
    #[inline(always)]
    pub(super) fn find(&self, bytes: &[u8], each: &mut impl FnMut(u16, Range<usize>)) {
        let (quads, rest) = bytes.as_chunks::<GRAM>();
        let mut before = Before::default();
        let mut left = quads.iter();
        while left.any(|quad| self.passes(&mut before, *quad)) {
            let at = GRAM * (quads.len() - left.len() - 1);
            self.look((bytes, at), each);
        }
        if self.passes(&mut before, padded(rest)) {
            self.look((bytes, bytes.len() - rest.len()), each);
        }
    }

    /// True when something may be seen at one of the two even places whose third byte is in `quad`.
    #[inline(always)]
    fn passes(&self, before: &mut Before, quad: [u8; GRAM]) -> bool {
        let [first, second, third] = &*self.shorts.tables;
        let [one, two, three, four] = quad.map(usize::from);
        let gram = u32::from_le_bytes(quad);
        let straddling = before.gram >> 16 | gram << 16;
        let buckets = before.buckets & third[one] | first[one] & second[two] & third[three];
        let grams = self.grams.bit(straddling) | self.grams.bit(gram);
        *before = Before {
            gram,
            buckets: first[three] & second[four],
        };
        buckets | grams != 0
    }

    /// Looks closer at `at` and at the even place before it.
    #[inline(never)]
    fn look(&self, (bytes, at): (&[u8], usize), each: &mut impl FnMut(u16, Range<usize>)) {
        let here = bytes.get(at..).unwrap_or_default();
        let quad = here.first_chunk().copied().unwrap_or_else(|| padded(here));
        let before = bytes.get(..at).unwrap_or_default().last_chunk::<2>();
        if let Some([one, two]) = before {
            self.look_at([*one, *two, quad[0], quad[1]], (bytes, at - 2), each);
        }
        self.look_at(quad, (bytes, at), each);
    }

    /// Compares what the bytes at `at`, which are `quad`, show.
    #[inline(always)]
    fn look_at(
        &self,
        quad: [u8; GRAM],
        (bytes, at): (&[u8], usize),
        each: &mut impl FnMut(u16, Range<usize>),
    ) {
        let gram = u32::from_le_bytes(quad);
        let mut buckets = self.shorts.buckets(quad);
        while let Some(bucket) = self.shorts.entries.get(buckets.trailing_zeros() as usize) {
            buckets &= buckets - 1;
            for (glimpse, entry) in bucket {
                if glimpse.is_in(gram) {
                    self.compare(entry, (bytes, at + 1), each);
                }
            }
        }
        if self.grams.bit(gram) != 0 {
            for entry in self.grams.entries.of(gram_slot(gram)) {
                self.compare(entry, (bytes, at), each);
            }
        }
    }

    /// Compares the word of `entry` with what stands at `at`.
    #[inline(always)]
    fn compare(
        &self,
        entry: &Entry,
        (bytes, at): (&[u8], usize),
        each: &mut impl FnMut(u16, Range<usize>),
    ) {
        let Some(start) = at.checked_sub(usize::from(entry.offset)) else {
            return;
        };
        let end = start + usize::from(entry.length);
        let Some([first, between @ .., last]) = bytes.get(start..end) else {
            return;
        };
        // Most places fail at one of the ends.
        if first | CASE == entry.ends[0]
            && last | CASE == entry.ends[1]
            && self.is(entry.word, *first, between, *last)
        {
            each(entry.word, start..end);
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

/// The bytes of `rest`, fewer than four, before zeros: what passes is compared with what is there.
fn padded(rest: &[u8]) -> [u8; GRAM] {
    let at = |place: usize| rest.get(place).copied().unwrap_or_default();
    [at(0), at(1), at(2), 0]
}

/// What was seen of the four bytes before.
#[derive(Clone, Copy, Default)]
struct Before {
    gram: u32,
    /// The buckets that have a word with the last two of them.
    buckets: u64,
}

/// Three bytes of a text as a short word shows itself in them: lower case, `None` for those beside it.
#[derive(Clone, Copy, Debug)]
struct Glimpse([Option<u8>; 3]);

impl Glimpse {
    /// How often three bytes of a text are such.
    fn chance(&self) -> u64 {
        Bucket::default().chance_with(self)
    }

    /// The bytes that count, as a number, and which they are.
    fn mask(&self) -> Mask {
        let number = |bytes: [u8; 3]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
        let counts = number(self.0.map(|byte| byte.map_or(0, |_| 0xff)));
        let folded = number(self.0.map(Option::unwrap_or_default)) | FOLD;
        Mask {
            counts,
            folded: folded & counts,
        }
    }
}

/// A [`Glimpse`], compared at once.
#[derive(Clone, Copy, Debug)]
struct Mask {
    counts: u32,
    folded: u32,
}

impl Mask {
    #[inline(always)]
    fn is_in(self, gram: u32) -> bool {
        (gram | FOLD) & self.counts == self.folded
    }
}

/// Which three bytes may show a short word, and which words then.
#[derive(Debug)]
struct Shorts {
    /// For each of three places and each byte, the buckets that have a word with it there.
    tables: Box<[[u64; 256]; 3]>,
    entries: Vec<Vec<(Mask, Entry)>>,
}

impl Shorts {
    /// Puts each glimpse into the bucket that it makes least commoner than it was, the commonest first.
    fn new(mut glimpses: Vec<(Glimpse, Entry)>) -> Self {
        glimpses.sort_by_key(|(glimpse, _)| Reverse(glimpse.chance()));
        let mut buckets = vec![Bucket::default(); 64];
        let mut entries = vec![Vec::new(); buckets.len()];
        for (glimpse, entry) in glimpses {
            let dearer = |bucket: &Bucket| bucket.chance_with(&glimpse) - bucket.chance();
            let places = buckets.iter_mut().zip(entries.iter_mut());
            if let Some((bucket, entries)) = places.min_by_key(|(bucket, _)| dearer(bucket)) {
                bucket.add(&glimpse);
                entries.push((glimpse.mask(), entry));
            }
        }
        let mut tables = Box::new([[0; 256]; 3]);
        for (bucket, number) in buckets.iter().zip(0..) {
            for (table, place) in tables.iter_mut().zip(&bucket.places) {
                let bit = 1_u64 << number;
                for byte in &place.bytes {
                    table[usize::from(*byte)] |= bit;
                    table[usize::from(byte.to_ascii_uppercase())] |= bit;
                }
                if place.any {
                    table.iter_mut().for_each(|buckets| *buckets |= bit);
                }
            }
        }
        Self { tables, entries }
    }

    /// The buckets that may have a word in the first three of these bytes.
    #[inline(always)]
    fn buckets(&self, quad: [u8; GRAM]) -> u64 {
        let [first, second, third] = &*self.tables;
        let [one, two, three, _] = quad.map(usize::from);
        first[one] & second[two] & third[three]
    }
}

/// Glimpses that are not told apart: at each of three places, a set of bytes.
#[derive(Clone, Debug, Default)]
struct Bucket {
    places: [Place; 3],
}

/// Bytes of one place of a [`Bucket`], and the sum of their shares.
#[derive(Clone, Debug, Default)]
struct Place {
    bytes: Vec<u8>,
    any: bool,
    share: u64,
}

impl Bucket {
    fn add(&mut self, glimpse: &Glimpse) {
        for (place, byte) in self.places.iter_mut().zip(glimpse.0) {
            place.share = place.share_with(byte);
            place.bytes.extend(byte);
            place.any |= byte.is_none();
        }
    }

    /// How often three bytes of a text fall into it.
    fn chance(&self) -> u64 {
        self.places.iter().map(|place| place.share).product()
    }

    /// The same, were `glimpse` in it.
    fn chance_with(&self, glimpse: &Glimpse) -> u64 {
        let places = self.places.iter().zip(glimpse.0);
        places.map(|(place, byte)| place.share_with(byte)).product()
    }
}

impl Place {
    fn has(&self, byte: u8) -> bool {
        self.any || self.bytes.contains(&byte)
    }

    fn share_with(&self, byte: Option<u8>) -> u64 {
        match byte {
            _ if self.any => WHOLE,
            None => WHOLE,
            Some(byte) if self.has(byte) => self.share,
            Some(byte) => WHOLE.min(self.share + SHARES[usize::from(byte)]),
        }
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
    fn bit(&self, gram: u32) -> u64 {
        let slot = gram_slot(gram);
        self.bitmap[usize::from(slot >> 6)] >> (slot & 63) & 1
    }
}

/// A gram or a glimpse of a word, where in the word it is, and what of the word is compared first.
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
            let slot = gram_slot(u32::from_le_bytes(*gram));
            entries.push(Entry::new(slot, offset, word, text));
        }
    }
}

/// Enters what three bytes show of `text` where they begin at the rarest of its places and one before it.
fn enter_glimpses(text: &[u8], word: u16, entries: &mut Vec<(Glimpse, Entry)>) {
    let glimpse = |offset: usize| {
        Glimpse([0, 1, 2].map(|place| Some(*text.get((offset + place).checked_sub(1)?)?)))
    };
    let rarity = |offset: &usize| glimpse(*offset).chance() + glimpse(offset + 1).chance();
    let rarest = (0..text.len() - 1).min_by_key(rarity);
    for offset in rarest.into_iter().flat_map(|offset| [offset, offset + 1]) {
        entries.push((glimpse(offset), Entry::new(0, offset, word, text)));
    }
}

/// A slot for four bytes, the same for letters of either case. Fibonacci hashing: the upper bits depend on all of it.
#[inline(always)]
fn gram_slot(gram: u32) -> u16 {
    let folded = gram | FOLD;
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

/// About how many of [`WHOLE`] bytes of a text are this byte, a small letter standing for both: Zipf's law over
/// [`BY_RARITY`].
static SHARES: [u64; 256] = {
    let mut shares = [WHOLE * 45 / 100 / (BY_RARITY.len() + 4) as u64; 256];
    let mut rank = 0;
    while rank < BY_RARITY.len() {
        shares[BY_RARITY[BY_RARITY.len() - 1 - rank] as usize] =
            WHOLE * 45 / 100 / (rank + 4) as u64;
        rank += 1;
    }
    shares
};

/// From the rarest to the most common, in what APIs send.
const BY_RARITY: &[u8] =
    b"^`~|\\#!&?@+*;[]<>{}$%()'=zqjxkv9876_35420w1yb\"fg\n/-:,.pmuhcdlrnsioate ";

/// Bytes of a gram.
const GRAM: usize = 4;
/// What [`SHARES`] are shares of.
const WHOLE: u64 = 4096;
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
    fn no_bytes_are_shared_by_so_many_anchors_that_a_flood_of_them_is_dear() {
        let words = anchors();
        let crowd = (0..=u16::MAX).map(|slot| words.grams.entries.of(slot).len());
        assert!(crowd.max() <= Some(32));
        let crowd = |buckets: u64| {
            let buckets = (0..64).filter(|bucket| buckets >> bucket & 1 != 0);
            let lengths = buckets.map(|bucket| words.shorts.entries[bucket].len());
            lengths.sum::<usize>()
        };
        let [first, second, third] = &*words.shorts.tables;
        let pairs = first
            .iter()
            .flat_map(|one| second.iter().map(move |two| one & two));
        for pair in pairs.filter(|pair| *pair != 0) {
            assert!(third.iter().map(|three| crowd(pair & three)).max() <= Some(48));
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
