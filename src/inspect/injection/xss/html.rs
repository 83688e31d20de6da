//! Tags and attributes, read as leniently as browsers do.

/// One start tag, end tag, declaration or processing instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    /// Its name in lower case, without namespace prefix; `?name` and `!name` for instructions and declarations.
    pub(super) name: &'a [u8],
    /// True for `</name`.
    pub(super) closes: bool,
    /// Offset of `<`.
    pub(super) start: usize,
    /// Offset of the first byte after the name.
    pub(super) attributes: usize,
}

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attribute<'a> {
    /// Its name in lower case.
    pub(super) name: &'a [u8],
    /// Its value without quotes, references not decoded; empty when there is none.
    pub(super) value: &'a [u8],
    /// True when there is an `=`.
    pub(super) assigned: bool,
    /// Offset of the name.
    pub(super) start: usize,
    /// Offset one past the value.
    pub(super) end: usize,
}

/// The tag whose `<` is at `start` of `lower`.
pub(super) fn tag(lower: &[u8], start: usize) -> Option<Tag<'_>> {
    let mut at = start + 1;
    let closes = lower.get(at) == Some(&b'/');
    at += usize::from(closes);
    let first = *lower.get(at)?;
    if !(first.is_ascii_alphabetic() || matches!(first, b'?' | b'!' | b':')) {
        return None;
    }
    let tail = lower.get(at..)?;
    let tail = tail.get(..NAME_BYTES).unwrap_or(tail);
    let length = 1 + tail
        .iter()
        .skip(1)
        .take_while(|byte| {
            !byte.is_ascii_whitespace()
                && !matches!(
                    byte,
                    b'/' | b'>' | b'<' | b'"' | b'\'' | b'=' | b'(' | 0..0x20
                )
        })
        .count();
    let name = tail.get(..length)?;
    let local = match memchr::memrchr(b':', name) {
        Some(colon) => name.get(colon + 1..)?,
        None => name,
    };
    Some(Tag {
        name: local,
        closes,
        start,
        attributes: at + length,
    })
}

/// The attributes of a tag, up to its end, to the next tag or to [`TAG_ATTRIBUTES`] of them.
pub(super) struct Attributes<'a> {
    lower: &'a [u8],
    /// Where the last one ended.
    pub(super) at: usize,
    left: usize,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(lower: &'a [u8], tag: &Tag<'_>) -> Self {
        Self {
            lower,
            at: tag.attributes,
            left: TAG_ATTRIBUTES,
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.lower.get(at).copied()
    }

    fn skip(&mut self, belongs: impl Fn(u8) -> bool) {
        let tail = self.lower.get(self.at..).unwrap_or_default();
        self.at += tail.iter().take_while(|byte| belongs(**byte)).count();
    }

    fn value(&mut self) -> &'a [u8] {
        self.skip(|byte| byte <= b' ');
        let quote = match self.byte(self.at) {
            Some(quote @ (b'"' | b'\'' | b'`')) => Some(quote),
            _ => None,
        };
        let from = self.at + usize::from(quote.is_some());
        let tail = self.lower.get(from..).unwrap_or_default();
        let tail = tail.get(..VALUE_BYTES).unwrap_or(tail);
        let length = match quote {
            Some(quote) => memchr::memchr(quote, tail).unwrap_or(tail.len()),
            None => tail
                .iter()
                .position(|byte| *byte <= b' ' || *byte == b'>')
                .unwrap_or(tail.len()),
        };
        self.at = (from + length + usize::from(quote.is_some())).min(self.lower.len());
        tail.get(..length).unwrap_or_default()
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        // Browsers take `/` between attributes for a space; stray quotes stand there after broken values.
        self.skip(|byte| {
            byte <= b' '
                || matches!(
                    byte,
                    b'/' | b'"' | b'\'' | b'`' | b',' | b';' | b'\\' | b'?'
                )
        });
        self.left = self.left.checked_sub(1)?;
        let start = self.at;
        match self.byte(start)? {
            b'>' | b'<' => return None,
            _ => {}
        }
        self.skip(|byte| byte > b' ' && !matches!(byte, b'=' | b'>' | b'/' | b'<' | b'"' | b'\''));
        let name = self.lower.get(start..self.at)?;
        let after_name = self.at;
        self.skip(|byte| byte <= b' ');
        let assigned = self.byte(self.at) == Some(b'=');
        let value = if assigned {
            self.at += 1;
            self.value()
        } else {
            self.at = after_name;
            &[]
        };
        if self.at == start {
            self.at += 1;
        }
        Some(Attribute {
            name,
            value,
            assigned,
            start,
            end: self.at,
        })
    }
}

/// Bytes of a tag's name.
const NAME_BYTES: usize = 64;
/// Attributes of one tag that are read, and bytes of a value: they bound the work when each byte opens a tag.
const TAG_ATTRIBUTES: usize = 64;
const VALUE_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_attributes_are_read_as_browsers_do() {
        let text = b"<svg/onload = \"a b\" x='1'checked y=z>";
        let tag = tag(text, 0).expect("it is a tag");
        assert_eq!(tag.name, b"svg");
        let list: Vec<_> = Attributes::new(text, &tag)
            .map(|attribute| (attribute.name, attribute.value))
            .collect();
        assert_eq!(
            list,
            [
                (b"onload".as_slice(), b"a b".as_slice()),
                (b"x", b"1"),
                (b"checked", b""),
                (b"y", b"z")
            ]
        );
        assert_eq!(
            super::tag(b"<x:script>", 0).map(|tag| tag.name),
            Some(b"script".as_slice())
        );
        assert_eq!(super::tag(b"a < b", 2), None);
    }
}
