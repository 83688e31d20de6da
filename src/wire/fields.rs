//! Field lines: an index into the raw block, and edits that leave every other byte as it came.
//!
//! One allocation for the index, none per field. A folded line (RFC 9112 §5.2) belongs to the field that it goes on
//! with; [`Field::value`] then holds the fold and [`Field::unfolded`] does not.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memchr;

use super::Deviations;
use super::grammar::{is_tchar, is_text, trim};

/// The field lines of one head, or of a trailer section.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    raw: Bytes,
    added: Vec<u8>,
    lines: Vec<Line>,
    edited: bool,
}

/// One field line: offsets into the raw block or into the added bytes.
#[derive(Clone, Copy, Debug)]
struct Line {
    source: Source,
    start: u32,
    name_end: u32,
    value_start: u32,
    value_end: u32,
    end: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Raw,
    Added,
}

/// One field as it stands in the head.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The name, as written.
    pub name: &'a [u8],
    /// The value without the white space around it; folds are still in it.
    pub value: &'a [u8],
    /// The whole line with its line end.
    pub raw: &'a [u8],
}

impl<'a> Field<'a> {
    /// The value with each fold replaced by spaces (RFC 9112 §5.2), borrowed when there is none.
    pub fn unfolded(&self) -> Cow<'a, [u8]> {
        if !self.value.contains(&b'\n') {
            return Cow::Borrowed(self.value);
        }
        let flat = |byte: &u8| match byte {
            b'\r' | b'\n' => b' ',
            other => *other,
        };
        Cow::Owned(self.value.iter().map(flat).collect())
    }
}

impl Fields {
    /// Indexes `raw`: field lines, each with its line end, without the blank line. Never fails; what is wrong with the
    /// lines is in the second value. A line without a colon is kept (it is forwarded) under an empty name.
    pub fn parse(raw: Bytes) -> (Self, Deviations) {
        let mut lines = Vec::with_capacity(LINES_EXPECTED);
        let mut deviations = Deviations::empty();
        let mut start = 0;
        while let Some(rest) = raw.get(start..).filter(|rest| !rest.is_empty()) {
            let end = match memchr(b'\n', rest) {
                Some(found) => start + found + 1,
                None => raw.len(),
            };
            read_line(&raw, start..end, &mut lines, &mut deviations);
            start = end;
        }
        let fields = Self {
            raw,
            added: Vec::new(),
            lines,
            edited: false,
        };
        (fields, deviations)
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// True when something was removed, replaced or appended.
    pub fn is_edited(&self) -> bool {
        self.edited
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines.iter().map(|line| self.field(line))
    }

    /// The first value under `name` (compared without case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.lines
            .iter()
            .find(|line| self.is_named(line, name.as_bytes()))
            .map(|line| self.field(line).value)
    }

    /// Every value under `name`, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines
            .iter()
            .filter(move |line| self.is_named(line, name.as_bytes()))
            .map(|line| self.field(line).value)
    }

    /// True when a field has that name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The elements of the comma-separated list under `name`, over all its lines.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).flat_map(super::grammar::list)
    }

    /// Removes every field under `name`; says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        self.remove_named(name.as_bytes())
    }

    /// Puts `value` where the first `name` stands and removes the others; appends it when there is none.
    /// CR, LF and NUL in `value` become spaces.
    pub fn set(&mut self, name: &str, value: &[u8]) {
        let first = self
            .lines
            .iter()
            .position(|line| self.is_named(line, name.as_bytes()));
        self.remove(name);
        let line = self.write_added(name, value);
        let at = first.unwrap_or(self.lines.len()).min(self.lines.len());
        self.lines.insert(at, line);
    }

    /// Adds a field at the end. CR, LF and NUL in `value` become spaces.
    pub fn append(&mut self, name: &str, value: &[u8]) {
        let line = self.write_added(name, value);
        self.lines.push(line);
    }

    /// Keeps the fields for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(Field<'_>) -> bool) {
        let mut lines = std::mem::take(&mut self.lines);
        let before = lines.len();
        lines.retain(|line| keep(self.field(line)));
        self.edited |= lines.len() != before;
        self.lines = lines;
    }

    /// The bytes of all lines, in order, appended to `out`. Without edits these are the bytes that came.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        if !self.edited {
            out.extend_from_slice(&self.raw);
            return;
        }
        for field in self.iter() {
            out.extend_from_slice(field.raw);
        }
    }

    /// Bytes that [`write_to`](Self::write_to) will write.
    pub fn written_len(&self) -> usize {
        if !self.edited {
            return self.raw.len();
        }
        self.lines
            .iter()
            .map(|line| (line.end - line.start) as usize)
            .sum()
    }

    fn remove_named(&mut self, name: &[u8]) -> usize {
        let before = self.lines.len();
        self.retain(|field| !field.name.eq_ignore_ascii_case(name));
        before - self.lines.len()
    }

    fn is_named(&self, line: &Line, name: &[u8]) -> bool {
        (line.name_end - line.start) as usize == name.len()
            && self
                .slice(line.source, line.start, line.name_end)
                .eq_ignore_ascii_case(name)
    }

    #[inline]
    fn field(&self, line: &Line) -> Field<'_> {
        Field {
            name: self.slice(line.source, line.start, line.name_end),
            value: self.slice(line.source, line.value_start, line.value_end),
            raw: self.slice(line.source, line.start, line.end),
        }
    }

    #[inline]
    fn slice(&self, source: Source, start: u32, end: u32) -> &[u8] {
        let bytes: &[u8] = match source {
            Source::Raw => &self.raw,
            Source::Added => &self.added,
        };
        bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    fn write_added(&mut self, name: &str, value: &[u8]) -> Line {
        self.edited = true;
        let start = self.added.len();
        self.added.extend_from_slice(name.as_bytes());
        let name_end = self.added.len();
        self.added.extend_from_slice(b": ");
        let value_start = self.added.len();
        self.added.extend(value.iter().map(|byte| match byte {
            b'\r' | b'\n' | 0 => b' ',
            other => *other,
        }));
        let value_end = self.added.len();
        self.added.extend_from_slice(b"\r\n");
        Line {
            source: Source::Added,
            start: offset(start),
            name_end: offset(name_end),
            value_start: offset(value_start),
            value_end: offset(value_end),
            end: offset(self.added.len()),
        }
    }
}

/// Reads the line `at`, or joins it to the one before.
#[inline]
fn read_line(
    raw: &[u8],
    at: std::ops::Range<usize>,
    lines: &mut Vec<Line>,
    deviations: &mut Deviations,
) {
    let whole = raw.get(at.clone()).unwrap_or_default();
    let content = match whole {
        [content @ .., b'\r', b'\n'] => content,
        [content @ .., b'\n'] => {
            *deviations |= Deviations::BARE_LF;
            content
        }
        content => {
            *deviations |= Deviations::BARE_LF;
            content
        }
    };
    if has_odd_byte(content) {
        *deviations |= odd_bytes(content);
    }
    if matches!(content.first(), Some(b' ' | b'\t')) {
        *deviations |= Deviations::OBS_FOLD;
        if let Some(last) = lines.last_mut() {
            last.end = offset(at.end);
            let trimmed = trim(content);
            if !trimmed.is_empty() {
                last.value_end = offset(at.start + end_within(content, trimmed));
            }
            return;
        }
        *deviations |= Deviations::LEADING_FOLD;
    }
    lines.push(index_line(at, content, deviations));
}

#[inline]
fn index_line(at: std::ops::Range<usize>, content: &[u8], deviations: &mut Deviations) -> Line {
    let (name, value) = match memchr(b':', content) {
        Some(colon) => content.split_at(colon),
        None => {
            *deviations |= Deviations::NO_COLON;
            (&content[..0], content)
        }
    };
    let after_colon = value.strip_prefix(b":").unwrap_or(value);
    let bare = trim(name);
    if bare.len() != name.len() {
        *deviations |= Deviations::SPACE_BEFORE_COLON;
    }
    if name.len() != content.len()
        && !bare
            .iter()
            .fold(!bare.is_empty(), |ok, b| ok & is_tchar(*b))
    {
        *deviations |= Deviations::BAD_NAME;
    }
    let trimmed = trim(after_colon);
    let value_end =
        at.start + content.len() - (after_colon.len() - end_within(after_colon, trimmed));
    Line {
        source: Source::Raw,
        start: offset(at.start),
        // A name with white space around it answers to its bare name: both readings of it are looked up.
        name_end: offset(at.start + bare.len()),
        value_start: offset(value_end - trimmed.len()),
        value_end: offset(value_end),
        end: offset(at.end),
    }
}

/// Where `inner`, a trimmed part of `outer`, ends in it.
fn end_within(outer: &[u8], inner: &[u8]) -> usize {
    let tail = outer
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    if inner.is_empty() {
        0
    } else {
        outer.len() - tail
    }
}

/// One pass without branches, which the compiler turns into vector code.
#[inline]
fn has_odd_byte(content: &[u8]) -> bool {
    content
        .iter()
        .fold(false, |odd, byte| odd | !is_text(*byte))
}

#[cold]
fn odd_bytes(content: &[u8]) -> Deviations {
    content.iter().fold(Deviations::empty(), |all, byte| {
        all | match byte {
            0 => Deviations::NUL,
            b'\r' => Deviations::BARE_CR,
            other if is_text(*other) => Deviations::empty(),
            _ => Deviations::CONTROL,
        }
    })
}

/// Offsets fit: every head meets a limit far below 4 GiB before it is indexed. A head that did not would index as
/// empty lines, not wrongly.
#[inline]
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

/// Room for the fields of a usual browser request without growing.
const LINES_EXPECTED: usize = 24;
