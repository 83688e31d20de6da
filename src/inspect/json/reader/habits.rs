//! Which member name comes next: APIs send the same members in the same order, item after item and message after message.
//!
//! What is foreseen is compared with the bytes that are there and changes nothing but the time that it takes: a name that
//! comes as foreseen need not be read to its end, checked and hashed once more. Names alone are kept, never values.

/// Names that were read, and which of them followed which.
#[derive(Debug)]
pub(super) struct Habits {
    names: Box<[Name; PLACES]>,
    /// For each [`Cursor`], the name that came there last.
    next: Box<[u8; 2 * PLACES]>,
    /// Which of the places that a name may have gives way next.
    turn: u8,
}

/// Where in an object the reader is: behind a name, or at the front of what is that name's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor(u8);

/// A name as most documents write it.
#[derive(Clone, Copy, Debug)]
struct Name {
    /// With its quotes and the colon.
    text: [u8; LONGEST + MARKS],
    length: u8,
    hash: u64,
}

/// A name that came as foreseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Foreseen {
    /// Bytes of the name.
    pub(super) length: usize,
    /// What [`Keys::hash_name`](super::Keys::hash_name) makes of it.
    pub(super) hash: u64,
    /// Where it is kept, below 128; no other name of the same hash is kept as well.
    pub(super) place: u8,
    /// Where the object is behind it.
    pub(super) cursor: Cursor,
}

impl Habits {
    /// The name that `text` begins with, quotes and colon included, when it was foreseen at `cursor`.
    #[inline]
    pub(super) fn foreseen(&self, cursor: Cursor, text: &[u8]) -> Option<Foreseen> {
        let place = self.next.get(usize::from(cursor.0))?;
        let name = self.names.get(usize::from(*place))?;
        let expected = name.text.get(..usize::from(name.length))?;
        let length = expected.len().checked_sub(MARKS)?;
        text.starts_with(expected).then_some(Foreseen {
            length,
            hash: name.hash,
            place: *place,
            cursor: Cursor::behind(*place),
        })
    }

    /// The name at `place`, until another one is [learnt](Self::learn).
    pub(super) fn name(&self, place: u8) -> &[u8] {
        let name = self.names.get(usize::from(place));
        name.and_then(|name| name.text.get(1..usize::from(name.length).checked_sub(2)?))
            .unwrap_or_default()
    }

    /// Notes that `name` came at `cursor`: where the object is behind it.
    pub(super) fn learn(&mut self, cursor: Cursor, name: &[u8], hash: u64) -> Cursor {
        let Some(place) = self.place(name, hash) else {
            return Cursor::default();
        };
        if let Some(next) = self.next.get_mut(usize::from(cursor.0)) {
            *next = place;
        }
        Cursor::behind(place)
    }

    /// Where `name` is kept from now on; `None` when it cannot be.
    fn place(&mut self, name: &[u8], hash: u64) -> Option<u8> {
        let [bits, ..] = hash.to_le_bytes();
        let first = bits % (PLACES / WAYS) as u8 * WAYS as u8;
        let ways = self.names.get_mut(usize::from(first)..)?.iter_mut();
        let known = ways
            .zip(first..)
            .take(WAYS)
            .find(|(kept, _)| kept.hash == hash);
        if let Some((_, place)) = known {
            return Some(place);
        }
        self.turn = (self.turn + 1) % WAYS as u8;
        let place = first + self.turn;
        let kept = self.names.get_mut(usize::from(place))?;
        kept.becomes(name, hash).then_some(place)
    }
}

impl Default for Habits {
    fn default() -> Self {
        let nothing = Name {
            text: [0; LONGEST + MARKS],
            length: 0,
            hash: 0,
        };
        Self {
            names: Box::new([nothing; PLACES]),
            next: Box::new([0; 2 * PLACES]),
            turn: 0,
        }
    }
}

impl Cursor {
    fn behind(place: u8) -> Self {
        Self(2 * place)
    }

    /// The front of the object or array that is the value here.
    pub(super) fn inside(self) -> Self {
        Self(self.0 | 1)
    }
}

impl Name {
    /// Becomes `name`; false when that is too long, or not always written as it is.
    fn becomes(&mut self, name: &[u8], hash: u64) -> bool {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if name.len() > LONGEST || !name.iter().all(plain) {
            return false;
        }
        let length = name.len() + MARKS;
        if let Some([front, middle @ .., back, colon]) = self.text.get_mut(..length) {
            (*front, *back, *colon) = (b'"', b'"', b':');
            middle.copy_from_slice(name);
        }
        self.length = u8::try_from(length).unwrap_or_default();
        self.hash = hash;
        true
    }
}

/// Names that are kept.
const PLACES: usize = 128;
/// Places that one name may have: members of one object must not drive each other out.
const WAYS: usize = 4;
/// Bytes of the longest name that is kept.
const LONGEST: usize = 29;
/// Two quotes and a colon.
const MARKS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_foreseen_where_it_came_before() {
        let mut habits = Habits::default();
        let front = Cursor::default().inside();
        assert_eq!(habits.foreseen(front, b"\"id\":1"), None);
        let behind = habits.learn(front, b"id", 7);
        habits.learn(behind, b"tags", 9);
        let foreseen = habits.foreseen(front, b"\"id\":1");
        let expected = Foreseen {
            length: 2,
            hash: 7,
            place: 29,
            cursor: behind,
        };
        assert_eq!(foreseen, Some(expected));
        assert_eq!(habits.name(29), b"id");
        assert_eq!(habits.name(30), b"");
        assert_eq!(habits.foreseen(behind, b"\"id\":1"), None);
        assert_eq!(habits.foreseen(front, b"\"id\" :1"), None);
        assert_eq!(habits.foreseen(front, b"\"id\""), None);
        assert_eq!(habits.foreseen(front, b""), None);
        assert!(habits.foreseen(behind, b"\"tags\":[").is_some());
    }

    #[test]
    fn names_that_can_be_written_otherwise_are_not_kept() {
        let mut habits = Habits::default();
        let front = Cursor::default().inside();
        for name in [
            &b"a\"b"[..],
            b"a\\b",
            b"a\nb",
            b"\xc3\xa4",
            &[b'a'; LONGEST + 1],
        ] {
            assert_eq!(habits.learn(front, name, 5), Cursor::default());
            let written = [b"\"", name, b"\":"].concat();
            assert_eq!(habits.foreseen(front, &written), None);
        }
    }
}
