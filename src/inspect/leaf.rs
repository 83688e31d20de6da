//! Leaves: the values inside a document, each with its path, its raw span and its decoded bytes.
//!
//! Every reader (JSON, XML, forms, CSV, header fields, plain text …) hands leaves to a [`LeafSink`]; injection
//! detectors and redaction are sinks. A leaf longer than [`LEAF_BYTES`] arrives in overlapping pieces, cut at places
//! that depend on the stream only, never on how it was chunked.

use std::fmt;

use crate::span::Span;

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

/// From decoded offsets to raw places: runs that are copied verbatim, and units (an escape, a reference) that decode as
/// a whole and must not be cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetMap {
    start: u64,
    units: Vec<Run>,
}

/// `count` neighbouring escapes of one size: each has `raw_len` raw bytes and decodes to `decoded_len` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    decoded: u32,
    decoded_len: u32,
    raw: u64,
    raw_len: u32,
    count: u32,
}

impl Run {
    fn decoded_end(&self) -> u64 {
        u64::from(self.decoded) + u64::from(self.decoded_len) * u64::from(self.count)
    }

    fn raw_end(&self) -> u64 {
        self.raw + u64::from(self.raw_len) * u64::from(self.count)
    }

    /// Which unit of the run the decoded byte at `decoded` belongs to.
    fn unit(&self, decoded: u64) -> u64 {
        (decoded - u64::from(self.decoded)) / u64::from(self.decoded_len.max(1))
    }
}

impl OffsetMap {
    /// The map of a value without escapes whose raw bytes begin at `start`.
    pub fn verbatim(start: u64) -> Self {
        Self {
            start,
            units: Vec::new(),
        }
    }

    /// Forgets all units and begins anew at raw offset `start`; keeps its memory.
    pub fn reset(&mut self, start: u64) {
        self.start = start;
        self.units.clear();
    }

    /// Adds an escape: `raw` (of `raw_len` bytes) decodes to `decoded_len` bytes at decoded offset `decoded`. Units come
    /// in order. Nothing needs to be added for bytes that stand for themselves.
    pub fn push_unit(&mut self, decoded: usize, decoded_len: usize, raw: u64, raw_len: usize) {
        let (Ok(decoded), Ok(decoded_len), Ok(raw_len)) = (
            u32::try_from(decoded),
            u32::try_from(decoded_len),
            u32::try_from(raw_len),
        ) else {
            return;
        };
        if let Some(run) = self.units.last_mut()
            && decoded_len > 0
            && run.decoded_len == decoded_len
            && run.raw_len == raw_len
            && run.decoded_end() == u64::from(decoded)
            && run.raw_end() == raw
        {
            run.count += 1;
            return;
        }
        self.units.push(Run {
            decoded,
            decoded_len,
            raw,
            raw_len,
            count: 1,
        });
    }

    /// True when decoded and raw bytes are the same, one for one.
    pub fn is_verbatim(&self) -> bool {
        self.units.is_empty()
    }

    /// The raw bytes that decode to `decoded_start..decoded_end`, whole escapes only.
    pub fn raw(&self, decoded_start: usize, decoded_end: usize) -> Span {
        if decoded_end <= decoded_start {
            let at = self.locate(decoded_start as u64).0;
            return Span::new(at, at);
        }
        let start = self.locate(decoded_start as u64).0;
        let end = self.locate(decoded_end as u64 - 1).1;
        Span::new(start, end)
    }

    /// The largest decoded offset, at most `decoded`, that does not lie inside an escape.
    pub fn floor(&self, decoded: usize) -> usize {
        match self.run_before(decoded as u64) {
            Some(run) if (decoded as u64) < run.decoded_end() => {
                let unit = run.unit(decoded as u64) * u64::from(run.decoded_len);
                let back = decoded as u64 - u64::from(run.decoded) - unit;
                decoded.saturating_sub(usize::try_from(back).unwrap_or(0))
            }
            _ => decoded,
        }
    }

    /// Forgets the first `decoded` bytes, so that the byte behind them has decoded offset 0. `decoded` must not lie
    /// inside an escape (see [`floor`](Self::floor)).
    pub fn drop_front(&mut self, decoded: usize) {
        let start = self.locate(decoded as u64).0;
        let gone = decoded as u64;
        self.units
            .retain(|run| run.decoded_end() > gone || u64::from(run.decoded) >= gone);
        for run in &mut self.units {
            let cut = gone.saturating_sub(u64::from(run.decoded));
            let units = cut / u64::from(run.decoded_len.max(1));
            run.count -= u32::try_from(units).unwrap_or(0).min(run.count);
            run.raw += units * u64::from(run.raw_len);
            let decoded = u64::from(run.decoded) + units * u64::from(run.decoded_len) - gone;
            run.decoded = u32::try_from(decoded).unwrap_or(u32::MAX);
        }
        self.start = start;
    }

    fn run_before(&self, decoded: u64) -> Option<&Run> {
        let after = self
            .units
            .partition_point(|run| u64::from(run.decoded) <= decoded);
        after.checked_sub(1).and_then(|index| self.units.get(index))
    }

    /// First and one-past-last raw offset of what yields the decoded byte at `decoded`.
    fn locate(&self, decoded: u64) -> (u64, u64) {
        let Some(run) = self.run_before(decoded) else {
            return (self.start + decoded, self.start + decoded + 1);
        };
        if decoded < run.decoded_end() {
            let raw = run.raw + run.unit(decoded) * u64::from(run.raw_len);
            (raw, raw + u64::from(run.raw_len))
        } else {
            let at = run.raw_end() + (decoded - run.decoded_end());
            (at, at + 1)
        }
    }
}

/// Puts a value together from verbatim runs and units, and hands it out whole or, past [`LEAF_BYTES`], in windows whose
/// edges depend on the value only. Keeps its memory from value to value.
#[derive(Debug, Default)]
pub struct Assembler {
    bytes: Vec<u8>,
    map: OffsetMap,
    overlap: usize,
    windowed: bool,
    start: u64,
    end: u64,
}

/// Where an [`Assembler`] hands its leaves to: the sink, and what the leaves have in common.
#[derive(Debug)]
pub struct Outlet<'a, S: ?Sized> {
    /// Receives the leaves.
    pub sink: &'a mut S,
    /// Their path.
    pub path: &'a Path,
    /// Their syntax.
    pub host: HostSyntax,
}

impl Assembler {
    /// Begins a value whose raw bytes begin at `start`.
    pub fn begin(&mut self, start: u64) {
        self.bytes.clear();
        self.map.reset(start);
        self.overlap = 0;
        self.windowed = false;
        self.start = start;
        self.end = start;
    }

    /// Decoded bytes that wait: all of the value so far, or its current window.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Offset of the first raw byte of the value.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// True when windows of the value were handed out already.
    pub fn is_windowed(&self) -> bool {
        self.windowed
    }

    /// Adds bytes that stand for themselves; the first lies at `at`.
    pub fn plain<S: LeafSink + ?Sized>(
        &mut self,
        mut raw: &[u8],
        mut at: u64,
        out: &mut Outlet<'_, S>,
    ) {
        while !raw.is_empty() {
            if self.bytes.len() >= LEAF_BYTES {
                self.cut(out);
            }
            let room = LEAF_BYTES - self.bytes.len();
            let (now, later) = raw.split_at(room.min(raw.len()));
            self.bytes.extend_from_slice(now);
            at += now.len() as u64;
            self.end = at;
            raw = later;
        }
    }

    /// Adds an escape: `raw_len` bytes at `at` stand for `decoded`.
    pub fn unit<S: LeafSink + ?Sized>(
        &mut self,
        decoded: &[u8],
        raw: Span,
        out: &mut Outlet<'_, S>,
    ) {
        if self.bytes.len() + decoded.len() > LEAF_BYTES {
            self.cut(out);
        }
        let raw_len = usize::try_from(raw.len()).unwrap_or(usize::MAX);
        self.map
            .push_unit(self.bytes.len(), decoded.len(), raw.start, raw_len);
        self.bytes.extend_from_slice(decoded);
        self.end = raw.end;
    }

    /// Leaves out raw bytes that are no part of the value, up to `at`.
    pub fn skip_to<S: LeafSink + ?Sized>(&mut self, at: u64, out: &mut Outlet<'_, S>) {
        if at > self.end {
            self.unit(b"", Span::new(self.end, at), out);
        }
    }

    /// Ends the value and hands out what is left of it.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, out: &mut Outlet<'_, S>) {
        let piece = if self.windowed {
            Piece::Window {
                overlap: self.overlap,
                last: true,
            }
        } else {
            Piece::Whole
        };
        self.emit(piece, out);
    }

    fn cut<S: LeafSink + ?Sized>(&mut self, out: &mut Outlet<'_, S>) {
        let piece = Piece::Window {
            overlap: self.overlap,
            last: false,
        };
        self.emit(piece, out);
        self.windowed = true;
        let keep_from = self
            .map
            .floor(self.bytes.len().saturating_sub(LEAF_OVERLAP_BYTES));
        self.map.drop_front(keep_from);
        self.bytes.drain(..keep_from);
        self.overlap = self.bytes.len();
    }

    fn emit<S: LeafSink + ?Sized>(&self, piece: Piece, out: &mut Outlet<'_, S>) {
        out.sink.leaf(&Leaf {
            path: out.path,
            host: out.host,
            span: Span::new(self.map.start, self.end),
            bytes: &self.bytes,
            map: &self.map,
            piece,
        });
    }
}

/// The path of a value inside its document: a root and segments. Names are kept up to [`NAME_BYTES`] each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    root: Root,
    names: Vec<u8>,
    segments: Vec<Segment>,
}

/// What kind of document or place a path begins in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Root {
    /// `$`
    Json,
    /// `/`
    Xml,
    /// `html:`
    Html,
    /// `form:`
    Form,
    /// `query:`
    Query,
    /// `header:`
    Header,
    /// `cookie:`
    Cookie,
    /// `part:`, a multipart part's own fields
    Multipart,
    /// `csv:`
    Csv,
    /// `url`, the path of the request target
    UrlPath,
    /// `text`
    Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Segment {
    Name { start: u32, end: u32 },
    Attribute { start: u32, end: u32 },
    Index(u32),
}

/// One step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// An object member, element, field or column name, decoded.
    Name(&'a [u8]),
    /// An attribute's name.
    Attribute(&'a [u8]),
    /// An array index or row number, from 0.
    Index(u32),
}

impl Path {
    /// The path of the root itself.
    pub fn new(root: Root) -> Self {
        Self {
            root,
            names: Vec::new(),
            segments: Vec::new(),
        }
    }

    /// Becomes the path of the root itself; keeps its memory.
    pub fn reset(&mut self, root: Root) {
        self.root = root;
        self.names.clear();
        self.segments.clear();
    }

    /// Becomes a copy of `other`; keeps its memory.
    pub fn assign(&mut self, other: &Path) {
        self.root = other.root;
        self.names.clone_from(&other.names);
        self.segments.clone_from(&other.segments);
    }

    /// The root.
    pub fn root(&self) -> Root {
        self.root
    }

    /// Steps below the root.
    #[inline]
    pub fn depth(&self) -> usize {
        self.segments.len()
    }

    /// Goes one step down by name.
    #[inline]
    pub fn push_name(&mut self, name: &[u8]) {
        let (start, end) = self.keep(name);
        self.segments.push(Segment::Name { start, end });
    }

    /// Goes up until `depth` steps are left, and one down by name.
    #[inline]
    pub fn set_name(&mut self, depth: usize, name: &[u8]) {
        match self.segments.last() {
            // The most common way from one member of an object to the next.
            Some(Segment::Name { start, .. }) if self.segments.len() == depth + 1 => {
                self.names.truncate(*start as usize);
                let (start, end) = self.keep(name);
                if let Some(last) = self.segments.last_mut() {
                    *last = Segment::Name { start, end };
                }
            }
            _ => {
                self.truncate(depth);
                self.push_name(name);
            }
        }
    }

    /// Goes one step down to an attribute.
    pub fn push_attribute(&mut self, name: &[u8]) {
        let (start, end) = self.keep(name);
        self.segments.push(Segment::Attribute { start, end });
    }

    /// Goes one step down by index.
    #[inline]
    pub fn push_index(&mut self, index: u32) {
        self.segments.push(Segment::Index(index));
    }

    /// Goes one step up.
    #[inline]
    pub fn pop(&mut self) {
        match self.segments.pop() {
            Some(Segment::Name { start, .. } | Segment::Attribute { start, .. }) => {
                self.names.truncate(start as usize);
            }
            Some(Segment::Index(_)) | None => {}
        }
    }

    /// Goes up until `depth` steps are left.
    #[inline]
    pub fn truncate(&mut self, depth: usize) {
        while self.segments.len() > depth {
            self.pop();
        }
    }

    /// The steps, from the root down.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = Step<'_>> {
        self.segments.iter().map(|segment| match *segment {
            Segment::Name { start, end } => Step::Name(self.name(start, end)),
            Segment::Attribute { start, end } => Step::Attribute(self.name(start, end)),
            Segment::Index(index) => Step::Index(index),
        })
    }

    /// The nearest name going up from the value: `card` for `$.card`, `$.card[0]`.
    #[inline]
    pub fn last_name(&self) -> Option<&[u8]> {
        if let Some(Segment::Name { start, end }) = self.segments.last() {
            return Some(self.name(*start, *end));
        }
        self.steps().rev().find_map(|step| match step {
            Step::Name(name) | Step::Attribute(name) => Some(name),
            Step::Index(_) => None,
        })
    }

    /// The last `count` names (at most four), indexes aside: their bytes one after the other, and their lengths, that of
    /// the last name in the lowest 16 bits. Equal for equal names, and cheap.
    pub fn tail(&self, count: usize) -> (u64, &[u8]) {
        let (mut lengths, mut shift) = (0, 0);
        let mut from = self.names.len();
        let names = self
            .segments
            .iter()
            .rev()
            .filter_map(|segment| match *segment {
                Segment::Name { start, end } | Segment::Attribute { start, end } => {
                    Some((start, end))
                }
                Segment::Index(_) => None,
            });
        for (start, end) in names.take(count.min(4)) {
            // One more than the length: an empty name is not no name.
            lengths |= (u64::from(end.saturating_sub(start)) + 1) << shift;
            shift += 16;
            from = start as usize;
        }
        (lengths, self.names.get(from..).unwrap_or_default())
    }

    #[inline]
    fn keep(&mut self, name: &[u8]) -> (u32, u32) {
        let start = self.names.len() as u32;
        self.names
            .extend_from_slice(name.get(..NAME_BYTES).unwrap_or(name));
        (start, self.names.len() as u32)
    }

    #[inline]
    fn name(&self, start: u32, end: u32) -> &[u8] {
        self.names
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The printable form, capped at [`SHOWN_BYTES`], control bytes escaped: what findings and logs carry.
    pub fn shown(&self) -> Box<str> {
        let mut text = self.to_string();
        if text.len() > SHOWN_BYTES {
            let mut cut = SHOWN_BYTES;
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            text.truncate(cut);
            text.push('…');
        }
        text.into_boxed_str()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, separator) = match self.root {
            Root::Json => ("$", "."),
            Root::Xml => ("/", "/"),
            Root::Html => ("html:", "/"),
            Root::Form => ("form:", "."),
            Root::Query => ("query:", "."),
            Root::Header => ("header:", "."),
            Root::Cookie => ("cookie:", "."),
            Root::Multipart => ("part:", "."),
            Root::Csv => ("csv:", "."),
            Root::UrlPath => ("url", "/"),
            Root::Text => ("text", "."),
        };
        f.write_str(prefix)?;
        let mut first = !matches!(self.root, Root::Json | Root::Xml);
        for step in self.steps() {
            if let Step::Index(index) = step {
                write!(f, "[{index}]")?;
                continue;
            }
            if !std::mem::take(&mut first) {
                f.write_str(separator)?;
            }
            match step {
                Step::Name(name) => write_name(f, name)?,
                Step::Attribute(name) => {
                    f.write_str("@")?;
                    write_name(f, name)?;
                }
                Step::Index(_) => {}
            }
        }
        Ok(())
    }
}

fn write_name(f: &mut fmt::Formatter<'_>, name: &[u8]) -> fmt::Result {
    for chunk in name.utf8_chunks() {
        for char in chunk.valid().chars() {
            if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') {
                write!(f, "{}", char.escape_unicode())?;
            } else {
                write!(f, "{char}")?;
            }
        }
        if !chunk.invalid().is_empty() {
            f.write_str("\u{fffd}")?;
        }
    }
    Ok(())
}

/// Bytes of one name that a path keeps.
pub const NAME_BYTES: usize = 256;

/// Bytes of a path that findings and logs show.
pub const SHOWN_BYTES: usize = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_never_cuts_an_escape() {
        // raw: `a\u0041b` at 10; decoded: `aAb`.
        let mut map = OffsetMap::verbatim(10);
        map.push_unit(1, 1, 11, 6);
        assert_eq!(map.raw(0, 1), Span::new(10, 11));
        assert_eq!(map.raw(1, 2), Span::new(11, 17));
        assert_eq!(map.raw(0, 3), Span::new(10, 18));
        assert_eq!(map.raw(2, 3), Span::new(17, 18));
    }

    #[test]
    fn neighbouring_escapes_of_one_size_share_a_run_and_can_be_dropped_in_part() {
        // raw: four escapes of 6 bytes at 100, then `x` at 124.
        let mut map = OffsetMap::verbatim(100);
        for unit in 0..4 {
            map.push_unit(unit, 1, 100 + 6 * unit as u64, 6);
        }
        assert_eq!(map.units.len(), 1);
        assert_eq!(map.raw(1, 3), Span::new(106, 118));
        assert_eq!(map.raw(4, 5), Span::new(124, 125));
        map.drop_front(2);
        assert_eq!(map.raw(0, 1), Span::new(112, 118));
        assert_eq!(map.raw(2, 3), Span::new(124, 125));
        map.drop_front(2);
        assert!(map.is_verbatim());
        assert_eq!(map.raw(0, 1), Span::new(124, 125));
    }

    #[test]
    fn a_long_value_comes_in_overlapping_windows_that_do_not_cut_escapes() {
        struct Windows(Vec<(Vec<u8>, Span, Piece)>);
        impl LeafSink for Windows {
            fn leaf(&mut self, leaf: &Leaf<'_>) {
                self.0.push((leaf.bytes.to_vec(), leaf.span, leaf.piece));
            }
        }
        let path = Path::new(Root::Json);
        let mut sink = Windows(Vec::new());
        let mut assembler = Assembler::default();
        assembler.begin(0);
        let mut out = Outlet {
            sink: &mut sink,
            path: &path,
            host: HostSyntax::JsonString,
        };
        let mut raw = 0u64;
        let mut whole = Vec::new();
        while whole.len() < 3 * LEAF_BYTES {
            assembler.plain(b"abcdefg", raw, &mut out);
            assembler.unit("é".as_bytes(), Span::new(raw + 7, raw + 13), &mut out);
            whole.extend_from_slice("abcdefgé".as_bytes());
            raw += 13;
        }
        assembler.finish(&mut out);
        let mut joined = Vec::new();
        for (bytes, _, piece) in &sink.0 {
            let Piece::Window { overlap, .. } = piece else {
                panic!("a long value is never whole")
            };
            assert!(joined.ends_with(&bytes[..*overlap]));
            joined.extend_from_slice(&bytes[*overlap..]);
        }
        assert_eq!(joined, whole);
        assert_eq!(sink.0.last().map(|last| last.1.end), Some(raw));
    }

    #[test]
    fn paths_print_in_their_roots_way() {
        let mut path = Path::new(Root::Json);
        path.push_name(b"items");
        path.push_index(3);
        path.push_name(b"id\n");
        assert_eq!(path.to_string(), "$.items[3].id\\u{a}");
        assert_eq!(path.last_name(), Some(b"id\n".as_slice()));
        path.pop();
        assert_eq!(path.to_string(), "$.items[3]");

        let mut path = Path::new(Root::Xml);
        path.push_name(b"item");
        path.push_attribute(b"id");
        assert_eq!(path.to_string(), "//item/@id");

        let mut path = Path::new(Root::Query);
        path.push_name(b"q");
        assert_eq!(path.to_string(), "query:q");
    }
}
