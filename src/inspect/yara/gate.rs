//! The gate: from strings that were seen, a head and a length to the groups of rules that may be true.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::inspect::yara::need::{Clause, Sight};
use crate::inspect::yara::source::Source;
use crate::rules::literal::Pattern;

/// Compiled gate of a set of rules.
#[derive(Debug, Default)]
pub(super) struct Gate {
    patterns: Vec<Pattern>,
    /// Clauses that wait for each pattern.
    waiting: Vec<Box<[u32]>>,
    /// Rules with a clause that every body fulfils.
    open: Vec<u32>,
    /// The clauses that wait for no string, each once for a group, by the first byte of a body that they may fit; the last
    /// list is for the empty body. A JSON body meets a handful of them, not the thousands for executables.
    doors: Vec<Box<[u32]>>,
    door: Vec<(Clause, u16)>,
    /// What each of the other clauses needs besides its strings, and its group.
    lanes: Vec<(Clause, u16)>,
    /// Group of each rule.
    group: Vec<u16>,
    groups: usize,
}

/// What one part has shown of the gate's strings. Reuse it with [`reset`](Self::reset).
///
/// The literal search reports a string once in each stretch of a part: `own ── shared ┃ own ── shared ┃ …`, where a
/// block is the shared bytes before it, its own and the shared ones at its end.
#[derive(Clone, Debug, Default)]
pub struct YaraGate {
    /// Seen in blocks that are over; each once.
    past: Vec<u32>,
    /// Seen in this block; at most thrice each.
    block: Vec<u32>,
    /// Seen in what the next block shares with this one.
    next: Vec<u32>,
    shared: bool,
    /// Everything is due: nobody looks for the strings any more.
    open: bool,
}

impl YaraGate {
    /// From here on everything is due.
    pub fn open(&mut self) {
        self.open = true;
    }

    /// Marks one of the gate's patterns as seen.
    pub fn mark(&mut self, pattern: u32) {
        self.block.push(pattern);
        if self.shared {
            self.next.push(pattern);
        }
    }

    /// From here on the next block sees the same bytes.
    pub fn begin_shared(&mut self) {
        self.shared = true;
    }

    /// True between [`begin_shared`](Self::begin_shared) and [`end_block`](Self::end_block).
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// The block is over, and the next has begun.
    pub fn end_block(&mut self) {
        self.past.append(&mut self.block);
        self.past.sort_unstable();
        self.past.dedup();
        std::mem::swap(&mut self.block, &mut self.next);
        self.shared = false;
    }

    /// Forgets everything; keeps its memory.
    pub fn reset(&mut self) {
        self.past.clear();
        self.block.clear();
        self.next.clear();
        self.shared = false;
        self.open = false;
    }

    /// Patterns seen in the whole part, some more than once.
    fn all(&self) -> impl Iterator<Item = u32> {
        self.past.iter().chain(&self.block).copied()
    }
}

/// The groups of rules that a body must meet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    bits: Vec<u64>,
}

impl Due {
    /// All of `groups`.
    pub(super) fn all(groups: usize) -> Self {
        let mut due = Self::default();
        for group in 0..groups {
            due.add(group);
        }
        due
    }

    /// True when no rule can be true.
    pub fn is_empty(&self) -> bool {
        self.bits.iter().all(|word| *word == 0)
    }

    /// The groups, in order.
    pub(super) fn groups(&self) -> impl Iterator<Item = usize> {
        self.bits.iter().enumerate().flat_map(|(word, bits)| {
            (0..64)
                .filter(move |bit| bits >> bit & 1 != 0)
                .map(move |bit| word * 64 + bit)
        })
    }

    fn has(&self, group: usize) -> bool {
        let word = self.bits.get(group / 64);
        word.is_some_and(|bits| bits >> (group % 64) & 1 != 0)
    }

    fn add(&mut self, group: usize) {
        let word = group / 64;
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        if let Some(bits) = self.bits.get_mut(word) {
            *bits |= 1 << (group % 64);
        }
    }
}

/// The rules in packs of at most `most`: neighbours wait for the same kind of thing.
pub(super) fn packs(sources: &[Source], most: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_cached_key(|number| {
        let source = sources.get(*number);
        let clause = source.and_then(|source| source.need.clauses().first());
        let magic = clause.and_then(|clause| clause.magic.clone());
        (source.map(kind), Reverse(magic), *number)
    });
    let kind_of = |number: &usize| sources.get(*number).map(kind);
    order
        .chunk_by(|a, b| kind_of(a) == kind_of(b))
        .flat_map(|alike| alike.chunks(most).map(<[_]>::to_vec))
        .collect()
}

/// What brings a rule to run. Rules that run on every body, or on many, stand apart, so that they drag no other with
/// them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Nothing, and it has no string: an engine decides it without a look at the body.
    Unread,
    /// Nothing.
    Always,
    /// Some bytes.
    Bytes,
    /// A beginning.
    Lane,
    /// A string.
    String,
}

fn kind(source: &Source) -> Kind {
    let clauses = source.need.clauses().iter();
    let kinds = clauses.map(|clause| match (&clause.strings, &clause.magic) {
        _ if clause.is_open() && !source.uses.strings => Kind::Unread,
        _ if clause.is_open() => Kind::Always,
        (Some(_), _) => Kind::String,
        (None, Some(_)) => Kind::Lane,
        (None, None) => Kind::Bytes,
    });
    kinds.min().unwrap_or(Kind::String)
}

impl Gate {
    pub(super) fn new(sources: &[Source], packs: &[Vec<usize>]) -> Self {
        let mut gate = Self {
            group: vec![0; sources.len()],
            groups: packs.len(),
            ..Self::default()
        };
        for (number, pack) in (0u16..).zip(packs) {
            for rule in pack {
                if let Some(group) = gate.group.get_mut(*rule) {
                    *group = number;
                }
            }
        }
        let mut numbers: HashMap<Pattern, usize> = HashMap::new();
        let mut waiting: Vec<Vec<u32>> = Vec::new();
        let mut known = HashSet::new();
        for (rule, source) in (0u32..).zip(sources) {
            let group = gate.group.get(rule as usize).copied().unwrap_or_default();
            if source.need.clauses().iter().any(Clause::is_open) {
                gate.open.push(rule);
            }
            for clause in source.need.clauses() {
                let mut clause = clause.clone();
                let Some(strings) = clause.strings.take() else {
                    let door = (clause, group);
                    if known.insert(door.clone()) {
                        gate.door.push(door);
                    }
                    continue;
                };
                let lane = u32::try_from(gate.lanes.len()).unwrap_or(u32::MAX);
                gate.lanes.push((clause, group));
                for string in strings {
                    let number = *numbers.entry(string.clone()).or_insert_with(|| {
                        gate.patterns.push(string);
                        waiting.push(Vec::new());
                        waiting.len() - 1
                    });
                    if let Some(list) = waiting.get_mut(number) {
                        list.push(lane);
                    }
                }
            }
        }
        gate.waiting = waiting.into_iter().map(Into::into).collect();
        gate.open_doors();
        gate
    }

    fn open_doors(&mut self) {
        self.doors = (0..=u8::MAX)
            .map(|byte| Some([byte]))
            .chain([None])
            .map(|head| {
                let head = head.as_ref().map_or(&[][..], |byte| &byte[..]);
                let fitting = (0u32..)
                    .zip(&self.door)
                    .filter(|(_, (clause, _))| clause.may_begin(head));
                fitting.map(|(number, _)| number).collect()
            })
            .collect();
    }

    /// The rules of a group.
    pub(super) fn rules_of(&self, group: usize) -> impl Iterator<Item = usize> {
        let all = self.group.iter().enumerate();
        all.filter(move |(_, own)| usize::from(**own) == group)
            .map(|(rule, _)| rule)
    }

    pub(super) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Rules that nothing but their size keeps from running.
    pub(super) fn ungated(&self) -> impl Iterator<Item = usize> {
        self.open.iter().map(|rule| *rule as usize)
    }

    /// What may be true of a whole part.
    pub(super) fn due(&self, seen: &YaraGate, head: &[u8], length: u64) -> Due {
        match seen.open {
            true => Due::all(self.groups),
            false => self.due_after(seen.all(), head, length),
        }
    }

    /// What may be true of the block that has just been filled.
    pub(super) fn due_in_block(&self, seen: &YaraGate, head: &[u8], length: u64) -> Due {
        match seen.open {
            true => Due::all(self.groups),
            false => self.due_after(seen.block.iter().copied(), head, length),
        }
    }

    fn due_after(&self, seen: impl Iterator<Item = u32>, head: &[u8], length: u64) -> Due {
        let body = Sight::new(head, length);
        let mut due = Due::default();
        let first = body.first().map_or(usize::from(u8::MAX) + 1, usize::from);
        let doors = self.doors.get(first).into_iter().flatten();
        let doors = doors.filter_map(|number| self.door.get(*number as usize));
        let waiting = seen
            .filter_map(|pattern| self.waiting.get(pattern as usize))
            .flatten();
        let lanes = waiting.filter_map(|number| self.lanes.get(*number as usize));
        for (clause, group) in doors.chain(lanes) {
            let group = usize::from(*group);
            if !due.has(group) && clause.admits(&body) {
                due.add(group);
            }
        }
        due
    }
}
