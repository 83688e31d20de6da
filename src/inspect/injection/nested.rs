//! Documents inside values: strings of JSON, values of forms and of URL queries.
//!
//! These readers are lax on purpose: they only have to find every string that a back end could find. Structure is
//! checked by the readers of `inspect::json`.

use crate::inspect::json::{self, Fault, Fragment, Mark, Role, Scalar, Tokenizer};

use super::decode;
use super::graphql::{self, Text};
use super::walk::Spent;

/// A string found in a nested document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) bytes: &'a [u8],
    /// The name beside it.
    pub(super) name: Option<&'a [u8]>,
    /// True for a name itself.
    pub(super) is_name: bool,
}

/// Hands every string of a JSON text to `each`, names included.
pub(super) fn json_strings(
    bytes: &[u8],
    each: &mut dyn FnMut(Found<'_>) -> Result<(), Spent>,
) -> Result<(), Spent> {
    let mut name: Vec<u8> = Vec::new();
    let mut text: Vec<u8> = Vec::new();
    let mut named = false;
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(b'"', rest) {
        let body = rest.get(at + 1..).unwrap_or_default();
        let end = string_end(body);
        let (raw, tail) = body.split_at_checked(end).unwrap_or((body, &[]));
        rest = tail.get(1..).unwrap_or_default();
        text.clear();
        unescape(raw, &mut text);
        let is_name = rest.trim_ascii_start().first() == Some(&b':');
        each(Found {
            bytes: &text,
            name: (named && !is_name).then_some(name.as_slice()),
            is_name,
        })?;
        if is_name {
            std::mem::swap(&mut name, &mut text);
            named = true;
        }
    }
    Ok(())
}

/// True when `bytes` is an object or array of RFC 8259 from its first byte to its last.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    let trimmed = bytes.trim_ascii();
    if !matches!(
        (trimmed.first(), trimmed.last()),
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']'))
    ) {
        return false;
    }
    let mut strict = Strict {
        valid: true,
        strings: false,
    };
    let mut tokenizer = Tokenizer::new();
    tokenizer.push(trimmed, &mut strict);
    tokenizer.finish(&mut strict);
    strict.valid && strict.strings
}

/// Notes whether a text is JSON, and whether it has strings.
struct Strict {
    valid: bool,
    strings: bool,
}

impl json::Sink for Strict {
    fn mark(&mut self, _mark: Mark, _at: u64) {}

    fn string(&mut self, _role: Role, _fragment: Fragment<'_>) {
        self.strings = true;
    }

    fn scalar(&mut self, _role: Role, _scalar: Scalar, _fragment: Fragment<'_>) {}

    fn fault(&mut self, _fault: Fault, _at: u64) {
        self.valid = false;
    }
}

/// Hands the string literals and the comments of a GraphQL document to `each`; several comments together, too, since
/// who takes it for another text reads on from one to the next.
pub(super) fn graphql_texts(
    bytes: &[u8],
    each: &mut dyn FnMut(Found<'_>) -> Result<(), Spent>,
) -> Result<(), Spent> {
    let mut each = |bytes: &[u8]| {
        each(Found {
            bytes,
            name: None,
            is_name: false,
        })
    };
    let (mut text, mut comments) = (Vec::new(), Vec::new());
    let mut first = 0;
    for found in graphql::texts(bytes) {
        match found {
            Text::String(raw) => {
                text.clear();
                unescape(raw, &mut text);
                each(&text)?;
            }
            Text::Comment(raw) => {
                if comments.is_empty() {
                    first = raw.len();
                } else {
                    comments.push(b'\n');
                }
                comments.extend_from_slice(raw);
                each(raw)?;
            }
        }
    }
    match comments.len() > first {
        true => each(&comments),
        false => Ok(()),
    }
}

/// Bytes before the closing quote, or all.
fn string_end(body: &[u8]) -> usize {
    let mut from = 0;
    while let Some(at) = body
        .get(from..)
        .and_then(|tail| memchr::memchr2(b'"', b'\\', tail))
    {
        let place = from + at;
        if body.get(place) == Some(&b'"') {
            return place;
        }
        from = place + 2;
    }
    body.len()
}

fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    if memchr::memchr(b'\\', raw).is_none() {
        out.extend_from_slice(raw);
    } else {
        decode::escape(raw, out);
    }
}

/// Hands every value of a form, or of the query in a URL, to `each`. A value ends with its line at the latest: behind it goes on
/// the text in which the URL stands.
pub(super) fn form_values(
    bytes: &[u8],
    each: &mut dyn FnMut(Found<'_>) -> Result<(), Spent>,
) -> Result<(), Spent> {
    let query = match memchr::memchr(b'?', bytes) {
        Some(at) => bytes.get(at + 1..).unwrap_or_default(),
        None => bytes,
    };
    // A form's names are words: prose with a stray `&` and `=` is not worth the forms.
    let ends = memchr::memchr_iter(b'&', query).chain([query.len()]);
    let mut start = 0;
    for end in ends {
        let pair = query.get(start..end).unwrap_or_default();
        start = end + 1;
        let Some(at) = memchr::memchr(b'=', pair) else {
            continue;
        };
        let (name, value) = pair.split_at(at);
        let plain = !name.is_empty()
            && name.len() <= NAME_BYTES
            && name.iter().all(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'%')
            });
        if plain {
            let value = value.get(1..).unwrap_or_default().trim_ascii_start();
            let line = memchr::memchr(b'\n', value).unwrap_or(value.len());
            each(Found {
                bytes: value.get(..line).unwrap_or_default(),
                name: Some(name),
                is_name: false,
            })?;
        }
    }
    Ok(())
}

/// Bytes of a field's name, at the most.
const NAME_BYTES: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    type Reader = fn(&[u8], &mut dyn FnMut(Found<'_>) -> Result<(), Spent>) -> Result<(), Spent>;

    fn found(reader: Reader, bytes: &[u8]) -> Vec<(String, bool)> {
        let mut list = Vec::new();
        let done = reader(bytes, &mut |found: Found<'_>| {
            list.push((
                String::from_utf8_lossy(found.bytes).into_owned(),
                found.is_name,
            ));
            Ok(())
        });
        assert_eq!(done, Ok(()));
        list
    }

    #[test]
    fn json_yields_names_and_strings() {
        let list = found(
            json_strings,
            br#"{"a\u0062": ["x\"y", 1, {"c": "\u003c"}]}"#,
        );
        assert_eq!(
            list,
            [
                ("ab".into(), true),
                ("x\"y".into(), false),
                ("c".into(), true),
                ("<".into(), false)
            ]
        );
    }

    #[test]
    fn urls_yield_query_values() {
        let list = found(form_values, b"https://a.example/x?q=1&next=%2f");
        assert_eq!(list, [("1".into(), false), ("%2f".into(), false)]);
        let list = found(form_values, b"see /x?branch=main) for\nmore & less=less");
        assert_eq!(list, [("main) for".into(), false)]);
        let list = found(form_values, b"a=1&b=\r\n;id");
        assert_eq!(list, [("1".into(), false), (";id".into(), false)]);
    }
}
