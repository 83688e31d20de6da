//! Leaves of a message's head: the target's path and query, field values, cookies.
//!
//! The caller splits the head (`http1`); this room only knows which values an attacker would use and how they decode.

use crate::inspect::form;
use crate::inspect::leaf::{
    Assembler, HostSyntax, Leaf, LeafSink, OffsetMap, Outlet, Path, Piece, Root,
};
use crate::inspect::{Findings, PartId};
use crate::span::Span;

/// Reads the heads of one message after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    form: form::Reader,
    path: Path,
    value: Assembler,
    verbatim: OffsetMap,
    name: Vec<u8>,
}

impl Reader {
    /// A reader.
    pub fn new() -> Self {
        Self {
            form: form::Reader::new(),
            path: Path::new(Root::Header),
            value: Assembler::default(),
            verbatim: OffsetMap::default(),
            name: Vec::new(),
        }
    }

    /// The path of the request target, raw, without its query. `base` is its offset in the head. One leaf, decoded once
    /// (RFC 3986 §2.4); `+` is a plus.
    pub fn path<S: LeafSink + ?Sized>(&mut self, raw: &[u8], base: u64, sink: &mut S) {
        self.path.reset(Root::UrlPath);
        self.value.begin(base);
        let mut out = Outlet {
            sink,
            path: &self.path,
            host: HostSyntax::UrlPath,
        };
        let (mut rest, mut at) = (raw, base);
        while !rest.is_empty() {
            let plain = memchr::memchr(b'%', rest).unwrap_or(rest.len());
            let (before, escaped) = rest.split_at(plain);
            self.value.plain(before, at, &mut out);
            at += plain as u64;
            let (len, decoded) = match percent(escaped) {
                Some(byte) => (3, Some(byte)),
                None => (escaped.len().min(1), None),
            };
            match decoded {
                Some(byte) => self.value.unit(&[byte], Span::new(at, at + 3), &mut out),
                None => self
                    .value
                    .plain(escaped.get(..len).unwrap_or_default(), at, &mut out),
            }
            at += len as u64;
            rest = escaped.get(len..).unwrap_or_default();
        }
        self.value.finish(&mut out);
    }

    /// The query of the request target, raw, without its `?`. `base` is its offset in the head.
    pub fn query<S: LeafSink + ?Sized>(
        &mut self,
        raw: &[u8],
        base: u64,
        out: (&mut S, &mut Findings),
    ) {
        let (sink, findings) = out;
        self.form.begin(PartId::HEAD, Root::Query, base);
        self.form.push(raw, sink, findings);
        self.form.finish(sink, findings);
    }

    /// One field line: its name, its value without the white space around it, and the value's offset in the head.
    /// Fields that say how the message travels (lengths, dates, caching …) yield no leaf as long as they are written in
    /// the few bytes that they need; `Cookie` yields one a cookie, and one for a name that is no word.
    pub fn field<S: LeafSink + ?Sized>(
        &mut self,
        name: &[u8],
        value: &[u8],
        base: u64,
        sink: &mut S,
    ) {
        if value.is_empty() {
            return;
        }
        if name.eq_ignore_ascii_case(b"cookie") {
            self.cookies(value, base, sink);
        } else if !(travels(name) && value.iter().copied().all(is_plain)) {
            self.name.clear();
            self.name.extend(name.iter().map(u8::to_ascii_lowercase));
            self.path.reset(Root::Header);
            self.path.push_name(&self.name);
            self.leaf(HostSyntax::HeaderValue, value, base, sink);
        }
    }

    /// RFC 6265 §4.2.1: `name=value; name=value`.
    fn cookies<S: LeafSink + ?Sized>(&mut self, value: &[u8], base: u64, sink: &mut S) {
        let mut at = base;
        for pair in value.split(|&byte| byte == b';') {
            let trimmed = pair.trim_ascii_start();
            let start = at + (pair.len() - trimmed.len()) as u64;
            at += pair.len() as u64 + 1;
            let trimmed = trimmed.trim_ascii_end();
            let equals = memchr::memchr(b'=', trimmed);
            let (name, value) = match equals {
                Some(equals) => trimmed.split_at(equals),
                None => (b"".as_slice(), trimmed),
            };
            let skipped = usize::from(equals.is_some());
            let value_start = start + (name.len() + skipped) as u64;
            let value = value.get(skipped..).unwrap_or_default();
            self.path.reset(Root::Cookie);
            self.path.push_name(name);
            if !name.iter().all(|byte| is_word(*byte)) {
                self.leaf(HostSyntax::CookieValue, name, start, sink);
            }
            if !value.is_empty() {
                self.leaf(HostSyntax::CookieValue, value, value_start, sink);
            }
        }
    }

    fn leaf<S: LeafSink + ?Sized>(
        &mut self,
        host: HostSyntax,
        value: &[u8],
        at: u64,
        sink: &mut S,
    ) {
        // A head is at most 128 KiB (`icap`), so a value may be long, but is never a stream.
        self.verbatim.reset(at);
        sink.leaf(&Leaf {
            path: &self.path,
            host,
            span: Span::new(at, at + value.len() as u64),
            bytes: value,
            map: &self.verbatim,
            piece: Piece::Whole,
        });
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

fn percent(raw: &[u8]) -> Option<u8> {
    let digit = |index: usize| {
        raw.get(index)
            .and_then(|&byte| char::from(byte).to_digit(16))
    };
    u8::try_from(digit(1)? * 16 + digit(2)?).ok()
}

/// True for what fields that say how a message travels are written in.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" ,-=:*+".contains(&byte)
}

/// True for what names of cookies are written in.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// True for fields that say how a message travels and are read by intermediaries only, or that have a grammar too narrow
/// to carry an attack to an application. Everything else, `Host`, `User-Agent`, `Referer` and unknown fields among them,
/// is attack surface: applications log it, look it up and put it into pages.
fn travels(name: &[u8]) -> bool {
    let known = travelling(name.len());
    known.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The names of that length.
fn travelling(length: usize) -> &'static [&'static [u8]] {
    match length {
        2 => &[b"te"],
        3 => &[b"age"],
        4 => &[b"date"],
        5 => &[b"allow", b"range"],
        6 => &[b"expect", b"pragma"],
        7 => &[b"expires", b"trailer"],
        10 => &[b"connection", b"keep-alive"],
        11 => &[b"content-md5", b"retry-after"],
        12 => &[b"max-forwards"],
        13 => &[
            b"accept-ranges",
            b"cache-control",
            b"content-range",
            b"last-modified",
        ],
        14 => &[b"content-length"],
        15 => &[b"accept-encoding"],
        16 => &[b"proxy-connection"],
        17 => &[
            b"if-modified-since",
            b"sec-websocket-key",
            b"transfer-encoding",
        ],
        19 => &[b"if-unmodified-since"],
        25 => &[b"strict-transport-security", b"upgrade-insecure-requests"],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Log(Vec<String>);

    impl LeafSink for Log {
        fn leaf(&mut self, leaf: &Leaf<'_>) {
            let raw = leaf.map.raw(0, leaf.bytes.len());
            assert_eq!(raw, leaf.span);
            let bytes = String::from_utf8_lossy(leaf.bytes);
            self.0.push(format!("{}={bytes} {}", leaf.path, leaf.span));
        }
    }

    #[test]
    fn a_head_yields_its_values() {
        let mut reader = Reader::new();
        let mut log = Log::default();
        let mut findings = Findings::default();
        reader.path(b"/a%2e%2E/b%zz+", 4, &mut log);
        reader.query(b"q=a+b%27&f[x]=%", 20, (&mut log, &mut findings));
        reader.field(b"User-Agent", b"curl", 100, &mut log);
        reader.field(b"Content-Length", b"10", 120, &mut log);
        reader.field(b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT", 130, &mut log);
        reader.field(b"Date", b"${x}", 160, &mut log);
        reader.field(b"Cookie", b"a=1;  sid=x=y ; flag", 200, &mut log);
        reader.field(b"Cookie", b"a=1; <b>=2", 300, &mut log);
        assert_eq!(
            log.0,
            [
                "url=/a../b%zz+ 4..18",
                "query:q=q 20..21",
                "query:q=a b' 22..28",
                "query:f.x=f[x] 29..33",
                "query:f.x=% 34..35",
                "header:user-agent=curl 100..104",
                "header:date=${x} 160..164",
                "cookie:a=1 202..203",
                "cookie:sid=x=y 210..213",
                "cookie:=flag 216..220",
                "cookie:a=1 302..303",
                "cookie:<b>=<b> 305..308",
                "cookie:<b>=2 309..310",
            ]
        );
    }

    #[test]
    fn names_that_travel_are_kept_by_their_length() {
        let kept = (0..64).map(|length| {
            let names = travelling(length);
            assert!(names.iter().all(|name| name.len() == length), "{length}");
            names.len()
        });
        assert_eq!(kept.sum::<usize>(), 27);
        assert!(travels(b"Strict-Transport-Security") && !travels(b"strict-transport-securitx"));
    }
}
