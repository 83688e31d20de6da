//! Keywords in a text, all at once: a filter over the last four bytes tells where one may begin.
//!
//! An automaton over a thousand keywords does not stay in the nearest cache, and moves by one dependent load a byte. Here
//! each byte costs a shift and a lookup in 8 KiB of bits; the few places where the filter says yes are looked up.

/// Literals, compared without regard to ASCII case.
#[derive(Clone, Debug)]
pub(super) struct Keywords {
    /// Each byte in lower case; with [`ALONE`], one that is a keyword by itself.
    bytes: Box<[u16; 256]>,
    /// One bit for each hash of four bytes.
    filter: Box<[u64; FILTER_WORDS]>,
    /// Where the entries begin whose head has that hash; 0 for none, else one more than the index.
    heads: Vec<u16>,
    entries: Vec<Entry>,
    literals: Vec<Box<[u8]>>,
}

/// A keyword, by its first bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    head: Head,
    literal: u16,
    /// The next entry of the same place, as in `heads`.
    next: u16,
}

/// Up to four bytes in lower case, the last of them in the highest place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Head {
    bytes: u32,
    len: u8,
}

/// A keyword in a text. Ordered by end, then by start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Match {
    pub(super) end: usize,
    pub(super) start: usize,
    pub(super) keyword: u16,
}

impl Default for Keywords {
    fn default() -> Self {
        let mut bytes = Box::new([0; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(bytes.iter_mut()) {
            *slot = u16::from(byte.to_ascii_lowercase());
        }
        Self {
            bytes,
            filter: Box::new([0; FILTER_WORDS]),
            heads: vec![0; HEADS],
            entries: Vec::new(),
            literals: Vec::new(),
        }
    }
}

impl Keywords {
    /// Adds a keyword that is not empty and of ASCII lower case; its number is how many there were before. False when
    /// there are too many.
    pub(super) fn insert(&mut self, literal: &[u8]) -> bool {
        let (Ok(number), Ok(next)) = (
            u16::try_from(self.literals.len()),
            u16::try_from(self.entries.len() + 1),
        ) else {
            return false;
        };
        let first = literal.get(..HEAD_BYTES).unwrap_or(literal);
        let mut last = [0; HEAD_BYTES];
        last.iter_mut()
            .rev()
            .zip(first.iter().rev())
            .for_each(|(slot, byte)| *slot = *byte);
        let head = Head::of(u32::from_le_bytes(last), first.len());
        if let Some(slot) = self.heads.get_mut(head.place()) {
            self.entries.push(Entry {
                head,
                literal: number,
                next: std::mem::replace(slot, next),
            });
        }
        let hash = first
            .iter()
            .fold(0, |hash, byte| push(hash, u16::from(*byte)));
        match first {
            [] => return false,
            [byte] => {
                for spelling in [*byte, byte.to_ascii_uppercase()] {
                    self.bytes[usize::from(spelling)] |= ALONE;
                }
            }
            // Any bytes may stand before a short one: all hashes that agree in what it settles.
            [_, _] => (0..=0xff).for_each(|before| self.admit(hash & 0xff | before << 8)),
            [_, _, _] => (0..=0xf).for_each(|before| self.admit(hash & 0xfff | before << 12)),
            _ => self.admit(hash),
        }
        self.literals.push(literal.into());
        true
    }

    fn admit(&mut self, hash: u16) {
        self.filter[usize::from(hash >> 6)] |= 1 << (hash & 63);
    }

    /// Takes the next byte into `hash`; one if a head may end with it, else zero.
    #[inline]
    pub(super) fn may_end(&self, hash: &mut u16, byte: u8) -> u64 {
        let byte = self.bytes[usize::from(byte)];
        *hash = push(*hash, byte & 0xff);
        (self.filter[usize::from(*hash >> 6)] >> (*hash & 63) | u64::from(byte >> 8)) & 1
    }

    /// Adds to `found` the keywords whose head ends with the byte at `at`.
    pub(super) fn matches(&self, text: &[u8], at: usize, found: &mut Vec<Match>) {
        let mut last = [0; HEAD_BYTES];
        match at
            .checked_sub(HEAD_BYTES - 1)
            .and_then(|from| text.get(from..=at))
        {
            Some(window) => last.copy_from_slice(window),
            None => {
                let window = text.get(..=at).unwrap_or_default();
                let slots = last.iter_mut().rev();
                slots
                    .zip(window.iter().rev())
                    .for_each(|(slot, byte)| *slot = *byte);
            }
        }
        let window = u32::from_le_bytes(last.map(|byte| byte.to_ascii_lowercase()));
        for len in 1..=HEAD_BYTES.min(at + 1) {
            let head = Head::of(window, len);
            let mut place = self.heads.get(head.place()).copied().unwrap_or(0);
            while let Some(entry) = usize::from(place)
                .checked_sub(1)
                .and_then(|index| self.entries.get(index))
            {
                place = entry.next;
                if entry.head == head {
                    self.verify(entry.literal, text, at + 1 - len, found);
                }
            }
        }
    }

    fn verify(&self, keyword: u16, text: &[u8], start: usize, found: &mut Vec<Match>) {
        let literal = self.literals.get(usize::from(keyword));
        let literal = literal.map(AsRef::as_ref).unwrap_or_default();
        let end = start + literal.len();
        let here = text.get(start..end);
        if here.is_some_and(|here: &[u8]| here.eq_ignore_ascii_case(literal)) {
            found.push(Match {
                end,
                start,
                keyword,
            });
        }
    }

    /// The keywords, in order.
    #[cfg(test)]
    pub(super) fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.literals.iter().map(AsRef::as_ref)
    }
}

impl Head {
    #[inline]
    fn of(window: u32, len: usize) -> Self {
        Self {
            bytes: window >> (8 * (HEAD_BYTES - len.min(HEAD_BYTES))).min(31),
            len: u8::try_from(len).unwrap_or(u8::MAX),
        }
    }

    #[inline]
    fn place(self) -> usize {
        let mixed = (self.bytes ^ u32::from(self.len)).wrapping_mul(0x9e37_79b1);
        usize::try_from(mixed >> 20).unwrap_or(0) % HEADS
    }
}

/// The hash of the last four bytes, once `byte` (in lower case) has come.
#[inline]
const fn push(hash: u16, byte: u16) -> u16 {
    (hash << 4) ^ byte
}

/// A byte that is a keyword.
const ALONE: u16 = 1 << 8;

/// Bytes by which a keyword is found; what the hash covers.
const HEAD_BYTES: usize = 4;

/// 65,536 bits: one for each hash.
const FILTER_WORDS: usize = 1024;

/// Places for heads, of which there are about a thousand.
const HEADS: usize = 4096;

#[cfg(test)]
mod tests {
    use aho_corasick::{AhoCorasick, MatchKind};
    use proptest::prelude::*;

    use super::super::catalog::Catalog;
    use super::*;

    /// All matches, by looking at every place that the filter admits.
    fn filtered(keywords: &Keywords, text: &[u8]) -> Vec<Match> {
        let (mut hash, mut found) = (0, Vec::new());
        for (at, byte) in text.iter().enumerate() {
            if keywords.may_end(&mut hash, *byte) == 1 {
                keywords.matches(text, at, &mut found);
            }
        }
        found.sort_unstable();
        found
    }

    /// All matches, by an automaton.
    fn automatic(keywords: &Keywords, text: &[u8]) -> Vec<Match> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(keywords.literals())
            .expect("few keywords");
        let mut found: Vec<Match> = automaton
            .find_overlapping_iter(text)
            .map(|found| Match {
                end: found.end(),
                start: found.start(),
                keyword: found.pattern().as_u32() as u16,
            })
            .collect();
        found.sort_unstable();
        found
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        let catalog = Catalog::builtin();
        let literals: Vec<Vec<u8>> = catalog.keywords.literals().map(<[u8]>::to_vec).collect();
        let piece = prop_oneof![
            proptest::sample::select(literals.clone()),
            proptest::sample::select(literals).prop_map(|text| text.to_ascii_uppercase()),
            proptest::collection::vec(any::<u8>(), 0..4),
            "[a-z@:/_ -]{0,3}".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn an_automaton_finds_the_same(text in texts()) {
            let keywords = &Catalog::builtin().keywords;
            prop_assert_eq!(filtered(keywords, &text), automatic(keywords, &text));
        }
    }

    #[test]
    fn short_and_nested_keywords_are_found_in_any_case() {
        let mut keywords = Keywords::default();
        for literal in [
            b"@".as_slice(),
            b"pw",
            b"pin",
            b"token",
            b"accesstoken",
            b"cess",
        ] {
            assert!(keywords.insert(literal));
        }
        for text in ["@", "PW", "xpIn", "AccessToken@pwpin", "toke", ""] {
            let text = text.as_bytes();
            assert_eq!(filtered(&keywords, text), automatic(&keywords, text));
        }
        assert_eq!(filtered(&keywords, b"AccessToken@pwpin").len(), 6);
    }
}
