//! CSV and TSV (RFC 4180), cell by cell: the header row names the columns.

use super::editor::{Column, Editor, Glance};
use crate::inspect::leaf::{
    Assembler, HostSyntax, LEAF_BYTES, Leaf, OffsetMap, Outlet, Path, Piece, Root,
};
use crate::span::Span;

/// Splits a table into cells.
#[derive(Debug)]
pub(super) struct Table {
    at: u64,
    state: State,
    /// `None` until the first line is complete and tells.
    delimiter: Option<u8>,
    /// The first line, held until its end.
    first: Vec<u8>,
    cell: Assembler,
    quoted: bool,
    column: usize,
    row: u32,
    header: Vec<Box<[u8]>>,
    /// Cells of the first row look like names.
    named: bool,
    /// What is known of the columns, once the header is read.
    columns: Vec<Column>,
    path: Path,
    base: usize,
    /// The map of a cell that stands for itself.
    verbatim: OffsetMap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a cell.
    Start,
    /// In a cell without quotes.
    Plain,
    /// Between the quotes of a cell.
    Quoted,
    /// After a quote inside quotes: the end, or the first of two.
    Quote,
    /// After the closing quote.
    After,
}

impl Table {
    /// A table whose values lie below `path` and whose first byte has offset `base`; `delimiter` when the type says it.
    pub(super) fn new(path: Option<Path>, base: u64, delimiter: Option<u8>) -> Self {
        let path = path.unwrap_or_else(|| Path::new(Root::Csv));
        Self {
            at: base,
            state: State::Start,
            delimiter,
            first: Vec::new(),
            cell: Assembler::default(),
            quoted: false,
            column: 0,
            row: 0,
            header: Vec::new(),
            named: true,
            columns: Vec::new(),
            base: path.depth(),
            path,
            verbatim: OffsetMap::default(),
        }
    }

    pub(super) fn push(&mut self, mut input: &[u8], editor: &mut Editor) {
        if self.delimiter.is_none() {
            let length = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
            let (line, rest) = input.split_at(length);
            self.first.extend_from_slice(line);
            if line.last() != Some(&b'\n') && self.first.len() < FIRST_LINE_BYTES {
                return;
            }
            input = rest;
            self.begin(editor);
        }
        self.read(input, editor);
    }

    pub(super) fn finish(&mut self, editor: &mut Editor) {
        if self.delimiter.is_none() {
            self.begin(editor);
        }
        if self.state != State::Start {
            self.end_cell(editor);
        }
    }

    /// Offset before which no edit will be planned any more.
    pub(super) fn settled(&self, editor: &Editor) -> u64 {
        match self.state {
            State::Start => self.at,
            _ => self.cell.start().max(editor.windowed).min(self.at),
        }
    }

    /// Takes the delimiter from the first line, and reads that.
    fn begin(&mut self, editor: &mut Editor) {
        let first = std::mem::take(&mut self.first);
        self.delimiter = Some(delimiter(&first));
        self.read(&first, editor);
    }

    fn read(&mut self, mut rest: &[u8], editor: &mut Editor) {
        let delimiter = self.delimiter.unwrap_or(b',');
        while let Some(&byte) = rest.first() {
            let length = match self.state {
                State::Start if self.row > 0 => self.whole(rest, delimiter, editor),
                _ => None,
            };
            let length = length.unwrap_or_else(|| self.step(byte, rest, delimiter, editor));
            rest = rest.get(length..).unwrap_or_default();
            self.at += length as u64;
        }
    }

    /// Reads the cell at the front and what ends it, if both lie in `rest` and it stands for itself; says how many bytes
    /// were read.
    #[inline]
    fn whole(&mut self, rest: &[u8], delimiter: u8, editor: &mut Editor) -> Option<usize> {
        let (cell, host, end) = match rest {
            [b'\n', ..] if self.column == 0 => return None,
            [b'"', rest @ ..] => {
                let length = memchr::memchr(b'"', rest)?;
                (rest.get(..length)?, HostSyntax::CsvQuoted, length + 2)
            }
            _ => {
                let length = memchr::memchr2(delimiter, b'\n', rest)?;
                (rest.get(..length)?, HostSyntax::CsvCell, length)
            }
        };
        let end = match rest.get(end..)? {
            [b'\r', b'\n', ..] => end + 1,
            _ => end,
        };
        let ends = *rest.get(end)?;
        if ends != delimiter && ends != b'\n' || cell.len() > LEAF_BYTES {
            return None;
        }
        self.weigh(cell, host, editor);
        self.end(ends);
        Some(end + 1)
    }

    /// Hands out a cell that stands for itself, unless nothing is done with it.
    fn weigh(&mut self, cell: &[u8], host: HostSyntax, editor: &mut Editor) {
        while self.columns.len() <= self.column.min(MOST_COLUMNS) {
            let column = std::mem::replace(&mut self.column, self.columns.len());
            self.go_to_column();
            self.column = column;
            self.columns.push(editor.column(&self.path));
        }
        // Those behind the last that has a name have none either.
        let Some(column) = self.columns.get(self.column.min(MOST_COLUMNS)) else {
            return;
        };
        let glance = editor.glance(cell, column);
        if matches!(glance, Glance::Plain) {
            return;
        }
        let start = self.at + u64::from(host == HostSyntax::CsvQuoted);
        self.verbatim.reset(start);
        if editor.asks_path(glance) {
            let (named, index) = (self.header.get(self.column), self.row);
            let named = named.map(|name| (index, &**name));
            go_to(&mut self.path, self.base, named);
        }
        let leaf = Leaf {
            path: &self.path,
            host,
            span: Span::new(start, start + cell.len() as u64),
            bytes: cell,
            map: &self.verbatim,
            piece: Piece::Whole,
        };
        editor.cell(&leaf, column, glance);
    }

    /// Reads the byte at the front, or a run; says how many bytes were read.
    fn step(&mut self, byte: u8, rest: &[u8], delimiter: u8, editor: &mut Editor) -> usize {
        let ends = byte == delimiter || byte == b'\n';
        match self.state {
            State::Start if byte == b'"' => {
                self.quoted = true;
                self.cell.begin(self.at + 1);
                self.state = State::Quoted;
            }
            State::Start if byte == b'\n' && self.column == 0 => {}
            State::Start => {
                self.quoted = false;
                self.cell.begin(self.at);
                self.state = State::Plain;
                return 0;
            }
            State::Plain | State::Quote | State::After if ends => {
                self.end_cell(editor);
                self.end(byte);
            }
            State::Plain | State::After => {
                let length = rest
                    .iter()
                    .position(|byte| *byte == delimiter || *byte == b'\n')
                    .unwrap_or(rest.len());
                if self.state == State::Plain {
                    self.plain(rest.get(..length).unwrap_or(rest), editor);
                }
                return length;
            }
            State::Quoted if byte == b'"' => self.state = State::Quote,
            State::Quoted => {
                let length = memchr::memchr(b'"', rest).unwrap_or(rest.len());
                self.plain(rest.get(..length).unwrap_or(rest), editor);
                return length;
            }
            State::Quote if byte == b'"' => {
                // RFC 4180 §2.7: a quote inside quotes is written twice.
                let span = Span::new(self.at - 1, self.at + 1);
                let host = self.host();
                self.go_to_column();
                self.cell.unit(
                    b"\"",
                    span,
                    &mut Outlet {
                        sink: editor,
                        path: &self.path,
                        host,
                    },
                );
                self.state = State::Quoted;
            }
            State::Quote => self.state = State::After,
        }
        1
    }

    fn plain(&mut self, raw: &[u8], editor: &mut Editor) {
        let host = self.host();
        self.go_to_column();
        self.cell.plain(
            raw,
            self.at,
            &mut Outlet {
                sink: editor,
                path: &self.path,
                host,
            },
        );
    }

    fn end_cell(&mut self, editor: &mut Editor) {
        let host = self.host();
        if self.row == 0 && self.header.len() < MOST_COLUMNS {
            let name = self.cell.bytes().trim_ascii();
            self.named &= is_name(name);
            self.header
                .push(name.get(..NAME_BYTES).unwrap_or(name).into());
        }
        self.go_to_column();
        self.cell.finish(&mut Outlet {
            sink: editor,
            path: &self.path,
            host,
        });
        self.state = State::Start;
    }

    /// Steps over what ends a cell.
    fn end(&mut self, byte: u8) {
        if byte == b'\n' {
            self.end_row();
        } else {
            self.column += 1;
        }
    }

    fn end_row(&mut self) {
        if self.row == 0 && !self.named {
            self.header.clear();
        }
        self.row = self.row.saturating_add(1);
        self.column = 0;
    }

    fn go_to_column(&mut self) {
        let name = self.header.get(self.column).filter(|_| self.row > 0);
        let name = name.map(|name| (self.row, &**name));
        go_to(&mut self.path, self.base, name);
    }

    fn host(&self) -> HostSyntax {
        if self.quoted {
            HostSyntax::CsvQuoted
        } else {
            HostSyntax::CsvCell
        }
    }
}

/// Leads `path`, that of a table `base` steps down, to the cell of a column of that name, or to one without a name.
fn go_to(path: &mut Path, base: usize, cell: Option<(u32, &[u8])>) {
    path.truncate(base);
    if let Some((row, name)) = cell {
        path.push_index(row);
        path.push_name(name);
    }
}

/// The delimiter that stands most often in `line` outside of quotes.
fn delimiter(line: &[u8]) -> u8 {
    let mut counts = [0_usize; DELIMITERS.len()];
    let mut quoted = false;
    for byte in line {
        quoted ^= *byte == b'"';
        let known = DELIMITERS.iter().position(|known| known == byte);
        if let Some(count) = known.filter(|_| !quoted).and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    DELIMITERS
        .iter()
        .zip(counts)
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(byte, _)| *byte)
}

/// True for what a column can be called: some letters, not a value.
fn is_name(cell: &[u8]) -> bool {
    let cell = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell);
    let letters = cell
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic() || **byte >= 0x80)
        .count();
    let digits = cell.iter().filter(|byte| byte.is_ascii_digit()).count();
    cell.is_empty() || letters > digits && !cell.contains(&b'@') && cell.len() <= NAME_BYTES
}

/// In order of preference when counts are equal.
const DELIMITERS: [u8; 4] = *b",;\t|";

/// The first line is held to find the delimiter; a longer one is judged by its beginning.
const FIRST_LINE_BYTES: usize = 64 * 1024;

/// Columns whose names are kept.
const MOST_COLUMNS: usize = 4096;

/// Bytes of a column's name that are kept.
const NAME_BYTES: usize = 128;
