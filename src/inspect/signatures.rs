//! All signatures of a rule set as one thing: literals, YARA and digests, in one pass over a part.
//!
//! ```text
//! Signatures::compile(bundles)            once, off to the side
//!   └─ SignatureScan::new / reset(facts)  one a part, reused
//!        push(window) …                   literals report at once; the body is kept for YARA, up to a limit
//!        finish() -> Option<YaraWork>     None: done. Some: run it, inline when light, on a pool when not
//! ```

use std::sync::Arc;

use crate::budget::{Budget, Reservation};
use crate::inspect::hash::{HashSet, HashState};
use crate::inspect::literal::search::{Hit, Search, SearchState};
use crate::inspect::literal::{LiteralSet, LiteralState, PartFacts};
use crate::inspect::yara::{Externals, YaraLimits, YaraSet};
use crate::inspect::{Direction, Findings, PartId};
use crate::rules::literal::Place;
use crate::rules::{About, Bundle, RulesError};

/// Compiled signatures of one or more bundles; immutable, shared by all scans of a snapshot.
#[derive(Debug)]
pub struct Signatures {
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
    /// The search automaton is too large.
    #[error(transparent)]
    Search(#[from] crate::inspect::literal::search::SearchError),
}

impl Signatures {
    /// Compiles `bundles`.
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
        let (literals, patterns) = LiteralSet::new(rules);
        let (yara, problems) = YaraSet::compile(&files, &limits);
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

    /// All rules.
    pub fn rules(&self) -> impl Iterator<Item = &About> {
        self.literals
            .rules()
            .map(|rule| &rule.about)
            .chain(self.yara.rules())
            .chain(self.hashes.rules())
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
    hits: Vec<Hit>,
    length: u64,
    kept: Vec<u8>,
    reserved: Reservation,
}

#[derive(Clone, Debug)]
struct Facts {
    part: PartId,
    place: Place,
    direction: Direction,
    content_type: Option<Box<str>>,
}

impl Facts {
    fn of(facts: &PartFacts<'_>) -> Self {
        Self {
            part: facts.part,
            place: facts.place,
            direction: facts.direction,
            content_type: facts.content_type.map(Into::into),
        }
    }

    fn borrow(&self) -> PartFacts<'_> {
        PartFacts {
            part: self.part,
            place: self.place,
            direction: self.direction,
            content_type: self.content_type.as_deref(),
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
        Self {
            facts: Facts::of(facts),
            search: SearchState::default(),
            literal: LiteralState::default(),
            hash: rules.hashes.start(),
            hits: Vec::new(),
            length: 0,
            kept: Vec::new(),
            reserved: budget.reservation(),
            rules: Arc::clone(rules),
        }
    }

    /// True when it scans with these rules.
    pub fn is_for(&self, rules: &Arc<Signatures>) -> bool {
        Arc::ptr_eq(&self.rules, rules)
    }

    /// Begins another part; keeps its memory.
    pub fn reset(&mut self, facts: &PartFacts<'_>) {
        self.facts = Facts::of(facts);
        self.search.reset();
        self.literal.reset();
        self.hash = self.rules.hashes.start();
        self.length = 0;
        self.kept.clear();
        self.reserved.shrink(u64::MAX);
    }

    /// Takes the next bytes, in any pieces.
    pub fn push(&mut self, window: &[u8], out: &mut Findings) {
        self.length += window.len() as u64;
        self.rules
            .search
            .push(&mut self.search, window, &mut self.hits);
        let facts = self.facts.borrow();
        for hit in self.hits.drain(..) {
            self.rules.literals.hit(&mut self.literal, hit, &facts, out);
        }
        if self.facts.is_content() {
            self.hash.push(window);
            if !self.rules.yara.is_empty()
                && self.kept.len() + window.len() <= self.rules.limits.whole_bytes
            {
                self.kept.extend_from_slice(window);
            }
        }
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
        if self.rules.yara.is_empty() {
            return None;
        }
        Some(YaraWork {
            rules: Arc::clone(&self.rules),
            part,
            body: std::mem::take(&mut self.kept),
        })
    }
}

/// YARA's run over one part; send it to a pool unless it [is light](Self::is_light).
#[derive(Debug)]
pub struct YaraWork {
    rules: Arc<Signatures>,
    part: PartId,
    body: Vec<u8>,
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

    /// Does the work.
    pub fn run(self, externals: &Externals, out: &mut Findings) {
        self.rules.yara.scan(&self.body, externals, self.part, out);
    }
}
