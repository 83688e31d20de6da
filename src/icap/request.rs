//! An ICAP request: request line (RFC 3507 §4.3.2), the header fields that mean something to us, the embedded heads.

use std::cell::RefCell;
use std::thread::LocalKey;

use bytes::Bytes;
use memchr::memchr;

use super::encapsulated::Encapsulated;
use super::error::ProtocolError;
use super::limits::Limits;
use super::uri::{Uri, host_port};
use crate::http1::{RequestHead, ResponseHead};
use crate::shelf::{Boxes, Shelf};
use crate::wire::fields::Field;
use crate::wire::grammar::{decimal, is_token, list};
use crate::wire::{Deviations, Fields};

/// One ICAP request with everything but its body.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is asked for.
    pub method: Method,
    /// Which service.
    pub uri: Uri,
    /// Every field of the ICAP head.
    pub fields: Fields,
    /// What the client can take besides 200.
    pub allow: Allow,
    /// The declared preview in bytes; `None` without `Preview`. With [`has_body`](Self::has_body) a
    /// [`PreviewEnd`](super::Event::PreviewEnd) will come.
    pub preview: Option<u64>,
    /// Which sections the request has.
    pub encapsulated: Encapsulated,
    /// The HTTP request head, when it is there (it is optional: errata e4).
    pub http_request: Option<RequestHead>,
    /// The HTTP response head, when it is there.
    pub http_response: Option<ResponseHead>,
    /// What becomes of the connection after the answer, as far as the client is concerned.
    pub persistence: Persistence,
}

/// The methods of RFC 3507 §4.3.2. They are compared with case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Method {
    /// `OPTIONS`
    Options,
    /// `REQMOD`
    Reqmod,
    /// `RESPMOD`
    Respmod,
}

/// Whether the client wants the connection to live on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// The default of ICAP/1.0.
    KeepAlive,
    /// `Connection: close`.
    Close,
}

bitflags::bitflags! {
    /// The tokens of `Allow` that mean something; others are ignored.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Allow: u8 {
        /// 204 outside the preview (RFC 3507 §4.6).
        const NO_CONTENT = 1;
        /// 206 (draft-icap-ext-partial-content-07).
        const PARTIAL_CONTENT = 1 << 1;
        /// ICAP trailers.
        const TRAILERS = 1 << 2;
    }
}

impl Shelf for Request {
    fn shelf() -> &'static LocalKey<Boxes<Self>> {
        thread_local!(static SHELF: Boxes<Request> = const { RefCell::new(Vec::new()) });
        &SHELF
    }
}

impl Request {
    /// True when a chunked body follows: `Body`, `PreviewEnd` and `BodyEnd` events come only then.
    pub fn has_body(&self) -> bool {
        self.encapsulated.has_body()
    }

    /// Reads a complete ICAP head, blank line included.
    ///
    /// # Errors
    /// A [`ProtocolError`] for the first misdeed. The embedded heads are not there yet.
    pub(super) fn parse(head: Bytes, limits: &Limits) -> Result<Self, ProtocolError> {
        let (first_line, rest_at) = first_line(&head);
        let line = RequestLine::parse(first_line)?;
        let fields_end = head.len().saturating_sub(2);
        let fields_start = rest_at.min(fields_end);
        let (fields, deviations) = Fields::parse(head.slice(fields_start..fields_end));
        if deviations.intersects(FORBIDDEN) {
            return Err(ProtocolError::MalformedHeader);
        }
        let known = Known::read(&fields, deviations)?;
        let method = line.known_method(&known)?;
        let encapsulated = known.encapsulated(method, limits)?;
        known.check_host()?;
        Ok(Self {
            method,
            uri: Uri::parse(head.slice(line.uri))?,
            allow: known.allow,
            preview: known.preview(method, limits)?,
            encapsulated,
            http_request: None,
            http_response: None,
            persistence: known.persistence,
            fields,
        })
    }
}

/// Checks the first line of a head whose end is not there yet, so that a peer that does not speak ICAP is sent away at
/// once.
pub(super) fn check_request_line(head: &[u8]) -> Result<(), ProtocolError> {
    RequestLine::parse(first_line(head).0).map(|_| ())
}

/// The first line without its line end, and where the next one begins. A line ends at LF and nowhere else: a CR inside
/// it is a byte of the line, and refused there.
fn first_line(head: &[u8]) -> (&[u8], usize) {
    let lf = memchr(b'\n', head).unwrap_or(head.len());
    let line = head.get(..lf).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), lf + 1)
}

struct RequestLine {
    method: Option<Method>,
    uri: std::ops::Range<usize>,
}

impl RequestLine {
    /// `method SP uri SP ICAP/1.0`, exactly one space each.
    fn parse(line: &[u8]) -> Result<Self, ProtocolError> {
        let first = memchr(b' ', line).ok_or(ProtocolError::MalformedRequestLine)?;
        let last = memchr::memrchr(b' ', line).unwrap_or(first);
        let method = line.get(..first).unwrap_or_default();
        let uri = line.get(first + 1..last).unwrap_or_default();
        let version = line.get(last + 1..).unwrap_or_default();
        if !is_token(method) || uri.is_empty() || memchr(b' ', uri).is_some() {
            return Err(ProtocolError::MalformedRequestLine);
        }
        match version.strip_prefix(b"ICAP/") {
            Some(b"1.0") => {}
            Some([b'0'..=b'9', b'.', b'0'..=b'9']) => {
                return Err(ProtocolError::UnsupportedVersion);
            }
            _ => return Err(ProtocolError::MalformedRequestLine),
        }
        let method = match method {
            b"OPTIONS" => Some(Method::Options),
            b"REQMOD" => Some(Method::Reqmod),
            b"RESPMOD" => Some(Method::Respmod),
            _ => None,
        };
        Ok(Self {
            method,
            uri: first + 1..last,
        })
    }

    /// Without `Encapsulated` an unknown method has no body (errata e1), so the position stays known; with it, the
    /// sections cannot be read.
    fn known_method(&self, known: &Known<'_>) -> Result<Method, ProtocolError> {
        match (self.method, known.encapsulated, known.persistence) {
            (Some(method), _, _) => Ok(method),
            (None, None, Persistence::KeepAlive) => Err(ProtocolError::UnknownMethod),
            (None, Some(_), _) | (None, _, Persistence::Close) => {
                Err(ProtocolError::UnknownLastMethod)
            }
        }
    }
}

/// The fields that mean something, found in one pass.
struct Known<'a> {
    encapsulated: Option<&'a [u8]>,
    preview: Option<&'a [u8]>,
    host: Option<&'a [u8]>,
    hosts: usize,
    allow: Allow,
    persistence: Persistence,
}

impl<'a> Known<'a> {
    fn read(fields: &'a Fields, deviations: Deviations) -> Result<Self, ProtocolError> {
        let mut known = Self {
            encapsulated: None,
            preview: None,
            host: None,
            hosts: 0,
            allow: Allow::empty(),
            persistence: Persistence::KeepAlive,
        };
        for field in fields.iter() {
            known.add(field, deviations)?;
        }
        Ok(known)
    }

    #[inline]
    fn add(&mut self, field: Field<'a>, deviations: Deviations) -> Result<(), ProtocolError> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name.as_bytes());
        match field.name.len() {
            4 if is("host") => {
                self.hosts += 1;
                self.host = Some(field.value);
            }
            5 if is("allow") => self.allow |= allow(field.value),
            7 if is("preview") => {
                if self.preview.replace(field.value).is_some() {
                    return Err(ProtocolError::DuplicatePreview);
                }
            }
            10 if is("connection") => {
                if list(field.value).any(|token| token.eq_ignore_ascii_case(b"close")) {
                    self.persistence = Persistence::Close;
                }
            }
            12 if is("encapsulated") => {
                if self.encapsulated.replace(field.value).is_some() {
                    return Err(ProtocolError::DuplicateEncapsulated);
                }
            }
            _ => return Ok(()),
        }
        if deviations.contains(Deviations::OBS_FOLD) && field.value.contains(&b'\n') {
            return Err(ProtocolError::FoldedFramingField);
        }
        Ok(())
    }

    fn encapsulated(&self, method: Method, limits: &Limits) -> Result<Encapsulated, ProtocolError> {
        let Some(value) = self.encapsulated else {
            return Ok(Encapsulated::ABSENT);
        };
        if value.len() > limits.encapsulated_bytes {
            return Err(super::EncapsulatedError::TooLong {
                limit: limits.encapsulated_bytes,
            }
            .into());
        }
        Ok(Encapsulated::parse(method, value, limits.http_head.bytes)?)
    }

    fn preview(&self, method: Method, limits: &Limits) -> Result<Option<u64>, ProtocolError> {
        let Some(value) = self.preview else {
            return Ok(None);
        };
        let declared = decimal(value, 20).ok_or(ProtocolError::MalformedPreview)?;
        if declared > limits.preview_bytes {
            return Err(ProtocolError::PreviewTooLarge);
        }
        // RFC 3507 §4.5: previews are for REQMOD and RESPMOD.
        Ok((method != Method::Options).then_some(declared))
    }

    fn check_host(&self) -> Result<(), ProtocolError> {
        match (self.hosts, self.host) {
            (1, Some(host)) => match host_port(host) {
                Some((len, _)) if len > 0 => Ok(()),
                _ => Err(ProtocolError::MalformedHost),
            },
            (0, _) | (_, None) => Err(ProtocolError::MissingHost),
            _ => Err(ProtocolError::DuplicateHost),
        }
    }
}

fn allow(value: &[u8]) -> Allow {
    list(value).fold(Allow::empty(), |all, token| {
        all | match token {
            b"204" => Allow::NO_CONTENT,
            b"206" => Allow::PARTIAL_CONTENT,
            token if token.eq_ignore_ascii_case(b"trailers") => Allow::TRAILERS,
            _ => Allow::empty(),
        }
    })
}

/// What is never tolerated in an ICAP head: each of these lets two readers disagree about where a field ends.
const FORBIDDEN: Deviations = Deviations::BARE_CR
    .union(Deviations::BARE_LF)
    .union(Deviations::NUL)
    .union(Deviations::CONTROL)
    .union(Deviations::SPACE_BEFORE_COLON)
    .union(Deviations::NO_COLON)
    .union(Deviations::BAD_NAME)
    .union(Deviations::LEADING_FOLD);

impl Method {
    /// The method as it stands in a request line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Options => "OPTIONS",
            Self::Reqmod => "REQMOD",
            Self::Respmod => "RESPMOD",
        }
    }
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
