//! Member names of the open objects: which come twice, and which two readers would confuse.
//!
//! Names are looked up by a keyed hash of their folded form (case folded, cut at NUL); a hit is confirmed by comparing
//! names, so the verdict does not depend on the key, and nobody outside can make all names fall into one slot.
//!
//! Of an object in which each name came where it was expected, none is looked up: that they differ is known from where each
//! of them is kept. They wait until a name comes that was not expected, which may be one of them.

use std::hash::{BuildHasher, RandomState};

use crate::inspect::leaf::packed;

/// A name that an open object had before, given another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clash {
    /// The same name.
    Duplicate,
    /// The same name once its case is folded or it is cut at NUL.
    Collision,
}

/// What a member's value is; two members of different kinds are never taken for each other by a reader that checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true` or `false`, `null`.
    Literal,
    /// An object or an array.
    Container,
}

/// Whether the object had a name before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    /// It did not, as far as names are kept.
    New,
    /// It had the same name.
    Repeated,
}

/// More names than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// In this object.
    Object,
    /// In all open objects together.
    Document,
}

/// The names of the open objects.
#[derive(Debug)]
pub(super) struct Keys {
    secret: u64,
    entries: Vec<Entry>,
    names: Vec<u8>,
    waiting: Vec<Waiting>,
    /// Open objects; those behind `depth` keep their memory for the next ones.
    levels: Vec<Level>,
    depth: usize,
    folded: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u64,
    name: usize,
    name_len: usize,
    value: u64,
    kind: Kind,
}

/// A name that is not entered yet; so is none of its object.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    hash: u64,
    value: u64,
    place: u8,
    kind: Kind,
}

#[derive(Debug, Default)]
struct Level {
    first: usize,
    name: usize,
    first_waiting: usize,
    /// A bit for each place whose name waits.
    places: [u64; 2],
    members: u32,
    /// Entry that the value that comes next belongs to, and how it is related to it.
    pending: Option<(usize, Relation)>,
    /// A bit for each hash that was entered: most names are new, and their bit says so.
    seen: u64,
    /// Slots of an open hash table over the object's entries (index + 1, 0 when free); empty for small objects.
    table: Vec<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    /// The index is that of a name that waits.
    Waiting,
    Own,
    Same,
    Folded,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self {
            secret: RandomState::new().hash_one(0) | 1,
            entries: Vec::new(),
            names: Vec::new(),
            waiting: Vec::new(),
            levels: Vec::new(),
            depth: 0,
            folded: Vec::new(),
        }
    }

    /// Forgets all; gives memory back that a flood left behind.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.names.clear();
        self.waiting.clear();
        self.depth = 0;
        self.waiting.shrink_to(KEPT_KEYS);
        if self.entries.capacity() > KEPT_KEYS {
            self.entries.shrink_to(KEPT_KEYS);
            self.names.shrink_to(KEPT_KEYS * 16);
            for level in &mut self.levels {
                level.table.clear();
                level.table.shrink_to(KEPT_KEYS);
            }
        }
    }

    /// An object begins.
    pub(super) fn open(&mut self) {
        if self.depth == self.levels.len() {
            self.levels.push(Level::default());
        }
        if let Some(level) = self.levels.get_mut(self.depth) {
            level.first = self.entries.len();
            level.name = self.names.len();
            level.first_waiting = self.waiting.len();
            level.places = [0; 2];
            level.members = 0;
            level.pending = None;
            level.seen = 0;
            level.table.clear();
        }
        self.depth += 1;
    }

    /// The innermost object ends.
    pub(super) fn close(&mut self) {
        let Some(depth) = self.depth.checked_sub(1) else {
            return;
        };
        self.depth = depth;
        if let Some(level) = self.levels.get(depth) {
            self.entries.truncate(level.first);
            self.names.truncate(level.name);
            self.waiting.truncate(level.first_waiting);
        }
    }

    /// A name of the innermost object that came as foreseen: the one at `place`, below 128, where no other has this hash.
    /// False when it is to be taken as any other, behind [`settle`](Self::settle).
    #[inline(always)]
    pub(super) fn foreseen(&mut self, place: u8, hash: u64, limit: u32) -> bool {
        let Some(level) = self
            .depth
            .checked_sub(1)
            .and_then(|depth| self.levels.get_mut(depth))
        else {
            return false;
        };
        let [low, high] = &mut level.places;
        let places = if place < 64 { low } else { high };
        let bit = 1 << (place % 64);
        let may_wait = level.seen == 0
            && *places & bit == 0
            && level.members < limit
            && self.entries.len() + self.waiting.len() < TRACKED_KEYS;
        if may_wait {
            level.members += 1;
            *places |= bit;
            level.pending = Some((self.waiting.len(), Relation::Waiting));
            self.waiting.push(Waiting {
                hash,
                value: 0,
                place,
                kind: Kind::Literal,
            });
        }
        may_wait
    }

    /// Enters the names that wait; `name` says which one is at a place.
    #[inline]
    pub(super) fn settle<'a>(&mut self, name: impl Fn(u8) -> &'a [u8]) {
        if !self.waiting.is_empty() {
            self.enter_waiting(name);
        }
    }

    #[inline(never)]
    fn enter_waiting<'a>(&mut self, name: impl Fn(u8) -> &'a [u8]) {
        let open = self.levels.get_mut(..self.depth).unwrap_or_default();
        // Names wait in the innermost objects alone: what was entered last settled all around it.
        let settled = open.iter().rposition(|level| level.seen != 0);
        let open = open.iter_mut().skip(settled.map_or(0, |last| last + 1));
        let mut open = open.peekable();
        while let Some(level) = open.next() {
            level.first = self.entries.len();
            level.name = self.names.len();
            let end = open
                .peek()
                .map_or(self.waiting.len(), |next| next.first_waiting);
            let own = self.waiting.get(level.first_waiting..end);
            for (number, waiting) in (level.first_waiting..).zip(own.unwrap_or_default()) {
                let index = self.entries.len();
                let name = name(waiting.place);
                self.entries.push(Entry {
                    hash: waiting.hash,
                    name: self.names.len(),
                    name_len: name.len(),
                    value: waiting.value,
                    kind: waiting.kind,
                });
                self.names.extend_from_slice(name);
                level.seen |= bit(waiting.hash);
                if level.pending == Some((number, Relation::Waiting)) {
                    level.pending = Some((index, Relation::Own));
                }
                enter(level, &self.entries, index);
            }
            level.first_waiting = 0;
            level.places = [0; 2];
        }
        self.waiting.clear();
    }

    /// A name of the innermost object, and its hash (see [`hash_name`](Self::hash_name)). `limit` is how many members the
    /// object may have.
    ///
    /// # Errors
    /// [`Flood`] when the name is not kept.
    pub(super) fn key(&mut self, name: &[u8], hash: u64, limit: u32) -> Result<Novelty, Flood> {
        let Some(level) = self
            .depth
            .checked_sub(1)
            .and_then(|depth| self.levels.get_mut(depth))
        else {
            return Ok(Novelty::New);
        };
        level.pending = None;
        level.members += 1;
        let mut novelty = Novelty::New;
        if level.seen & bit(hash) != 0
            && let Some((index, relation)) = find(level, &self.entries, &self.names, hash, name)
        {
            level.pending = Some((index, relation));
            if relation == Relation::Same {
                novelty = Novelty::Repeated;
            }
        }
        // Said once an object; later names are compared with those that are kept.
        if level.members == limit.saturating_add(1) {
            return Err(Flood::Object);
        }
        if level.pending.is_some() || level.members > limit {
            return Ok(novelty);
        }
        if self.entries.len() >= TRACKED_KEYS {
            return Err(Flood::Document);
        }
        let index = self.entries.len();
        let kept = name.get(..NAME_BYTES).unwrap_or(name);
        self.entries.push(Entry {
            hash,
            name: self.names.len(),
            name_len: name.len(),
            value: 0,
            kind: Kind::Literal,
        });
        self.names.extend_from_slice(kept);
        level.seen |= bit(hash);
        level.pending = Some((index, Relation::Own));
        enter(level, &self.entries, index);
        Ok(Novelty::New)
    }

    /// The value of the last name of the innermost object, as a hash.
    pub(super) fn value(&mut self, value: u64, kind: Kind) -> Option<Clash> {
        let depth = self.depth.checked_sub(1)?;
        let (index, relation) = self.levels.get_mut(depth)?.pending.take()?;
        if relation == Relation::Waiting {
            let waiting = self.waiting.get_mut(index)?;
            (waiting.value, waiting.kind) = (value, kind);
            return None;
        }
        let entry = self.entries.get_mut(index)?;
        match relation {
            Relation::Waiting => None,
            Relation::Own => {
                entry.value = value;
                entry.kind = kind;
                None
            }
            Relation::Same => {
                (entry.value != value || entry.kind != kind).then_some(Clash::Duplicate)
            }
            Relation::Folded => {
                let confusable = entry.kind == kind && kind != Kind::Container;
                (confusable && entry.value != value).then_some(Clash::Collision)
            }
        }
    }

    /// A hash of `bytes` under this process's key.
    #[inline]
    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        hash(self.secret, bytes, |word| word)
    }

    /// The hash of a sequence: of what came before, `so_far`, and `next`.
    #[inline]
    pub(super) fn join(&self, so_far: u64, next: u64) -> u64 {
        fold(so_far ^ next.rotate_left(32), self.secret)
    }

    /// A hash of a name in its folded form.
    #[inline]
    pub(super) fn hash_name(&mut self, name: &[u8]) -> u64 {
        match hash_plain(self.secret, name) {
            Some(hash) => hash,
            None => self.hash_odd(name),
        }
    }

    #[inline(never)]
    fn hash_odd(&mut self, name: &[u8]) -> u64 {
        let cut = cut_at_nul(name);
        if cut.is_ascii() {
            return hash(self.secret, cut, lower);
        }
        self.folded.clear();
        fold_case(cut, &mut self.folded);
        hash(self.secret, &self.folded, |word| word)
    }
}

/// The entry of an object that `name` is, or could be taken for.
fn find(
    level: &Level,
    entries: &[Entry],
    names: &[u8],
    hash: u64,
    name: &[u8],
) -> Option<(usize, Relation)> {
    let relation = |index: usize| {
        let entry = entries.get(index)?;
        if entry.hash != hash {
            return None;
        }
        let kept = entry.name_len.min(NAME_BYTES);
        let earlier = names.get(entry.name..entry.name + kept)?;
        if entry.name_len == name.len() && earlier == name.get(..kept)? {
            return Some(Relation::Same);
        }
        same_folded(earlier, name.get(..NAME_BYTES).unwrap_or(name)).then_some(Relation::Folded)
    };
    if level.table.is_empty() {
        let own = entries.get(level.first..).unwrap_or_default();
        return (level.first..)
            .zip(own)
            .filter(|(_, entry)| entry.hash == hash)
            .find_map(|(index, _)| relation(index).map(|relation| (index, relation)));
    }
    let mask = level.table.len() - 1;
    let mut slot = slot(hash, mask);
    loop {
        match level.table.get(slot) {
            None | Some(0) => return None,
            Some(&entry) => {
                let index = entry as usize - 1;
                if let Some(relation) = relation(index) {
                    return Some((index, relation));
                }
            }
        }
        slot = (slot + 1) & mask;
    }
}

/// Enters the newest entry into the object's table, which is begun or doubled when it is due.
fn enter(level: &mut Level, entries: &[Entry], newest: usize) {
    let count = entries.len() - level.first;
    let due = count > LINEAR_KEYS && level.table.len() < 2 * count;
    if due {
        let size = (4 * count).next_power_of_two();
        level.table.clear();
        level.table.resize(size, 0);
        for index in level.first..entries.len() {
            put(&mut level.table, entries, index);
        }
    } else if !level.table.is_empty() {
        put(&mut level.table, entries, newest);
    }
}

fn put(table: &mut [u32], entries: &[Entry], index: usize) {
    let (Some(entry), Ok(value)) = (entries.get(index), u32::try_from(index + 1)) else {
        return;
    };
    let mask = table.len() - 1;
    let mut slot = slot(entry.hash, mask);
    loop {
        match table.get_mut(slot) {
            Some(free) if *free == 0 => {
                *free = value;
                return;
            }
            Some(_) => slot = (slot + 1) & mask,
            None => return,
        }
    }
}

/// The bit of `hash` in [`Level::seen`].
#[inline]
fn bit(hash: u64) -> u64 {
    1 << (hash & 63)
}

fn slot(hash: u64, mask: usize) -> usize {
    usize::try_from(hash >> 32).unwrap_or(0) & mask
}

fn cut_at_nul(name: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, name).unwrap_or(name.len());
    name.get(..end).unwrap_or(name)
}

fn same_folded(one: &[u8], other: &[u8]) -> bool {
    let (one, other) = (cut_at_nul(one), cut_at_nul(other));
    if one.eq_ignore_ascii_case(other) {
        return true;
    }
    if one.is_ascii() && other.is_ascii() {
        return false;
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    fold_case(one, &mut left);
    fold_case(other, &mut right);
    left == right
}

fn fold_case(name: &[u8], folded: &mut Vec<u8>) {
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars().flat_map(char::to_lowercase) {
            folded.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        }
        folded.extend_from_slice(chunk.invalid());
    }
}

/// A keyed hash by folded multiplication.
#[inline]
fn hash(secret: u64, bytes: &[u8], word: impl Fn(u64) -> u64) -> u64 {
    let mut state = secret ^ (bytes.len() as u64);
    let mut rest = bytes;
    while let Some((chunk, later)) = rest.split_first_chunk::<8>() {
        state = fold(state ^ word(u64::from_le_bytes(*chunk)), secret);
        rest = later;
    }
    fold(state ^ word(packed(rest)), secret)
}

/// The [`hash`] of a name with its ASCII letters made small, in the same pass that finds that it has nothing else to be
/// folded; `None` when it has: a NUL, or a byte that is not ASCII.
#[inline]
fn hash_plain(secret: u64, name: &[u8]) -> Option<u64> {
    // Neither of them: no byte has its highest bit, and none gets it when one is taken away.
    let odd = |word: u64| (word | word.wrapping_sub(LOW)) & HIGH;
    let mut state = secret ^ (name.len() as u64);
    let mut found = 0;
    let mut rest = name;
    while let Some((chunk, later)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        found |= odd(word);
        state = fold(state ^ lower(word), secret);
        rest = later;
    }
    let word = packed(rest);
    let padding = match rest.len() {
        bytes @ 0..4 => LOW << (8 * bytes),
        _ => 0,
    };
    found |= odd(word | padding);
    (found == 0).then(|| fold(state ^ lower(word), secret))
}

/// Eight ASCII bytes with their capital letters made small, and nothing else changed: names that only look alike must
/// not share a hash, or an attacker could fill one slot with them.
#[inline]
fn lower(word: u64) -> u64 {
    let low = word & !HIGH;
    let from_a = low.wrapping_add(LOW * (0x80 - 0x41));
    let past_z = low.wrapping_add(LOW * (0x80 - 0x5b));
    word | ((from_a & !past_z & !word & HIGH) >> 2)
}

#[inline]
fn fold(value: u64, secret: u64) -> u64 {
    let product = u128::from(value ^ SPREAD) * u128::from(secret);
    let [low, high] = [product & u128::from(u64::MAX), product >> 64];
    u64::try_from(low ^ high).unwrap_or(0)
}

/// Members that are compared one by one before a table pays.
const LINEAR_KEYS: usize = 16;

/// Names kept over all open objects: 65,536 entries are 3 MiB, their names 16 MiB at the worst.
const TRACKED_KEYS: usize = 65_536;

/// Memory that is kept from one document to the next, in names.
const KEPT_KEYS: usize = 4096;

/// Bytes of a name that are kept and compared; of a longer one the hash and the length say the rest.
const NAME_BYTES: usize = 256;

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    fn key(keys: &mut Keys, name: &[u8], limit: u32) -> Result<(), Flood> {
        let hash = keys.hash_name(name);
        keys.key(name, hash, limit).map(|_| ())
    }

    fn clash(first: &str, second: &str, kinds: [Kind; 2]) -> Option<Clash> {
        let mut keys = Keys::new();
        keys.open();
        key(&mut keys, first.as_bytes(), 10).expect("under the limit");
        assert_eq!(keys.value(1, kinds[0]), None);
        key(&mut keys, second.as_bytes(), 10).expect("under the limit");
        keys.value(2, kinds[1])
    }

    #[test]
    fn a_plain_name_has_the_hash_of_its_small_letters_and_an_odd_one_has_none() {
        let secret = RandomState::new().hash_one(0) | 1;
        for length in 0..40 {
            let mut name: Vec<u8> = (b'!'..).take(length).collect();
            assert_eq!(hash_plain(secret, &name), Some(hash(secret, &name, lower)));
            for at in 0..name.len() {
                for odd in [0, 0x80, 0x81, 0xff] {
                    let kept = std::mem::replace(&mut name[at], odd);
                    assert_eq!(hash_plain(secret, &name), None, "{name:?}");
                    name[at] = kept;
                }
            }
        }
    }

    #[test]
    fn names_clash_when_equal_or_equal_once_folded() {
        let text = [Kind::Text; 2];
        assert_eq!(clash("role", "role", text), Some(Clash::Duplicate));
        assert_eq!(clash("role", "Role", text), Some(Clash::Collision));
        assert_eq!(clash("straße", "STRAßE", text), Some(Clash::Collision));
        assert_eq!(clash("role\0x", "role", text), Some(Clash::Collision));
        assert_eq!(clash("role", "rolf", text), None);
        assert_eq!(clash("a_", "a\x7f", text), None);
        assert_eq!(clash("id", "ID", [Kind::Number, Kind::Text]), None);
        assert_eq!(clash("i", "I", [Kind::Container; 2]), None);
        assert_eq!(
            clash("id", "id", [Kind::Number, Kind::Text]),
            Some(Clash::Duplicate)
        );
    }

    #[test]
    fn eight_bytes_are_folded_like_one() {
        for byte in 0..=255u8 {
            let word = u64::from_le_bytes([byte; 8]);
            assert_eq!(lower(word).to_le_bytes(), [byte.to_ascii_lowercase(); 8]);
        }
    }

    #[test]
    fn large_objects_are_looked_up_by_table_and_nested_ones_apart() {
        let mut keys = Keys::new();
        keys.open();
        for index in 0..5000u64 {
            key(&mut keys, format!("key{index}").as_bytes(), 10_000).expect("under the limit");
            keys.open();
            key(&mut keys, b"key0", 10).expect("under the limit");
            assert_eq!(keys.value(7, Kind::Number), None);
            keys.close();
            assert_eq!(keys.value(index, Kind::Container), None);
        }
        for index in 0..5000u64 {
            key(&mut keys, format!("key{index}").as_bytes(), 10_000).expect("under the limit");
            assert_eq!(keys.value(index, Kind::Container), None);
        }
        assert_eq!(key(&mut keys, b"key4999", 10_000), Err(Flood::Object));
        assert_eq!(keys.value(0, Kind::Container), Some(Clash::Duplicate));
        assert_eq!(key(&mut keys, b"one more", 10_000), Ok(()));
    }

    /// What is to be told of a document in which names come as `steps` say, some of them as foreseen.
    fn told(steps: &[u16], foreseen: bool) -> Vec<String> {
        let mut keys = Keys::new();
        let names: Vec<String> = (0..12)
            .map(|number| match number {
                10 => "NAME3".to_owned(),
                11 => "x".repeat(NAME_BYTES + 9),
                _ => format!("name{number}"),
            })
            .collect();
        let mut told = Vec::new();
        for step in steps {
            let [kind, number] = step.to_le_bytes();
            match kind % 8 {
                0 => keys.open(),
                1 => {
                    keys.close();
                    told.push(format!("{:?}", keys.value(0, Kind::Container)));
                }
                2 => told.push(format!("{:?}", keys.value(u64::from(kind), Kind::Text))),
                kind => {
                    let name = names[usize::from(number) % names.len()].as_bytes();
                    let hash = keys.hash_name(name);
                    // The last two are no names that are kept.
                    let place = number % names.len() as u8;
                    let waits = kind < 7 && place < 10 && foreseen && keys.foreseen(place, hash, 5);
                    let novelty = if waits {
                        Ok(Novelty::New)
                    } else {
                        keys.settle(|place| names[usize::from(place)].as_bytes());
                        keys.key(name, hash, 5)
                    };
                    told.push(format!("{novelty:?}"));
                    // Of some the value is what opens next.
                    if number % 3 > 0 {
                        let clash = keys.value(u64::from(number / 12), Kind::Text);
                        told.push(format!("{clash:?}"));
                    }
                }
            }
        }
        told
    }

    proptest::proptest! {
        #[test]
        fn names_that_wait_are_as_good_as_entered(steps in proptest::collection::vec(0u16.., 0..60)) {
            proptest::prop_assert_eq!(told(&steps, true), told(&steps, false));
        }
    }
}
