//! A handful of short patterns at the speed of vector instructions.
//!
//! Of each pattern [`NEEDLE`] neighbouring bytes are looked for, in every case that its letters may have, by a packed
//! search (Teddy: sixteen or thirty-two places at a time); what it finds is compared as a whole. Sampled grams of
//! patterns this short stand at every other byte, at six instructions each: ten times the cost.
//!
//! It serves few needles only, and not every processor: [`Packed::new`] says so, and grams do the work.

use aho_corasick::{Span, packed};

use crate::rules::literal::{Case, Pattern};

use super::Sink;
use super::grams::commonness;

/// The compiled needles.
#[derive(Debug)]
pub(super) struct Packed {
    searcher: packed::Searcher,
    /// Where the owners of a needle begin; one more than there are needles.
    starts: Vec<u32>,
    owners: Vec<Owner>,
}

/// A pattern that has a needle, and where in it.
#[derive(Clone, Copy, Debug)]
struct Owner {
    pattern: u32,
    offset: u8,
}

/// Which bytes of a pattern are looked for.
#[derive(Clone, Copy, Debug)]
enum Choice {
    /// The rarest in ordinary text.
    Rarest,
    /// Those that most patterns have.
    Shared,
}

impl Packed {
    /// For the patterns with the `numbers`, all of at least [`NEEDLE`] bytes; `None` when there are none or too many, or
    /// this processor has no such instructions.
    pub(super) fn new(patterns: &[Pattern], numbers: &[u32]) -> Option<Self> {
        [Choice::Rarest, Choice::Shared]
            .into_iter()
            .find_map(|choice| Self::by(choice, patterns, numbers))
    }

    fn by(choice: Choice, patterns: &[Pattern], numbers: &[u32]) -> Option<Self> {
        let chosen = numbers
            .iter()
            .filter_map(|number| Some((*number, patterns.get(*number as usize)?)));
        let bytes: Vec<&[u8]> = chosen.clone().map(|(_, pattern)| &*pattern.bytes).collect();
        let mut needles: Vec<([u8; NEEDLE], Owner)> = Vec::new();
        for (number, pattern) in chosen {
            let offset = place(choice, &pattern.bytes, &bytes)?;
            let needle = pattern.bytes.get(offset..)?.first_chunk::<NEEDLE>()?;
            let owner = Owner {
                pattern: number,
                offset: u8::try_from(offset).ok()?,
            };
            match pattern.case {
                Case::Sensitive => needles.push((*needle, owner)),
                Case::Insensitive => {
                    needles.extend(spellings(needle).map(|needle| (needle, owner)));
                }
            }
        }
        // The later place in a pattern belongs to the earlier occurrence.
        needles.sort_unstable_by_key(|(needle, owner)| {
            (*needle, std::cmp::Reverse(owner.offset), owner.pattern)
        });
        needles.dedup_by_key(|(needle, owner)| (*needle, owner.pattern));
        let (mut texts, mut starts, mut owners) = (Vec::new(), Vec::new(), Vec::new());
        for (needle, owner) in needles {
            if texts.last() != Some(&needle) {
                texts.push(needle);
                starts.push(u32::try_from(owners.len()).ok()?);
            }
            owners.push(owner);
        }
        starts.push(u32::try_from(owners.len()).ok()?);
        if texts.len() > MOST_NEEDLES {
            return None;
        }
        let searcher = packed::Searcher::new(&texts)?;
        Some(Self {
            searcher,
            starts,
            owners,
        })
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.searcher.memory_usage() + self.starts.len() * 4 + size_of_val(&*self.owners)
    }

    /// Hands every occurrence in `text` to `sink`.
    pub(super) fn search(&self, patterns: &[Pattern], text: &[u8], sink: &mut Sink<'_>) {
        let mut rest = Span::from(0..text.len());
        while let Some(found) = self.searcher.find_in(text, rest) {
            self.compare(
                patterns,
                (text, found.start()),
                found.pattern().as_usize(),
                sink,
            );
            rest.start = found.start() + 1;
        }
    }

    /// Compares the patterns that have the needle at `at`.
    #[inline(never)]
    fn compare(
        &self,
        patterns: &[Pattern],
        (text, at): (&[u8], usize),
        needle: usize,
        sink: &mut Sink<'_>,
    ) {
        let (Some(from), Some(to)) = (self.starts.get(needle), self.starts.get(needle + 1)) else {
            return;
        };
        let owners = self.owners.get(*from as usize..*to as usize);
        for owner in owners.unwrap_or_default() {
            let (Some(pattern), Some(start)) = (
                patterns.get(owner.pattern as usize),
                at.checked_sub(usize::from(owner.offset)),
            ) else {
                continue;
            };
            let end = start + pattern.bytes.len();
            if text.get(start..end).is_some_and(|found| pattern.is(found)) {
                sink.occurrence(owner.pattern, start, end);
            }
        }
    }
}

/// Where in `bytes` the needle is taken from.
fn place(choice: Choice, bytes: &[u8], all: &[&[u8]]) -> Option<usize> {
    let shared = |needle: &[u8]| match choice {
        Choice::Rarest => 0,
        Choice::Shared => {
            let has = |other: &&&[u8]| {
                let mut there = other.windows(NEEDLE);
                there.any(|window| window.eq_ignore_ascii_case(needle))
            };
            all.iter().filter(has).count()
        }
    };
    let windows = bytes.windows(NEEDLE).enumerate();
    let best = windows
        .min_by_key(|(_, needle)| (std::cmp::Reverse(shared(needle)), commonness(needle)))?;
    Some(best.0)
}

/// `needle` in every case that its letters may have; the same one may come more than once.
fn spellings(needle: &[u8; NEEDLE]) -> impl Iterator<Item = [u8; NEEDLE]> {
    let needle = *needle;
    (0..1u8 << NEEDLE).map(move |upper| {
        let mut spelled = needle;
        for (at, byte) in (0..).zip(&mut spelled) {
            *byte = match upper >> at & 1 {
                0 => byte.to_ascii_lowercase(),
                _ => byte.to_ascii_uppercase(),
            };
        }
        spelled
    })
}

/// Bytes of a needle: what tells a word from ordinary text, in at most eight spellings.
const NEEDLE: usize = 3;

/// Beyond so many needles too many places pass (and the packed search refuses).
const MOST_NEEDLES: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Hit, Seen};
    use super::*;

    fn patterns(list: &[(&[u8], Case)]) -> Vec<Pattern> {
        let of = |(bytes, case): &(&[u8], Case)| Pattern {
            bytes: (*bytes).into(),
            case: *case,
        };
        list.iter().map(of).collect()
    }

    fn found(packed: &Packed, patterns: &[Pattern], text: &[u8]) -> Vec<Hit> {
        let (mut seen, mut hits) = (Seen::default(), Vec::new());
        let mut sink = Sink {
            base: 0,
            border: 0,
            seen: &mut seen,
            hits: &mut hits,
        };
        packed.search(patterns, text, &mut sink);
        hits.sort_unstable();
        hits
    }

    fn oracle(patterns: &[Pattern], text: &[u8]) -> Vec<Hit> {
        let first = |(pattern, number): (&Pattern, u32)| {
            let length = pattern.bytes.len();
            let at = text.windows(length).position(|found| pattern.is(found))?;
            Some(Hit {
                end: (at + length) as u64,
                pattern: number,
            })
        };
        let mut hits: Vec<_> = patterns.iter().zip(0..).filter_map(first).collect();
        hits.sort_unstable();
        hits
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn the_first_occurrence_of_each_pattern_is_found(text in "[aAbB$_\n]{0,120}") {
            let patterns = patterns(&[
                (b"abab", Case::Sensitive),
                (b"abab", Case::Insensitive),
                (b"AbaB", Case::Sensitive),
                (b"$_ab", Case::Insensitive),
                (b"b$_a\n", Case::Insensitive),
                (b"aaaaaa", Case::Sensitive),
                (b"_ab\nb", Case::Insensitive),
            ]);
            let numbers: Vec<u32> = (0..7).collect();
            for choice in [Choice::Rarest, Choice::Shared] {
                // Not every processor has the instructions.
                if let Some(packed) = Packed::by(choice, &patterns, &numbers) {
                    let found = found(&packed, &patterns, text.as_bytes());
                    prop_assert_eq!(found, oracle(&patterns, text.as_bytes()));
                }
            }
        }
    }

    #[test]
    fn what_has_no_needle_or_too_many_is_left_to_grams() {
        assert!(Packed::new(&[], &[]).is_none());
        let short = patterns(&[(b"ab", Case::Sensitive)]);
        assert!(Packed::new(&short, &[0]).is_none());
        let texts: Vec<[u8; 4]> = (0..65).map(|number| [number, b'~', b'^', 200]).collect();
        let list: Vec<_> = texts
            .iter()
            .map(|text| (&text[..], Case::Sensitive))
            .collect();
        let distinct = |count: u32| -> Vec<u32> { (0..count).collect() };
        // Sixty-five patterns that share a needle are one needle; all of their own are too many.
        let many = patterns(&list);
        assert!(
            Packed::by(Choice::Shared, &many, &distinct(65))
                .is_none_or(|packed| packed.starts.len() == 2)
        );
        let own: Vec<[u8; 3]> = (0..65).map(|number| [b'~', number, b'^']).collect();
        let list: Vec<_> = own
            .iter()
            .map(|text| (&text[..], Case::Sensitive))
            .collect();
        assert!(Packed::new(&patterns(&list), &distinct(65)).is_none());
    }
}
