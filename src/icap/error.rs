//! What a peer can do wrong. Each misdeed is a variant; status, scope and code are methods of it.

use super::chunked::ChunkError;
use super::encapsulated::EncapsulatedError;
use super::response::Status;
use super::uri::UriError;
use crate::wire::framing::FramingError;

/// A misdeed of the peer, or its silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The ICAP head breaks its framing or a limit.
    #[error("ICAP head: {0}")]
    Head(FramingError),
    /// The first line is no ICAP request line.
    #[error("expected an ICAP request line")]
    MalformedRequestLine,
    /// Something other than a request where a request should begin.
    #[error("expected a request, found other bytes")]
    Garbage,
    /// `ICAP/x.y` with another version.
    #[error("ICAP version is not 1.0")]
    UnsupportedVersion,
    /// A method that RFC 3507 does not know, without a body.
    #[error("unknown method")]
    UnknownMethod,
    /// A method that RFC 3507 does not know, on a connection that cannot go on: with an `Encapsulated` header that nobody
    /// can read then, or with `Connection: close`.
    #[error("unknown method on a connection that ends with it")]
    UnknownLastMethod,
    /// The request URI is refused.
    #[error("{0}")]
    Uri(#[from] UriError),
    /// A field line outside the grammar: NUL, bare CR, space before the colon, no colon, a bad name.
    #[error("malformed header field in the ICAP head")]
    MalformedHeader,
    /// A field that frames the message is folded over lines.
    #[error("folded framing field in the ICAP head")]
    FoldedFramingField,
    /// No `Host`.
    #[error("no Host")]
    MissingHost,
    /// More than one `Host`.
    #[error("more than one Host")]
    DuplicateHost,
    /// A `Host` that is no host.
    #[error("malformed Host")]
    MalformedHost,
    /// A `Preview` that is no number.
    #[error("malformed Preview")]
    MalformedPreview,
    /// More than one `Preview`.
    #[error("more than one Preview")]
    DuplicatePreview,
    /// A `Preview` over the limit, or more preview bytes than the limit.
    #[error("preview over the limit")]
    PreviewTooLarge,
    /// More than one `Encapsulated`.
    #[error("more than one Encapsulated")]
    DuplicateEncapsulated,
    /// An illegal `Encapsulated`.
    #[error("{0}")]
    Encapsulated(#[from] EncapsulatedError),
    /// An embedded head that breaks a limit.
    #[error("embedded HTTP head: {0}")]
    HttpHead(FramingError),
    /// An embedded head that ends before the next section begins.
    #[error("embedded HTTP head ends at byte {end} of a section of {len} bytes")]
    SectionTooLong {
        /// Where the head ends.
        end: usize,
        /// What `Encapsulated` says.
        len: usize,
    },
    /// A section that does not end with a blank line.
    #[error("section of {len} bytes does not end with a blank line")]
    SectionNotEnded {
        /// What `Encapsulated` says.
        len: usize,
    },
    /// The body's framing is broken.
    #[error("body: {0}")]
    Chunk(#[from] ChunkError),
    /// The peer closed inside a head.
    #[error("connection closed inside a head")]
    TruncatedHead,
    /// The peer closed inside a body.
    #[error("connection closed inside a body")]
    TruncatedBody,
    /// The peer was waited for in vain. (Set by the driver: there is no clock here.)
    #[error("gave up waiting")]
    TimedOut,
}

/// How far a misdeed reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The request is refused; where the next one begins is known.
    Transaction,
    /// The position in the stream is lost: answer and close.
    Connection,
}

impl ProtocolError {
    /// The ICAP status that answers it.
    pub fn status(self) -> Status {
        match self {
            Self::UnsupportedVersion => Status::VersionNotSupported,
            Self::UnknownMethod | Self::UnknownLastMethod => Status::NotImplemented,
            Self::HttpHead(_) => Status::ContentTooLarge,
            Self::TimedOut => Status::RequestTimeout,
            Self::Head(_)
            | Self::MalformedRequestLine
            | Self::Garbage
            | Self::Uri(_)
            | Self::MalformedHeader
            | Self::FoldedFramingField
            | Self::MissingHost
            | Self::DuplicateHost
            | Self::MalformedHost
            | Self::MalformedPreview
            | Self::DuplicatePreview
            | Self::PreviewTooLarge
            | Self::DuplicateEncapsulated
            | Self::Encapsulated(_)
            | Self::SectionTooLong { .. }
            | Self::SectionNotEnded { .. }
            | Self::Chunk(_)
            | Self::TruncatedHead
            | Self::TruncatedBody => Status::BadRequest,
        }
    }

    /// Whether the connection survives it.
    pub fn scope(self) -> Scope {
        match self {
            Self::UnknownMethod => Scope::Transaction,
            _ => Scope::Connection,
        }
    }

    /// The stable kebab-case name used in logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::Head(_) => "icap-head",
            Self::MalformedRequestLine => "request-line",
            Self::Garbage => "garbage",
            Self::UnsupportedVersion => "version",
            Self::UnknownMethod | Self::UnknownLastMethod => "unknown-method",
            Self::Uri(_) => "uri",
            Self::MalformedHeader => "icap-header",
            Self::FoldedFramingField => "folded-framing-field",
            Self::MissingHost => "host-missing",
            Self::DuplicateHost => "host-duplicate",
            Self::MalformedHost => "host-malformed",
            Self::MalformedPreview => "preview-malformed",
            Self::DuplicatePreview => "preview-duplicate",
            Self::PreviewTooLarge => "preview-too-large",
            Self::DuplicateEncapsulated => "encapsulated-duplicate",
            Self::Encapsulated(_) => "encapsulated",
            Self::HttpHead(_) => "http-head",
            Self::SectionTooLong { .. } | Self::SectionNotEnded { .. } => "section-end",
            Self::Chunk(_) => "chunk",
            Self::TruncatedHead => "truncated-head",
            Self::TruncatedBody => "truncated-body",
            Self::TimedOut => "timeout",
        }
    }
}
