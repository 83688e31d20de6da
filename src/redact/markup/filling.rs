//! The text that fills an element, held until the next tag: where it is taken out, its element goes with it.
//!
//! ```text
//!   <order> <cvv>123</cvv> </order>
//!           └─────────────┘           all of it, if nothing else lies inside and it is not the document's own element
//! ```

use crate::inspect::leaf::{HostSyntax, Leaf, LeafSink, OffsetMap, Path, Piece};
use crate::redact::editor::Editor;
use crate::span::Span;

/// What is known of the innermost element, where the profile takes values out.
#[derive(Debug, Default)]
pub(super) struct Filling {
    /// Offset of its `<`, as long as it may be taken out.
    pub(super) element: Option<u64>,
    held: Option<Text>,
}

/// The text that may fill it.
#[derive(Debug)]
struct Text {
    path: Path,
    host: HostSyntax,
    span: Span,
    bytes: Vec<u8>,
    map: OffsetMap,
}

impl Filling {
    /// An element begins at `at` that may be taken out with its text.
    pub(super) fn open(&mut self, at: u64) {
        self.element = Some(at);
    }

    /// The element ends before `end`: what was held goes to `editor`, and with it what goes if all of it does.
    pub(super) fn close(&mut self, end: u64, editor: &mut Editor) {
        let gone = self.element.map(|start| Span::new(start, end));
        self.hand_out(gone, editor);
    }

    /// The element holds something else as well.
    pub(super) fn spoil(&mut self, editor: &mut Editor) {
        self.hand_out(None, editor);
    }

    fn hand_out(&mut self, gone: Option<Span>, editor: &mut Editor) {
        self.element = None;
        let Some(text) = self.held.take() else { return };
        let leaf = Leaf {
            path: &text.path,
            host: text.host,
            span: text.span,
            bytes: &text.bytes,
            map: &text.map,
            piece: Piece::Whole,
        };
        editor.leaf_within(&leaf, gone);
    }
}

/// Holds the first text of an element that may be taken out; hands on all others.
pub(super) struct TextSink<'a> {
    pub(super) editor: &'a mut Editor,
    pub(super) filling: &'a mut Filling,
}

impl LeafSink for TextSink<'_> {
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        let whole = leaf.piece == Piece::Whole;
        if whole && leaf.bytes.iter().all(u8::is_ascii_whitespace) {
            // What stands between tags to make them readable is no value, whatever a selector says.
            return;
        }
        if self.filling.element.is_none() {
            self.editor.leaf_within(leaf, None);
        } else if whole && self.filling.held.is_none() && leaf.host != HostSyntax::XmlComment {
            self.filling.held = Some(Text {
                path: leaf.path.clone(),
                host: leaf.host,
                span: leaf.span,
                bytes: leaf.bytes.to_vec(),
                map: leaf.map.clone(),
            });
        } else {
            self.filling.spoil(self.editor);
            self.editor.leaf_within(leaf, None);
        }
    }
}
