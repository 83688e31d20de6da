//! Request and response heads: start line, fields, deviations, byte-faithful edits.

use bytes::Bytes;
use memchr::{memchr, memrchr};

use crate::wire::grammar::{decimal, is_token, list};
use crate::wire::{Deviations, Fields};

/// The head of an HTTP request.
#[derive(Clone, Debug)]
pub struct RequestHead {
    raw: Bytes,
    start_line: StartLine,
    /// The field lines.
    pub fields: Fields,
    deviations: Deviations,
}

/// The head of an HTTP response.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    raw: Bytes,
    start_line: StartLine,
    status: Option<u16>,
    /// The field lines.
    pub fields: Fields,
    deviations: Deviations,
}

/// Offsets into the first line: `0..first`, `second..third`, `fourth..end` are its three words.
#[derive(Clone, Copy, Debug, Default)]
struct StartLine {
    first_end: u32,
    second_start: u32,
    second_end: u32,
    third_start: u32,
    end: u32,
    next_line: u32,
}

impl RequestHead {
    /// Reads a head, blank line included. Never fails; see [`deviations`](Self::deviations).
    pub fn parse(raw: Bytes) -> Self {
        let (line, mut deviations) = StartLine::of_request(&raw);
        let (fields, more) = fields_after(&raw, line);
        deviations |= more | contradictions(&fields);
        let mut head = Self {
            raw,
            start_line: line,
            fields,
            deviations,
        };
        if !is_token(head.method()) || !is_version(head.version()) || head.target().is_empty() {
            head.deviations |= Deviations::BAD_START_LINE;
        }
        head
    }

    /// The method, as written.
    pub fn method(&self) -> &[u8] {
        slice(&self.raw, 0, self.start_line.first_end)
    }

    /// The request-target, as written.
    pub fn target(&self) -> &[u8] {
        slice(
            &self.raw,
            self.start_line.second_start,
            self.start_line.second_end,
        )
    }

    /// Puts `target` in the place of the request-target; every other byte stays. Spaces and controls in it are
    /// percent-encoded.
    pub fn set_target(&mut self, target: &[u8]) {
        let line = self.start_line;
        let mut raw = Vec::with_capacity(self.raw.len() + target.len());
        raw.extend_from_slice(slice(&self.raw, 0, line.second_start));
        for byte in target {
            match byte {
                0..=b' ' | 0x7f => raw.extend_from_slice(format!("%{byte:02X}").as_bytes()),
                other => raw.push(*other),
            }
        }
        raw.extend_from_slice(self.raw.get(line.second_end as usize..).unwrap_or_default());
        self.raw = raw.into();
        self.start_line = StartLine::of_request(&self.raw).0;
    }

    /// `HTTP/1.1`, as written.
    pub fn version(&self) -> &[u8] {
        slice(&self.raw, self.start_line.third_start, self.start_line.end)
    }

    /// The head as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// What is odd about the head as it came.
    pub fn deviations(&self) -> Deviations {
        self.deviations
    }

    /// Removes the fields that belong to one hop (RFC 9110 §7.6.1), and those that `Connection` names.
    pub fn strip_hop_by_hop(&mut self) {
        strip_hop_by_hop(&mut self.fields);
    }

    /// The head as it is to be sent; the very bytes that came when nothing was edited.
    pub fn to_bytes(&self) -> Bytes {
        render(&self.raw, self.start_line, &self.fields)
    }
}

impl ResponseHead {
    /// Reads a head, blank line included. Never fails; see [`deviations`](Self::deviations).
    pub fn parse(raw: Bytes) -> Self {
        let (line, mut deviations) = StartLine::of_response(&raw);
        let (fields, more) = fields_after(&raw, line);
        deviations |= more | contradictions(&fields);
        let status = slice(&raw, line.second_start, line.second_end);
        let status = (status.len() == 3)
            .then(|| decimal(status, 3))
            .flatten()
            .and_then(|status| u16::try_from(status).ok());
        let mut head = Self {
            raw,
            start_line: line,
            status,
            fields,
            deviations,
        };
        if status.is_none() || !is_version(head.version()) {
            head.deviations |= Deviations::BAD_START_LINE;
        }
        head
    }

    /// `HTTP/1.1`, as written.
    pub fn version(&self) -> &[u8] {
        slice(&self.raw, 0, self.start_line.first_end)
    }

    /// The status code; `None` when there is none to be read.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The reason phrase, as written.
    pub fn reason(&self) -> &[u8] {
        slice(&self.raw, self.start_line.third_start, self.start_line.end)
    }

    /// The head as it came.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// What is odd about the head as it came.
    pub fn deviations(&self) -> Deviations {
        self.deviations
    }

    /// Removes the fields that belong to one hop (RFC 9110 §7.6.1), and those that `Connection` names.
    pub fn strip_hop_by_hop(&mut self) {
        strip_hop_by_hop(&mut self.fields);
    }

    /// The head as it is to be sent; the very bytes that came when nothing was edited.
    pub fn to_bytes(&self) -> Bytes {
        render(&self.raw, self.start_line, &self.fields)
    }
}

/// `HTTP/1.x`, or the later versions as gateways write them into a head; a head of 0.9 has no fields.
fn is_version(version: &[u8]) -> bool {
    match version.strip_prefix(b"HTTP/") {
        Some([major, b'.', minor]) => (b'1'..=b'9').contains(major) && minor.is_ascii_digit(),
        Some([major]) => (b'2'..=b'9').contains(major),
        Some(_) | None => false,
    }
}

impl StartLine {
    /// `method SP target SP version`: the target is what lies between the first and the last space.
    fn of_request(raw: &[u8]) -> (Self, Deviations) {
        let (end, next_line, mut deviations) = first_line(raw);
        let line = raw.get(..end).unwrap_or_default();
        let first = memchr(b' ', line).unwrap_or(end);
        let last = memrchr(b' ', line).unwrap_or(end);
        let second_start = (first + 1).min(last);
        let target = line.get(second_start..last).unwrap_or_default();
        let odd = |odd: bool, byte: &u8| odd | (*byte <= b' ') | (*byte == 0x7f);
        if target.iter().fold(false, odd) {
            deviations |= Deviations::BAD_START_LINE;
        }
        (
            Self::new([
                first,
                second_start,
                last,
                (last + 1).min(end),
                end,
                next_line,
            ]),
            deviations,
        )
    }

    /// `version SP status [SP reason]`.
    fn of_response(raw: &[u8]) -> (Self, Deviations) {
        let (end, next_line, deviations) = first_line(raw);
        let line = raw.get(..end).unwrap_or_default();
        let first = memchr(b' ', line).unwrap_or(end);
        let second_start = (first + 1).min(end);
        let rest = line.get(second_start..).unwrap_or_default();
        let second_end = memchr(b' ', rest).map_or(end, |at| second_start + at);
        (
            Self::new([
                first,
                second_start,
                second_end,
                (second_end + 1).min(end),
                end,
                next_line,
            ]),
            deviations,
        )
    }

    fn new(at: [usize; 6]) -> Self {
        let [
            first_end,
            second_start,
            second_end,
            third_start,
            end,
            next_line,
        ] = at.map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        Self {
            first_end,
            second_start,
            second_end,
            third_start,
            end,
            next_line,
        }
    }
}

/// Where the first line's text ends, where the next line begins, and what is odd about it.
fn first_line(raw: &[u8]) -> (usize, usize, Deviations) {
    let Some(lf) = memchr(b'\n', raw) else {
        return (raw.len(), raw.len(), Deviations::BARE_LF);
    };
    let line = raw.get(..lf).unwrap_or_default();
    let (text, mut deviations) = match line.strip_suffix(b"\r") {
        Some(text) => (text, Deviations::empty()),
        None => (line, Deviations::BARE_LF),
    };
    if memchr::memchr(0, text).is_some() {
        deviations |= Deviations::NUL;
    }
    if memchr::memchr(b'\r', text).is_some() {
        deviations |= Deviations::BARE_CR;
    }
    (text.len(), lf + 1, deviations)
}

fn fields_after(raw: &Bytes, line: StartLine) -> (Fields, Deviations) {
    let start = line.next_line as usize;
    let end = match raw.get(start..) {
        Some([.., b'\r', b'\n']) => raw.len() - 2,
        _ => raw.len(),
    };
    Fields::parse(raw.slice(start.min(end)..end))
}

/// What the fields say against each other.
fn contradictions(fields: &Fields) -> Deviations {
    let mut found = Deviations::empty();
    let mut length: Option<&[u8]> = None;
    let mut media_type: Option<&[u8]> = None;
    let mut hosts = 0;
    let mut coded = false;
    let mut chunked = false;
    for field in fields.iter() {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name.as_bytes());
        match field.name.len() {
            4 if is("host") => hosts += 1,
            12 if is("content-type") => {
                let before = media_type.replace(field.value);
                if before.is_some_and(|before| before != field.value) {
                    found |= Deviations::TYPE_CONFLICT;
                }
            }
            14 if is("content-length") => found |= one_length(&mut length, field.value),
            17 if is("transfer-encoding") => {
                coded = true;
                let plain = |coding: &[u8]| {
                    coding.eq_ignore_ascii_case(b"chunked")
                        || coding.eq_ignore_ascii_case(b"identity")
                };
                for coding in list(field.value) {
                    if !plain(coding) {
                        found |= Deviations::ODD_TRANSFER_CODING;
                    }
                    // What lies behind `chunked` would be inside its chunks.
                    if chunked || !is_token(coding) {
                        found |= Deviations::CODING_CONFLICT;
                    }
                    chunked |= coding.eq_ignore_ascii_case(b"chunked");
                }
            }
            _ => {}
        }
    }
    if hosts > 1 {
        found |= Deviations::HOST_CONFLICT;
    }
    if coded && length.is_some() {
        found |= Deviations::LENGTH_AND_CODING;
    }
    found
}

/// RFC 9112 §6.3: a list of equal lengths is one length.
fn one_length<'a>(length: &mut Option<&'a [u8]>, value: &'a [u8]) -> Deviations {
    let mut found = Deviations::empty();
    if value.is_empty() {
        found |= Deviations::BAD_LENGTH;
    }
    for one in value
        .split(|byte| *byte == b',')
        .map(crate::wire::grammar::trim)
    {
        if decimal(one, 19).is_none() {
            found |= Deviations::BAD_LENGTH;
        }
        if length.replace(one).is_some_and(|before| before != one) {
            found |= Deviations::LENGTH_CONFLICT;
        }
    }
    found
}

fn strip_hop_by_hop(fields: &mut Fields) {
    // Most heads have none of these fields: then nothing is edited and the raw bytes are forwarded.
    let named: Vec<Box<[u8]>> = fields
        .list("connection")
        .filter(|name| {
            !KEPT
                .iter()
                .any(|kept| name.eq_ignore_ascii_case(kept.as_bytes()))
        })
        .map(Box::from)
        .collect();
    fields.retain(|field| {
        !HOP_BY_HOP
            .iter()
            .any(|name| field.name.eq_ignore_ascii_case(name.as_bytes()))
            && !named
                .iter()
                .any(|name| field.name.eq_ignore_ascii_case(name))
    });
}

fn render(raw: &Bytes, line: StartLine, fields: &Fields) -> Bytes {
    if !fields.is_edited() {
        return raw.clone();
    }
    let mut out = Vec::with_capacity(line.next_line as usize + fields.written_len() + 2);
    out.extend_from_slice(slice(raw, 0, line.next_line));
    fields.write_to(&mut out);
    out.extend_from_slice(b"\r\n");
    out.into()
}

fn slice(raw: &[u8], start: u32, end: u32) -> &[u8] {
    raw.get(start as usize..end as usize).unwrap_or_default()
}

/// RFC 9110 §7.6.1, RFC 3507 §4.4.2. `Proxy-Authenticate` and `Proxy-Authorization` travel in the ICAP head.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Fields that `Connection` cannot take away: removing them would change what the message is.
const KEPT: [&str; 5] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "cache-control",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &[u8]) -> RequestHead {
        RequestHead::parse(Bytes::copy_from_slice(text))
    }

    #[test]
    fn start_lines_are_split_as_written() {
        let head = request(b"GET /a b?c HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(
            (head.method(), head.target(), head.version()),
            (&b"GET"[..], &b"/a b?c"[..], &b"HTTP/1.1"[..])
        );
        assert_eq!(head.deviations(), Deviations::BAD_START_LINE);
        assert_eq!(head.fields.get("host"), Some(&b"h"[..]));
        let head = ResponseHead::parse(Bytes::from_static(b"HTTP/1.0 404 Not Found\r\n\r\n"));
        assert_eq!(
            (head.version(), head.status(), head.reason()),
            (&b"HTTP/1.0"[..], Some(404), &b"Not Found"[..])
        );
        assert_eq!(head.deviations(), Deviations::empty());
        let head = ResponseHead::parse(Bytes::from_static(b"HTTP/1.1 200\r\n\r\n"));
        assert_eq!((head.status(), head.reason()), (Some(200), &b""[..]));
        assert_eq!(head.deviations(), Deviations::empty());
    }

    #[test]
    fn what_two_readers_could_take_differently_is_named_security_1_3() {
        let cases: [(&str, Deviations); 22] = [
            ("GET / HTTP/1.1\r\n\r\n", Deviations::empty()),
            (
                "GET / HTTP/1.0\r\nContent-Length: 1\r\n\r\n",
                Deviations::empty(),
            ),
            ("GET /\r\n\r\n", Deviations::BAD_START_LINE),
            ("GET\r\n\r\n", Deviations::BAD_START_LINE),
            ("\r\n\r\n", Deviations::BAD_START_LINE),
            ("GET  HTTP/1.1\r\n\r\n", Deviations::BAD_START_LINE),
            ("GET / FTP/1.1\r\n\r\n", Deviations::BAD_START_LINE),
            ("G(T / HTTP/1.1\r\n\r\n", Deviations::BAD_START_LINE),
            ("GET /\t HTTP/1.1\r\n\r\n", Deviations::BAD_START_LINE),
            ("GET / HTTP/1.1\n\r\n", Deviations::BARE_LF),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                Deviations::empty(),
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n",
                Deviations::empty(),
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n",
                Deviations::LENGTH_CONFLICT,
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n",
                Deviations::LENGTH_CONFLICT,
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
                Deviations::BAD_LENGTH,
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
                Deviations::BAD_LENGTH,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                Deviations::HOST_CONFLICT,
            ),
            (
                "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Deviations::LENGTH_AND_CODING,
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: frob, chunked\r\n\r\n",
                Deviations::ODD_TRANSFER_CODING,
            ),
            (
                "GET / HTTP/1.1\r\nTransfer-Encoding: CHUNKED\r\n\r\n",
                Deviations::empty(),
            ),
            (
                "GET / HTTP/1.1\r\nContent-Type: a/b\r\nContent-Type: a/c\r\n\r\n",
                Deviations::TYPE_CONFLICT,
            ),
            (
                "GET / HTTP/1.1\r\nContent-Type: a/b\r\nContent-Type: a/b\r\n\r\n",
                Deviations::empty(),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(request(text.as_bytes()).deviations(), expected, "{text:?}");
        }
    }

    #[test]
    fn hop_by_hop_fields_go_and_what_connection_names_goes_rfc_9110_section_7_6_1() {
        let mut head = request(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Hop, Host\r\nX-Hop: 1\r\nKeep-Alive: 5\r\n\
              Proxy-Connection: x\r\nTE: trailers\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\n\
              Proxy-Authorization: secret\r\nX-End: 2\r\n\r\n",
        );
        head.strip_hop_by_hop();
        assert_eq!(
            head.to_bytes(),
            "GET / HTTP/1.1\r\nHost: h\r\nX-End: 2\r\n\r\n"
        );
    }

    #[test]
    fn a_head_without_hop_by_hop_fields_is_forwarded_as_the_very_bytes() {
        let raw = Bytes::from_static(b"GET / HTTP/1.1\r\nhOST :h\r\nA:  b\r\n c\r\n\r\n");
        let mut head = RequestHead::parse(raw.clone());
        head.strip_hop_by_hop();
        assert_eq!(head.to_bytes().as_ptr(), raw.as_ptr());
        let raw = Bytes::from_static(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
        let mut head = ResponseHead::parse(raw);
        head.fields.set("Content-Length", b"7");
        assert_eq!(
            head.to_bytes(),
            "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 7\r\n\r\n"
        );
    }

    #[test]
    fn a_transfer_encoding_that_frames_twice_is_a_conflict() {
        let of = |lines: &str| {
            let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
            RequestHead::parse(head.into()).deviations()
        };
        for lines in [
            "Transfer-Encoding: chunked, chunked\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: \x0bchunked\r\n",
            "Transfer-Encoding: chun\r\n ked\r\n",
        ] {
            assert!(of(lines).intersects(Deviations::AMBIGUOUS), "{lines:?}");
        }
        for lines in [
            "Transfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, Chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        ] {
            assert!(!of(lines).intersects(Deviations::AMBIGUOUS), "{lines:?}");
        }
    }

    #[test]
    fn versions_are_those_that_a_head_can_have() {
        for (version, good) in [
            ("HTTP/1.1", true),
            ("HTTP/1.0", true),
            ("HTTP/2.0", true),
            ("HTTP/2", true),
            ("HTTP/0.9", false),
            ("HTTP/1.1x", false),
            ("HTTP/1", false),
        ] {
            let head = RequestHead::parse(format!("GET / {version}\r\nHost: a\r\n\r\n").into());
            let bad = head.deviations().contains(Deviations::BAD_START_LINE);
            assert_eq!(!bad, good, "{version}");
        }
    }
}
