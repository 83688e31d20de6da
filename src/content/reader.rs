//! What every nested decoder has in common: it eats a part's windows and opens child parts.

use crate::anomaly::Anomaly;

use super::PartKind;
use super::archive::{Tar, Zip};
use super::coding::CodingReader;
use super::declared::{Coding, MediaType};
use super::filter::Filter;
use super::meter::Meter;
use super::multipart::Multipart;
use super::transfer::Transfer;
use super::window::{Last, Window};

/// The unread rest of the parent's window.
#[derive(Debug)]
pub(super) struct Input<'a> {
    /// Bytes not yet taken; a reader cuts from the front.
    pub(super) bytes: &'a [u8],
    /// Whether the parent's stream ends with these bytes.
    pub(super) last: Last,
    /// Offset of `bytes` in the parent's stream when the call begins.
    pub(super) offset: u64,
}

/// Why a reader came back.
#[derive(Debug)]
pub(super) enum Event {
    /// All input is taken.
    NeedInput,
    /// Nothing to do for the caller but to call again.
    Idle,
    /// The child's window is full.
    Full,
    /// A child opens: what is written from now on is its.
    Begin(Box<Child>),
    /// The open child is over.
    End,
    /// Something that keeps the parent from being read as others may, at this offset of its stream.
    Fact(Anomaly, u64),
    /// No more input is wanted. An open child is over.
    Done,
}

/// What a reader knows of a child that it opens.
#[derive(Debug)]
pub(super) struct Child {
    /// What it is to the parent.
    pub(super) kind: PartKind,
    /// Its segment of the path, such as `zip:word/document.xml`.
    pub(super) label: Box<str>,
    /// File name.
    pub(super) name: Option<Box<str>>,
    /// Not all readers take it for a file.
    pub(super) maybe_field: bool,
    /// Form field.
    pub(super) field: Option<Box<str>>,
    /// Other fields of its head.
    pub(super) fields: Vec<(Box<str>, Box<[u8]>)>,
    /// The charset that it was written in, when it is the parent's text in UTF-8.
    pub(super) charset: Option<&'static str>,
    /// Its own Content-Type, or the parent's where it is the same content in another dress.
    pub(super) media_type: Option<MediaType>,
    /// Offset of its byte 0 in the parent's stream, when its bytes are the parent's.
    pub(super) base: Option<u64>,
    /// How its bytes are wrapped once more (Content-Transfer-Encoding).
    pub(super) transfer: Transfer,
    /// Content-codings that are still to be undone; the child is not shown then.
    pub(super) codings: Vec<Coding>,
}

impl Child {
    /// A child of that kind and path segment, nothing else known.
    pub(super) fn new(kind: PartKind, label: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            label: label.into(),
            name: None,
            maybe_field: false,
            field: None,
            fields: Vec::new(),
            charset: None,
            media_type: None,
            base: None,
            transfer: Transfer::Identity,
            codings: Vec::new(),
        }
    }
}

/// A nested decoder.
#[derive(Debug)]
pub(super) enum Reader {
    /// Undoes a content-coding or unpacks a compressed file.
    Coding(Box<CodingReader>),
    /// Turns a charset or a transfer encoding into plain bytes.
    Filter(Filter),
    /// Splits a multipart body.
    Multipart(Box<Multipart>),
    /// Opens the members of a tar archive.
    Tar(Box<Tar>),
    /// Opens the members of a zip archive.
    Zip(Box<Zip>),
}

impl Reader {
    /// Takes input, fills the open child's window, and says why it stopped. Always makes progress: it takes input,
    /// writes output or reports an event.
    pub(super) fn read(
        &mut self,
        input: &mut Input<'_>,
        out: &mut Window,
        meter: &mut Meter,
    ) -> Event {
        match self {
            Reader::Coding(reader) => reader.read(input, out, meter),
            Reader::Filter(filter) => filter.read(input, out),
            Reader::Multipart(multipart) => multipart.read(input, out, meter),
            Reader::Tar(tar) => tar.read(input, out, meter),
            Reader::Zip(zip) => zip.read(input, out, meter),
        }
    }
}
