//! What the head says about a body: Content-Encoding (RFC 9110 §8.4) and Content-Type (RFC 9110 §8.3).
//!
//! Both are read as the most lenient peer reads them; what is ambiguous is kept as a fact.

use std::borrow::Cow;

/// A content-coding (RFC 9110 §8.4.1, RFC 7932, RFC 8878).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, `x-gzip`.
    Gzip,
    /// `deflate`: zlib by the standard, raw by habit; the data decides.
    Deflate,
    /// `br`.
    Brotli,
    /// `zstd`.
    Zstd,
    /// Any other name: `compress`, `aws-chunked`, a typing mistake.
    Unknown,
}

impl Coding {
    /// The coding of that name in any case; `None` for `identity` and for nothing.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let name = name.split(|byte| *byte == b';').next().unwrap_or(name);
        let name = name.trim_ascii();
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if name.is_empty() || is("identity") {
            None
        } else if is("gzip") || is("x-gzip") {
            Some(Coding::Gzip)
        } else if is("deflate") {
            Some(Coding::Deflate)
        } else if is("br") {
            Some(Coding::Brotli)
        } else if is("zstd") {
            Some(Coding::Zstd)
        } else {
            Some(Coding::Unknown)
        }
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Deflate => "deflate",
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Unknown => "unknown",
        }
    }
}

/// What the head says about the body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    codings: Vec<Coding>,
    media_type: Option<MediaType>,
}

impl Declared {
    /// Nothing is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one Content-Encoding field line; lines add up in their order.
    pub fn content_encoding(mut self, value: &[u8]) -> Self {
        for coding in value.split(|byte| *byte == b',').filter_map(Coding::parse) {
            if self.codings.len() < CODINGS_KEPT {
                self.codings.push(coding);
            }
        }
        self
    }

    /// Adds one Content-Type field line; the first one stands.
    pub fn content_type(mut self, value: &[u8]) -> Self {
        if self.media_type.is_none() {
            self.media_type = MediaType::parse(value);
        }
        self
    }

    /// The codings in the order they were applied: the last one is undone first.
    pub fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// The media type.
    pub fn media_type(&self) -> Option<&MediaType> {
        self.media_type.as_ref()
    }
}

/// `type/subtype` and the parameters that say how to read a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype` in lower case.
    pub essence: Cow<'static, str>,
    /// The charset parameter, as written.
    pub charset: Option<Cow<'static, str>>,
    /// The boundary parameter, unquoted.
    pub boundary: Option<Box<[u8]>>,
    /// True when a parameter occurs twice with different values or in RFC 2231 pieces, so that two readers may differ.
    pub ambiguous: bool,
}

impl MediaType {
    /// Parses a Content-Type value; `None` when it has no `type/subtype`.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let end = value
            .iter()
            .position(|byte| *byte == b';')
            .unwrap_or(value.len());
        let (essence, mut rest) = value.split_at_checked(end)?;
        let essence = essence.trim_ascii();
        let common = |known: &&str| known.as_bytes().eq_ignore_ascii_case(essence);
        let essence = match COMMON_TYPES.iter().copied().find(|known| common(known)) {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(String::from_utf8_lossy(essence).to_ascii_lowercase()),
        };
        if !essence.contains('/') || essence.len() > ESSENCE_BYTES {
            return None;
        }
        let mut found = Self {
            essence,
            charset: None,
            boundary: None,
            ambiguous: false,
        };
        while let Some((name, value, after)) = parameter(rest) {
            rest = after;
            found.keep(name, value);
        }
        Some(found)
    }

    /// The top-level type: `text` of `text/xml`.
    pub fn top(&self) -> &str {
        self.essence.split('/').next().unwrap_or_default()
    }

    /// True for `multipart/…`.
    pub fn is_multipart(&self) -> bool {
        self.top() == "multipart"
    }

    fn keep(&mut self, name: &[u8], value: Cow<'_, [u8]>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("charset") {
            let value = match value.trim_ascii() {
                b"utf-8" => Cow::Borrowed("utf-8"),
                b"UTF-8" => Cow::Borrowed("UTF-8"),
                other => Cow::Owned(String::from_utf8_lossy(other).into_owned()),
            };
            match &self.charset {
                Some(first) => self.ambiguous |= *first != value,
                None => self.charset = Some(value),
            }
        } else if is("boundary") {
            match &self.boundary {
                Some(first) => self.ambiguous |= **first != *value,
                None => self.boundary = Some(value.into_owned().into()),
            }
        } else if name
            .get(..9)
            .is_some_and(|head| head.eq_ignore_ascii_case(b"boundary*"))
        {
            self.ambiguous = true;
        }
    }
}

/// Name, unquoted value, and what follows.
type Parameter<'a> = (&'a [u8], Cow<'a, [u8]>, &'a [u8]);

/// The next `; name=value` of `rest`.
pub(super) fn parameter(rest: &[u8]) -> Option<Parameter<'_>> {
    let skip = rest
        .iter()
        .position(|byte| !matches!(byte, b';' | b' ' | b'\t' | b'\r' | b'\n'))?;
    let rest = rest.get(skip..)?;
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'=' | b';'))
        .unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    let name = name.trim_ascii();
    let Some(rest) = rest.strip_prefix(b"=") else {
        return Some((name, Cow::Borrowed(&[]), rest));
    };
    let rest = rest.trim_ascii_start();
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        let (value, after) = unquote(quoted);
        return Some((name, Cow::Owned(value), after));
    }
    let end = rest
        .iter()
        .position(|byte| *byte == b';')
        .unwrap_or(rest.len());
    let (value, after) = rest.split_at_checked(end)?;
    Some((name, Cow::Borrowed(value.trim_ascii()), after))
}

/// Reads a quoted-string after its first quote (RFC 9110 §5.6.4); a missing end quote ends with the value.
fn unquote(quoted: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut value = Vec::new();
    let mut at = 0;
    while let Some(byte) = quoted.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => {
                // Browsers write a backslash of a file name bare; only a quote or a backslash is an escape.
                match quoted.get(at) {
                    Some(next @ (b'"' | b'\\')) => {
                        value.push(*next);
                        at += 1;
                    }
                    _ => value.push(b'\\'),
                }
            }
            byte => value.push(*byte),
        }
    }
    (value, quoted.get(at..).unwrap_or_default())
}

/// Codings kept of a list; more than the limit on layers is judged anyway, this bounds the memory.
const CODINGS_KEPT: usize = 16;

/// Types that most bodies have: for these nothing is allocated.
const COMMON_TYPES: &[&str] = &[
    "application/json",
    "text/html",
    "application/x-www-form-urlencoded",
    "text/plain",
    "multipart/form-data",
    "application/xml",
    "text/xml",
    "application/octet-stream",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/problem+json",
    "application/soap+xml",
    "application/x-ndjson",
    "application/pdf",
    "application/zip",
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/svg+xml",
    "font/woff2",
];

/// Longest `type/subtype` taken for one (RFC 6838 §4.2: 127 characters each).
const ESSENCE_BYTES: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_read_in_any_spelling_over_several_lines() {
        let table: &[(&[&[u8]], &[Coding])] = &[
            (&[], &[]),
            (&[b"gzip"], &[Coding::Gzip]),
            (&[b" GZIP "], &[Coding::Gzip]),
            (&[b"x-gzip"], &[Coding::Gzip]),
            (&[b"gzip,identity,,gzip"], &[Coding::Gzip, Coding::Gzip]),
            (&[b"gzip", b"br"], &[Coding::Gzip, Coding::Brotli]),
            (&[b"deflate , zstd;q=1"], &[Coding::Deflate, Coding::Zstd]),
            (&[b"compress"], &[Coding::Unknown]),
            (&[b"identity"], &[]),
        ];
        for (lines, codings) in table {
            let declared = lines.iter().fold(Declared::new(), |declared, line| {
                declared.content_encoding(line)
            });
            assert_eq!(declared.codings(), *codings, "{lines:?}");
        }
    }

    #[test]
    fn media_types_are_read_with_their_parameters() {
        let parse = |value: &str| MediaType::parse(value.as_bytes()).expect("has a slash");
        assert_eq!(&*parse("Text/XML").essence, "text/xml");
        let html = parse("text/html ; Charset = \"utf-16\"; x");
        assert_eq!(html.charset.as_deref(), Some("utf-16"));
        let form = parse("multipart/form-data; boundary=\"a\\\"b;c\"; charset=utf-8");
        assert_eq!(form.boundary.as_deref(), Some(b"a\"b;c".as_slice()));
        assert_eq!(form.charset.as_deref(), Some("utf-8"));
        assert!(!form.ambiguous);
        assert!(parse("multipart/form-data; boundary=a; boundary=b").ambiguous);
        assert!(parse("multipart/form-data; boundary*0=a; boundary*1=b").ambiguous);
        assert_eq!(MediaType::parse(b"nonsense"), None);
        assert_eq!(MediaType::parse(b""), None);
    }
}
