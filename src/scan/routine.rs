//! Fields of a head that were looked at before and hold nothing.
//!
//! A client sends the same `User-Agent` and `Accept` with each of its requests. What the detectors say of a field depends on
//! its name, its value, the direction of the message and the classes that are looked for, and on nothing else: a field in
//! which they found nothing with all of these the same needs no second look. What is found does not depend on what is
//! kept. Only fields are kept that tell nothing of who sends them, nor of what; others, cookies and credentials among
//! them, are looked at each time.

use crate::inspect::injection::Context;
use crate::inspect::leaf::{HostSyntax, Leaf, Root};

/// The fields, those of one name by a hash of their values; a new one takes the place of an old one.
#[derive(Debug)]
pub(super) struct Routine {
    slots: Box<[Option<Field>; SLOTS]>,
}

#[derive(Clone, Copy, Debug)]
struct Field {
    /// Its index in [`NAMES`].
    name: usize,
    context: Context,
    length: usize,
    bytes: [u8; LONGEST],
}

impl Routine {
    /// True for a field that was [`enter`](Self::enter)ed in such a context.
    pub(super) fn has(&self, leaf: &Leaf<'_>, context: &Context) -> bool {
        let Some((name, slot)) = place(leaf) else {
            return false;
        };
        self.slots[slot].as_ref().is_some_and(|kept| {
            kept.name == name
                && kept.context == *context
                && kept.bytes.get(..kept.length) == Some(leaf.bytes)
        })
    }

    /// Keeps a field, unless it is of another kind or too long.
    pub(super) fn enter(&mut self, leaf: &Leaf<'_>, context: &Context) {
        let Some((name, slot)) = place(leaf) else {
            return;
        };
        let mut bytes = [0; LONGEST];
        if let Some(place) = bytes.get_mut(..leaf.bytes.len()) {
            place.copy_from_slice(leaf.bytes);
            self.slots[slot] = Some(Field {
                name,
                context: *context,
                length: leaf.bytes.len(),
                bytes,
            });
        }
    }
}

impl Default for Routine {
    fn default() -> Self {
        Self {
            slots: Box::new([None; SLOTS]),
        }
    }
}

/// Which field it is, and where it is kept; `None` for one that is not.
fn place(leaf: &Leaf<'_>) -> Option<(usize, usize)> {
    if leaf.host != HostSyntax::HeaderValue
        || leaf.path.root() != Root::Header
        || leaf.bytes.len() > LONGEST
    {
        return None;
    }
    let name = leaf.path.last_name()?;
    let name = NAMES.iter().position(|known| *known == name)?;
    let end = match leaf.bytes.last_chunk::<8>() {
        Some(end) => u64::from_le_bytes(*end),
        None => 0,
    };
    let mixed = (end ^ leaf.bytes.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let slot = usize::try_from(mixed >> (64 - VALUES.ilog2())).ok()?;
    Some((name, VALUES * name + slot))
}

/// What half of all clients send, in the same words.
const NAMES: [&[u8]; 5] = [
    b"accept",
    b"accept-language",
    b"content-type",
    b"host",
    b"user-agent",
];

/// Values that are kept of one name: what the fields of a head are must not drive each other out.
const VALUES: usize = 16;
/// Fields that are kept, in 20 KiB.
const SLOTS: usize = VALUES * NAMES.len();
/// Bytes of the longest value that is kept: those of browsers are shorter.
const LONGEST: usize = 192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::leaf::{OffsetMap, Path, Piece};
    use crate::inspect::{Direction, PartId, injection::Classes};
    use crate::span::Span;

    const CONTEXT: Context = Context {
        direction: Direction::Request,
        part: PartId::HEAD,
        classes: Classes::all(),
        binary: false,
    };

    fn with_leaf<T>(name: &str, value: &[u8], then: impl FnOnce(&Leaf<'_>) -> T) -> T {
        let mut path = Path::new(Root::Header);
        path.push_name(name.as_bytes());
        then(&Leaf {
            path: &path,
            host: HostSyntax::HeaderValue,
            span: Span::new(0, value.len() as u64),
            bytes: value,
            map: &OffsetMap::verbatim(0),
            piece: Piece::Whole,
        })
    }

    #[test]
    fn a_field_is_known_by_its_name_all_of_its_bytes_and_what_was_looked_for() {
        for length in 1..=LONGEST {
            let mut routine = Routine::default();
            let mut value: Vec<u8> = (0..length).map(|at| b'a' + (at % 26) as u8).collect();
            with_leaf("user-agent", &value, |leaf| {
                assert!(!routine.has(leaf, &CONTEXT));
                routine.enter(leaf, &CONTEXT);
                assert!(routine.has(leaf, &CONTEXT));
                for other in [
                    Context {
                        direction: Direction::Response,
                        ..CONTEXT
                    },
                    Context {
                        classes: Classes::SQLI,
                        ..CONTEXT
                    },
                ] {
                    assert!(!routine.has(leaf, &other));
                }
            });
            assert!(!with_leaf("host", &value, |leaf| routine.has(leaf, &CONTEXT)));
            for at in 0..length {
                value[at] ^= 1;
                assert!(!with_leaf("user-agent", &value, |leaf| routine.has(leaf, &CONTEXT)));
                value[at] ^= 1;
            }
        }
    }

    #[test]
    fn credentials_and_long_values_are_not_kept() {
        let mut routine = Routine::default();
        for (name, value) in [
            ("authorization", &b"Basic YTpi"[..]),
            ("referer", b"https://shop.test/"),
            ("accept", &[b'x'; LONGEST + 1]),
        ] {
            with_leaf(name, value, |leaf| {
                routine.enter(leaf, &CONTEXT);
                assert!(!routine.has(leaf, &CONTEXT), "{name}");
            });
        }
    }
}
