//! Cells of a table: what their column says of them is looked up once.

use std::sync::Arc;

use super::{Editor, Reach, begins_document, search};
use crate::inspect::leaf::{Leaf, LeafSink as _, Path};
use crate::inspect::sensitive::Opening;
use crate::inspect::sensitive::scanner::Named;
use crate::redact::blob;
use crate::redact::known::Hint;
use crate::redact::redactor::MAX_NOTES;

/// What is known of all values of a column.
#[derive(Clone, Debug)]
pub(in crate::redact) struct Column {
    hint: Hint,
    named: Arc<Named>,
    /// Steps above each of them.
    depth: usize,
}

/// What a glance at a cell says.
#[derive(Clone, Copy, Debug)]
pub(in crate::redact) enum Glance {
    /// Nothing is done with it.
    Plain,
    /// Rules may find something from there on; nothing else can.
    Rules(Opening),
    /// Anything may be in it.
    Any,
}

impl Editor {
    /// What is known of values at `path`, whatever its indexes are.
    pub(in crate::redact) fn column(&mut self, path: &Path) -> Column {
        Column {
            hint: self.known.hint(path, &mut self.scanner),
            named: self.known.of(path, &mut self.scanner).clone(),
            depth: path.depth(),
        }
    }

    /// Looks at a cell of `column` that stands for itself.
    #[inline]
    pub(in crate::redact) fn glance(&mut self, cell: &[u8], column: &Column) -> Glance {
        if !self.plainly || self.reach != Reach::All {
            return Glance::Any;
        }
        if cell.is_empty() {
            return Glance::Plain;
        }
        let paired = self.is_paired(column.hint, column.depth);
        if paired || begins_document(cell) || blob::may_hold(cell) {
            return Glance::Any;
        }
        let opening = self.plain_opening(cell, column.hint, column.depth);
        opening.map_or(Glance::Plain, Glance::Rules)
    }

    /// False when nobody asks for the path of a cell of which that glance is known.
    #[inline]
    pub(in crate::redact) fn asks_path(&self, glance: Glance) -> bool {
        // Rules are told by their column, and edits that are counted only lie nowhere.
        matches!(glance, Glance::Any) || self.summary.notes.len() < MAX_NOTES
    }

    /// As [`leaf`](crate::inspect::leaf::LeafSink::leaf), for a cell of `column` of which that glance is known.
    pub(in crate::redact) fn cell(&mut self, leaf: &Leaf<'_>, column: &Column, glance: Glance) {
        match glance {
            Glance::Plain => {}
            Glance::Any => self.leaf(leaf),
            Glance::Rules(from) => {
                self.hits.clear();
                search(
                    &mut self.scanner,
                    leaf,
                    (&column.named, from),
                    &mut self.hits,
                );
                self.edit_found(leaf);
            }
        }
    }
}
