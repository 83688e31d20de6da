//! All signatures of a rule set as one thing: literals, YARA and digests, in one pass over a part.
//!
//! ```text
//! Signatures::compile(bundles)            once, off to the side
//!   └─ SignatureScan::new / reset(facts)  one a part, reused
//!        push(window) …                   literals report at once; the body is kept for YARA, up to a limit
//!        finish() -> Option<YaraWork>     None: done. Some: run it, inline when light, on a pool when not
//! ```
//!
//! A body over the limit is no longer whole for YARA: from then on it is looked at in blocks at absolute multiples,
//! with an overlap, which is recorded as [`Anomaly::Windowed`] for policy to judge. Reading a spooled body back would
//! need a memory map, and so `unsafe`; a larger limit, within the memory budget, is the operator's way to exactness.

use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::budget::{Budget, Reservation};
use crate::inspect::hash::{HashSet, HashState};
use crate::inspect::literal::search::{Hit, Search, SearchError, SearchState};
use crate::inspect::literal::{LiteralSet, LiteralState, PartFacts};
use crate::inspect::yara::{Due, Externals, YaraGate, YaraLimits, YaraSet};
use crate::inspect::{Direction, Findings, PartId};
use crate::rules::literal::Place;
use crate::rules::{About, Bundle, RulesError};
use crate::span::Span;

/// Compiled signatures of one or more bundles; immutable, shared by all scans of a snapshot.
#[derive(Debug)]
pub struct Signatures {
    /// Patterns of the literal rules, then those of the YARA gate.
    search: Search,
    literals: LiteralSet,
    yara: YaraSet,
    hashes: HashSet,
    limits: YaraLimits,
    problems: Vec<RulesError>,
}

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
        patterns.extend_from_slice(yara.gate_patterns());
        Ok(Self {
            search: Search::new(patterns)?,
            literals,
            yara,
            hashes: HashSet::new(lists),
            limits,
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

    /// The YARA part of it.
    pub fn yara(&self) -> &YaraSet {
        &self.yara
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
    kept: Kept,
    /// YARA rules that earlier blocks have reported.
    reported: Vec<u32>,
}

/// What is kept of a part for YARA.
#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    /// Stream offset of the first kept byte; not 0 once blocks were given away.
    base: u64,
    /// The first bytes of the stream, once `base` is not 0.
    head: Vec<u8>,
    mode: Keep,
    reserved: Reservation,
}

/// How a part is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// Not at all: no YARA rules, or a value that is not content.
    Nothing,
    /// All of it, so far.
    Whole,
    /// In blocks; it is longer than the limit, or the budget is exhausted.
    Blocks,
}

/// Bytes of a block; blocks begin at multiples of it. A scan of one takes about a millisecond with the shipped rules.
pub const BLOCK_BYTES: usize = 1024 * 1024;

/// Bytes that a block shares with the one before: far more than the longest string of a sensible rule.
pub const BLOCK_OVERLAP_BYTES: usize = 64 * 1024;

/// Magic numbers are looked for in so many bytes.
const HEAD_BYTES: usize = 1024;

/// Memory that is not worth a reservation.
const FREE_BYTES: usize = 64 * 1024;

/// [`PartFacts`] that outlive the call; setting them anew costs no allocation.
#[derive(Clone, Debug)]
struct Facts {
    part: PartId,
    place: Place,
    direction: Direction,
    content_type: String,
    typed: Typed,
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
        };
        own.set(facts);
        own
    }

    fn set(&mut self, facts: &PartFacts<'_>) {
        self.part = facts.part;
        self.place = facts.place;
        self.direction = facts.direction;
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
            kept: Kept {
                bytes: Vec::new(),
                base: 0,
                head: Vec::new(),
                mode: Keep::Nothing,
                reserved: budget.reservation(),
            },
            reported: Vec::new(),
            rules: Arc::clone(rules),
        };
        scan.kept.mode = scan.first_mode();
        scan
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
        self.reported.clear();
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

    /// Takes the next bytes, in any pieces. At most one block of a long body is scanned here.
    pub fn push(&mut self, window: &[u8], out: &mut Findings) {
        self.length += window.len() as u64;
        self.rules
            .search
            .push(&mut self.search, window, &mut self.hits);
        let own = self.rules.literals.patterns();
        let facts = self.facts.borrow();
        for hit in self.hits.drain(..) {
            match (hit.pattern as usize).checked_sub(own) {
                None => self.rules.literals.hit(&mut self.literal, hit, &facts, out),
                Some(number) => self.gate.mark(u32::try_from(number).unwrap_or(u32::MAX)),
            }
        }
        if self.facts.is_content() {
            self.hash.push(window);
        }
        if self.kept.mode != Keep::Nothing {
            self.keep(window, out);
        }
    }

    fn keep(&mut self, window: &[u8], out: &mut Findings) {
        let part = self.facts.part;
        if self.kept.mode == Keep::Whole {
            let total = self.kept.bytes.len() + window.len();
            if total > self.rules.limits.whole_bytes {
                self.kept.mode = Keep::Blocks;
                out.anomaly(Anomaly::Windowed, part, 0);
            } else if self.kept.reserve(total).is_err() {
                self.kept.mode = Keep::Blocks;
                out.anomaly(Anomaly::MemoryBudget, part, 0);
                out.anomaly(Anomaly::Windowed, part, 0);
            }
        }
        self.kept.bytes.extend_from_slice(window);
        while self.kept.mode == Keep::Blocks && self.kept.bytes.len() >= self.kept.block_end() {
            self.block(out);
        }
    }

    /// Scans the first block of what is kept, and keeps the overlap.
    fn block(&mut self, out: &mut Findings) {
        let end = self.kept.block_end();
        if self.kept.base == 0 {
            let head = self
                .kept
                .bytes
                .get(..HEAD_BYTES)
                .unwrap_or(&self.kept.bytes);
            self.kept.head = head.to_vec();
        }
        // The block's own end stands for the length that is not known yet, so that pieces make no difference.
        let span = Span::new(self.kept.base, self.kept.base + end as u64);
        let yara = &self.rules.yara;
        let due = yara.due(&self.gate, &self.kept.head, span.end);
        if !due.is_empty() {
            let block = self.kept.bytes.get(..end).unwrap_or(&self.kept.bytes);
            let mut matches = yara.scan(block, &due, &Externals::default());
            matches.keep_new(&mut self.reported);
            yara.report(&matches, self.facts.part, span, out);
        }
        let drop = end - BLOCK_OVERLAP_BYTES;
        self.kept.bytes.drain(..drop);
        self.kept.base += drop as u64;
        self.kept.bytes.shrink_to(BLOCK_BYTES * 2);
        let kept = self.kept.bytes.len().max(BLOCK_BYTES) as u64;
        let surplus = self.kept.reserved.bytes().saturating_sub(kept);
        self.kept.reserved.shrink(surplus);
    }

    /// The part is over. What YARA still has to do, if anything.
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
        if self.kept.mode == Keep::Nothing {
            return None;
        }
        let head = if self.kept.base == 0 {
            &self.kept.bytes
        } else {
            &self.kept.head
        };
        let due = self.rules.yara.due(&self.gate, head, self.length);
        if due.is_empty() {
            return None;
        }
        Some(YaraWork {
            body: std::mem::take(&mut self.kept.bytes),
            reserved: self.kept.take_reserved(),
            rules: Arc::clone(&self.rules),
            due,
            part,
            span: Span::new(self.kept.base, self.length),
            reported: std::mem::take(&mut self.reported),
        })
    }
}

impl Kept {
    fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(FREE_BYTES);
        self.base = 0;
        self.head.clear();
        self.reserved.shrink(u64::MAX);
    }

    /// Makes sure that the budget knows of `total` bytes.
    fn reserve(&mut self, total: usize) -> Result<(), crate::budget::Exhausted> {
        let wanted = total.saturating_sub(FREE_BYTES) as u64;
        let missing = wanted.saturating_sub(self.reserved.bytes());
        if missing == 0 {
            return Ok(());
        }
        // In steps, so that the shared counter is not touched for every window.
        self.reserved.grow(missing.next_multiple_of(256 * 1024))
    }

    /// Bytes of the block that is filling: up to the next multiple of the block size in the stream.
    fn block_end(&self) -> usize {
        if self.base == 0 {
            BLOCK_BYTES
        } else {
            BLOCK_BYTES + BLOCK_OVERLAP_BYTES
        }
    }

    fn take_reserved(&mut self) -> Reservation {
        let fresh = self.reserved.sibling();
        std::mem::replace(&mut self.reserved, fresh)
    }
}

/// YARA's run over one part; send it to a pool unless it [is light](Self::is_light).
#[derive(Debug)]
pub struct YaraWork {
    rules: Arc<Signatures>,
    due: Due,
    part: PartId,
    span: Span,
    body: Vec<u8>,
    reported: Vec<u32>,
    /// The body's share of the budget, given back with it.
    #[expect(dead_code, reason = "held for its drop")]
    reserved: Reservation,
}

/// Work below this many bytes takes well under a millisecond: not worth a thread's wake-up.
const LIGHT_BYTES: usize = 16 * 1024;

impl YaraWork {
    /// True when running it here costs less than sending it away.
    pub fn is_light(&self) -> bool {
        self.body.len() <= LIGHT_BYTES
    }

    /// Which part it is about.
    pub fn part(&self) -> PartId {
        self.part
    }

    /// Does the work and records what it finds.
    pub fn run(mut self, externals: &Externals, out: &mut Findings) {
        let yara = &self.rules.yara;
        let mut matches = yara.scan(&self.body, &self.due, externals);
        matches.keep_new(&mut self.reported);
        yara.report(&matches, self.part, self.span, out);
    }
}
