//! A filter of grams (`GRAM` bytes), sampled at every `STEP`th byte of the text, before whole patterns are compared.
//!
//! Of each pattern `STEP` neighbouring grams are entered, so that wherever the pattern lies exactly one of them falls on
//! a sampled place. Which neighbours is free: the rarest are taken, and those that few other patterns have.
//!
//! ```text
//! text      GET /index.php?x=${jndi:ldap://…      sampled:  |GET |/ind|ex.p|hp?x|=${j|ndi:|…
//! pattern                    ${jndi:               entered:  ${jn  {jnd  jndi  ndi:   (GRAM = 4, STEP = 4)
//! ```
//!
//! Three or four bytes tell a thousand patterns from ordinary text; fifty thousand would fill the space of four digits or
//! four letters, so large sets take longer grams.
//!
//! A sampled gram costs a multiplication and a look at a bitmap that fits the first- or second-level cache. What passes
//! it meets a table of buckets; a bucket holds at most [`CROWD`] patterns, so that the worst text costs a constant
//! number of comparisons a byte, and no text more than that.

use std::fmt::Debug;

use crate::inspect::literal::search::Sink;
use crate::rules::literal::Pattern;

/// The filter for patterns of at least `GRAM + STEP - 1` bytes. `GRAM` is 3 to 8.
#[derive(Debug)]
pub(super) struct Grams<F, const GRAM: usize, const STEP: usize> {
    filter: F,
    /// Where the entries of a bucket begin; one more than there are buckets.
    starts: Vec<u32>,
    bucket_shift: u32,
    entries: Vec<Entry>,
}

/// A gram of a pattern.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its hash.
    hash: u32,
    pattern: u32,
    /// Where in the pattern the gram is.
    offset: u16,
}

/// Which hashes have been entered. Some others pass by chance.
pub(super) trait Filter: Debug {
    /// Room for so many entries.
    fn new(entries: usize) -> Self;

    /// Enters a hash.
    fn enter(&mut self, hash: u32);

    /// True for every hash that was entered.
    fn passes(&self, hash: u32) -> bool;

    /// Memory in bytes.
    fn memory_bytes(&self) -> usize;
}

/// A bitmap of 8 KiB, which stays in the first-level cache: for the patterns of a small set. That its size is known to
/// the compiler halves the cost of a look.
#[derive(Debug)]
pub(super) struct Small(Box<[u64; SMALL_WORDS]>);

/// A bitmap that grows with the set.
#[derive(Debug)]
pub(super) struct Scaled {
    words: Vec<u64>,
    /// 32 minus the number of bits of a slot.
    shift: u32,
}

impl Filter for Small {
    fn new(_: usize) -> Self {
        Self(Box::new([0; SMALL_WORDS]))
    }

    fn enter(&mut self, hash: u32) {
        let slot = hash >> 16;
        self.0[slot as usize / 64] |= 1 << (slot % 64);
    }

    #[inline(always)]
    fn passes(&self, hash: u32) -> bool {
        let slot = hash >> 16;
        self.0[slot as usize / 64] >> (slot % 64) & 1 != 0
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }
}

impl Filter for Scaled {
    fn new(entries: usize) -> Self {
        let bits = (entries * BITS_AN_ENTRY).next_power_of_two().ilog2();
        let bits = bits.clamp(*FILTER_BITS.start(), *FILTER_BITS.end());
        Self {
            words: vec![0; 1 << (bits - 6)],
            shift: 32 - bits,
        }
    }

    fn enter(&mut self, hash: u32) {
        let slot = hash >> self.shift;
        if let Some(word) = self.words.get_mut((slot / 64) as usize) {
            *word |= 1 << (slot % 64);
        }
    }

    #[inline(always)]
    fn passes(&self, hash: u32) -> bool {
        let slot = hash >> self.shift;
        let word = self.words.get((slot / 64) as usize).copied().unwrap_or(0);
        word >> (slot % 64) & 1 != 0
    }

    fn memory_bytes(&self) -> usize {
        self.words.len() * 8
    }
}

/// Words of [`Small`]: as many bits as sixteen bits number.
const SMALL_WORDS: usize = 1 << 10;

/// Sampled grams that are looked at before any pattern is compared.
const LANES: usize = 16;

/// Patterns with the same gram. A text made of that gram costs as many comparisons at each sampled place.
const CROWD: u32 = 24;

/// Filter bits for each entry: one gram in sixteen at most passes by chance.
const BITS_AN_ENTRY: usize = 16;

/// The smallest scaled filter, 2 KiB, and the largest, 4 MiB: half a million patterns of four grams each.
const FILTER_BITS: std::ops::RangeInclusive<u32> = 14..=25;

impl<F: Filter, const GRAM: usize, const STEP: usize> Grams<F, GRAM, STEP> {
    /// Enters the patterns with the `numbers`; those that cannot be are added to `rest`. `None` when none is left.
    pub(super) fn new(
        patterns: &[Pattern],
        numbers: Vec<u32>,
        rest: &mut Vec<u32>,
    ) -> Option<Self> {
        let mut crowd = Crowd::new(numbers.len() * STEP);
        let mut entries = Vec::with_capacity(numbers.len() * STEP);
        for number in numbers {
            let Some(pattern) = patterns.get(number as usize) else {
                continue;
            };
            match crowd.place::<GRAM, STEP>(&pattern.bytes) {
                Some(offset) => entries.extend((offset..offset + STEP).filter_map(|offset| {
                    Some(Entry {
                        hash: hash::<GRAM>(pattern.bytes.get(offset..)?)?,
                        pattern: number,
                        offset: u16::try_from(offset).ok()?,
                    })
                })),
                None => rest.push(number),
            }
        }
        if entries.is_empty() {
            return None;
        }
        Some(Self::of_entries(entries))
    }

    fn of_entries(mut entries: Vec<Entry>) -> Self {
        let bucket_shift = 32 - entries.len().next_power_of_two().ilog2().clamp(4, 24);
        let mut filter = F::new(entries.len());
        for entry in &entries {
            filter.enter(entry.hash);
        }
        // Within a bucket the later place in a pattern comes first: it belongs to the earlier occurrence.
        entries.sort_unstable_by_key(|entry| {
            (
                entry.hash >> bucket_shift,
                entry.hash,
                std::cmp::Reverse(entry.offset),
                entry.pattern,
            )
        });
        let buckets = 1usize << (32 - bucket_shift);
        let mut starts = Vec::with_capacity(buckets + 1);
        let mut at = 0;
        for bucket in 0..buckets {
            starts.push(u32::try_from(at).unwrap_or(u32::MAX));
            let in_bucket = |entry: &&Entry| (entry.hash >> bucket_shift) as usize == bucket;
            at += entries.iter().skip(at).take_while(in_bucket).count();
        }
        starts.push(u32::try_from(at).unwrap_or(u32::MAX));
        Self {
            filter,
            starts,
            bucket_shift,
            entries,
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.filter.memory_bytes() + self.starts.len() * 4 + self.entries.len() * size_of::<Entry>()
    }

    /// Hands every occurrence in `text` to `sink`.
    pub(super) fn search(&self, patterns: &[Pattern], text: &[u8], sink: &mut Sink<'_>) {
        let mut at = 0;
        // The last gram of a block may reach into the next one.
        while let Some(block) = text.get(at..at + (LANES - 1) * STEP + GRAM.max(4)) {
            let mut passed = 0u32;
            for lane in 0..LANES {
                let hash = block.get(lane * STEP..).and_then(hash::<GRAM>);
                let passes = hash.is_some_and(|hash| self.filter.passes(hash));
                passed |= u32::from(passes) << lane;
            }
            while passed != 0 {
                let lane = passed.trailing_zeros() as usize;
                passed &= passed - 1;
                self.compare(patterns, text, at + lane * STEP, sink);
            }
            at += LANES * STEP;
        }
        while let Some(hash) = text.get(at..).and_then(hash::<GRAM>) {
            if self.filter.passes(hash) {
                self.compare(patterns, text, at, sink);
            }
            at += STEP;
        }
    }

    /// Compares the patterns that have the gram at `at`.
    #[inline(never)]
    fn compare(&self, patterns: &[Pattern], text: &[u8], at: usize, sink: &mut Sink<'_>) {
        let Some(hash) = text.get(at..).and_then(hash::<GRAM>) else {
            return;
        };
        let bucket = (hash >> self.bucket_shift) as usize;
        let (Some(from), Some(to)) = (self.starts.get(bucket), self.starts.get(bucket + 1)) else {
            return;
        };
        let entries = self.entries.get(*from as usize..*to as usize);
        for entry in entries.unwrap_or_default() {
            if entry.hash != hash {
                continue;
            }
            let Some(start) = at.checked_sub(usize::from(entry.offset)) else {
                continue;
            };
            let Some(pattern) = patterns.get(entry.pattern as usize) else {
                continue;
            };
            let end = start + pattern.bytes.len();
            if text.get(start..end).is_some_and(|found| pattern.is(found)) {
                sink.occurrence(entry.pattern, start, end);
            }
        }
    }
}

/// Upper and lower case letters fall together; so do some other pairs, which the comparison tells apart.
const FOLD: u32 = 0x2020_2020;

/// A hash of the first `GRAM` bytes, its upper bits the best. Two halves of four bytes, overlapping when `GRAM` is less
/// than eight, each multiplied (Fibonacci hashing) so that the upper bits depend on all of it.
#[inline(always)]
fn hash<const GRAM: usize>(bytes: &[u8]) -> Option<u32> {
    if GRAM == 3 {
        let gram = match (bytes.first_chunk::<4>(), bytes) {
            // One load, where there is a byte more.
            (Some(four), _) => u32::from_le_bytes(*four) & 0xff_ffff,
            (None, [one, two, three]) => u32::from_le_bytes([*one, *two, *three, 0]),
            (None, _) => return None,
        };
        return Some((gram | FOLD >> 8).wrapping_mul(0x9E37_79B1));
    }
    let gram = bytes.first_chunk::<GRAM>()?;
    let first = u32::from_le_bytes(*gram.first_chunk()?) | FOLD;
    let hash = first.wrapping_mul(0x9E37_79B1);
    if GRAM == 4 {
        return Some(hash);
    }
    let last = u32::from_le_bytes(*gram.last_chunk()?) | FOLD;
    Some(hash ^ last.wrapping_mul(0x85EB_CA77).rotate_left(5))
}

/// How many patterns have chosen each gram already, by a hash of it.
struct Crowd {
    counts: Vec<u32>,
    shift: u32,
}

impl Crowd {
    fn new(entries: usize) -> Self {
        let bits = (entries.max(1) * 4)
            .next_power_of_two()
            .ilog2()
            .clamp(8, 24);
        Self {
            counts: vec![0; 1 << bits],
            shift: 32 - bits,
        }
    }

    /// Where in `bytes` the `STEP` grams are best: none of them crowded, all of them rare. `None`: nowhere.
    fn place<const GRAM: usize, const STEP: usize>(&mut self, bytes: &[u8]) -> Option<usize> {
        let last = bytes.len().checked_sub(GRAM + STEP - 1)?.min(LAST_PLACE);
        let cost = |offset: usize| {
            let mut total = 0u64;
            for at in offset..offset + STEP {
                let gram = bytes.get(at..at + GRAM)?;
                let crowd = self.count(hash::<GRAM>(gram)?);
                if crowd >= CROWD {
                    return None;
                }
                total += u64::from(commonness(gram)) + u64::from(crowd) * 64;
            }
            Some(total)
        };
        let best = (0..=last)
            .filter_map(|offset| cost(offset).map(|cost| (cost, offset)))
            .min()?
            .1;
        for at in best..best + STEP {
            let slot = (hash::<GRAM>(bytes.get(at..)?)? >> self.shift) as usize;
            if let Some(count) = self.counts.get_mut(slot) {
                *count += 1;
            }
        }
        Some(best)
    }

    fn count(&self, hash: u32) -> u32 {
        let slot = (hash >> self.shift) as usize;
        self.counts.get(slot).copied().unwrap_or(0)
    }
}

/// Places beyond this one are not tried: patterns are at most a few hundred bytes, and a choice of sixty is enough.
const LAST_PLACE: usize = 60;

/// How often the bytes of a gram are met in text, markup and programs, roughly, as the sum of their ranks.
pub(super) fn commonness(gram: &[u8]) -> u32 {
    gram.iter()
        .map(|byte| match byte.to_ascii_lowercase() {
            b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 60,
            b'd' | b'l' | b'c' | b'm' | b'p' | b'u' | b'h' => 45,
            b'f' | b'g' | b'y' | b'b' | b'w' | b'v' | b'0'..=b'9' => 32,
            b'"' | b',' | b'.' | b'/' | b':' | b'-' | b'=' | b'_' | b'<' | b'>' => 30,
            b'k' | b'x' | b'j' | b'q' | b'z' | b'\'' | b'(' | b')' | b';' | b'&' => 16,
            0xff => 24,
            _ => 6,
        })
        .sum()
}
