//! Leaves: the values inside a document, each with its path, its raw span and its decoded bytes.
//!
//! Every reader (JSON, XML, forms, CSV, header fields, plain text …) hands leaves to a [`LeafSink`]; injection
//! detectors and redaction are sinks. A leaf longer than [`LEAF_BYTES`] arrives in overlapping pieces, cut at places
//! that depend on the stream only, never on how it was chunked.
//!
//! | file | idea |
//! |---|---|
//! | `map` | from offsets in a decoded value to raw places |
//! | `assembler` | a value put together from runs and escapes, whole or in windows |
//! | `path` | where in its document a value stands |

use crate::span::Span;

mod assembler;
mod map;
mod path;

pub use assembler::{Assembler, Outlet};
pub use map::OffsetMap;
pub use path::{NAME_BYTES, Path, Root, SHOWN_BYTES, Step};

/// Up to seven bytes as a number: no two texts of one length have the same.
#[inline]
pub(crate) fn packed(text: &[u8]) -> u64 {
    if let (Some(front), Some(back)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*front)) | u64::from(u32::from_le_bytes(*back)) << 32;
    }
    match *text {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(a) | u64::from(b) << 8,
        [a, b, c, ..] => u64::from(a) | u64::from(b) << 8 | u64::from(c) << 16,
    }
}

/// Receives leaves in document order.
pub trait LeafSink {
    /// One value, or one piece of a long one. Borrowed data is valid during the call only.
    fn leaf(&mut self, leaf: &Leaf<'_>);

    /// True when the sink would do nothing with this value, all of which stands for itself: then it is not handed out.
    #[inline]
    fn passes(&mut self, value: &[u8], host: HostSyntax, path: &Path) -> bool {
        let _ = (value, host, path);
        false
    }

    /// A structural character of a JSON document, between the leaves that it separates; what an edit that removes a
    /// member needs. Most sinks do not care.
    fn mark(&mut self, mark: crate::inspect::json::Mark, at: u64) {
        let _ = (mark, at);
    }

    /// A place that an edit of the document's structure may cut out. Most sinks do not care.
    fn notice(&mut self, notice: Notice, span: Span) {
        let _ = (notice, span);
    }
}

/// What stands at a place that an edit of the document's structure may cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A JSON name that its object had before; the leaf of the name came just before.
    RepeatedName,
    /// A JSON name that reaches a prototype; the leaf of the name came just before.
    PrototypeName,
    /// An XML document type declaration begins; the span is empty, at its `<`.
    DoctypeBegins,
    /// An XML document type declaration, whole, and the highest score that it was charged with.
    Doctype(u8),
    /// A reference in XML to an entity that is not predefined, whole.
    Reference,
}

/// The charset in which a document was written, before it was turned into the UTF-8 that readers see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Written {
    /// UTF-8 or ASCII: nothing was turned.
    #[default]
    Utf8,
    /// UTF-16, either byte order.
    Utf16,
    /// UTF-32, either byte order.
    Utf32,
    /// UTF-7.
    Utf7,
    /// An EBCDIC code page.
    Ebcdic,
    /// Any other charset (ISO 8859, Windows, Shift_JIS …).
    Other,
}

/// One value of a document.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// Where in the document.
    pub path: &'a Path,
    /// In which syntax it is written, which says how a replacement must be written.
    pub host: HostSyntax,
    /// Raw bytes of the value in its part's stream, inside its delimiters (JSON strings: between the quotes).
    pub span: Span,
    /// The value with the escapes of its host syntax undone.
    pub bytes: &'a [u8],
    /// From offsets in `bytes` to raw places.
    pub map: &'a OffsetMap,
    /// Whole, or which piece of a long value.
    pub piece: Piece,
}

/// How a value is written in its document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HostSyntax {
    /// Between the quotes of a JSON string.
    JsonString,
    /// A JSON member name, between its quotes.
    JsonKey,
    /// A JSON number, whole.
    JsonNumber,
    /// `true`, `false` or `null`.
    JsonLiteral,
    /// XML character data with references.
    XmlText,
    /// Inside `<![CDATA[` and `]]>`.
    XmlCdata,
    /// Character data of one element joined over CDATA sections, comments and processing instructions. Its pieces came
    /// as leaves of their own before; no edit is possible here.
    XmlJoined,
    /// Inside the quotes of an XML attribute.
    XmlAttribute,
    /// An XML comment or the data of a processing instruction.
    XmlComment,
    /// HTML text.
    HtmlText,
    /// Inside the quotes of an HTML attribute (or unquoted).
    HtmlAttribute,
    /// A percent-encoded form value or query value.
    FormValue,
    /// A percent-encoded form or query name.
    FormName,
    /// A CSV or TSV cell without quotes.
    CsvCell,
    /// Inside the quotes of a CSV or TSV cell.
    CsvQuoted,
    /// An HTTP field value.
    HeaderValue,
    /// A cookie's value.
    CookieValue,
    /// A segment or the whole of a URL path, percent-decoded.
    UrlPath,
    /// Bytes as they are.
    Raw,
}

/// Which piece of a value a leaf holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// All of it.
    Whole,
    /// A window of it. The first `overlap` decoded bytes were in the window before as well.
    Window {
        /// Decoded bytes at the front that the previous window ended with; 0 in the first one.
        overlap: usize,
        /// True for the last window.
        last: bool,
    },
}

/// A value up to this many decoded bytes is one leaf; a longer one comes in windows of this size.
pub const LEAF_BYTES: usize = 64 * 1024;

/// Decoded bytes that two neighbouring windows of a long value share.
pub const LEAF_OVERLAP_BYTES: usize = 8 * 1024;
