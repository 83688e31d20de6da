//! One open part of the tree: its window, and the readers that look into it.

use std::borrow::Cow;

use crate::span::PartId;

use super::declared::Coding;
use super::reader::{Child, Reader};
use super::sniff::Type;
use super::transfer::Transfer;
use super::window::{Last, Window};
use super::{Part, PartKind};

/// An open part, or a content-coding layer of one.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) part: Part,
    /// False for the layers under which the part still has content-codings.
    pub(super) visible: bool,
    pub(super) begun: bool,
    pub(super) codings: Vec<Coding>,
    pub(super) transfer: Transfer,
    pub(super) archive_depth: u8,
    pub(super) window: Window,
    /// How much of the window was delivered.
    pub(super) shown: usize,
    pub(super) offset: u64,
    pub(super) last: Last,
    pub(super) phase: Phase,
    pub(super) slots: Vec<Slot>,
}

/// Where a node is in the life of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Bytes are gathered.
    Filling,
    /// Full, or the last one; nobody has seen it.
    Delivering,
    /// The readers are eating it.
    Reading,
    /// The part has ended.
    Over,
}

impl Node {
    /// The node of a part whose place in the tree is `record`.
    pub(super) fn new(id: PartId, parent: Option<PartId>, record: &Record, child: Child) -> Self {
        Self {
            part: Part {
                id,
                parent,
                depth: record.depth,
                kind: child.kind,
                sniffed: Type::Empty,
                media_type: child.media_type,
                name: child.name,
                maybe_field: child.maybe_field,
                field: child.field,
                fields: child.fields,
                charset: child.charset,
                path: record.path.clone(),
                base: record.base,
                utf8: true,
            },
            codings: child.codings,
            transfer: child.transfer,
            archive_depth: record.archive_depth,
            ..Self::default()
        }
    }

    /// Forgets the part; its window and its lists keep their memory for the next one.
    pub(super) fn clear(&mut self) {
        let mut window = std::mem::take(&mut self.window);
        let mut slots = std::mem::take(&mut self.slots);
        window.clear();
        slots.clear();
        *self = Self {
            window,
            slots,
            ..Self::default()
        };
    }

    /// Forgets the window that all readers have eaten.
    pub(super) fn next_window(&mut self) {
        self.offset = self.offset.saturating_add(self.window.len() as u64);
        self.window.clear();
        self.shown = 0;
        self.phase = Phase::Filling;
        for slot in &mut self.slots {
            slot.at = 0;
        }
    }
}

impl Default for Node {
    fn default() -> Self {
        Self {
            part: Part {
                id: PartId::BODY,
                parent: None,
                depth: 0,
                kind: PartKind::Body,
                sniffed: Type::Empty,
                media_type: None,
                name: None,
                maybe_field: false,
                field: None,
                fields: Vec::new(),
                charset: None,
                path: Cow::Borrowed(""),
                base: None,
                utf8: true,
            },
            visible: false,
            begun: false,
            codings: Vec::new(),
            transfer: Transfer::Identity,
            archive_depth: 0,
            window: Window::default(),
            shown: 0,
            offset: 0,
            last: Last::Open,
            phase: Phase::Filling,
            slots: Vec::new(),
        }
    }
}

/// A reader at work on a node, and the child it has open.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) reader: Reader,
    pub(super) child: Option<usize>,
    /// Bytes of the node's window that it has eaten.
    pub(super) at: usize,
    pub(super) done: bool,
}

impl Slot {
    pub(super) fn new(reader: Reader) -> Self {
        Self {
            reader,
            child: None,
            at: 0,
            done: false,
        }
    }

    /// True while it has something to do on a window of `held` bytes.
    pub(super) fn wants(&self, held: usize, last: Last) -> bool {
        !self.done && (self.at < held || last == Last::Known)
    }
}

/// What stays known of a part after its end: a value found in it may be opened later.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) depth: u8,
    pub(super) archive_depth: u8,
    pub(super) base: Option<u64>,
    pub(super) path: Cow<'static, str>,
}

impl Record {
    /// The record of the body.
    pub(super) fn body() -> Self {
        Self {
            base: Some(0),
            path: Cow::Borrowed("body"),
            ..Self::default()
        }
    }

    /// The record of a child.
    pub(super) fn child(&self, child: &Child) -> Self {
        let archive = u8::from(child.kind.is_packed());
        Self {
            depth: self.depth.saturating_add(1),
            archive_depth: self.archive_depth.saturating_add(archive),
            base: self
                .base
                .zip(child.base)
                .and_then(|(base, offset)| base.checked_add(offset)),
            path: Cow::Owned(joined(&self.path, &child.label)),
        }
    }
}

/// `path/label`, control characters escaped, capped at [`PATH_BYTES`].
fn joined(path: &str, label: &str) -> String {
    let mut joined = String::with_capacity(path.len() + 1 + label.len());
    joined.push_str(path);
    joined.push('/');
    let plain = label.bytes().take_while(|byte| matches!(byte, b' '..=b'~'));
    let plain = plain.take(PATH_BYTES.saturating_sub(joined.len())).count();
    let (front, rest) = label.split_at(plain);
    joined.push_str(front);
    for char in rest.chars() {
        if joined.len() >= PATH_BYTES {
            joined.push('…');
            break;
        }
        if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') {
            joined.extend(char.escape_unicode());
        } else {
            joined.push(char);
        }
    }
    joined
}

/// Bytes of a path that are shown; enough for a member's name in an archive in a form, short enough for a log line.
const PATH_BYTES: usize = 240;
