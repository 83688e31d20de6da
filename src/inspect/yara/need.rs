//! What must be true of a body before a rule can be true: a magic number, a size, one of some strings, some bytes.
//!
//! A [`Need`] is a proven consequence of the rule's condition, never a guess: where no proof is known it asks for
//! nothing. It is computed from the syntax tree by [`condition`](super::condition).
//!
//! A need is a choice of clauses, since many rules are: "a program with one of these strings, or three of these strings
//! in whatever else" asks nothing of every body, and of each body something.

use std::cell::OnceCell;

use crate::inspect::yara::bytes::ByteSet;
use crate::rules::literal::{Case, Pattern};

/// One of these must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    clauses: Vec<Clause>,
}

/// Necessary conditions; all of them must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Clause {
    /// The body begins in one of these ways. `None`: any way.
    pub(super) magic: Option<Vec<Magic>>,
    /// Fewest and most bytes.
    pub(super) size: (u64, u64),
    /// One of these strings is in the body. `None`: none is needed.
    pub(super) strings: Option<Vec<Pattern>>,
    /// All of these are in the body.
    pub(super) bytes: ByteSet,
}

/// Bytes at a fixed place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Magic {
    pub(super) offset: u16,
    pub(super) bytes: Box<[u8]>,
}

/// Magic numbers further inside are not lanes: the head that is kept for them must stay small.
pub(super) const HEAD_BYTES: usize = 1024;

/// Alternatives of one necessary condition. A rule with more is not worth a gate: some of them always hit.
const MAX_STRINGS: usize = 4096;
const MAX_MAGICS: usize = 64;

/// Clauses of a need. A rule with more is asked for what they have in common.
const MAX_CLAUSES: usize = 64;

/// Shorter strings are met everywhere.
pub(super) const MIN_STRING: usize = 4;

impl Need {
    /// Asks for nothing.
    pub(super) fn nothing() -> Self {
        Self::of(Clause::open())
    }

    /// No body fulfils it.
    pub(super) fn never() -> Self {
        Self {
            clauses: Vec::new(),
        }
    }

    /// Asks for one of these strings.
    pub(super) fn strings(strings: Option<Vec<Pattern>>) -> Self {
        Self::of(Clause {
            strings,
            ..Clause::open()
        })
    }

    /// Asks for one of these beginnings.
    pub(super) fn magic(magic: Vec<Magic>) -> Self {
        Self::of(Clause {
            magic: Some(magic),
            ..Clause::open()
        })
    }

    /// Asks for a size.
    pub(super) fn size(fewest: u64, most: u64) -> Self {
        Self::of(Clause {
            size: (fewest, most),
            ..Clause::open()
        })
    }

    /// Asks for all of these bytes, wherever they are.
    pub(super) fn bytes(bytes: ByteSet) -> Self {
        Self::of(Clause {
            bytes,
            ..Clause::open()
        })
    }

    fn of(clause: Clause) -> Self {
        Self {
            clauses: vec![clause],
        }
    }

    /// The clauses, of which one must hold.
    pub(super) fn clauses(&self) -> &[Clause] {
        &self.clauses
    }

    /// Both must hold: a clause of each.
    pub(super) fn and(mut self, mut other: Self) -> Self {
        if self.clauses.len() * other.clauses.len() > MAX_CLAUSES {
            match self.clauses.len() > other.clauses.len() {
                true => self = self.in_common(),
                false => other = other.in_common(),
            }
        }
        let mut both = Self {
            clauses: Vec::new(),
        };
        for one in &self.clauses {
            for two in &other.clauses {
                both.add(one.clone().and(two.clone()));
            }
        }
        both
    }

    /// One of the two holds.
    pub(super) fn or(mut self, other: Self) -> Self {
        for clause in other.clauses {
            self.add(clause);
        }
        self
    }

    fn add(&mut self, clause: Clause) {
        if self.clauses.iter().any(|known| known.covers(&clause)) {
            return;
        }
        self.clauses.retain(|known| !clause.covers(known));
        let alike = |known: &&mut Clause| known.is_like(&clause);
        match self.clauses.iter_mut().find(alike) {
            // Strings are looked for together: the bytes that they do not share would say little more.
            Some(known) => *known = known.clone().or(clause),
            None => self.clauses.push(clause),
        }
        if self.clauses.len() > MAX_CLAUSES {
            *self = std::mem::replace(self, Self::nothing()).in_common();
        }
    }

    /// What all clauses ask for.
    fn in_common(self) -> Self {
        let common = self.clauses.into_iter().reduce(Clause::or);
        Self::of(common.unwrap_or(Clause::open()))
    }

    /// At least `count` of `needs` hold. Any `len - count + 1` of them contain one that holds, so the strongest that many
    /// are taken.
    pub(super) fn at_least(mut needs: Vec<Need>, count: usize) -> Self {
        if count == 0 || count > needs.len() {
            return Self::nothing();
        }
        if count == needs.len() {
            return needs.into_iter().fold(Self::nothing(), Self::and);
        }
        needs.sort_by_cached_key(|need| std::cmp::Reverse(need.strength()));
        needs.truncate(needs.len() - count + 1);
        needs
            .into_iter()
            .reduce(Self::or)
            .unwrap_or(Self::nothing())
    }

    fn strength(&self) -> u32 {
        let clauses = self.clauses.iter().map(|clause| match &clause.strings {
            Some(strings) => rarity(strings),
            None => clause.bytes.len(),
        });
        clauses.min().unwrap_or(0)
    }
}

impl Clause {
    /// Asks for nothing.
    pub(super) fn open() -> Self {
        Self {
            magic: None,
            size: (0, u64::MAX),
            strings: None,
            bytes: ByteSet::default(),
        }
    }

    /// Both must hold. Of two demands of a kind the stronger is kept, which is a consequence of both.
    fn and(self, other: Self) -> Self {
        Self {
            magic: stronger(self.magic, other.magic, rarity_of_magics),
            size: (self.size.0.max(other.size.0), self.size.1.min(other.size.1)),
            strings: stronger(self.strings, other.strings, rarity),
            bytes: self.bytes.or(other.bytes),
        }
    }

    /// What both ask for.
    fn or(self, other: Self) -> Self {
        Self {
            magic: union(self.magic, other.magic, MAX_MAGICS),
            size: (self.size.0.min(other.size.0), self.size.1.max(other.size.1)),
            strings: union(self.strings, other.strings, MAX_STRINGS),
            bytes: self.bytes.and(other.bytes),
        }
    }

    /// True when `other` cannot hold without this one.
    fn covers(&self, other: &Self) -> bool {
        let magic = match (&self.magic, &other.magic) {
            (None, _) => true,
            (Some(own), Some(others)) => others.iter().all(|magic| own.contains(magic)),
            (Some(_), None) => false,
        };
        magic
            && self.size.0 <= other.size.0
            && self.size.1 >= other.size.1
            && (self.strings.is_none() || self.strings == other.strings)
            && self.bytes.is_within(&other.bytes)
    }

    /// True when both wait for strings, and for nothing else that differs.
    fn is_like(&self, other: &Self) -> bool {
        self.strings.is_some()
            && other.strings.is_some()
            && (&self.magic, self.size) == (&other.magic, other.size)
    }

    /// True when every body fulfils it, but for its size.
    pub(super) fn is_open(&self) -> bool {
        self.magic.is_none() && self.strings.is_none() && self.bytes.is_empty()
    }

    /// True when a body whose first byte is that of `head` may fulfil the magic.
    pub(super) fn may_begin(&self, head: &[u8]) -> bool {
        let may = |magic: &Magic| magic.offset != 0 || magic.bytes.first() == head.first();
        self.magic
            .as_ref()
            .is_none_or(|magics| magics.iter().any(may))
    }

    /// True when `body` may fulfil magic, size and bytes.
    pub(super) fn admits(&self, body: &Sight<'_>) -> bool {
        (self.size.0..=self.size.1).contains(&body.length)
            && self
                .magic
                .as_ref()
                .is_none_or(|magics| magics.iter().any(|magic| magic.fits(body.head)))
            && (self.bytes.is_empty() || self.bytes.is_within(body.bytes()))
    }
}

/// What is known of a body besides the strings in it.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    /// Its first bytes; all of them, or [`HEAD_BYTES`] at least.
    head: &'a [u8],
    length: u64,
    bytes: OnceCell<ByteSet>,
}

/// In longer bodies every byte is taken to occur: they have most, and looking costs time.
const SHORT_BYTES: u64 = 64 * 1024;

impl<'a> Sight<'a> {
    /// Of a body of `length` bytes that begins with `head`, which may be all of it.
    pub(super) fn new(head: &'a [u8], length: u64) -> Self {
        Self {
            head,
            length,
            bytes: OnceCell::new(),
        }
    }

    /// Its first byte.
    pub(super) fn first(&self) -> Option<u8> {
        self.head.first().copied()
    }

    /// The bytes that may occur in it.
    fn bytes(&self) -> &ByteSet {
        self.bytes.get_or_init(|| {
            match self.head.len() as u64 == self.length && self.length <= SHORT_BYTES {
                true => ByteSet::of(self.head),
                false => ByteSet::ALL,
            }
        })
    }
}

impl Magic {
    /// `None` when it lies too far inside.
    pub(super) fn new(offset: u64, bytes: &[u8]) -> Option<Self> {
        let end = offset.checked_add(bytes.len() as u64)?;
        (end <= HEAD_BYTES as u64 && !bytes.is_empty()).then(|| Self {
            offset: u16::try_from(offset).unwrap_or(u16::MAX),
            bytes: bytes.into(),
        })
    }

    fn fits(&self, head: &[u8]) -> bool {
        let start = usize::from(self.offset);
        head.get(start..start + self.bytes.len()) == Some(&*self.bytes)
    }
}

fn stronger<T>(
    a: Option<Vec<T>>,
    b: Option<Vec<T>>,
    rarity: impl Fn(&[T]) -> u32,
) -> Option<Vec<T>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if rarity(&b) > rarity(&a) { b } else { a }),
        (one, other) => one.or(other),
    }
}

fn union<T: PartialEq>(a: Option<Vec<T>>, b: Option<Vec<T>>, limit: usize) -> Option<Vec<T>> {
    let (mut a, b) = (a?, b?);
    for item in b {
        if !a.contains(&item) {
            a.push(item);
        }
        if a.len() > limit {
            return None;
        }
    }
    Some(a)
}

fn rarity_of_magics(magics: &[Magic]) -> u32 {
    let shortest = magics
        .iter()
        .map(|magic| magic.bytes.len())
        .min()
        .unwrap_or(0);
    (u32::try_from(shortest.min(64)).unwrap_or(64) * 8).saturating_sub(magics.len().ilog2())
}

/// How rarely one of `strings` is met by chance: roughly the bits of information in the weakest of them.
pub(super) fn rarity(strings: &[Pattern]) -> u32 {
    let weakest = strings.iter().map(bits).min().unwrap_or(0);
    weakest.saturating_sub(strings.len().checked_ilog2().unwrap_or(0))
}

fn bits(pattern: &Pattern) -> u32 {
    let mut before = None;
    let mut total = 0;
    for byte in &pattern.bytes {
        total += match *byte {
            // Zeros stand between the letters of wide strings and fill binaries; runs say nothing.
            0 => 1,
            byte if before == Some(byte) => 1,
            b' ' | b'a'..=b'z' => 4,
            b'0'..=b'9' | b'A'..=b'Z' => 5,
            _ => 6,
        };
        before = Some(*byte);
    }
    if COMMON
        .iter()
        .any(|known| known.as_bytes().eq_ignore_ascii_case(&pattern.bytes))
    {
        return total / COMMON_SHARE;
    }
    match pattern.case {
        Case::Sensitive => total,
        Case::Insensitive => total * 7 / 8,
    }
}

/// Words that every other body on the web has; a gate that waits for one is always open.
const COMMON: &[&str] = &[
    "http", "http:", "http://", "https", "https:", "https://", "html", "name", "text", "type",
    "data", "content", "script", "value", "class", "true", "false", "null", ".com", "www.",
];

/// What is left of their rarity.
const COMMON_SHARE: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(list: &[&str]) -> Need {
        let patterns = list
            .iter()
            .map(|text| Pattern {
                bytes: text.as_bytes().into(),
                case: Case::Sensitive,
            })
            .collect();
        Need::strings(Some(patterns))
    }

    fn texts(need: &Need) -> Vec<String> {
        let strings = need.clauses.iter().flat_map(|clause| &clause.strings);
        let mut texts: Vec<_> = strings
            .flatten()
            .map(|pattern| String::from_utf8_lossy(&pattern.bytes).into_owned())
            .collect();
        texts.sort();
        texts
    }

    #[test]
    fn of_both_the_rarer_string_is_kept() {
        let need = strings(&["http"]).and(strings(&["Some$Odd#Marker"]));
        assert_eq!(texts(&need), ["Some$Odd#Marker"]);
    }

    #[test]
    fn one_without_a_need_leaves_none() {
        assert_eq!(strings(&["abcd"]).or(Need::nothing()), Need::nothing());
        assert_eq!(Need::nothing().or(strings(&["abcd"])), Need::nothing());
    }

    #[test]
    fn two_of_three_need_one_of_the_best_two() {
        let needs = vec![
            strings(&["aaaa"]),
            strings(&["Longer_One"]),
            strings(&["Another_Long"]),
        ];
        assert_eq!(
            texts(&Need::at_least(needs.clone(), 2)),
            ["Another_Long", "Longer_One"]
        );
        assert_eq!(
            texts(&Need::at_least(needs.clone(), 1)),
            ["Another_Long", "Longer_One", "aaaa"]
        );
        assert_eq!(Need::at_least(needs, 0), Need::nothing());
    }

    fn admits(need: &Need, body: &[u8]) -> bool {
        let sight = Sight::new(body, body.len() as u64);
        need.clauses.iter().any(|clause| clause.admits(&sight))
    }

    fn magic(bytes: &[u8]) -> Need {
        Need::magic(vec![Magic::new(0, bytes).expect("near")])
    }

    #[test]
    fn magic_size_and_bytes_admit() {
        let need = magic(b"MZ").and(Need::size(3, 10));
        assert!(admits(&need, b"MZx"));
        assert!(!admits(&need, b"MZ"));
        assert!(!admits(&need, b"ZM."));
        assert!(!admits(&need, b"MZ345678901"));
        let need = Need::bytes(ByteSet::of(b"x\xff"));
        assert!(admits(&need, b"a\xff..x"));
        assert!(!admits(&need, b"a\xff.."));
    }

    #[test]
    fn a_choice_keeps_what_each_side_asks_for() {
        let need = magic(b"MZ").or(strings(&["Marker_One"]).or(strings(&["Marker_Two"])));
        assert_eq!(need.clauses.len(), 2, "strings are looked for together");
        let both = need.clone().and(magic(b"MZ"));
        assert_eq!(both, magic(b"MZ"), "what is covered is dropped");
        let both = need.and(Need::size(0, 9)).and(strings(&["Third_Marker"]));
        assert!(
            both.clauses
                .iter()
                .all(|clause| clause.strings.is_some() && clause.size.1 == 9)
        );
    }

    #[test]
    fn too_many_clauses_are_asked_for_what_they_share() {
        let needs = (0..=255u8).map(|byte| Need::bytes(ByteSet::of(&[b'x', byte])));
        let need = needs.reduce(Need::or).expect("some");
        assert!(need.clauses.len() <= MAX_CLAUSES);
        assert!(admits(&need, b"abx"));
        let wide = (0..40u8).map(|byte| Need::bytes(ByteSet::of(&[byte])));
        let wide = wide.reduce(Need::or).expect("some");
        let product = wide.clone().and(magic(b"MZ").or(magic(b"PK")));
        assert!(product.clauses.len() <= MAX_CLAUSES);
        assert!(admits(&product, b"MZ\x01") && admits(&product, b"PK"));
        assert!(!admits(&product, b"{\x01}"));
    }

    #[test]
    fn of_a_body_whose_end_is_not_seen_any_byte_may_be_there() {
        let need = Need::bytes(ByteSet::of(b"z"));
        let sight = Sight::new(b"abc", 4);
        assert!(need.clauses.iter().all(|clause| clause.admits(&sight)));
    }
}
