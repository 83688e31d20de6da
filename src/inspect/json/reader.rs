//! From tokens to leaves and findings.

use super::token::Tokenizer;
use crate::inspect::leaf::{LeafSink, Path, Root, Written};
use crate::inspect::{Findings, PartId};

/// What is known about a JSON document before its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The part that its spans lie in.
    pub part: PartId,
    /// One document, or one a line.
    pub framing: Framing,
    /// The charset it was written in, before it was turned into the UTF-8 that is read here.
    pub written: Written,
}

/// How many documents a body holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    /// One (RFC 8259).
    #[default]
    Single,
    /// Any number, one a line or after a record separator (NDJSON, JSON lines, RFC 7464).
    Lines,
}

/// Limits of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting.
    pub depth: u32,
    /// Digits of a number.
    pub number_digits: u32,
    /// Bytes of a member name.
    pub key_bytes: u32,
    /// Members of one object.
    pub keys: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 128,
            number_digits: 300,
            key_bytes: 4096,
            keys: 4096,
        }
    }
}

/// Reads one JSON document after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    tokens: Tokenizer,
    limits: Limits,
    document: Document,
    path: Path,
}

impl Reader {
    /// A reader at the beginning of a document with default facts.
    pub fn new(limits: Limits) -> Self {
        Self {
            tokens: Tokenizer::default(),
            limits,
            document: Document::default(),
            path: Path::new(Root::Json),
        }
    }

    /// Begins a document.
    pub fn begin(&mut self, document: Document) {
        self.begin_below(document, &Path::new(Root::Json));
    }

    /// Begins a document that is itself the value at `path`; its leaves' paths go on from there.
    pub fn begin_below(&mut self, document: Document, path: &Path) {
        self.document = document;
        self.path.clone_from(path);
        self.tokens.reset();
    }

    /// Reads one window, of any size.
    pub fn push<S: LeafSink + ?Sized>(
        &mut self,
        window: &[u8],
        sink: &mut S,
        findings: &mut Findings,
    ) {
        let _ = (window, sink, findings, self.limits);
    }

    /// Ends the document.
    pub fn finish<S: LeafSink + ?Sized>(&mut self, sink: &mut S, findings: &mut Findings) {
        let _ = (sink, findings);
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}
