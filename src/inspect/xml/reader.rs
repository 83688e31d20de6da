//! From tokens to leaves and findings.

use crate::inspect::leaf::{LeafSink, Path, Root, Written};
use crate::inspect::{Findings, PartId};

/// What is known about an XML document before its first byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The part that its spans lie in.
    pub part: PartId,
    /// The charset it was written in, before it was turned into the UTF-8 that is read here.
    pub written: Written,
}

/// Limits of the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of nesting.
    pub depth: u32,
    /// Attributes of one element.
    pub attributes: u32,
    /// Namespace declarations of one element.
    pub namespaces: u32,
    /// Bytes of a name.
    pub name_bytes: u32,
    /// Bytes of the document type declaration.
    pub doctype_bytes: u32,
    /// Entity declarations.
    pub entities: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 256,
            attributes: 256,
            namespaces: 64,
            name_bytes: 4096,
            doctype_bytes: 64 * 1024,
            entities: 16,
        }
    }
}

/// Reads one XML document after another; keeps its memory between them.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    document: Document,
    path: Path,
}

impl Reader {
    /// A reader at the beginning of a document with default facts.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            document: Document::default(),
            path: Path::new(Root::Xml),
        }
    }

    /// Begins a document.
    pub fn begin(&mut self, document: Document) {
        self.begin_below(document, &Path::new(Root::Xml));
    }

    /// Begins a document that is itself the value at `path`; its leaves' paths go on from there.
    pub fn begin_below(&mut self, document: Document, path: &Path) {
        self.document = document;
        self.path.clone_from(path);
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
