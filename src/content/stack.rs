//! The tree of nested decoders, worked on depth first with an explicit stack: one window of work a step.
//!
//! ```text
//!   node: Filling ──window full or stream over──► Delivering ──sink.window──► Reading ──all readers have eaten it──┐
//!            ▲                                                                   │ a child's window is full:        │
//!            └───────────────────────────────────────────────────────────────────┼─ the child goes on top ◄─────────┘
//! ```
//!
//! A node keeps its window until all of its readers (charset, multipart, archive …) have eaten it, so memory is one
//! window and the readers' own state for each open node, and a bomb cannot hold the caller for more than a step.

use bytes::Bytes;

use crate::anomaly::Anomaly;
use crate::budget::Budget;
use crate::span::PartId;

use super::attach;
use super::coding::CodingReader;
use super::declared::{Coding, Declared, MediaType};
use super::meter::Meter;
use super::node::{Node, Phase, Record, Slot};
use super::reader::{Child, Event, Input, Reader};
use super::sources::Sources;
use super::window::{Last, Place, WINDOW_BYTES, Window};
use super::{Limits, PartKind, PartSink};

/// Decodes one body and everything inside it.
#[expect(
    clippy::vec_box,
    reason = "nodes are large and move between the tree and what is spare"
)]
#[derive(Debug)]
pub struct Stack {
    meter: Meter,
    nodes: Vec<Option<Box<Node>>>,
    free: Vec<usize>,
    active: Vec<usize>,
    sources: Sources,
    records: Vec<Record>,
    /// What is done with, for the next parts and bodies.
    spare: Vec<Box<Node>>,
    pending: Option<Anomaly>,
    pace: Pace,
}

/// How much a step does. What is seen is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// A window.
    #[default]
    Windows,
    /// A slice of one: others wait for the processor.
    Slices,
}

impl Pace {
    fn bytes(self) -> usize {
        match self {
            Pace::Windows => WINDOW_BYTES,
            Pace::Slices => SLICE_BYTES,
        }
    }
}

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// About one window of work was done and more waits.
    Busy,
    /// A slice of a window was shown: it is not to be judged before the whole window was.
    Within,
    /// All that was pushed and makes a full window is worked off.
    NeedInput,
    /// The body and everything in it has ended.
    Done,
}

/// A value that the consumer found inside a part and wants decoded like a body: base64 inside JSON, a data URI.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The part it lies in.
    pub parent: PartId,
    /// Its segment of the path, such as `$.file` or `base64`.
    pub label: Box<str>,
    /// The type that goes with it (a data URI's).
    pub media_type: Option<MediaType>,
}

impl Stack {
    /// A stack for one body.
    pub fn new(declared: &Declared, limits: Limits) -> Self {
        let mut stack = Self {
            meter: Meter::new(limits),
            nodes: Vec::new(),
            free: Vec::new(),
            active: Vec::new(),
            sources: Sources::default(),
            records: Vec::new(),
            spare: Vec::new(),
            pending: None,
            pace: Pace::Windows,
        };
        stack.begin_body(declared);
        stack
    }

    /// Begins another body, after [`clear`](Self::clear).
    pub fn renew(&mut self, declared: &Declared, limits: Limits) {
        self.meter = Meter::new(limits);
        self.begin_body(declared);
    }

    /// Forgets the body and all that it has cost; keeps a little memory.
    pub fn clear(&mut self) {
        while let Some(node) = self.nodes.pop() {
            node.into_iter().for_each(|node| self.retire(node));
        }
        self.sources.clear();
        self.free.clear();
        self.active.clear();
        self.records.clear();
        self.records.shrink_to(KEPT_RECORDS);
        self.spare.truncate(KEPT_NODES);
        self.meter = Meter::new(Limits::default());
        self.pending = None;
        self.pace = Pace::Windows;
    }

    /// Lets the decoders' windows draw on the process-wide `budget`; where it has no room the decoding stops with
    /// [`Anomaly::MemoryBudget`].
    pub fn draw_on(&mut self, budget: &Budget) {
        self.meter.draw_on(budget);
    }

    /// Hands over body bytes. Cheap; the work is done by [`step`](Self::step). A chunk that holds whole aligned windows
    /// is inspected without a copy.
    pub fn push(&mut self, bytes: Bytes) {
        if let Some(body) = self.sources.body() {
            body.push(bytes);
        }
    }

    /// Says that the body is over.
    pub fn end(&mut self) {
        if let Some(body) = self.sources.body() {
            body.end();
        }
    }

    /// Sets how much the next steps do.
    pub fn pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// Does about one window of work, or a slice.
    pub fn step(&mut self, sink: &mut impl PartSink) -> Progress {
        let mut work = 0;
        while work < self.pace.bytes() {
            self.start_ready_source();
            let Some(top) = self.active.last().copied() else {
                let over = self.sources.get(0).is_some_and(|body| body.finished);
                return if over {
                    Progress::Done
                } else {
                    Progress::NeedInput
                };
            };
            work += EVENT_COST + self.work_on(top, sink);
            let node = self.node(top);
            if node.is_some_and(|node| node.phase == Phase::Delivering && node.shown > 0) {
                return Progress::Within;
            }
        }
        Progress::Busy
    }

    /// Opens a part for a value that the consumer found. It is fed with [`feed`](Self::feed) and ended with
    /// [`close`](Self::close); the work is done by [`step`](Self::step).
    ///
    /// # Errors
    /// The limit that forbids it, as an anomaly: too deep or too many parts.
    pub fn open(&mut self, opening: Opening) -> Result<PartId, Anomaly> {
        let mut child = Child::new(PartKind::Value, opening.label);
        child.media_type = opening.media_type;
        let node = self.create(opening.parent, child)?;
        let id = self.node(node).map_or(PartId::BODY, |node| node.part.id);
        self.sources.open(node, Some(id));
        Ok(id)
    }

    /// Bytes of an opened value.
    pub fn feed(&mut self, value: PartId, bytes: Bytes) {
        if let Some(source) = self.sources.of(value) {
            source.push(bytes);
        }
    }

    /// Ends an opened value.
    pub fn close(&mut self, value: PartId) {
        if let Some(source) = self.sources.of(value) {
            source.end();
        }
    }

    /// Bytes that decompressors have yielded so far, in the whole tree.
    pub fn decoded_bytes(&self) -> u64 {
        self.meter.decoded_bytes()
    }

    /// Printable place of a part in the tree: `body/zip:word/document.xml`.
    pub fn path_of(&self, part: PartId) -> Option<&str> {
        let record = self.records.get(usize::try_from(part.0).ok()?)?;
        Some(&record.path)
    }

    /// Bytes pushed and not yet worked on.
    pub fn queued_bytes(&self) -> usize {
        self.sources.queued_bytes()
    }

    fn begin_body(&mut self, declared: &Declared) {
        let codings = declared.codings();
        let most = self.meter.limits().codings;
        if codings.len() > most {
            self.pending = Some(Anomaly::TooManyCodings);
        }
        let body = Record::body();
        let mut child = Child::new(PartKind::Body, "");
        child.media_type = declared.media_type().cloned();
        // The last one applied is the outermost; those beyond the limit stay on.
        child.codings = codings.iter().rev().take(most).rev().copied().collect();
        let node = Node::new(PartId::BODY, None, &body, child);
        self.records.extend([Record::default(), body]);
        let at = self.place(node);
        self.sources.open(at, None);
    }

    /// Fills a source's node from its queue; a full window, or the last one, puts the node on top. Values go first: they
    /// belong to the window that is being worked on. One value after the other: a flood of them is not open at once.
    fn start_ready_source(&mut self) {
        let top = self.active.last().and_then(|top| self.node(*top));
        if top.is_some_and(|node| node.part.kind == PartKind::Value) {
            return;
        }
        let values = 1..self.sources.len();
        let root = if self.active.is_empty() { 0..1 } else { 0..0 };
        let Some(at) = values.chain(root).find(|at| self.is_ready(*at)) else {
            return;
        };
        let Some(source) = self.sources.get_mut(at) else {
            return;
        };
        let Some(node) = self.nodes.get_mut(source.node).and_then(Option::as_mut) else {
            return;
        };
        let before = node.window.len();
        let place = match node.offset {
            0 => Place::First,
            _ => Place::Later,
        };
        node.window.take(&mut source.queue, (source.last, place));
        let taken = node.window.len().saturating_sub(before);
        if source.value.is_none() {
            self.meter.wire(taken);
        }
        if source.last == Last::Known && source.queue.is_empty() {
            source.finished = true;
            node.last = Last::Known;
        }
        if node.last == Last::Known || node.window.is_full() {
            node.phase = Phase::Delivering;
            let top = source.node;
            self.active.push(top);
        }
        if at > 0 && source.finished {
            self.sources.remove(at);
        }
    }

    fn is_ready(&self, at: usize) -> bool {
        self.sources.get(at).is_some_and(|source| {
            let waits = !source.queue.is_empty() || source.last == Last::Known;
            let filling = self
                .node(source.node)
                .is_some_and(|node| node.phase == Phase::Filling);
            waits && filling && !source.finished
        })
    }

    /// One event of the node on top. Returns the bytes handled.
    fn work_on(&mut self, top: usize, sink: &mut impl PartSink) -> usize {
        let Some(mut node) = self.nodes.get_mut(top).and_then(Option::take) else {
            self.active.pop();
            return 0;
        };
        let work = match node.phase {
            Phase::Filling | Phase::Delivering => self.deliver(&mut node, sink),
            Phase::Reading | Phase::Over => self.read(&mut node, sink),
        };
        if node.phase == Phase::Over {
            self.free.push(top);
            self.retire(node);
        } else if let Some(place) = self.nodes.get_mut(top) {
            *place = Some(node);
        }
        work
    }

    /// Shows a full or last window to the sink; the first one also says what the part is.
    fn deliver(&mut self, node: &mut Node, sink: &mut impl PartSink) -> usize {
        if !node.begun {
            node.begun = true;
            self.begin(node, sink);
        }
        if !node.visible {
            node.phase = Phase::Reading;
            return node.window.len();
        }
        let bytes = node.window.bytes().get(node.shown..).unwrap_or_default();
        let (slice, rest) = bytes.split_at(bytes.len().min(self.pace.bytes()));
        if !slice.is_empty() {
            let offset = node.offset.saturating_add(node.shown as u64);
            sink.window(node.part.id, slice, offset);
        }
        node.shown += slice.len();
        if rest.is_empty() {
            node.phase = Phase::Reading;
        }
        slice.len()
    }

    /// Lets the first reader that has something to do work on the window; with none left the window is done with.
    fn read(&mut self, node: &mut Node, sink: &mut impl PartSink) -> usize {
        let held = node.window.len();
        let last = node.last;
        let Some(at) = node.slots.iter().position(|slot| slot.wants(held, last)) else {
            self.finish_window(node, sink);
            return 0;
        };
        let Some(slot) = node.slots.get_mut(at) else {
            return 0;
        };
        let mut scratch = Window::default();
        let child = slot.child.and_then(|child| self.nodes.get_mut(child));
        let out = match child {
            Some(Some(child)) => &mut child.window,
            _ => &mut scratch,
        };
        let bytes = node.window.bytes().get(slot.at..).unwrap_or_default();
        let mut input = Input {
            bytes,
            last,
            offset: node.offset.saturating_add(slot.at as u64),
        };
        let filled = out.len();
        let event = slot.reader.read(&mut input, out, &mut self.meter);
        let written = out.len().saturating_sub(filled);
        let taken = bytes.len() - input.bytes.len();
        slot.at += taken;
        self.act(event, node, at, sink);
        taken + written
    }

    /// Does what the reader in slot `at` of `node` asks for.
    fn act(&mut self, event: Event, node: &mut Node, at: usize, sink: &mut impl PartSink) {
        let held = node.window.len();
        let parent = node.part.id;
        let Some(slot) = node.slots.get_mut(at) else {
            return;
        };
        match event {
            Event::Idle => {}
            Event::NeedInput if node.last == Last::Open => slot.at = held,
            Event::NeedInput | Event::Done => {
                slot.done = true;
                let child = slot.child.take();
                self.end_child(child);
            }
            Event::End => {
                let child = slot.child.take();
                self.end_child(child);
            }
            Event::Full => self.put_on_top(slot.child),
            Event::Fact(anomaly, offset) => sink.anomaly(parent, anomaly, offset),
            Event::Begin(child) => match self.create(parent, *child) {
                Ok(child) => slot.child = Some(child),
                Err(anomaly) => {
                    slot.done = true;
                    sink.anomaly(parent, anomaly, node.offset);
                }
            },
        }
    }

    fn put_on_top(&mut self, child: Option<usize>) {
        let Some(at) = child else {
            return;
        };
        if let Some(node) = self.nodes.get_mut(at).and_then(Option::as_mut) {
            node.phase = Phase::Delivering;
            self.active.push(at);
        }
    }

    fn end_child(&mut self, child: Option<usize>) {
        if let Some(node) = child
            .and_then(|at| self.nodes.get_mut(at))
            .and_then(Option::as_mut)
        {
            node.last = Last::Known;
        }
        self.put_on_top(child);
    }

    fn finish_window(&mut self, node: &mut Node, sink: &mut impl PartSink) {
        self.active.pop();
        if node.last == Last::Known {
            node.phase = Phase::Over;
            if node.visible {
                sink.end(node.part.id);
            }
        } else {
            node.next_window();
        }
    }

    /// Says what a part is, and which readers will look into it.
    fn begin(&mut self, node: &mut Node, sink: &mut impl PartSink) {
        if let Some(anomaly) = self.pending.take() {
            sink.anomaly(PartId::BODY, anomaly, 0);
        }
        if let Some(coding) = node.codings.pop() {
            if coding != Coding::Unknown {
                let reader = CodingReader::of(coding, node.part.media_type.clone());
                let below = self.undone(node);
                node.slots.push(Slot {
                    child: Some(below),
                    ..Slot::new(Reader::Coding(Box::new(reader)))
                });
                return;
            }
            // What lies below an unknown coding cannot be reached: its bytes are the body.
            node.codings.clear();
            sink.anomaly(node.part.id, Anomaly::UnknownCoding, 0);
        }
        node.visible = true;
        let found = attach::look(node.window.bytes(), node, self.meter.limits());
        node.part.sniffed = found.sniffed;
        node.part.utf8 = found.utf8;
        sink.begin(&node.part);
        for anomaly in found.anomalies {
            sink.anomaly(node.part.id, anomaly, 0);
        }
        for (reader, child) in found.readers {
            self.attach(node, reader, child, sink);
        }
    }

    /// Gives `node` a reader, with the child that it writes to from the start, if it has one.
    fn attach(
        &mut self,
        node: &mut Node,
        reader: Reader,
        child: Option<Child>,
        sink: &mut impl PartSink,
    ) {
        let mut slot = Slot::new(reader);
        if let Some(child) = child {
            match self.create(node.part.id, child) {
                Ok(at) => slot.child = Some(at),
                Err(anomaly) => {
                    sink.anomaly(node.part.id, anomaly, 0);
                    return;
                }
            }
        }
        node.slots.push(slot);
    }

    /// The node that holds the same part with one content-coding less.
    fn undone(&mut self, node: &mut Node) -> usize {
        let below = Node {
            part: node.part.clone(),
            codings: std::mem::take(&mut node.codings),
            transfer: node.transfer,
            archive_depth: node.archive_depth,
            ..Node::default()
        };
        self.place(below)
    }

    /// Makes the node of a new part under `parent`.
    fn create(&mut self, parent: PartId, child: Child) -> Result<usize, Anomaly> {
        let record = match self.records.get(parent.0 as usize) {
            Some(above) => above.child(&child),
            None => Record::default().child(&child),
        };
        if record.archive_depth > self.meter.limits().archive_depth {
            return Err(Anomaly::TooDeep);
        }
        self.meter.part(record.depth)?;
        let id = PartId(u32::try_from(self.records.len()).unwrap_or(u32::MAX));
        let node = Node::new(id, Some(parent), &record, child);
        self.records.push(record);
        Ok(self.place(node))
    }

    fn place(&mut self, mut node: Node) -> usize {
        let node = Some(match self.spare.pop() {
            Some(mut spare) => {
                node.window = std::mem::take(&mut spare.window);
                node.slots = std::mem::take(&mut spare.slots);
                *spare = node;
                spare
            }
            None => Box::new(node),
        });
        if let Some(at) = self.free.pop() {
            if let Some(place) = self.nodes.get_mut(at) {
                *place = node;
            }
            return at;
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Puts a node aside.
    fn retire(&mut self, mut node: Box<Node>) {
        if self.spare.len() < SPARE_NODES {
            node.clear();
            self.spare.push(node);
        }
    }

    fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at).and_then(Option::as_deref)
    }
}

/// A slice of a window: the fixed cost of an inspector is still small beside that of the bytes, and the slowest content
/// (10 MiB a second) holds the processor for no more than 0.2 ms.
const SLICE_BYTES: usize = 2 << 10;

/// Nodes that one body puts aside, each with a window: as many as are open at a time where files nest deeply.
const SPARE_NODES: usize = 8;

/// Nodes and records that are kept from body to body: what a small one needs.
const KEPT_NODES: usize = 2;
const KEPT_RECORDS: usize = 64;

/// What an event costs beside its bytes, so that a flood of empty parts cannot hold the caller either.
const EVENT_COST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Type;
    use crate::content::seen::{Seen, run};

    #[test]
    fn an_identity_body_comes_through_in_aligned_windows() {
        for len in [0, 1, WINDOW_BYTES - 1, WINDOW_BYTES, 3 * WINDOW_BYTES + 7] {
            let body: Vec<u8> = (0..len).map(|at| b'a' + (at % 23) as u8).collect();
            let whole = run(&Declared::new(), [body.as_slice()]);
            assert_eq!(whole.parts.len(), 1);
            let part = whole.part("body");
            assert_eq!((part.id, part.base), (PartId::BODY, Some(0)));
            assert_eq!(whole.bytes("body"), body);
            assert_eq!(run(&Declared::new(), body.chunks(1)), whole);
            assert_eq!(run(&Declared::new(), body.chunks(4099)), whole);
        }
    }

    #[test]
    fn a_value_that_the_consumer_opens_is_a_part() {
        let mut stack = Stack::new(&Declared::new(), Limits::default());
        let mut seen = Seen::default();
        stack.push(Bytes::from_static(b"{\"a\":\"e30=\"}"));
        stack.end();
        while stack.step(&mut seen) == Progress::Busy {}
        let value = stack
            .open(Opening {
                parent: PartId::BODY,
                label: "$.a".into(),
                media_type: None,
            })
            .expect("limits are far");
        stack.feed(value, Bytes::from_static(b"{}"));
        stack.close(value);
        while stack.step(&mut seen) == Progress::Busy {}
        let part = seen.part("body/$.a");
        assert_eq!((part.depth, part.sniffed), (1, Type::Json));
        assert_eq!(seen.bytes("body/$.a"), b"{}");
    }

    #[test]
    fn values_stop_at_the_depth_limit() {
        let mut stack = Stack::new(&Declared::new(), Limits::default());
        let mut parent = PartId::BODY;
        let mut opened = 0;
        let refused = loop {
            match stack.open(Opening {
                parent,
                label: "v".into(),
                media_type: None,
            }) {
                Ok(id) => parent = id,
                Err(anomaly) => break anomaly,
            }
            opened += 1;
        };
        assert_eq!((opened, refused), (8, Anomaly::TooDeep));
    }
}
