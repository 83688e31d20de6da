//! All signatures of a rule set as one thing: literals, YARA and digests, in one pass over a part.
//!
//! ```text
//! Signatures::compile(bundles)            once, off to the side
//!   └─ SignatureScan::new / reset(facts)  one a part, reused
//!        push(window) …                   literals report at once; the body is kept for YARA, up to a limit
//!        take_work()                      of a long body: what to write or to scan before more comes
//!        finish() -> Option<YaraWork>     None: done. Some: run it, inline when light, on a pool when not
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `kept` | what is kept of a part: memory, a spool file, one block |
//! | `spooled` | that file |
//! | `work` | what is left for a thread that has the time |
//!
//! A part that fits neither memory nor spool is looked at in blocks at absolute multiples, with an overlap. A block has
//! no `filesize`, no beginning and no end of the whole: that is recorded as [`Windowed`](crate::anomaly::Anomaly::Windowed) for policy to judge.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::budget::Budget;
use crate::inspect::hash::{HashSet, HashState};
use crate::inspect::literal::search::{Hit, Search, SearchError, SearchState};
use crate::inspect::literal::{LiteralSet, LiteralState, PartFacts};
use crate::inspect::yara::{Due, YaraGate, YaraLimits, YaraSet};
use crate::inspect::{Direction, Findings, PartId};
use crate::rules::literal::Place;
use crate::rules::{About, Bundle, RulesError};
use crate::span::Span;

mod kept;
mod spooled;
mod work;

pub use kept::{BLOCK_BYTES, BLOCK_OVERLAP_BYTES, Keeping};
use kept::{Keep, Kept, block_span};
pub use work::YaraWork;
use work::{Pending, Reported, Task};

/// Compiled signatures of one or more bundles; immutable, shared by all scans of a snapshot.
#[derive(Debug)]
pub struct Signatures {
    /// Patterns of the literal rules, then those of the YARA gate.
    search: Search,
    /// Patterns of the literal rules only: for values, which YARA does not look at, and beside a large gate for the
    /// later blocks of long bodies.
    own: Search,
    gate: GateSize,
    literals: LiteralSet,
    yara: YaraSet,
    hashes: HashSet,
    problems: Vec<RulesError>,
}

/// Whether the gate's strings are worth looking for in every block of a long body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum GateSize {
    /// In every block.
    Small,
    /// In the first.
    Large,
}

/// To look for more strings than this is taken to cost as much on a long body as running all rules once: beyond the first
/// block such a gate stands open. A guess from totals of whole scans (64 MiB, 5,849 rules), not yet from a profile.
const GATE_WORTH: usize = 5_000;

/// The bundles cannot be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The literal search says no.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl Signatures {
    /// Compiles `bundles`. Rules that do not load are left out and listed in [`problems`](Self::problems).
    ///
    /// # Errors
    /// [`CompileError`] when the set is beyond the limits.
    pub fn compile(bundles: Vec<Bundle>, limits: YaraLimits) -> Result<Self, CompileError> {
        let (mut rules, mut files, mut lists) = (Vec::new(), Vec::new(), Vec::new());
        for bundle in bundles {
            rules.extend(bundle.literals);
            files.extend(bundle.yara);
            lists.extend(bundle.hashes);
        }
        let (literals, mut patterns) = LiteralSet::new(rules);
        let (yara, problems) = YaraSet::compile(&files, &limits);
        let gate = match yara.gate_patterns().len() > GATE_WORTH {
            true => GateSize::Large,
            false => GateSize::Small,
        };
        let own = Search::new(patterns.clone())?;
        patterns.extend_from_slice(yara.gate_patterns());
        Ok(Self {
            search: Search::new(patterns)?,
            own,
            gate,
            literals,
            yara,
            hashes: HashSet::new(lists),
            problems,
        })
    }

    /// Rules that did not load, with file and line.
    pub fn problems(&self) -> &[RulesError] {
        &self.problems
    }

    /// YARA rules that run on every body, whatever is in it.
    pub fn costly(&self) -> impl Iterator<Item = &About> {
        self.yara.costly()
    }

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &About> {
        self.literals
            .rules()
            .map(|rule| &rule.about)
            .chain(self.yara.rules())
            .chain(self.hashes.rules())
    }

    /// All rules with the engine that runs them: `literal`, `yara`, `hash`.
    pub fn rules_by_kind(&self) -> impl Iterator<Item = (&'static str, &About)> {
        let literals = self.literals.rules().map(|rule| ("literal", &rule.about));
        literals
            .chain(self.yara.rules().map(|about| ("yara", about)))
            .chain(self.hashes.rules().map(|about| ("hash", about)))
    }

    /// True when some literal rule is about single values of this kind: then each must be scanned by itself.
    #[inline]
    pub fn wants_values(&self, place: Place) -> bool {
        self.literals.wants_values(place)
    }

    /// The YARA part of it.
    pub fn yara(&self) -> &YaraSet {
        &self.yara
    }

    /// Digests on lists.
    pub fn digests(&self) -> usize {
        self.hashes.len()
    }

    /// The shared literal search.
    pub fn search(&self) -> &Search {
        &self.search
    }
}

/// The signatures' view of one part. Reuse it with [`reset`](Self::reset).
#[derive(Debug)]
pub struct SignatureScan {
    rules: Arc<Signatures>,
    facts: Facts,
    search: SearchState,
    literal: LiteralState,
    hash: HashState,
    gate: YaraGate,
    hits: Vec<Hit>,
    length: u64,
    /// Number of the block that is filling.
    block: u64,
    kept: Kept,
    works: VecDeque<YaraWork>,
    reported: Option<Reported>,
}

/// [`PartFacts`] that outlive the call; setting them anew costs no allocation.
#[derive(Clone, Debug)]
struct Facts {
    part: PartId,
    place: Place,
    direction: Direction,
    content_type: String,
    typed: Typed,
    within: Option<Place>,
}

/// Whether the media type is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Typed {
    Known,
    Unknown,
}

impl Facts {
    fn of(facts: &PartFacts<'_>) -> Self {
        let mut own = Self {
            part: facts.part,
            place: facts.place,
            direction: facts.direction,
            content_type: String::new(),
            typed: Typed::Unknown,
            within: facts.within,
        };
        own.set(facts);
        own
    }

    fn set(&mut self, facts: &PartFacts<'_>) {
        self.part = facts.part;
        self.place = facts.place;
        self.direction = facts.direction;
        self.within = facts.within;
        self.content_type.clear();
        self.content_type
            .push_str(facts.content_type.unwrap_or_default());
        self.typed = match facts.content_type {
            Some(_) => Typed::Known,
            None => Typed::Unknown,
        };
    }

    fn borrow(&self) -> PartFacts<'_> {
        PartFacts {
            part: self.part,
            place: self.place,
            direction: self.direction,
            within: self.within,
            content_type: match self.typed {
                Typed::Known => Some(&self.content_type),
                Typed::Unknown => None,
            },
        }
    }

    /// YARA and digests are about files and bodies, not about single values.
    fn is_content(&self) -> bool {
        match self.place {
            Place::File | Place::Body => true,
            Place::Url | Place::Header | Place::Field => false,
        }
    }
}

impl SignatureScan {
    /// The scan of a part. What it keeps for YARA is drawn from `budget`.
    pub fn new(rules: &Arc<Signatures>, budget: &Budget, facts: &PartFacts<'_>) -> Self {
        let mut scan = Self {
            facts: Facts::of(facts),
            search: SearchState::default(),
            literal: LiteralState::default(),
            hash: rules.hashes.start(),
            gate: rules.yara.gate(),
            hits: Vec::new(),
            length: 0,
            block: 0,
            kept: Kept::new(budget.reservation()),
            works: VecDeque::new(),
            reported: None,
            rules: Arc::clone(rules),
        };
        scan.kept.mode = scan.first_mode();
        scan
    }

    /// Sets how much of the part may be kept; before its first byte.
    pub fn keep_up_to(&mut self, limits: Keeping) {
        self.kept.limits = limits;
    }

    /// True when it scans with these rules.
    pub fn is_for(&self, rules: &Arc<Signatures>) -> bool {
        Arc::ptr_eq(&self.rules, rules)
    }

    /// Begins another part; keeps its memory, up to a little.
    pub fn reset(&mut self, facts: &PartFacts<'_>) {
        self.facts.set(facts);
        self.search.reset();
        self.literal.reset();
        if self.facts.is_content() {
            self.hash = self.rules.hashes.start();
        }
        self.gate.reset();
        self.hits.clear();
        self.length = 0;
        self.block = 0;
        self.works.clear();
        self.reported = None;
        self.kept.reset();
        self.kept.mode = self.first_mode();
    }

    fn first_mode(&self) -> Keep {
        if self.facts.is_content() && !self.rules.yara.is_empty() {
            Keep::Whole
        } else {
            Keep::Nothing
        }
    }

    /// Takes the next bytes, in any pieces. Of a long part this may leave work to [take](Self::take_work).
    pub fn push(&mut self, window: &[u8], out: &mut Findings) {
        if self.facts.is_content() {
            self.hash.push(window);
        }
        if self.kept.mode == Keep::Nothing {
            self.search(window, out);
            return;
        }
        let mut rest = window;
        while !rest.is_empty() {
            let border = usize::try_from(self.next_border() - self.length).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at(border.min(rest.len()));
            self.keep(now, out);
            self.search(now, out);
            if self.length == self.next_border() {
                self.pass_border();
            }
            rest = later;
        }
    }

    /// The next of the works that a long part has left, in order.
    pub fn take_work(&mut self) -> Option<YaraWork> {
        self.works.pop_front()
    }

    fn search(&mut self, window: &[u8], out: &mut Findings) {
        self.length += window.len() as u64;
        let is_past_gate = self.block > 0 && self.rules.gate == GateSize::Large;
        let search = match self.facts.is_content() && !is_past_gate {
            true => &self.rules.search,
            false => &self.rules.own,
        };
        search.push(&mut self.search, window, &mut self.hits);
        let own = self.rules.literals.patterns();
        let facts = self.facts.borrow();
        for hit in self.hits.drain(..) {
            match (hit.pattern as usize).checked_sub(own) {
                None => self.rules.literals.hit(&mut self.literal, hit, &facts, out),
                Some(number) => self.gate.mark(u32::try_from(number).unwrap_or(u32::MAX)),
            }
        }
    }

    /// Where what the next block shares with this one begins, or where this one ends.
    fn next_border(&self) -> u64 {
        let (_, end) = block_span(self.block);
        match self.gate.is_shared() {
            true => end,
            false => end - BLOCK_OVERLAP_BYTES as u64,
        }
    }

    /// From here on the gate's strings count anew.
    fn pass_border(&mut self) {
        let own = u32::try_from(self.rules.literals.patterns()).unwrap_or(u32::MAX);
        self.search.forget_from(own);
        if self.gate.is_shared() {
            self.end_block();
        } else {
            self.gate.begin_shared();
        }
    }

    fn keep(&mut self, window: &[u8], out: &mut Findings) {
        let before = self.kept.mode;
        for anomaly in self
            .kept
            .make_room(self.length, window.len())
            .into_iter()
            .flatten()
        {
            out.anomaly(anomaly, self.facts.part, 0);
        }
        if self.kept.mode != before {
            self.change_mode();
        }
        self.kept.push(window);
    }

    /// The part has become longer than its mode allows: what was kept goes where the new mode wants it.
    fn change_mode(&mut self) {
        let due = match self.kept.mode {
            Keep::Nothing | Keep::Whole | Keep::Spooled => Vec::new(),
            Keep::Blocks => std::mem::take(&mut self.kept.due),
        };
        if !due.is_empty() {
            match self.kept.file.take().filter(|file| file.handed > 0) {
                Some(file) => {
                    let spans = due.into_iter().map(|(number, due)| {
                        let (from, to) = block_span(number);
                        (Span::new(from, to), due)
                    });
                    self.leave(Task::Blocks {
                        file: file.share(),
                        due: spans.collect(),
                    });
                }
                None => {
                    for (number, due) in due {
                        let (from, to) = block_span(number);
                        self.leave(Task::Block {
                            body: self.kept.block(number).to_vec(),
                            due,
                            span: Span::new(from, to),
                        });
                    }
                }
            }
        }
        if let Some(last) = self.block.checked_sub(1) {
            self.give_away(last);
        }
    }

    /// A block is full: what can be true in it?
    fn end_block(&mut self) {
        let number = self.block;
        let body = self.kept.block(number);
        let head = body.get(..kept::HEAD_BYTES).unwrap_or(body);
        let due = self
            .rules
            .yara
            .due_in_block(&self.gate, head, body.len() as u64);
        self.gate.end_block();
        if self.block == 0 && self.rules.gate == GateSize::Large {
            self.gate.open();
            let shared = u32::try_from(self.rules.literals.patterns()).unwrap_or(u32::MAX);
            self.search.hand_over(&self.rules.own, shared);
        }
        self.block += 1;
        match self.kept.mode {
            Keep::Nothing | Keep::Whole | Keep::Spooled if due.is_empty() => {}
            Keep::Nothing | Keep::Whole | Keep::Spooled => self.kept.due.push((number, due)),
            Keep::Blocks if due.is_empty() => {}
            Keep::Blocks => {
                let (from, to) = block_span(number);
                let body = self.kept.block(number).to_vec();
                let span = Span::new(from, to);
                self.leave(Task::Block { body, due, span });
            }
        }
        match self.kept.mode {
            Keep::Nothing | Keep::Whole => {}
            Keep::Spooled | Keep::Blocks => self.give_away(number),
        }
    }

    /// Blocks up to the one with that number are not kept in memory any more.
    fn give_away(&mut self, number: u64) {
        let base = self.kept.base;
        let bytes = self.kept.pass(number);
        if let Some(pending) = self.pending(bytes, base) {
            self.leave(Task::Write(pending));
        }
    }

    /// What of `bytes`, which lie at `base`, is not in the file yet.
    fn pending(&mut self, bytes: Vec<u8>, base: u64) -> Option<Pending> {
        let spooled = self.kept.mode == Keep::Spooled;
        let file = self.kept.file.as_mut().filter(|_| spooled)?;
        let at = file.handed;
        file.handed = base + bytes.len() as u64;
        Some(Pending {
            file: file.share(),
            skip: usize::try_from(at.saturating_sub(base)).unwrap_or(usize::MAX),
            bytes,
            at,
        })
    }

    fn leave(&mut self, task: Task) {
        let work = self.work(task);
        self.works.push_back(work);
    }

    fn work(&mut self, task: Task) -> YaraWork {
        let reported = match &task {
            Task::Whole { .. } | Task::Write(_) | Task::File { .. } => None,
            Task::Block { .. } | Task::Blocks { .. } => Some(Arc::clone(
                self.reported.get_or_insert_with(Reported::default),
            )),
        };
        let mut reserved = self.kept.reserved.sibling();
        match &task {
            Task::Whole { .. } => reserved = self.kept.take_reserved(),
            // On their way for a moment: counted, and not refused, since refusing frees nothing.
            Task::Block { body, .. } => reserved.grow(body.len() as u64).unwrap_or_default(),
            Task::Write(pending) | Task::File { rest: pending, .. } => {
                let bytes = pending.bytes.len() as u64;
                reserved.grow(bytes).unwrap_or_default();
            }
            Task::Blocks { .. } => {}
        }
        YaraWork {
            rules: Arc::clone(&self.rules),
            part: self.facts.part,
            reserved,
            task,
            reported,
        }
    }

    /// The blocks of a spooled part in which some rule could be true; `rest` are the bytes of the last one.
    fn blocks_due(&mut self, rest: &[u8]) -> Vec<(Span, Due)> {
        let blocks = std::mem::take(&mut self.kept.due).into_iter();
        let mut blocks: Vec<_> = blocks
            .map(|(number, due)| {
                let (from, to) = block_span(number);
                (Span::new(from, to), due)
            })
            .collect();
        let head = rest.get(..kept::HEAD_BYTES).unwrap_or(rest);
        let yara = &self.rules.yara;
        let last = yara.due_in_block(&self.gate, head, rest.len() as u64);
        if !last.is_empty() {
            blocks.push((Span::new(self.kept.base, self.length), last));
        }
        blocks
    }

    /// The part is over. What YARA still has to do, if anything; after what [`take_work`](Self::take_work) gives.
    pub fn finish(&mut self, out: &mut Findings) -> Option<YaraWork> {
        let part = self.facts.part;
        self.rules
            .literals
            .finish(&mut self.literal, self.length, part, out);
        if !self.facts.is_content() {
            return None;
        }
        let hash = std::mem::replace(&mut self.hash, self.rules.hashes.start());
        self.rules.hashes.finish(hash, part, out);
        let yara = &self.rules.yara;
        let due = match self.kept.mode {
            Keep::Nothing => return None,
            Keep::Whole | Keep::Spooled => yara.due(&self.gate, self.kept.start(), self.length),
            // Nothing has come since the last block.
            Keep::Blocks if self.length.is_multiple_of(BLOCK_BYTES as u64) => return None,
            Keep::Blocks => {
                let body = &self.kept.bytes;
                let head = body.get(..kept::HEAD_BYTES).unwrap_or(body);
                yara.due_in_block(&self.gate, head, body.len() as u64)
            }
        };
        if due.is_empty() {
            return None;
        }
        let body = std::mem::take(&mut self.kept.bytes);
        let span = Span::new(self.kept.base, self.length);
        let length = self.length;
        let task = match self.kept.mode {
            Keep::Nothing | Keep::Whole => Task::Whole { body, due },
            Keep::Blocks => Task::Block { body, due, span },
            Keep::Spooled => {
                let blocks = self.blocks_due(&body);
                match self.pending(body, span.start) {
                    Some(rest) => Task::File {
                        rest,
                        due,
                        length,
                        blocks,
                    },
                    None => return None,
                }
            }
        };
        Some(self.work(task))
    }
}
