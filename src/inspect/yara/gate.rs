//! The gate: from strings that were seen, a head and a length to the groups of rules that may be true.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::inspect::yara::need::{HEAD_BYTES, Need};
use crate::inspect::yara::source::Source;
use crate::rules::literal::Pattern;

/// Compiled gate of a set of rules.
#[derive(Debug, Default)]
pub(super) struct Gate {
    patterns: Vec<Pattern>,
    /// Rules that wait for each pattern.
    waiting: Vec<Box<[u32]>>,
    /// Rules that wait for no string.
    unbidden: Vec<u32>,
    /// Their magic numbers and sizes, each once for a group, by the first byte of a body that they may fit; the last
    /// list is for the empty body. A JSON body meets a handful of them, not the thousands for executables.
    doors: Vec<Box<[u32]>>,
    door: Vec<(Need, u16)>,
    /// What each rule needs besides its strings.
    lanes: Vec<Need>,
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

/// The order in which rules are packed into groups: neighbours wait for the same kind of thing.
pub(super) fn order(sources: &[Source]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_cached_key(|number| {
        let need = sources.get(*number).map(|source| &source.need);
        let class = match need {
            // Rules that run always stand together, so that they disturb no other group.
            Some(Need {
                strings: None,
                magic: None,
                ..
            }) => 0,
            Some(Need { strings: None, .. }) => 1,
            _ => 2,
        };
        let magic = need.and_then(|need| need.magic.clone());
        (class, Reverse(magic), *number)
    });
    order
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
        for (rule, source) in (0u32..).zip(sources) {
            let mut need = source.need.clone();
            match need.strings.take() {
                None => gate.unbidden.push(rule),
                Some(strings) => {
                    for string in strings {
                        let number = *numbers.entry(string.clone()).or_insert_with(|| {
                            gate.patterns.push(string);
                            waiting.push(Vec::new());
                            waiting.len() - 1
                        });
                        if let Some(list) = waiting.get_mut(number) {
                            list.push(rule);
                        }
                    }
                }
            }
            gate.lanes.push(need);
        }
        gate.waiting = waiting.into_iter().map(Into::into).collect();
        gate.open_doors();
        gate
    }

    fn open_doors(&mut self) {
        for rule in &self.unbidden {
            let rule = *rule as usize;
            if let (Some(need), Some(group)) = (self.lanes.get(rule), self.group.get(rule)) {
                let door = (need.clone(), *group);
                if !self.door.contains(&door) {
                    self.door.push(door);
                }
            }
        }
        self.doors = (0..=u8::MAX)
            .map(|byte| Some([byte]))
            .chain([None])
            .map(|head| {
                let head = head.as_ref().map_or(&[][..], |byte| &byte[..]);
                let fitting = (0u32..)
                    .zip(&self.door)
                    .filter(|(_, (need, _))| need.may_begin(head));
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

    /// Rules that neither a string nor a magic number keeps from running.
    pub(super) fn ungated(&self) -> impl Iterator<Item = usize> {
        self.unbidden
            .iter()
            .map(|rule| *rule as usize)
            .filter(|rule| {
                self.lanes
                    .get(*rule)
                    .is_some_and(|lane| lane.magic.is_none())
            })
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
        let head = head.get(..HEAD_BYTES).unwrap_or(head);
        let mut due = Due::default();
        let first = head
            .first()
            .map_or(usize::from(u8::MAX) + 1, |byte| usize::from(*byte));
        for number in self.doors.get(first).into_iter().flatten() {
            if let Some((need, group)) = self.door.get(*number as usize)
                && need.admits(head, length)
            {
                due.add(usize::from(*group));
            }
        }
        let waiting = seen
            .filter_map(|pattern| self.waiting.get(pattern as usize))
            .flatten();
        for rule in waiting {
            let rule = *rule as usize;
            let (Some(lane), Some(group)) = (self.lanes.get(rule), self.group.get(rule)) else {
                continue;
            };
            if lane.admits(head, length) {
                due.add(usize::from(*group));
            }
        }
        due
    }
}
