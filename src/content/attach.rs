//! Which readers look into a part: decided once, on its first window.

use crate::anomaly::Anomaly;

use super::archive::{Start, Tar, Zip};
use super::charset;
use super::coding::{self, CodingReader, Format};
use super::filter::Filter;
use super::multipart::Multipart;
use super::node::Node;
use super::reader::{Child, Reader};
use super::sniff::{self, Type, sniff};
use super::transfer::Transfer;
use super::{Limits, PartKind};

/// What the first window of a part says.
pub(super) struct Found {
    pub(super) sniffed: Type,
    pub(super) utf8: bool,
    pub(super) anomalies: Vec<Anomaly>,
    pub(super) readers: Vec<(Reader, Option<Child>)>,
}

/// Looks at the first window of `node`.
pub(super) fn look(window: &[u8], node: &Node, limits: &Limits) -> Found {
    let mut found = Found {
        sniffed: sniff(window),
        utf8: true,
        anomalies: Vec::new(),
        readers: Vec::new(),
    };
    found.charset(window, node);
    found.transfer(node);
    found.multipart(window, node, limits);
    found.archive(window, node, limits);
    found
}

impl Found {
    /// The charset of text; a part that was transcoded is UTF-8 whatever it says of itself.
    fn charset(&mut self, window: &[u8], node: &Node) {
        let text = self.sniffed.is_text() || self.sniffed == Type::Binary;
        if !text || node.part.kind == PartKind::Utf8 {
            return;
        }
        let label = node
            .part
            .media_type
            .as_ref()
            .and_then(|media| media.charset.as_deref());
        let reading = charset::detect(window, self.sniffed, label);
        self.anomalies.extend(reading.anomaly);
        self.utf8 = reading.as_is;
        if !reading.as_is {
            self.sniffed = Type::Text;
        }
        for (charset, mark) in reading.charsets.into_iter().flatten() {
            if let Some(filter) = charset.to_utf8(mark) {
                self.filter(filter, node, PartKind::Utf8, "utf-8");
                if let Some((_, Some(child))) = self.readers.last_mut() {
                    child.charset = Some(charset.name());
                }
            }
        }
    }

    /// The transfer encoding of a MIME part. Its bytes as they came are shown besides: RFC 7578 §4.7 deprecates the
    /// field, and not every reader of a form obeys it.
    fn transfer(&mut self, node: &Node) {
        let label = match node.transfer {
            Transfer::Identity => return,
            Transfer::Base64 => "base64",
            Transfer::QuotedPrintable => "quoted-printable",
        };
        if let Some(filter) = node.transfer.undone() {
            self.filter(filter, node, PartKind::Transfer, label);
        }
    }

    /// A child that is the same content in another dress.
    fn filter(&mut self, filter: Filter, node: &Node, kind: PartKind, label: &str) {
        let mut child = Child::new(kind, label);
        child.media_type = node.part.media_type.clone();
        child.name = node.part.name.clone();
        child.maybe_field = node.part.maybe_field;
        child.field = node.part.field.clone();
        self.readers.push((Reader::Filter(filter), Some(child)));
    }

    /// Multipart by declaration, or by its first lines.
    fn multipart(&mut self, window: &[u8], node: &Node, limits: &Limits) {
        let media = node.part.media_type.as_ref();
        if node.transfer != Transfer::Identity {
            return;
        }
        if media.is_some_and(|media| &*media.essence == "message/rfc822") {
            self.read_by(Reader::Multipart(Box::new(Multipart::message())));
            return;
        }
        let declared = media.filter(|media| media.is_multipart());
        let essence = declared.map_or("", |media| &*media.essence);
        let boundary = declared.and_then(|media| media.boundary.as_deref());
        let boundary = boundary.filter(|boundary| is_boundary(boundary));
        let ambiguous = declared.is_some_and(|media| media.ambiguous);
        let long = boundary.is_some_and(|boundary| boundary.len() > limits.boundary_bytes);
        let seen = sniff::boundary(window).filter(|_| self.sniffed == Type::Multipart);
        // The delimiter that stands first need not be the declared one; a reader that looks takes the former.
        let other = seen.filter(|seen| boundary.is_none_or(|known| !seen.starts_with(known)));
        let missing = declared.is_some() && boundary.is_none();
        if ambiguous || long || missing || declared.is_some() && other.is_some() {
            self.anomalies.push(Anomaly::BrokenMultipart);
        }
        for boundary in boundary.into_iter().chain(other) {
            let essence = if essence.is_empty() {
                "multipart/mixed"
            } else {
                essence
            };
            self.read_by(Reader::Multipart(Box::new(Multipart::new(
                boundary, essence,
            ))));
        }
    }

    /// Archives and compressed files by their magic numbers, whatever they are called.
    fn archive(&mut self, window: &[u8], node: &Node, limits: &Limits) {
        let packed = |format, label: &str, name| {
            let mut child = Child::new(PartKind::Unpacked, label);
            child.name = name;
            let reader = Reader::Coding(Box::new(CodingReader::of_file(format)));
            Some((reader, Some(child)))
        };
        let found = match self.sniffed {
            Type::Gzip => packed(Format::Gzip, "gzip", coding::file_name(window)),
            Type::Zstd => packed(Format::Zstd, "zstd", None),
            Type::Bzip2 => packed(Format::Bzip2, "bzip2", None),
            Type::Xz => packed(Format::Xz, "xz", None),
            Type::Tar => Some((Reader::Tar(Box::new(Tar::new())), None)),
            Type::Zip => Some((Reader::Zip(Box::new(Zip::new(Start::Front))), None)),
            Type::SevenZip | Type::Rar | Type::Cab => {
                self.anomalies.push(Anomaly::UnsupportedArchive);
                None
            }
            Type::Json | Type::Xml | Type::Html | Type::Form | Type::Multipart | Type::Empty => {
                None
            }
            Type::Pdf
            | Type::Pe
            | Type::Elf
            | Type::MachO
            | Type::JavaClass
            | Type::Wasm
            | Type::Ole2
            | Type::Rtf
            | Type::Image
            | Type::Script
            | Type::Text
            | Type::Binary => Some((Reader::Zip(Box::new(Zip::new(Start::Anywhere))), None)),
        };
        let Some((reader, child)) = found else {
            return;
        };
        // A zip file deep inside other data is met by the same limit when it opens its first member.
        if node.archive_depth >= limits.archive_depth && self.sniffed.is_archive() {
            self.anomalies.push(Anomaly::TooDeep);
        } else {
            self.readers.push((reader, child));
        }
    }

    fn read_by(&mut self, reader: Reader) {
        self.readers.push((reader, None));
    }
}

/// A boundary that can stand on a line, at all and within reason.
fn is_boundary(boundary: &[u8]) -> bool {
    let fits = (1..=BOUNDARY_BYTES).contains(&boundary.len());
    fits && !boundary.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Longest boundary that is looked for at all; one over the limit of 70 is an anomaly already.
const BOUNDARY_BYTES: usize = 1024;
