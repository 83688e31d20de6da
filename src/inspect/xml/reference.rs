//! References in character data and attribute values (XML 1.0 §4.1): decoded where they stand for a character, named
//! where they stand for an entity, across windows.

use crate::span::Span;

/// What a piece of text consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item<'a> {
    /// Bytes that stand for themselves; the first lies at the offset.
    Plain(&'a [u8], u64),
    /// A reference to a character.
    Character(char, Span),
    /// A reference to an entity that is not predefined: its name. Its raw bytes follow as plain ones.
    Entity(&'a [u8], u64),
    /// An `&` that begins no reference, or a reference to no character; said at least once for each run of them. The raw
    /// bytes follow as plain ones.
    Broken(u64),
    /// A reference longer than any name may be; its raw bytes follow as plain ones.
    Long(u64),
}

/// Undoes the references of one text after another.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// An `&` and what followed it at the end of the last piece.
    held: Vec<u8>,
    /// Where it lies.
    at: u64,
    /// Zeros in front of a character's number that are not held: there may be any number of them.
    zeros: u64,
}

impl Decoder {
    /// Begins a text.
    pub(super) fn begin(&mut self) {
        self.held.clear();
        self.zeros = 0;
    }

    /// True when the last piece ended inside a reference.
    pub(super) fn is_open(&self) -> bool {
        !self.held.is_empty()
    }

    /// Reads a piece whose first byte lies at `at`.
    pub(super) fn push(&mut self, raw: &[u8], at: u64, out: &mut impl FnMut(Item<'_>)) {
        let (mut rest, mut at) = (raw, at);
        while !rest.is_empty() {
            if self.held.is_empty() {
                let (len, broken) = plain_len(rest);
                let (mut plain, later) = rest.split_at(len);
                if let Some(broken) = broken {
                    // In the order of the text, however it is cut.
                    let (before, from) = plain.split_at(broken);
                    if !before.is_empty() {
                        out(Item::Plain(before, at));
                    }
                    at += broken as u64;
                    out(Item::Broken(at));
                    plain = from;
                }
                if !plain.is_empty() {
                    out(Item::Plain(plain, at));
                }
                at += plain.len() as u64;
                let Some((_, later)) = later.split_first() else {
                    return;
                };
                self.held.push(b'&');
                self.at = at;
                at += 1;
                rest = later;
                continue;
            }
            // The front of a character's number is taken byte by byte, so that its zeros are known as such.
            let (&next, after) = rest.split_first().unwrap_or((&0, rest));
            let front = match (&*self.held, next) {
                (b"&", b'#') | (b"&#", b'x' | b'X') => true,
                (b"&#" | b"&#x" | b"&#X", b'0') => true,
                (b"&#0" | b"&#x0" | b"&#X0", b'0') => {
                    self.zeros += 1;
                    at += 1;
                    rest = after;
                    continue;
                }
                _ => false,
            };
            if front {
                self.held.push(next);
                at += 1;
                rest = after;
                continue;
            }
            let room = (MOST_NAME + 1).saturating_sub(self.held.len());
            let len = rest
                .iter()
                .take(room)
                .position(|&byte| !is_name(byte))
                .unwrap_or(rest.len().min(room));
            let (name, later) = rest.split_at(len);
            self.held.extend_from_slice(name);
            at += len as u64;
            rest = later;
            match rest.split_first() {
                Some((b';', later)) => {
                    self.complete(out);
                    at += 1;
                    rest = later;
                }
                _ if self.held.len() > MOST_NAME => {
                    out(Item::Long(self.at));
                    self.broken(out);
                }
                Some(_) => self.broken(out),
                None => {}
            }
        }
    }

    /// Ends the text.
    pub(super) fn finish(&mut self, out: &mut impl FnMut(Item<'_>)) {
        if self.is_open() {
            self.broken(out);
        }
    }

    fn broken(&mut self, out: &mut impl FnMut(Item<'_>)) {
        out(Item::Broken(self.at));
        self.plain(out);
    }

    /// What is held stands for itself.
    fn plain(&mut self, out: &mut impl FnMut(Item<'_>)) {
        let front = match self.held.get(2) {
            Some(b'x' | b'X') => 4,
            Some(_) | None => 3,
        };
        let (front, back) = match self.zeros {
            0 => (&*self.held, [].as_slice()),
            _ => self.held.split_at(front.min(self.held.len())),
        };
        out(Item::Plain(front, self.at));
        let mut at = self.at + front.len() as u64;
        while self.zeros > 0 {
            let len = self.zeros.min(ZEROS.len() as u64);
            let zeros = usize::try_from(len).unwrap_or(ZEROS.len());
            out(Item::Plain(ZEROS.get(..zeros).unwrap_or(&ZEROS), at));
            at += len;
            self.zeros -= len;
        }
        if !back.is_empty() {
            out(Item::Plain(back, at));
        }
        self.held.clear();
    }

    /// The `;` was met.
    fn complete(&mut self, out: &mut impl FnMut(Item<'_>)) {
        let name = self.held.get(1..).unwrap_or_default();
        let len = self.held.len() as u64 + self.zeros + 1;
        match character(name) {
            Meaning::Character(char) => {
                out(Item::Character(char, Span::new(self.at, self.at + len)));
                self.held.clear();
                self.zeros = 0;
                return;
            }
            Meaning::Entity => out(Item::Entity(name, self.at)),
            Meaning::Nothing => out(Item::Broken(self.at)),
        }
        self.held.push(b';');
        self.plain(out);
    }
}

/// Bytes up to the next `&` that may begin a reference, and where the first one lies that does not.
fn plain_len(text: &[u8]) -> (usize, Option<usize>) {
    let mut broken = None;
    for at in memchr::memchr_iter(b'&', text) {
        match text.get(at + 1) {
            Some(&next) if !is_name(next) => {
                broken.get_or_insert(at);
            }
            Some(_) | None => return (at, broken),
        }
    }
    (text.len(), broken)
}

enum Meaning {
    Character(char),
    Entity,
    Nothing,
}

fn character(name: &[u8]) -> Meaning {
    let known = match name {
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"amp" => Some('&'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        _ => None,
    };
    if let Some(char) = known {
        return Meaning::Character(char);
    }
    let (digits, radix) = match name {
        [b'#', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'#', digits @ ..] => (digits, 10),
        [] => return Meaning::Nothing,
        _ => return Meaning::Entity,
    };
    let mut code = 0u32;
    for &byte in digits {
        let Some(digit) = char::from(byte).to_digit(radix) else {
            return Meaning::Nothing;
        };
        code = code.saturating_mul(radix).saturating_add(digit);
    }
    // XML 1.0 §2.2 `Char`; NUL and most control characters cannot be referred to.
    match char::from_u32(code) {
        Some(char @ ('\t' | '\n' | '\r' | ' '..)) if !digits.is_empty() => Meaning::Character(char),
        Some(_) | None => Meaning::Nothing,
    }
}

/// The character that a numeric reference at the front of `text` stands for, and the reference's length.
pub(super) fn numeric(text: &[u8]) -> Option<(char, usize)> {
    let digits = text.get(2..)?;
    let len = 2 + digits
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric())?;
    let name = text.get(1..len)?;
    if text.get(len) != Some(&b';') || name.first() != Some(&b'#') {
        return None;
    }
    match character(name) {
        Meaning::Character(char) => Some((char, len + 1)),
        Meaning::Entity | Meaning::Nothing => None,
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'_' | b':' | b'.' | b'-' | 0x80..)
}

/// Bytes between `&` and `;`, as many as a name may have; zeros in front of a character's number do not count.
const MOST_NAME: usize = 4096;

const ZEROS: [u8; 64] = [b'0'; 64];

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> (String, Option<u64>) {
        let mut decoder = Decoder::default();
        decoder.begin();
        let mut text = String::new();
        let mut plain = Vec::new();
        let mut broken = None;
        let mut out = |item: Item<'_>| match item {
            Item::Plain(raw, _) => plain.extend_from_slice(raw),
            Item::Character(char, span) => {
                text.push_str(&String::from_utf8_lossy(&std::mem::take(&mut plain)));
                text.push_str(&format!("[{char} {span}]"));
            }
            Item::Entity(name, at) => {
                text.push_str(&String::from_utf8_lossy(&std::mem::take(&mut plain)));
                text.push_str(&format!("({} {at})", String::from_utf8_lossy(name)));
            }
            Item::Broken(at) => broken = broken.or(Some(at)),
            Item::Long(_) => {}
        };
        let mut at = 0;
        for piece in pieces {
            decoder.push(piece, at, &mut out);
            at += piece.len() as u64;
        }
        decoder.finish(&mut out);
        text.push_str(&String::from_utf8_lossy(&plain));
        (text, broken)
    }

    #[test]
    fn references_are_decoded_in_all_spellings_and_any_pieces() {
        let text = b"a&lt;&#0060;&#x3c;&#X3C; b&co;c & d&#0;&#xd800;&;&#;&x";
        let expected =
            "a[< 1..5][< 5..12][< 12..18][< 18..24] b(co 26)&co;c & d&#0;&#xd800;&;&#;&x";
        let expected = (expected.to_owned(), Some(32));
        assert_eq!(decode(&[text]), expected);
        for cut in 0..=text.len() {
            let (left, right) = text.split_at(cut);
            assert_eq!(decode(&[left, right]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(&bytes), expected);
    }

    #[test]
    fn an_endless_reference_is_plain() {
        let long = ["&".to_owned(), "a".repeat(10_000)].concat();
        assert_eq!(decode(&[long.as_bytes()]), (long.clone(), Some(0)));
    }

    #[test]
    fn any_number_of_zeros_is_skipped_in_any_pieces() {
        for (front, back) in [("&#", "88;"), ("&#x", "58;")] {
            let text = format!("{front}{}{back}", "0".repeat(300));
            let expected = (format!("[X 0..{}]", text.len()), None);
            let broken = format!("{front}{}q;", "0".repeat(300));
            for cut in 0..=text.len() {
                let (left, right) = text.as_bytes().split_at(cut);
                assert_eq!(decode(&[left, right]), expected, "cut at {cut}");
            }
            for cut in 0..=broken.len() {
                let (left, right) = broken.as_bytes().split_at(cut);
                assert_eq!(
                    decode(&[left, right]),
                    (broken.clone(), Some(0)),
                    "cut at {cut}"
                );
            }
        }
        let nothing = format!("&#{};", "0".repeat(300));
        assert_eq!(decode(&[nothing.as_bytes()]), (nothing.clone(), Some(0)));
    }
}
