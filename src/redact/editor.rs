//! From leaves to edits: the sink that every format's reader hands its values to.

mod cell;
mod edit;

pub(super) use cell::{Column, Glance};
pub(super) use edit::VeilPiece;

use std::sync::Arc;

use super::blob::{self, Blob, Runs, begins_text, holds_text};
use super::known::{Hint, KnownNames, Role, Rules};
use super::nested::Nested;
use super::operator::Mask;
use super::plan::Plan;
use super::profile::{Mode, Place, Profile, SELECTED, Unread};
use super::redactor::Summary;
use super::removal::Removal;
use crate::anomaly::Anomaly;
use crate::inspect::json::Mark;
use crate::inspect::leaf::{HostSyntax, LEAF_OVERLAP_BYTES, Leaf, LeafSink, Path, Piece};
use crate::inspect::sensitive::scanner::Named;
use crate::inspect::sensitive::{Hit, Opening, Scanner, Stretch};
use crate::span::Span;

/// Plans the edits of one body.
#[derive(Debug)]
pub(super) struct Editor {
    pub(super) profile: Arc<Profile>,
    scanner: Scanner,
    hits: Vec<Hit>,
    known: KnownNames,
    plain: Vec<u8>,
    written: Vec<u8>,
    nested: Option<Box<Nested>>,
    blob: Option<Box<Blob>>,
    /// Edits to be made.
    pub(super) plan: Plan,
    pub(super) summary: Summary,
    /// Values masked since the summary was last brought up to date, by the index of their entity.
    counts: Vec<u64>,
    /// The string at hand did not pass: something may be in it, but neither a document nor base64. What its name says, and
    /// where in it rules begin to look.
    stopped: Option<(Hint, Opening)>,
    /// What is added to the offsets of a reader that counts from the first byte of its part.
    pub(super) base: u64,
    /// Raw offset up to which a long value that is still being read was dealt with.
    pub(super) windowed: u64,
    /// Depth of the members of an object that gives a name to its value: `{"name": …, "value": …}`.
    paired: Option<usize>,
    /// That name, ended by a zero byte.
    pair: Vec<u8>,
    /// Which values are looked at.
    pub(super) reach: Reach,
    /// No selector names a place: the rules decide everywhere.
    open: bool,
    /// All values are looked at, by rules alone, and nothing is taken out.
    plainly: bool,
    /// Members that are taken out, where the profile asks for that.
    pub(super) removal: Option<Removal>,
    /// Where the member begins whose value is at hand.
    member: Option<u64>,
    /// What else goes where all of the value at hand is taken out: its element, its attribute, its pair.
    enclosing: Option<Span>,
    /// The long value at hand is text in base64 that is not read.
    is_veiled: bool,
    /// Where values and parts begin that were masked whole.
    pub(super) veiled: Vec<u64>,
}

/// Which values are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// All.
    All,
    /// Those that a selector names.
    Selected,
}

impl Editor {
    pub(super) fn new(profile: Arc<Profile>) -> Self {
        let scanner = Scanner::new(profile.catalog().clone(), |entity| profile.wants(entity));
        Self {
            removal: profile.removes().then(Removal::default),
            plainly: profile.is_open() && !profile.removes(),
            open: profile.is_open(),
            member: None,
            enclosing: None,
            is_veiled: false,
            veiled: Vec::new(),
            profile,
            scanner,
            hits: Vec::new(),
            known: KnownNames::default(),
            plain: Vec::new(),
            written: Vec::new(),
            nested: Some(Box::default()),
            blob: Some(Box::default()),
            plan: Plan::default(),
            summary: Summary::default(),
            counts: Vec::new(),
            stopped: None,
            base: 0,
            windowed: 0,
            paired: None,
            pair: Vec::new(),
            reach: Reach::All,
        }
    }

    /// Where in `leaf` rules begin to look; `None` when they find nothing in it, as in most values of most documents.
    #[inline]
    fn opening(&mut self, leaf: &Leaf<'_>, hint: Hint) -> Option<Opening> {
        let named = hint.rules == Rules::Some || self.is_paired(hint, leaf.path.depth());
        if named || !self.open {
            return Some(Opening::default());
        }
        match (leaf.host, leaf.piece) {
            (HostSyntax::JsonNumber, Piece::Whole) => {
                self.scanner.may_be(leaf.bytes).then(Opening::default)
            }
            (HostSyntax::JsonNumber, Piece::Window { .. }) => Some(Opening::default()),
            (_, Piece::Whole) => self.scanner.opening(leaf.bytes),
            (_, Piece::Window { .. }) => {
                let opening = self.scanner.opening(leaf.bytes);
                if opening.is_none() && self.reach == Reach::All {
                    // Nothing was found in it.
                    self.hits.clear();
                    self.keep_found(leaf);
                }
                opening
            }
        }
    }

    /// As [`opening`](Self::opening), of all of a value that no selector names.
    #[inline]
    fn plain_opening(&mut self, value: &[u8], hint: Hint, depth: usize) -> Option<Opening> {
        match hint.rules == Rules::Some || self.is_paired(hint, depth) {
            true => Some(Opening::default()),
            false => self.scanner.opening(value),
        }
    }

    /// Finds what is sensitive in `leaf` from offset `from` on and leaves it in `hits`.
    fn find(&mut self, leaf: &Leaf<'_>, hint: Hint, from: Opening) {
        self.hits.clear();
        match self.profile.place(leaf.path) {
            Place::Open if self.reach == Reach::All => {}
            Place::Open | Place::Exempt => return,
            Place::Selected(_) => {
                let range = match leaf.piece {
                    Piece::Whole => 0..leaf.bytes.len(),
                    Piece::Window { overlap, last } => {
                        self.note_window(leaf, leaf.bytes.len(), last);
                        overlap..leaf.bytes.len()
                    }
                };
                self.hits.extend(self.scanner.selected(range, SELECTED));
                return;
            }
        }
        let pair;
        let named = if self.is_paired(hint, leaf.path.depth()) {
            pair = self.scanner.named(&self.pair);
            &pair
        } else {
            self.known.of(leaf.path, &mut self.scanner)
        };
        if search(&mut self.scanner, leaf, (named, from), &mut self.hits) == By::Content {
            self.keep_found(leaf);
        }
    }

    /// Of what was found by content in a window or a number, keeps what can be edited there.
    fn keep_found(&mut self, leaf: &Leaf<'_>) {
        match leaf.piece {
            Piece::Whole => {}
            Piece::Window { overlap, last } => {
                let (from, to) = window(leaf.bytes.len(), overlap, last);
                self.hits.retain(|hit| hit.start >= from && hit.start < to);
                self.note_window(leaf, to, last);
            }
        }
        if leaf.host == HostSyntax::JsonNumber {
            // A number is replaced whole or not at all.
            self.hits
                .retain(|hit| hit.start == 0 && hit.end == leaf.bytes.len());
        }
    }

    /// What of a window was dealt with may leave.
    fn note_window(&mut self, leaf: &Leaf<'_>, to: usize, last: bool) {
        if !last {
            self.windowed = leaf.map.raw(to, to).start + self.base;
        }
    }

    /// As [`leaf`](LeafSink::leaf), where `gone` is what goes if all of the value is taken out.
    pub(super) fn leaf_within(&mut self, leaf: &Leaf<'_>, gone: Option<Span>) {
        self.enclosing = gone;
        self.leaf(leaf);
        self.enclosing = None;
    }

    /// Takes note of where the leaf lies, where the profile takes values out.
    fn follow(&mut self, leaf: &Leaf<'_>) {
        let Some(removal) = &mut self.removal else {
            return;
        };
        match leaf.host {
            HostSyntax::JsonKey => {}
            HostSyntax::FormName => {
                let mark = removal.pairs.name(leaf.span);
                if let (Some(mark), Mode::Enforce) = (mark, self.profile.mode()) {
                    self.plan.add(mark, b"");
                }
            }
            HostSyntax::FormValue => self.enclosing = removal.pairs.value(leaf.span, leaf.piece),
            // Readers of markup say what goes.
            HostSyntax::XmlText
            | HostSyntax::XmlCdata
            | HostSyntax::XmlAttribute
            | HostSyntax::HtmlAttribute => {}
            _ => {
                self.enclosing = None;
                self.member = removal.value(raw(leaf).start);
            }
        }
    }

    /// True for `true` and `false` where a selector names them.
    fn is_selected_word(&self, leaf: &Leaf<'_>) -> bool {
        leaf.host == HostSyntax::JsonLiteral
            && leaf.bytes != b"null"
            && matches!(self.profile.place(leaf.path), Place::Selected(_))
    }

    /// Remembers the name in `{"name": "password", "value": …}`, where `value` is the string at hand.
    #[inline]
    fn pair(&mut self, value: &[u8], hint: Hint, depth: usize) {
        if hint.role == Role::Name {
            self.paired = None;
            if value.len() <= PAIR_BYTES {
                self.paired = Some(depth);
                self.pair.clear();
                self.pair.extend_from_slice(value);
                self.pair.push(0);
            }
        } else if self.paired.is_some_and(|known| depth < known) {
            self.paired = None;
        }
    }

    /// True when the value with so many steps above it has its name from another member of its object.
    #[inline]
    fn is_paired(&self, hint: Hint, depth: usize) -> bool {
        hint.role == Role::Value && self.paired == Some(depth)
    }

    /// Looks for a text in base64 at `run` of `leaf`.
    fn blob(&mut self, leaf: &Leaf<'_>, run: std::ops::Range<usize>) {
        if !matches!(self.profile.place(leaf.path), Place::Open) {
            return;
        }
        match self.blob.take() {
            Some(mut blob) => {
                blob.read(leaf, run, self);
                self.blob = Some(blob);
            }
            // One inside the other: what was taken is not there.
            None if holds_text(leaf.bytes.get(run.clone()).unwrap_or_default()) => {
                self.unread(leaf, run);
            }
            None => {}
        }
    }

    /// True when `leaf` is a piece of a long text in base64, which is not read, and was masked for that; else that is
    /// judged.
    fn veil(&mut self, leaf: &Leaf<'_>) -> bool {
        let Piece::Window { overlap, last } = leaf.piece else {
            return false;
        };
        if overlap == 0 {
            let open = matches!(self.profile.place(leaf.path), Place::Open);
            self.is_veiled =
                open && self.reach == Reach::All && begins_text(leaf.bytes, self.profile.unread());
        }
        if !self.is_veiled {
            return false;
        }
        let range = overlap..leaf.bytes.len();
        let masked = self.profile.unread() == Unread::Mask;
        if masked {
            self.note_window(leaf, range.end, last);
        }
        self.unread(leaf, range);
        masked
    }

    /// What stands at `range` of `leaf` is text that is not read.
    pub(super) fn unread(&mut self, leaf: &Leaf<'_>, range: std::ops::Range<usize>) {
        match self.profile.unread() {
            Unread::Judge => self.summary.anomaly(Anomaly::DecodeLimit),
            Unread::Mask => {
                let whole = is_all(leaf.bytes, &range);
                if let Some(hit) = self.scanner.selected(range, SELECTED)
                    && self.put(leaf, hit, (UNREAD, &Mask::Fixed))
                    && whole
                {
                    self.note_veiled_at(leaf.span.start + self.base);
                }
            }
        }
    }

    /// Runs `read` with a place of its own for the edits and the structure of a document inside a value.
    pub(super) fn inside(&mut self, read: impl FnOnce(&mut Self)) -> Plan {
        let outer = std::mem::take(&mut self.plan);
        let removal = self.removal.is_some().then(Removal::default);
        let removal = std::mem::replace(&mut self.removal, removal);
        let (base, windowed) = (self.base, self.windowed);
        let (member, enclosing) = (self.member, self.enclosing);
        let paired = self.paired.take();
        let pair = std::mem::take(&mut self.pair);
        self.base = 0;
        (self.member, self.enclosing) = (None, None);
        let veiled = self.veiled.len();
        read(self);
        // Offsets inside the value are no places in the body.
        self.veiled.truncate(veiled);
        (self.base, self.windowed) = (base, windowed);
        (self.member, self.enclosing) = (member, enclosing);
        (self.paired, self.pair) = (paired, pair);
        self.removal = removal;
        std::mem::replace(&mut self.plan, outer)
    }

    /// Looks for a JSON document inside the string `leaf`; true when there was one.
    #[inline]
    fn nested(&mut self, leaf: &Leaf<'_>) -> bool {
        let begins = match leaf.bytes.first() {
            Some(b' ' | b'\t' | b'\n' | b'\r' | b'\x0c') => leaf.bytes.trim_ascii_start().first(),
            first => first,
        };
        if leaf.piece != Piece::Whole || !matches!(begins, Some(b'{' | b'[')) {
            return false;
        }
        self.read_nested(leaf)
    }

    fn read_nested(&mut self, leaf: &Leaf<'_>) -> bool {
        let Some(mut nested) = self.nested.take() else {
            return false;
        };
        let read = nested.read(leaf, &mut |inner| {
            if !is_value(inner) {
                return;
            }
            let hint = self.known.hint(inner.path, &mut self.scanner);
            let Some(from) = self.opening(inner, hint) else {
                return;
            };
            self.find(inner, hint, from);
            let hits = std::mem::take(&mut self.hits);
            for hit in &hits {
                self.edit(inner, *hit, Some(leaf));
            }
            self.hits = hits;
        });
        self.nested = Some(nested);
        read
    }
}

impl Editor {
    /// Edits what rules find in `leaf`, and in the base64 between that.
    fn look(&mut self, leaf: &Leaf<'_>, (hint, from): (Hint, Opening), mut runs: Runs<'_>) {
        self.find(leaf, hint, from);
        let hits = std::mem::take(&mut self.hits);
        for hit in &hits {
            while let Some(run) = runs.before(hit.start) {
                self.blob(leaf, run);
            }
            runs.skip_to(hit.end);
            self.edit(leaf, *hit, None);
        }
        self.hits = hits;
        self.decode(leaf, runs);
    }

    /// Edits what rules found in `leaf`, which holds no base64.
    fn edit_found(&mut self, leaf: &Leaf<'_>) {
        for index in 0..self.hits.len() {
            if let Some(hit) = self.hits.get(index).copied() {
                self.edit(leaf, hit, None);
            }
        }
    }

    /// Edits what lies in `runs` of base64.
    fn decode(&mut self, leaf: &Leaf<'_>, mut runs: Runs<'_>) {
        while let Some(run) = runs.before(leaf.bytes.len()) {
            self.blob(leaf, run);
        }
    }
}

impl LeafSink for Editor {
    /// Says of most values of most documents that no rule finds anything in them: by their last name and a glance.
    #[inline(always)]
    fn passes(&mut self, value: &[u8], host: HostSyntax, path: &Path) -> bool {
        if !self.plainly {
            return false;
        }
        match host {
            HostSyntax::JsonKey | HostSyntax::JsonLiteral => return true,
            HostSyntax::JsonString if value.is_empty() => return true,
            HostSyntax::JsonString | HostSyntax::JsonNumber => {}
            _ => return false,
        }
        let hint = self.known.hint(path, &mut self.scanner);
        if host == HostSyntax::JsonNumber {
            let named = hint.rules == Rules::Some || self.is_paired(hint, path.depth());
            return !named && !self.scanner.may_be(value);
        }
        if begins_document(value) || blob::may_hold(value) {
            return false;
        }
        self.pair(value, hint, path.depth());
        let opening = self.plain_opening(value, hint, path.depth());
        self.stopped = opening.map(|from| (hint, from));
        opening.is_none()
    }

    #[inline]
    fn leaf(&mut self, leaf: &Leaf<'_>) {
        if let Some((hint, from)) = self.stopped.take() {
            self.find(leaf, hint, from);
            self.edit_found(leaf);
            return;
        }
        if leaf.host == HostSyntax::JsonKey {
            return;
        }
        if self.removal.is_some() {
            self.follow(leaf);
        }
        if !is_value(leaf) && !self.is_selected_word(leaf) || self.nested(leaf) {
            return;
        }
        let hint = self.known.hint(leaf.path, &mut self.scanner);
        if leaf.host == HostSyntax::JsonString {
            let value = match leaf.piece {
                Piece::Whole => leaf.bytes,
                Piece::Window { .. } => &[b' '; PAIR_BYTES + 1],
            };
            self.pair(value, hint, leaf.path.depth());
        }
        if leaf.piece != Piece::Whole && self.veil(leaf) {
            return;
        }
        let long = leaf.bytes.len() >= blob::SHORTEST && self.reach == Reach::All;
        let runs = if long { Runs::of(leaf) } else { Runs::none() };
        if let Some(from) = self.opening(leaf, hint) {
            self.look(leaf, (hint, from), runs);
        } else if long {
            self.decode(leaf, runs);
        }
    }

    #[inline]
    fn mark(&mut self, mark: Mark, at: u64) {
        let Some(removal) = &mut self.removal else {
            return;
        };
        let comma = removal.mark(mark, at);
        if let (Some(comma), Mode::Enforce) = (comma, self.profile.mode()) {
            self.plan.add(comma.shifted(self.base), b"");
        }
    }
}

/// What the values that were found in a leaf were found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By the name of all of it.
    Name,
    Content,
}

/// Adds to `hits` what is sensitive in `leaf` from an offset on, by what is known of its name.
fn search(
    scanner: &mut Scanner,
    leaf: &Leaf<'_>,
    (named, from): (&Named, Opening),
    hits: &mut Vec<Hit>,
) -> By {
    if leaf.piece == Piece::Whole
        && named.is_sensitive()
        && let Some(hit) = scanner.field(named, leaf.bytes)
    {
        hits.push(hit);
        return By::Name;
    }
    let text = leaf.bytes;
    scanner.search(Stretch { text, from }, named, hits);
    By::Content
}

/// True when a document may be all of `value`.
#[inline(always)]
fn begins_document(value: &[u8]) -> bool {
    let first = value.first().copied().unwrap_or(b' ');
    matches!(first, b'{' | b'[') || first.is_ascii_whitespace()
}

/// The raw bytes of a value, its quotes included.
fn raw(leaf: &Leaf<'_>) -> Span {
    match leaf.host {
        HostSyntax::JsonString => Span::new(leaf.span.start.saturating_sub(1), leaf.span.end + 1),
        _ => leaf.span,
    }
}

/// True when `range` is all of a value but for the head of a data URI.
fn is_all(value: &[u8], range: &std::ops::Range<usize>) -> bool {
    let before = value.get(..range.start).unwrap_or_default();
    let behind = value.get(range.end..).unwrap_or_default();
    matches!(before.last(), None | Some(b',')) && behind.is_empty()
}

/// False for names, for words such as `true`, and for what came in pieces before.
fn is_value(leaf: &Leaf<'_>) -> bool {
    let other = matches!(
        leaf.host,
        HostSyntax::JsonKey
            | HostSyntax::JsonLiteral
            | HostSyntax::FormName
            | HostSyntax::XmlJoined
    );
    !other && !leaf.bytes.is_empty()
}

/// What text that is masked unread is called in masks and records.
const UNREAD: &str = "UNREAD";

/// Places of what was masked whole that are kept. Of those past it nobody knows, and what is found in them is judged.
const VEILED: usize = 4096;

/// Bytes of a name in `{"name": …, "value": …}`.
const PAIR_BYTES: usize = 64;

/// Where in a window of a long value hits may begin: not where the window before saw them with more to their left, nor
/// where the next one will see them with more to their right.
fn window(len: usize, overlap: usize, last: bool) -> (usize, usize) {
    let from = match overlap {
        0 => 0,
        overlap => overlap.saturating_sub(LEAF_OVERLAP_BYTES) + LEFT_BYTES,
    };
    let to = if last {
        len
    } else {
        len.saturating_sub(LEAF_OVERLAP_BYTES) + LEFT_BYTES
    };
    (from, to)
}

/// What a value in a window has on its left at least, so that its name is seen.
const LEFT_BYTES: usize = 1024;
