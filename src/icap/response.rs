//! An ICAP response head (RFC 3507 §4.3.3) with its encapsulated heads.
//!
//! The ISTag is an argument of the only constructor, so that no answer can leave without one; offsets are computed from
//! the heads, so that they cannot be wrong.

use bytes::{Bytes, BytesMut};

use super::encapsulated::{BodySection, Encapsulated};
use super::istag::IsTag;
use crate::wire::Fields;

/// Every status that we send, with its reason phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Status {
    /// 200: the message, changed or not, or an answer in its stead.
    Ok = 200,
    /// 204: the message as it is.
    NoContent = 204,
    /// 206: the beginning of the message changed, the rest as it is.
    PartialContent = 206,
    /// 400
    BadRequest = 400,
    /// 403: not for this client.
    Forbidden = 403,
    /// 404: no such service.
    NotFound = 404,
    /// 405: not with this method.
    MethodNotAllowed = 405,
    /// 408
    RequestTimeout = 408,
    /// 413
    ContentTooLarge = 413,
    /// 418: the service needs sections that the request lacks (errata e5).
    BadComposition = 418,
    /// 500
    ServerError = 500,
    /// 501: no such method.
    NotImplemented = 501,
    /// 503
    Overloaded = 503,
    /// 505
    VersionNotSupported = 505,
}

impl Status {
    /// The three digits.
    pub fn code(self) -> u16 {
        self as u16
    }

    /// The status line, with its line end.
    pub fn line(self) -> &'static str {
        match self {
            Self::Ok => "ICAP/1.0 200 OK\r\n",
            Self::NoContent => "ICAP/1.0 204 No Content\r\n",
            Self::PartialContent => "ICAP/1.0 206 Partial Content\r\n",
            Self::BadRequest => "ICAP/1.0 400 Bad Request\r\n",
            Self::Forbidden => "ICAP/1.0 403 Forbidden\r\n",
            Self::NotFound => "ICAP/1.0 404 Service Not Found\r\n",
            Self::MethodNotAllowed => "ICAP/1.0 405 Method Not Allowed\r\n",
            Self::RequestTimeout => "ICAP/1.0 408 Request Timeout\r\n",
            Self::ContentTooLarge => "ICAP/1.0 413 Content Too Large\r\n",
            Self::BadComposition => "ICAP/1.0 418 Bad Composition\r\n",
            Self::ServerError => "ICAP/1.0 500 Server Error\r\n",
            Self::NotImplemented => "ICAP/1.0 501 Method Not Implemented\r\n",
            Self::Overloaded => "ICAP/1.0 503 Service Overloaded\r\n",
            Self::VersionNotSupported => "ICAP/1.0 505 ICAP Version Not Supported\r\n",
        }
    }
}

/// The head of an answer. Hand it to [`Connection::send_response`](super::Connection::send_response).
#[derive(Clone, Debug)]
pub struct Response {
    status: Status,
    istag: IsTag,
    fields: Vec<u8>,
    request_head: Option<Bytes>,
    response_head: Option<Bytes>,
    body: BodySection,
}

/// How an answer's body ends.
#[derive(Clone, Copy, Debug)]
pub enum BodyEnding<'a> {
    /// With the last chunk.
    Plain,
    /// With the last chunk and these HTTP trailers (errata e2). Fields that frame a message are left out.
    Trailers(&'a Fields),
    /// With `use-original-body`: the client goes on with its own copy at this offset (206 only).
    UseOriginalBody(u64),
}

impl Response {
    /// An answer without sections: for 204 that is all; every other status gets `Encapsulated: null-body=0`.
    pub fn new(status: Status, istag: IsTag) -> Self {
        Self {
            status,
            istag,
            fields: Vec::new(),
            request_head: None,
            response_head: None,
            body: BodySection::Null,
        }
    }

    /// Adds a header field. CR, LF, NUL and other control bytes in `value` become spaces; what is not ASCII becomes `?`.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.push_field(name, value);
        self
    }

    /// Adds a header field in place; see [`field`](Self::field).
    pub fn push_field(&mut self, name: &str, value: &str) {
        self.fields.extend_from_slice(name.as_bytes());
        self.fields.extend_from_slice(b": ");
        self.fields.extend(value.bytes().map(clean));
        self.fields.extend_from_slice(b"\r\n");
    }

    /// Adds a header field that goes on over several lines (RFC 9112 §5.2, obsolete but asked for by
    /// `X-Violations-Found`); each line is cleaned as in [`field`](Self::field).
    pub fn push_folded_field(&mut self, name: &str, lines: &[&str]) {
        let mut lines = lines.iter();
        self.push_field(name, lines.next().copied().unwrap_or_default());
        for line in lines {
            self.fields.push(b'\t');
            self.fields.extend(line.bytes().map(clean));
            self.fields.extend_from_slice(b"\r\n");
        }
    }

    /// Encapsulates an HTTP request head (blank line included): the changed request of a REQMOD.
    #[must_use]
    pub fn http_request(mut self, head: Bytes) -> Self {
        self.request_head = Some(head);
        self
    }

    /// Encapsulates an HTTP response head (blank line included): the changed response of a RESPMOD, or a block page.
    #[must_use]
    pub fn http_response(mut self, head: Bytes) -> Self {
        self.response_head = Some(head);
        self
    }

    /// Says that a body follows: of the response when there is a response head, else of the request. Send it with
    /// [`send_body`](super::Connection::send_body) and [`send_end`](super::Connection::send_end).
    #[must_use]
    pub fn with_body(mut self) -> Self {
        self.body = match self.response_head {
            Some(_) => BodySection::Response,
            None => BodySection::Request,
        };
        self
    }

    /// Says which body follows, for the message whose head is not encapsulated (errata e4).
    #[must_use]
    pub fn with_body_section(mut self, body: BodySection) -> Self {
        self.body = body;
        self
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// True when a chunked body follows the head.
    pub fn has_body(&self) -> bool {
        self.encapsulated().has_body()
    }

    /// The section list that will be sent.
    pub fn encapsulated(&self) -> Encapsulated {
        let len = |head: &Option<Bytes>| {
            head.as_ref()
                .map(|head| u32::try_from(head.len()).unwrap_or(u32::MAX))
        };
        Encapsulated::of_lengths(len(&self.request_head), len(&self.response_head), self.body)
    }

    /// Appends the head and the encapsulated heads to `out`.
    pub(super) fn render(&self, out: &mut BytesMut, last_answer: LastAnswer) {
        out.extend_from_slice(self.status.line().as_bytes());
        // RFC 3507 §4.7: every answer carries the tag.
        out.extend_from_slice(b"ISTag: \"");
        out.extend_from_slice(self.istag.as_bytes());
        out.extend_from_slice(b"\"\r\n");
        out.extend_from_slice(&self.fields);
        if last_answer == LastAnswer::Yes {
            out.extend_from_slice(b"Connection: close\r\n");
        }
        // Errata e1: a 204 never has sections, and some clients cannot read the header there.
        if self.status != Status::NoContent {
            out.extend_from_slice(b"Encapsulated: ");
            self.encapsulated().write_to(out);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        for head in [&self.request_head, &self.response_head]
            .into_iter()
            .flatten()
        {
            out.extend_from_slice(head);
        }
    }
}

/// A byte of a field value as it may be sent.
fn clean(byte: u8) -> u8 {
    match byte {
        b'\t' | b' '..=b'~' => byte,
        0x80.. => b'?',
        _ => b' ',
    }
}

/// Whether the connection is closed after this answer, which is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastAnswer {
    No,
    Yes,
}
