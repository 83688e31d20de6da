//! Attributes, held until their tag ends: `<input name=password value=…>` says what a value is after it or before.

use super::Dialect;
use crate::inspect::leaf::{HostSyntax, Leaf, LeafSink, OffsetMap, Piece};
use crate::redact::editor::Editor;
use crate::span::Span;

/// An attribute's value, held until the tag ends: another attribute may say what it is.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) name: Box<[u8]>,
    pub(super) bytes: Vec<u8>,
    pub(super) map: OffsetMap,
    pub(super) span: Span,
    pub(super) host: HostSyntax,
    /// The whole attribute and the white space before it.
    pub(super) gone: Option<Span>,
}

/// Holds an attribute's value; hands on what is too long for that.
pub(super) struct AttributeSink<'a> {
    pub(super) editor: &'a mut Editor,
    pub(super) held: &'a mut Vec<Held>,
    pub(super) name: &'a [u8],
    /// The whole attribute, once its end is known.
    pub(super) gone: Option<Span>,
}

impl LeafSink for AttributeSink<'_> {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        let fits = leaf.bytes.len() <= HELD_BYTES && self.held.len() < MOST_HELD;
        if leaf.piece != Piece::Whole || !fits {
            self.editor.leaf_within(leaf, None);
            return;
        }
        self.held.push(Held {
            name: self.name.into(),
            bytes: leaf.bytes.to_vec(),
            map: leaf.map.clone(),
            span: leaf.span,
            host: leaf.host,
            gone: self.gone,
        });
    }
}

pub(super) fn attribute_host(dialect: Dialect) -> HostSyntax {
    match dialect {
        Dialect::Xml => HostSyntax::XmlAttribute,
        Dialect::Html => HostSyntax::HtmlAttribute,
    }
}

/// Bytes of an attribute's value that is held until its tag ends.
const HELD_BYTES: usize = 16 * 1024;

/// Attributes of one tag that are held.
const MOST_HELD: usize = 32;
