//! Plain text and logs: a line is a value; a PEM block is one of several lines.

use memchr::memmem::Finder;

use super::editor::Editor;
use crate::inspect::leaf::{
    Assembler, HostSyntax, LEAF_BYTES, Leaf, LeafSink as _, OffsetMap, Outlet, Path, Piece, Root,
};
use crate::span::Span;

/// Splits a text into lines.
#[derive(Debug)]
pub(super) struct Lines {
    path: Path,
    line: Assembler,
    at: u64,
    /// Offset of the first byte of the line, or of the lines, at hand.
    begun: Option<u64>,
    /// Where in the value its last line begins.
    last_line: usize,
    block: Block,
    /// Finds where a PEM block begins.
    begins: Finder<'static>,
    /// The map of a line that stands for itself.
    verbatim: OffsetMap,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    /// After `-----BEGIN … PRIVATE KEY-----`, before `-----END`.
    Key,
}

impl Lines {
    /// A text whose values lie at `path` and whose first byte has offset `base`.
    pub(super) fn new(path: Path, base: u64) -> Self {
        Self {
            path,
            line: Assembler::default(),
            at: base,
            begun: None,
            last_line: 0,
            block: Block::None,
            begins: Finder::new(b"-----BEGIN "),
            verbatim: OffsetMap::default(),
        }
    }

    pub(super) fn push(&mut self, mut input: &[u8], editor: &mut Editor) {
        while !input.is_empty() {
            let length = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
            let (line, rest) = input.split_at(length);
            if self.is_whole(line) {
                self.hand_out(line, editor);
                input = rest;
                continue;
            }
            if self.begun.is_none() {
                self.begun = Some(self.at);
                self.line.begin(self.at);
                self.last_line = 0;
            }
            let mut out = Outlet {
                sink: &mut *editor,
                path: &self.path,
                host: HostSyntax::Raw,
            };
            self.line.plain(line, self.at, &mut out);
            self.at += line.len() as u64;
            if line.last() == Some(&b'\n') {
                self.end_line(editor);
            }
            input = rest;
        }
    }

    pub(super) fn finish(&mut self, editor: &mut Editor) {
        self.flush(editor);
    }

    /// True when all of a value is in `line`, and nothing else.
    fn is_whole(&self, line: &[u8]) -> bool {
        self.begun.is_none()
            && line.last() == Some(&b'\n')
            && line.len() <= LEAF_BYTES
            && !begins_key(line, &self.begins)
    }

    /// Hands out a line that is a value.
    fn hand_out(&mut self, line: &[u8], editor: &mut Editor) {
        let start = self.at;
        self.at += line.len() as u64;
        self.verbatim.reset(start);
        editor.leaf(&Leaf {
            path: &self.path,
            host: HostSyntax::Raw,
            span: Span::new(start, self.at),
            bytes: line,
            map: &self.verbatim,
            piece: Piece::Whole,
        });
    }

    /// Offset before which no edit will be planned any more.
    pub(super) fn settled(&self, editor: &Editor) -> u64 {
        match self.begun {
            None => self.at,
            Some(begun) => begun.max(editor.windowed).min(self.at),
        }
    }

    fn end_line(&mut self, editor: &mut Editor) {
        let line = self.line.bytes().get(self.last_line..).unwrap_or_default();
        self.block = match self.block {
            Block::None if begins_key(line, &self.begins) => Block::Key,
            Block::Key if memchr::memmem::find(line, b"-----END").is_none() => Block::Key,
            _ => Block::None,
        };
        if self.block == Block::None || self.line.is_windowed() {
            self.block = Block::None;
            self.flush(editor);
        } else {
            self.last_line = self.line.bytes().len();
        }
    }

    fn flush(&mut self, editor: &mut Editor) {
        if self.begun.take().is_some() {
            let mut out = Outlet {
                sink: editor,
                path: &self.path,
                host: HostSyntax::Raw,
            };
            self.line.finish(&mut out);
        }
    }
}

/// True when a PEM block of a private key begins, and does not end, in `line`.
fn begins_key(line: &[u8], begins: &Finder<'_>) -> bool {
    begins.find(line).is_some_and(|at| {
        let rest = line.get(at..).unwrap_or_default();
        memchr::memmem::find(rest, b"PRIVATE KEY").is_some()
            && memchr::memmem::find(rest, b"-----END").is_none()
    })
}

/// The path of values in a text without structure.
pub(super) fn root() -> Path {
    Path::new(Root::Text)
}
