//! Media types (RFC 9110 §8.3.1): `type/subtype` with parameters.

use std::borrow::Cow;

use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::combinator::map;
use nom::sequence::{preceded, separated_pair};

use crate::wire::grammar::{quoted_string, spaces, token};

/// A media type as it stands in `Content-Type`; names are compared without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaType<'a> {
    kind: &'a [u8],
    subtype: &'a [u8],
    parameters: &'a [u8],
}

impl<'a> MediaType<'a> {
    /// Reads a `Content-Type` value; `None` when it has no `type/subtype`. Parameters are read when asked for.
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let (rest, _) = spaces(value).ok()?;
        let (parameters, (kind, subtype)) =
            separated_pair(token, tag("/"), token).parse(rest).ok()?;
        match crate::wire::grammar::trim(parameters) {
            [] | [b';', ..] => Some(Self {
                kind,
                subtype,
                parameters,
            }),
            _ => None,
        }
    }

    /// The type, as written.
    pub fn kind(&self) -> &'a [u8] {
        self.kind
    }

    /// The subtype, as written.
    pub fn subtype(&self) -> &'a [u8] {
        self.subtype
    }

    /// True for `kind/subtype`; give both in lower case.
    pub fn is(&self, kind: &str, subtype: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// True when the subtype is `suffix` or ends with `+suffix` (RFC 6839).
    pub fn has_suffix(&self, suffix: &str) -> bool {
        let tail = self
            .subtype
            .iter()
            .rposition(|byte| *byte == b'+')
            .and_then(|plus| self.subtype.get(plus + 1..))
            .unwrap_or(self.subtype);
        tail.eq_ignore_ascii_case(suffix.as_bytes())
    }

    /// The first parameter of that name, quotes and escapes undone.
    pub fn parameter(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        self.parameters()
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// All parameters in order; ends at the first one outside the grammar.
    pub fn parameters(&self) -> impl Iterator<Item = (&'a [u8], Cow<'a, [u8]>)> + use<'a> {
        let mut rest = self.parameters;
        std::iter::from_fn(move || {
            loop {
                let (after, _) = (spaces, tag(";"), spaces)
                    .parse(rest)
                    .map_err(|_: nom::Err<nom::error::Error<&[u8]>>| ())
                    .ok()?;
                rest = after;
                // RFC 9110 §5.6.6: an empty parameter is nothing.
                if !matches!(rest, [b';', ..] | []) {
                    break;
                }
            }
            let value = alt((map(quoted_string, unescape), map(token, Cow::Borrowed)));
            let (after, pair) = (token, preceded((spaces, tag("="), spaces), value))
                .parse(rest)
                .ok()?;
            rest = after;
            Some(pair)
        })
    }
}

fn unescape(inner: &[u8]) -> Cow<'_, [u8]> {
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    let mut escaped = false;
    let kept = inner.iter().copied().filter(|byte| {
        escaped = *byte == b'\\' && !escaped;
        !escaped
    });
    Cow::Owned(kept.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_parameters_and_suffixes_are_read_as_written() {
        let media = MediaType::parse(b"Multipart/Form-Data ; boundary=\"a;\\\"b\"; charset=UTF-8")
            .expect("a media type");
        assert!(media.is("multipart", "form-data"));
        assert_eq!(media.parameter("Boundary").as_deref(), Some(&b"a;\"b"[..]));
        assert_eq!(media.parameter("charset").as_deref(), Some(&b"UTF-8"[..]));
        assert_eq!(media.parameter("x"), None);
        let media =
            MediaType::parse(b"application/problem+json;;charset=x;").expect("a media type");
        assert!(media.has_suffix("json"));
        assert_eq!(media.parameter("charset").as_deref(), Some(&b"x"[..]));
        for bad in ["", "text", "text/", "/x", "text/html x", "text/ html"] {
            assert_eq!(MediaType::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
