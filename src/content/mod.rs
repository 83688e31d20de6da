//! What a body is: bytes in, a tree of parts out. No sockets, no clock, push-style, bounded memory.
//!
//! ```text
//!   push(Bytes) ─► Stack::step(&mut sink) ─► sink.begin(&Part) · window(part, bytes, offset) · end(part) · anomaly(…)
//!
//!   wire ─(content-codings)─► BODY ─┬─(charset)──────► body/utf-8
//!                                   ├─(multipart)────► body/part:file ─(base64)─► body/part:file/base64
//!                                   ├─(gzip zip tar)─► body/zip:word/document.xml
//!                                   └─ values that the consumer opens (base64 inside JSON)
//! ```
//!
//! | file | idea |
//! |---|---|
//! | [`stack`] | nests the readers; the only place that knows the tree; depth, totals, ratio |
//! | `sources` | where bytes come in: the body, and values that the consumer opens |
//! | [`window`] | 16 KiB windows at absolute multiples of a part's stream |
//! | [`declared`] | what the head says: Content-Encoding and Content-Type |
//! | [`sniff`] | what the first bytes say |
//! | `coding` | gzip, deflate, br, zstd: undone, and applied again ([`Encoder`]) |
//! | `charset` | which charset, and its way to UTF-8 |
//! | `multipart` | RFC 2046 bodies and their part heads |
//! | [`transfer`] | base64, quoted-printable |
//! | `archive` | gzip, zstd, bzip2 and xz files, tar, zip |
//!
//! Chunk invariance is by construction: the stack cuts its input into windows at absolute multiples before any reader
//! sees a byte, so everything downstream is a function of the stream.

mod archive;
mod attach;
mod charset;
mod coding;
pub mod declared;
mod filter;
pub mod limits;
mod meter;
mod multipart;
mod node;
#[cfg(test)]
mod properties;
mod reader;
#[cfg(test)]
mod seen;
pub mod sniff;
mod sources;
pub mod stack;
pub mod transfer;
pub mod window;

use std::borrow::Cow;

use crate::anomaly::Anomaly;
pub use crate::span::PartId;

pub use coding::{Encoder, Unencodable};
pub use declared::{Coding, Declared, MediaType};
pub use limits::Limits;
pub use sniff::Type;
pub use stack::{Opening, Pace, Progress, Stack};
pub use window::WINDOW_BYTES;

/// One node of the tree that a body decodes into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its number.
    pub id: PartId,
    /// The part that it was found in; `None` for the body.
    pub parent: Option<PartId>,
    /// Steps below the body.
    pub depth: u8,
    /// What it is to its parent.
    pub kind: PartKind,
    /// What its first window says.
    pub sniffed: Type,
    /// What its head says, when it has one.
    pub media_type: Option<MediaType>,
    /// File or field name, as far as it has one: a zip member's path, a form field's file name.
    pub name: Option<Box<str>>,
    /// True for a part of a form that not all readers take for a file: its file name is empty, or written as only some
    /// read it (RFC 8187, RFC 2231), or it has none.
    pub maybe_field: bool,
    /// The form field it belongs to (multipart/form-data).
    pub field: Option<Box<str>>,
    /// The fields of its head that name neither of them, unfolded: name as written, value.
    pub fields: Vec<(Box<str>, Box<[u8]>)>,
    /// The charset that a [`PartKind::Utf8`] part was written in, such as `utf-16le`.
    pub charset: Option<&'static str>,
    /// Printable place in the tree, capped: `body/zip:word/document.xml`.
    pub path: Cow<'static, str>,
    /// Where its byte 0 sits in the body's decoded stream; `None` where no edit can reach.
    pub base: Option<u64>,
    /// True when its bytes are UTF-8 (or bytes without a charset); false when a [`PartKind::Utf8`] child holds the text.
    pub utf8: bool,
}

/// What a part is to its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// The body, after its content-codings.
    Body,
    /// Bytes as they came, where a coding could not be decoded or had ended.
    Raw,
    /// The parent's text in UTF-8.
    Utf8,
    /// A part of a multipart body.
    Multipart,
    /// The parent after its content-transfer-encoding (base64, quoted-printable).
    Transfer,
    /// A member of an archive.
    Member,
    /// The content of a compressed file that no head calls so.
    Unpacked,
    /// A value that the consumer opened.
    Value,
}

impl PartKind {
    /// True for what came out of a file: limits on nested archives count it, and no head of the body speaks of it.
    pub fn is_packed(self) -> bool {
        matches!(self, Self::Member | Self::Unpacked)
    }
}

/// Receives the parts of a body, parents before children. Borrowed data is valid during the call only.
pub trait PartSink {
    /// A part begins; its first window is known to the sniffers, not yet delivered.
    fn begin(&mut self, part: &Part);
    /// The bytes of `part` from `offset` on: a full window ([`WINDOW_BYTES`] at a multiple of it) unless it is the last.
    fn window(&mut self, part: PartId, bytes: &[u8], offset: u64);
    /// A part is over.
    fn end(&mut self, part: PartId);
    /// From `offset` in the stream of `part` on, it cannot be read as its receiver may read it.
    fn anomaly(&mut self, part: PartId, anomaly: Anomaly, offset: u64);
}
