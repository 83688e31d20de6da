//! What the rules know of the names of values, remembered by path: documents repeat the same few names.

use std::sync::Arc;

use crate::inspect::leaf::{Path, Step};
use crate::inspect::sensitive::Scanner;
use crate::inspect::sensitive::scanner::Named;

/// What is known of a value by its names.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) named: Arc<Named>,
    pub(super) role: Role,
}

/// Whether a member names its object's value, or holds it: `{"name": "password", "value": …}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Name,
    Value,
    Other,
}

/// Paths whose names were looked up, each at the place that its names say; a later one takes the place of an earlier.
#[derive(Debug)]
pub(super) struct KnownNames {
    slots: Vec<Option<Slot>>,
    key: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    lengths: u64,
    bytes: Box<[u8]>,
    known: Known,
}

impl Default for KnownNames {
    fn default() -> Self {
        Self {
            slots: (0..SLOTS).map(|_| None).collect(),
            key: Vec::new(),
        }
    }
}

impl KnownNames {
    /// What is known of values at `path`.
    pub(super) fn of(&mut self, path: &Path, scanner: &mut Scanner) -> Known {
        let (lengths, bytes) = path.tail(NAMES);
        let place = place(lengths, bytes);
        if let Some(Some(slot)) = self.slots.get(place)
            && slot.lengths == lengths
            && *slot.bytes == *bytes
        {
            return slot.known.clone();
        }
        let known = self.look_up(path, scanner);
        if let Some(slot) = self.slots.get_mut(place) {
            *slot = Some(Slot {
                lengths,
                bytes: bytes.into(),
                known: known.clone(),
            });
        }
        known
    }

    fn look_up(&mut self, path: &Path, scanner: &mut Scanner) -> Known {
        self.key.clear();
        let names = || {
            path.steps().filter_map(|step| match step {
                Step::Name(name) | Step::Attribute(name) => Some(name),
                Step::Index(_) => None,
            })
        };
        let skip = names().count().saturating_sub(NAMES);
        for name in names().skip(skip) {
            // `urn:x` and `p:name`: the prefix of an XML name says nothing.
            let local = name.iter().rposition(|byte| *byte == b':');
            self.key
                .extend_from_slice(name.get(local.map_or(0, |at| at + 1)..).unwrap_or(name));
            self.key.push(0);
        }
        Known {
            named: scanner.named(&self.key),
            role: Role::of(path.last_name().unwrap_or_default()),
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
fn place(lengths: u64, bytes: &[u8]) -> usize {
    let mut mixed = lengths;
    for chunk in bytes.rchunks(8).take(3) {
        let mut word = [0; 8];
        word.iter_mut()
            .zip(chunk)
            .for_each(|(slot, byte)| *slot = *byte);
        mixed = (mixed ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed ^= mixed >> 29;
    }
    usize::try_from(mixed % SLOTS).unwrap_or(0)
}

/// Names that are remembered; documents have some dozens.
const SLOTS: u64 = 256;

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
