//! Field lines: an index into the raw block, and edits that leave every other byte as it came.
//!
//! One allocation for the index, none per field. A folded line (RFC 9112 §5.2) belongs to the field that it goes on
//! with; [`Field::value`] then holds the fold and [`Field::unfolded`] does not.

use std::borrow::Cow;
use std::cell::RefCell;

use bytes::Bytes;
use memchr::{memchr, memchr_iter};

use super::Deviations;
use super::grammar::{is_tchar, is_text, is_token};

/// The field lines of one head, or of a trailer section.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    raw: Bytes,
    added: Vec<u8>,
    lines: Lines,
    edited: bool,
}

/// The index. Each head has one, so each thread keeps a few of those that are done with.
#[derive(Clone, Debug, Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn empty() -> Self {
        let used = SHELF.with_borrow_mut(Vec::pop);
        Self(used.unwrap_or_else(|| Vec::with_capacity(LINES_EXPECTED)))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !(1..=LINES_KEPT).contains(&self.0.capacity()) {
            return;
        }
        self.0.clear();
        // The thread may be ending, and its shelf gone.
        let _ = SHELF.try_with(|shelf| {
            let mut shelf = shelf.borrow_mut();
            if shelf.len() < INDEXES_KEPT {
                shelf.push(std::mem::take(&mut self.0));
            }
        });
    }
}

thread_local! {
    static SHELF: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
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
        let mut index = Lines::empty();
        let lines = &mut index.0;
        let mut deviations = Deviations::empty();
        let mut start = 0;
        let mut line_ends = 0;
        for lf in memchr_iter(b'\n', &raw) {
            read_line(&raw, start..lf + 1, lines, &mut deviations);
            start = lf + 1;
            line_ends += usize::from(
                raw.get(..lf)
                    .is_some_and(|line| line.last() == Some(&b'\r')),
            );
        }
        if start < raw.len() {
            read_line(&raw, start..raw.len(), lines, &mut deviations);
        }
        deviations |= odd_bytes(&raw, line_ends);
        let fields = Self {
            raw,
            added: Vec::new(),
            lines: index,
            edited: false,
        };
        (fields, deviations)
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.lines.0.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.0.is_empty()
    }

    /// True when something was removed, replaced or appended.
    pub fn is_edited(&self) -> bool {
        self.edited
    }

    /// All fields in order.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.lines.0.iter().map(|line| self.field(line))
    }

    /// The first value under `name` (compared without case).
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.lines
            .0
            .iter()
            .find(|line| self.is_named(line, name.as_bytes()))
            .map(|line| self.field(line).value)
    }

    /// Every value under `name`, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines
            .0
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
            .0
            .iter()
            .position(|line| self.is_named(line, name.as_bytes()));
        self.remove(name);
        let line = self.write_added(name, value);
        let at = first.unwrap_or(self.lines.0.len()).min(self.lines.0.len());
        self.lines.0.insert(at, line);
    }

    /// Puts `value` in the place of that of the field at `index`, the name as it is written. CR, LF and NUL in `value`
    /// become spaces.
    pub fn replace(&mut self, index: usize, value: &[u8]) {
        let Some(line) = self.lines.0.get(index) else {
            return;
        };
        let name = String::from_utf8_lossy(self.field(line).name).into_owned();
        let line = self.write_added(&name, value);
        if let Some(slot) = self.lines.0.get_mut(index) {
            *slot = line;
        }
    }

    /// Adds a field at the end. CR, LF and NUL in `value` become spaces.
    pub fn append(&mut self, name: &str, value: &[u8]) {
        let line = self.write_added(name, value);
        self.lines.0.push(line);
    }

    /// Keeps the fields for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(Field<'_>) -> bool) {
        let mut lines = std::mem::take(&mut self.lines.0);
        let before = lines.len();
        lines.retain(|line| keep(self.field(line)));
        self.edited |= lines.len() != before;
        self.lines.0 = lines;
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
            .0
            .iter()
            .map(|line| (line.end - line.start) as usize)
            .sum()
    }

    fn remove_named(&mut self, name: &[u8]) -> usize {
        let before = self.lines.0.len();
        self.retain(|field| !field.name.eq_ignore_ascii_case(name));
        before - self.lines.0.len()
    }

    #[inline]
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
    if matches!(content.first(), Some(b' ' | b'\t')) {
        *deviations |= Deviations::OBS_FOLD;
        if let Some(last) = lines.last_mut() {
            last.end = offset(at.end);
            let text_end = trimmed_end(content);
            if text_end > 0 {
                last.value_end = offset(at.start + text_end);
            }
            return;
        }
        *deviations |= Deviations::LEADING_FOLD;
    }
    lines.push(index_line(at, content, deviations));
}

#[inline]
fn index_line(at: std::ops::Range<usize>, content: &[u8], deviations: &mut Deviations) -> Line {
    let token = content.iter().take_while(|byte| is_tchar(**byte)).count();
    let (name_len, value_at) = match content.get(token) {
        Some(b':') if token > 0 => (token, token + 1),
        Some(_) | None => odd_name(content, deviations),
    };
    let value = content.get(value_at..).unwrap_or_default();
    let leading = value.iter().take_while(is_blank).count();
    let value_start = at.start + value_at + leading;
    let value_end = (at.start + trimmed_end(content)).max(value_start);
    Line {
        source: Source::Raw,
        start: offset(at.start),
        // A name with white space behind it answers to its bare name: both readings of it are looked up.
        name_end: offset(at.start + name_len),
        value_start: offset(value_start),
        value_end: offset(value_end),
        end: offset(at.end),
    }
}

/// The length of a name that is not a token with a colon right behind it, and where the value begins.
#[cold]
fn odd_name(content: &[u8], deviations: &mut Deviations) -> (usize, usize) {
    let Some(colon) = memchr(b':', content) else {
        *deviations |= Deviations::NO_COLON;
        return (0, 0);
    };
    let name = content.get(..colon).unwrap_or_default();
    let bare = name.get(..trimmed_end(name)).unwrap_or(name);
    if bare.len() != name.len() {
        *deviations |= Deviations::SPACE_BEFORE_COLON;
    }
    if !is_token(bare) {
        *deviations |= Deviations::BAD_NAME;
    }
    (bare.len(), colon + 1)
}

fn is_blank(byte: &&u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Length without the white space at the end.
#[inline]
fn trimmed_end(bytes: &[u8]) -> usize {
    bytes.len() - bytes.iter().rev().take_while(is_blank).count()
}

/// Looks at the whole block at once, in passes that the compiler and memchr turn into vector code; line by line only when
/// something is wrong.
#[inline]
fn odd_bytes(raw: &[u8], line_ends: usize) -> Deviations {
    let odd = raw.iter().fold(false, |odd, byte| {
        odd | !(is_text(*byte) | (*byte == b'\r') | (*byte == b'\n'))
    });
    if odd || memchr_iter(b'\r', raw).count() != line_ends {
        name_odd_bytes(raw)
    } else {
        Deviations::empty()
    }
}

#[cold]
fn name_odd_bytes(raw: &[u8]) -> Deviations {
    let pairs = raw.iter().zip(raw.iter().skip(1).chain([&b' ']));
    pairs.fold(Deviations::empty(), |all, pair| {
        all | match pair {
            (b'\r', b'\n') | (b'\n', _) => Deviations::empty(),
            (b'\r', _) => Deviations::BARE_CR,
            (0, _) => Deviations::NUL,
            (byte, _) if is_text(*byte) => Deviations::empty(),
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

/// Indexes that a thread keeps, and the longest of them: more than its transactions have at a busy moment, and than heads
/// of usual size.
const INDEXES_KEPT: usize = 32;
const LINES_KEPT: usize = 128;

/// Room for the fields of a usual browser request without growing.
const LINES_EXPECTED: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> (Fields, Deviations) {
        Fields::parse(Bytes::copy_from_slice(text))
    }

    #[test]
    fn lines_are_indexed_and_come_back_byte_for_byte() {
        let text =
            b"Host: h\r\nX-Empty:\r\nx-pad: \t a b \t\r\nX-Fold: a\r\n  b\r\n\t\r\nX-Empty:  \r\n";
        let (fields, deviations) = parse(text);
        assert_eq!(deviations, Deviations::OBS_FOLD);
        assert_eq!(fields.len(), 5);
        assert_eq!(fields.get("HOST"), Some(&b"h"[..]));
        assert_eq!(fields.get("X-Pad"), Some(&b"a b"[..]));
        assert_eq!(fields.get("x-fold"), Some(&b"a\r\n  b"[..]));
        assert_eq!(fields.get_all("x-empty").collect::<Vec<_>>(), [b"", b""]);
        assert_eq!(fields.get("x-fol"), None);
        let folded = fields
            .iter()
            .nth(3)
            .map(|field| field.unfolded().into_owned());
        assert_eq!(folded.as_deref(), Some(&b"a    b"[..]));
        let mut written = Vec::new();
        fields.write_to(&mut written);
        assert_eq!(written, text);
        assert_eq!(fields.written_len(), text.len());
    }

    #[test]
    fn each_departure_from_the_grammar_has_its_name() {
        let cases: [(&[u8], Deviations); 17] = [
            (b"", Deviations::empty()),
            (b"A: b\r\n", Deviations::empty()),
            (b"A: \xe4\x80\t\r\n", Deviations::empty()),
            (b"A : b\r\n", Deviations::SPACE_BEFORE_COLON),
            (b"A\t: b\r\n", Deviations::SPACE_BEFORE_COLON),
            (b": b\r\n", Deviations::BAD_NAME),
            (b"A B: b\r\n", Deviations::BAD_NAME),
            (b"A\xe4: b\r\n", Deviations::BAD_NAME),
            (b"A\r\n", Deviations::NO_COLON),
            (b"\r\n", Deviations::NO_COLON),
            (b"A: b\n", Deviations::BARE_LF),
            (b"A: b", Deviations::BARE_LF),
            (b"A: b\rc\r\n", Deviations::BARE_CR),
            (b"A: b\r\r\n", Deviations::BARE_CR),
            (b"A: \0\r\n", Deviations::NUL),
            (b"A: \x1b\r\n", Deviations::CONTROL),
            (b"A: b\r\n c\r\n", Deviations::OBS_FOLD),
        ];
        for (text, expected) in cases {
            assert_eq!(
                parse(text).1,
                expected,
                "{:?}",
                text.escape_ascii().to_string()
            );
        }
        let leading = Deviations::OBS_FOLD | Deviations::LEADING_FOLD;
        assert!(parse(b" A: b\r\n").1.contains(leading));
    }

    #[test]
    fn edits_leave_every_other_byte_as_it_came() {
        let text = b"A:1\r\nb :  2\r\nA: 3\r\n c\r\nD: 4\n";
        let written = |edit: &dyn Fn(&mut Fields)| {
            let (mut fields, _) = parse(text);
            edit(&mut fields);
            let mut out = Vec::new();
            fields.write_to(&mut out);
            assert_eq!(out.len(), fields.written_len());
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(
            written(&|f| assert_eq!(f.remove("a"), 2)),
            "b :  2\r\nD: 4\n"
        );
        assert_eq!(
            written(&|f| assert_eq!(f.remove("b"), 1)),
            "A:1\r\nA: 3\r\n c\r\nD: 4\n"
        );
        assert_eq!(written(&|f| assert_eq!(f.remove("x"), 0)).as_bytes(), text);
        assert_eq!(written(&|f| f.set("A", b"9")), "A: 9\r\nb :  2\r\nD: 4\n");
        assert_eq!(
            written(&|f| f.set("d", b"9")),
            "A:1\r\nb :  2\r\nA: 3\r\n c\r\nd: 9\r\n"
        );
        assert_eq!(
            written(&|f| f.append("E", b"5\r\nEvil: 6\0")),
            "A:1\r\nb :  2\r\nA: 3\r\n c\r\nD: 4\nE: 5  Evil: 6 \r\n"
        );
        assert_eq!(
            written(&|f| {
                f.append("E", b"5");
                f.set("E", b"6");
                f.remove("A");
            }),
            "b :  2\r\nD: 4\nE: 6\r\n"
        );
    }

    #[test]
    fn lists_go_over_all_lines_without_empty_elements() {
        let (fields, _) = parse(b"Allow: 204,, 206 ,\r\nX: y\r\nALLOW:trailers\r\n");
        let tokens: Vec<_> = fields.list("allow").collect();
        assert_eq!(tokens, [&b"204"[..], b"206", b"trailers"]);
    }
}
