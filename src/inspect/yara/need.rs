//! What must be true of a body before a rule can be true: a magic number, a size, one of some strings.
//!
//! A [`Need`] is a proven consequence of the rule's condition, never a guess: where no proof is known it asks for
//! nothing. It is computed from the syntax tree by [`condition`](super::condition).

use crate::rules::literal::{Case, Pattern};

/// Necessary conditions of a rule; all of them must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// The body begins in one of these ways. `None`: any way.
    pub(super) magic: Option<Vec<Magic>>,
    /// Fewest and most bytes.
    pub(super) size: (u64, u64),
    /// One of these strings is in the body. `None`: none is needed.
    pub(super) strings: Option<Vec<Pattern>>,
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

/// Shorter strings are met everywhere.
pub(super) const MIN_STRING: usize = 4;

impl Need {
    /// Asks for nothing.
    pub(super) fn nothing() -> Self {
        Self {
            magic: None,
            size: (0, u64::MAX),
            strings: None,
        }
    }

    /// Asks for one of these strings.
    pub(super) fn strings(strings: Option<Vec<Pattern>>) -> Self {
        Self {
            strings,
            ..Self::nothing()
        }
    }

    /// Asks for one of these beginnings.
    pub(super) fn magic(magic: Vec<Magic>) -> Self {
        Self {
            magic: Some(magic),
            ..Self::nothing()
        }
    }

    /// Asks for a size.
    pub(super) fn size(fewest: u64, most: u64) -> Self {
        Self {
            size: (fewest, most),
            ..Self::nothing()
        }
    }

    /// Both must hold. Of two demands of a kind the stronger is kept, which is a consequence of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            magic: stronger(self.magic, other.magic, rarity_of_magics),
            size: (self.size.0.max(other.size.0), self.size.1.min(other.size.1)),
            strings: stronger(self.strings, other.strings, rarity),
        }
    }

    /// One of the two holds.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            magic: union(self.magic, other.magic, MAX_MAGICS),
            size: (self.size.0.min(other.size.0), self.size.1.max(other.size.1)),
            strings: union(self.strings, other.strings, MAX_STRINGS),
        }
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
        needs.sort_by_key(|need| std::cmp::Reverse(need.strings.as_deref().map_or(0, rarity)));
        needs.truncate(needs.len() - count + 1);
        needs
            .into_iter()
            .reduce(Self::or)
            .unwrap_or(Self::nothing())
    }

    /// True when a body whose first byte is that of `head` may fulfil the magic.
    pub(super) fn may_begin(&self, head: &[u8]) -> bool {
        let may = |magic: &Magic| magic.offset != 0 || magic.bytes.first() == head.first();
        self.magic
            .as_ref()
            .is_none_or(|magics| magics.iter().any(may))
    }

    /// True when a body that begins with `head` and is `length` bytes long may fulfil magic and size.
    pub(super) fn admits(&self, head: &[u8], length: u64) -> bool {
        (self.size.0..=self.size.1).contains(&length)
            && self
                .magic
                .as_ref()
                .is_none_or(|magics| magics.iter().any(|magic| magic.fits(head)))
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
        let mut texts: Vec<_> = need
            .strings
            .iter()
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
        assert_eq!(strings(&["abcd"]).or(Need::nothing()).strings, None);
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

    #[test]
    fn magic_and_size_admit() {
        let need = Need::magic(vec![Magic::new(0, b"MZ").expect("near")]).and(Need::size(3, 10));
        assert!(need.admits(b"MZx", 3));
        assert!(!need.admits(b"MZ", 2));
        assert!(!need.admits(b"ZM.", 3));
        assert!(!need.admits(b"MZ", 11));
    }
}
