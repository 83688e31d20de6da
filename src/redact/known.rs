//! What the rules know of the names of values, remembered by path: documents repeat the same few names.

use std::sync::Arc;

use crate::inspect::leaf::{Path, Step};
use crate::inspect::sensitive::Scanner;
use crate::inspect::sensitive::scanner::Named;

/// What the last name of a value says, whatever the names before it are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) role: Role,
    pub(super) rules: Rules,
}

/// Whether a field rule can apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// None can.
    None,
    /// The names before it decide.
    Some,
}

/// Whether a member names its object's value, or holds it: `{"name": "password", "value": …}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Name,
    Value,
    Other,
}

/// Names that were looked up, each at a place that its bytes say; a later one takes the place of an earlier.
#[derive(Debug)]
pub(super) struct KnownNames {
    /// By path.
    slots: Vec<Option<Slot>>,
    /// By the last name alone; it may stand at any of [`WAYS`] places next to each other.
    hints: Vec<Option<(Short, Hint)>>,
    /// Which of those a new one takes.
    turn: usize,
    key: Vec<u8>,
    none: Arc<Named>,
}

#[derive(Debug)]
struct Slot {
    lengths: u64,
    bytes: Box<[u8]>,
    known: Arc<Named>,
}

impl Default for KnownNames {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| None).collect(),
            hints: vec![None; HINTS],
            turn: 0,
            key: Vec::new(),
            none: Arc::default(),
        }
    }
}

impl KnownNames {
    /// What the last name on `path` says.
    #[inline]
    pub(super) fn hint(&mut self, path: &Path, scanner: &mut Scanner) -> Hint {
        let Some(name) = path.last_name() else {
            return Hint {
                role: Role::Other,
                rules: Rules::None,
            };
        };
        let Some(short) = Short::of(name) else {
            return Hint::of(name, scanner);
        };
        let place = short.place();
        if let Some(Some((known, hint))) = self.hints.get(place)
            && *known == short
        {
            return *hint;
        }
        self.second_hint(short, name, scanner)
    }

    /// What the name says that is not at the first of its places; it is there from now on.
    #[inline(never)]
    fn second_hint(&mut self, short: Short, name: &[u8], scanner: &mut Scanner) -> Hint {
        let first = short.place();
        let mut others = (1..WAYS).map(|step| first ^ step);
        let is_there = |place: &usize| {
            let slot = self.hints.get(*place);
            matches!(slot, Some(Some((known, _))) if *known == short)
        };
        let place = others.find(is_there);
        let known = place.and_then(|place| self.hints.get(place)?.as_ref());
        let hint = known.map_or_else(|| Hint::of(name, scanner), |(_, hint)| *hint);
        self.turn = self.turn % (WAYS - 1) + 1;
        let other = place.unwrap_or(first ^ self.turn);
        if first < self.hints.len() && other < self.hints.len() {
            self.hints.swap(first, other);
        }
        if let Some(slot) = self.hints.get_mut(first) {
            *slot = Some((short, hint));
        }
        hint
    }

    /// What is known of values at `path`.
    pub(super) fn of(&mut self, path: &Path, scanner: &mut Scanner) -> &Arc<Named> {
        let (lengths, bytes) = path.tail(NAMES);
        let place = place(lengths, bytes);
        let known = matches!(
            self.slots.get(place),
            Some(Some(slot)) if slot.lengths == lengths && *slot.bytes == *bytes
        );
        if !known {
            let known = self.look_up(path, scanner);
            if let Some(slot) = self.slots.get_mut(place) {
                *slot = Some(Slot {
                    lengths,
                    bytes: bytes.into(),
                    known,
                });
            }
        }
        match self.slots.get(place) {
            Some(Some(slot)) => &slot.known,
            _ => &self.none,
        }
    }

    fn look_up(&mut self, path: &Path, scanner: &mut Scanner) -> Arc<Named> {
        self.key.clear();
        let names = || {
            path.steps().filter_map(|step| match step {
                Step::Name(name) | Step::Attribute(name) => Some(name),
                Step::Index(_) => None,
            })
        };
        let skip = names().count().saturating_sub(NAMES);
        for name in names().skip(skip) {
            self.key.extend_from_slice(local(name));
            self.key.push(0);
        }
        scanner.named(&self.key)
    }
}

/// `urn:x` and `p:name`: the prefix of an XML name says nothing.
fn local(name: &[u8]) -> &[u8] {
    let local = memchr::memrchr(b':', name);
    name.get(local.map_or(0, |at| at + 1)..).unwrap_or(name)
}

/// A name of up to 32 bytes: its length, and its bytes as words that overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Short {
    len: usize,
    words: [u64; 4],
}

impl Short {
    #[inline]
    fn of(name: &[u8]) -> Option<Self> {
        let words = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
            let [first, last] = [u64::from_le_bytes(*first), u64::from_le_bytes(*last)];
            match (name.get(8..16), name.len()) {
                (_, 0..=16) => [first, last, 0, 0],
                (Some(second), 17..=32) => {
                    let before = name.len() - 16;
                    [
                        first,
                        last,
                        word(second),
                        word(name.get(before..before + 8)?),
                    ]
                }
                _ => return None,
            }
        } else {
            [word(name), 0, 0, 0]
        };
        Some(Self {
            len: name.len(),
            words,
        })
    }

    #[inline]
    fn place(&self) -> usize {
        let [first, last, ..] = self.words;
        let mixed = (first ^ last.rotate_left(23) ^ self.len as u64).wrapping_mul(MIX);
        usize::try_from(mixed >> 32).unwrap_or(0) % HINTS
    }
}

/// Up to eight bytes as a number; of shorter ones the length is not told.
#[inline]
fn word(bytes: &[u8]) -> u64 {
    if let Some(word) = bytes.first_chunk() {
        return u64::from_le_bytes(*word);
    }
    if let (Some(front), Some(back)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*front)) | u64::from(u32::from_le_bytes(*back)) << 32;
    }
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(a) | u64::from(b) << 8,
        [a, b, c, ..] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
    }
}

impl Hint {
    fn of(name: &[u8], scanner: &mut Scanner) -> Self {
        let rules = match scanner.may_name(local(name)) {
            true => Rules::Some,
            false => Rules::None,
        };
        Self {
            role: Role::of(name),
            rules,
        }
    }
}

impl Role {
    fn of(name: &[u8]) -> Self {
        let is_any = |list: &[&[u8]]| list.iter().any(|known| known.eq_ignore_ascii_case(name));
        if is_any(PAIR_NAMES) {
            Role::Name
        } else if is_any(PAIR_VALUES) {
            Role::Value
        } else {
            Role::Other
        }
    }
}

/// Where names are remembered: a mix of their lengths and their last bytes, which differ most.
#[inline]
fn place(lengths: u64, bytes: &[u8]) -> usize {
    let last = bytes
        .last_chunk()
        .map_or(word(bytes), |last| u64::from_le_bytes(*last));
    let before = match bytes.len().checked_sub(16) {
        Some(from) => word(bytes.get(from..from + 8).unwrap_or_default()),
        None => word(bytes),
    };
    let mixed = (lengths ^ last.rotate_left(17)).wrapping_mul(MIX) ^ before;
    let mixed = mixed.wrapping_mul(MIX);
    usize::try_from(mixed >> 32).unwrap_or(0) % SLOTS
}

/// Spreads bits: 2⁶⁴ over the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Paths that are remembered; documents have some dozens.
const SLOTS: usize = 256;

/// Last names that are remembered.
const HINTS: usize = 128;

/// Places at which one of them may stand: a power of two.
const WAYS: usize = 4;

/// Members that name their object's value.
const PAIR_NAMES: &[&[u8]] = &[
    b"name",
    b"key",
    b"field",
    b"header",
    b"param",
    b"attribute",
    b"label",
];

/// Members that hold it.
const PAIR_VALUES: &[&[u8]] = &[b"value", b"val", b"content", b"data", b"text"];

/// Names of a path that rules look at: `user.card.cvv`.
const NAMES: usize = 3;
