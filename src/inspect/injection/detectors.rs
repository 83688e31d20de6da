//! The prefilter, the walk over decoded forms, and the finding.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use crate::anomaly::Anomaly;
use crate::inspect::leaf::{HostSyntax, Leaf, Piece};
use crate::inspect::{Finding, Findings, MAX_FINDINGS_A_STEP, Severity};
use crate::span::Span;

use super::decode::Signs;
use super::graphql;
use super::islands::{self, Island};
use super::nested;
use super::prefilter::{Hit, Prefilter};
use super::walk::{self, Allowance, Chain, Form, Forms};
use super::{Classes, Context, Evidence, Hints, REPORT_SCORE, ROOMS, Room, Setting, Value};

mod explain;

pub use explain::{
    ExplainedClass, ExplainedForm, ExplainedToken, ExplainedValue, Explanation, MAX_VALUES,
};

/// All injection detectors. Immutable, shared, built once.
#[derive(Debug)]
pub struct Detectors {
    prefilter: Prefilter,
}

/// Buffers that one scan reuses from leaf to leaf, and the scan's allowance of decoded bytes.
#[derive(Debug, Default)]
pub struct Scratch {
    desk: Desk,
    hits: Vec<Hit>,
    probe: RefCell<Vec<Hit>>,
    forms: Forms,
    allowance: Allowance,
    best: Best,
}

/// Buffers of one look.
#[derive(Debug, Default)]
struct Desk {
    lower: Vec<u8>,
    islands: Vec<Island>,
    hits: Vec<Hit>,
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl Desk {
    /// Begins with another leaf.
    fn begin(&mut self) {
        if self.seen.capacity() > KEPT_ISLANDS {
            self.seen = HashSet::new();
        }
        self.seen.clear();
    }
}

/// What the detectors saw of a leaf, for those who look at it next.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Which bytes occur in it.
    pub signs: Signs,
    /// True when no decoder and no detector, of whatever class, has anything to look at in such bytes.
    pub idle: bool,
}

/// The best evidence of each room for one leaf.
type Best = [Option<Sighting>; ROOMS.len()];

/// Evidence, and the decoders before it.
#[derive(Clone, Debug)]
struct Sighting {
    evidence: Evidence,
    chain: Chain,
}

impl Scratch {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins a new body: its allowance of decoded bytes is whole again.
    pub fn begin(&mut self) {
        self.allowance = Allowance::default();
    }

    /// Decoded bytes that the body has cost so far.
    pub fn spent(&self) -> u64 {
        self.allowance.spent()
    }

    /// A leaf of `length` bytes was read that is known to hold nothing.
    pub fn pass(&mut self, length: usize) {
        self.allowance.read(length);
    }
}

impl Detectors {
    /// Builds the prefilter.
    pub fn new() -> Self {
        Self {
            prefilter: Prefilter::new(),
        }
    }

    /// Looks at one leaf in all its decoded forms and records at most one finding for each class.
    /// [`Anomaly::DecodeLimit`] says that forms were left out.
    pub fn inspect(
        &self,
        leaf: &Leaf<'_>,
        context: &Context,
        scratch: &mut Scratch,
        findings: &mut Findings,
    ) -> Seen {
        scratch.allowance.read(leaf.bytes.len());
        scratch.desk.begin();
        let Scratch {
            desk,
            hits,
            probe,
            forms,
            allowance,
            best,
            ..
        } = scratch;
        let sight = self.prefilter.read(leaf.bytes, hits);
        let classes = sight.classes & context.classes;
        let plain = walk::plain(leaf.bytes, sight.signs);
        let mut seen = Seen {
            signs: sight.signs,
            idle: plain && sight.classes.is_empty(),
        };
        if classes.is_empty() && plain {
            return seen;
        }
        if context.binary && sight.signs.contains(Signs::CONTROL) && is_binary(leaf.bytes) {
            let classes = classes & Classes::DESER;
            let whole = Form::default();
            self.look(
                &View {
                    leaf,
                    context,
                    form: &whole,
                    bytes: leaf.bytes,
                    hits,
                },
                classes,
                desk,
                &mut Keeper {
                    best,
                    chain: Chain::default(),
                },
            );
            record(leaf, context, best, findings);
            return seen;
        }
        forms.clear();
        let whole = Form::default();
        self.look(
            &View {
                leaf,
                context,
                form: &whole,
                bytes: leaf.bytes,
                hits,
            },
            classes,
            desk,
            &mut Keeper {
                best,
                chain: Chain::default(),
            },
        );
        let worth = |bytes: &[u8]| {
            let sight = self.prefilter.read(bytes, &mut probe.borrow_mut());
            sight.classes.intersects(context.classes) || !walk::plain(bytes, sight.signs)
        };
        let mut cut = !plain
            && forms
                .expand(
                    (leaf.bytes, sight.signs),
                    Chain::default(),
                    allowance,
                    &worth,
                )
                .is_err();
        seen.idle |=
            sight.classes.is_empty() && walk::word(sight.signs) && forms.is_empty() && !cut;
        let mut index = 0;
        while let Some(form) = forms.take(index) {
            let sight = self.prefilter.read(&form.bytes, hits);
            self.look(
                &View {
                    leaf,
                    context,
                    form: &form,
                    bytes: &form.bytes,
                    hits,
                },
                sight.classes & context.classes,
                desk,
                &mut Keeper {
                    best,
                    chain: form.chain,
                },
            );
            cut |= forms
                .expand((&form.bytes, sight.signs), form.chain, allowance, &worth)
                .is_err();
            forms.put_back(index, form);
            index += 1;
        }
        if cut {
            findings.anomaly(Anomaly::DecodeLimit, context.part, leaf.span.start);
        }
        record(leaf, context, best, findings);
        seen
    }
}

impl Default for Detectors {
    fn default() -> Self {
        Self::new()
    }
}

/// Records the best evidence of each room, and forgets it.
fn record(leaf: &Leaf<'_>, context: &Context, best: &mut Best, findings: &mut Findings) {
    if best.iter().all(Option::is_none) {
        return;
    }
    for (room, sighting) in ROOMS.iter().zip(best.iter_mut()) {
        if let Some(sighting) = sighting.take() {
            // What would not be kept is not written down first: a flood of findings costs little.
            if findings.list.len() < MAX_FINDINGS_A_STEP {
                findings.record(finding(room, leaf, context, &sighting));
            } else {
                let start = place(leaf, &sighting).start;
                findings.anomaly(Anomaly::TooManyMatches, context.part, start);
            }
        }
    }
}

/// True for images, archives and the like: control characters in more than one byte of twenty.
fn is_binary(bytes: &[u8]) -> bool {
    let head = bytes.get(..BINARY_PROBE_BYTES).unwrap_or(bytes);
    let odd = head
        .iter()
        .filter(|byte| matches!(byte, 0..0x09 | 0x0b | 0x0c | 0x0e..0x20 | 0x7f))
        .count();
    bytes.len() >= BINARY_BYTES && odd * 20 > head.len()
}

/// Bytes below which a value with control characters is a text that hides something.
const BINARY_BYTES: usize = 256;
/// Bytes that say whether a value is binary.
const BINARY_PROBE_BYTES: usize = 4096;

/// One form of a leaf.
struct View<'a> {
    leaf: &'a Leaf<'a>,
    context: &'a Context,
    form: &'a Form,
    bytes: &'a [u8],
    hits: &'a [Hit],
}

/// Who is told what the rooms see of a form.
trait Notes {
    /// True when a score of `most`, and no higher one, is worth a look of that room.
    fn wants(&self, number: usize, most: u8) -> bool;
    /// What the room of that number saw.
    fn take(&mut self, number: usize, room: &Room, evidence: &Evidence);
}

/// Keeps what beats the forms before.
struct Keeper<'a> {
    best: &'a mut Best,
    chain: Chain,
}

impl Notes for Keeper<'_> {
    fn wants(&self, number: usize, most: u8) -> bool {
        let kept = self.best.get(number).and_then(Option::as_ref);
        kept.is_none_or(|kept| kept.evidence.score() < most)
    }

    fn take(&mut self, number: usize, _: &Room, evidence: &Evidence) {
        if evidence.score() >= REPORT_SCORE
            && self.wants(number, evidence.score())
            && let Some(kept) = self.best.get_mut(number)
        {
            *kept = Some(Sighting {
                evidence: evidence.clone(),
                chain: self.chain,
            });
        }
    }
}

impl Detectors {
    /// Runs the rooms of `classes` over one form, and over its islands when it is a text.
    fn look(&self, view: &View<'_>, classes: Classes, desk: &mut Desk, notes: &mut impl Notes) {
        if classes.is_empty() {
            return;
        }
        let visible_here = visible(view.bytes, classes);
        let classes = classes & visible_here;
        if classes.is_empty() {
            return;
        }
        let Desk {
            lower,
            islands,
            hits,
            seen,
            hasher,
        } = desk;
        lower.clear();
        lower.extend_from_slice(view.bytes);
        lower.make_ascii_lowercase();
        let own = || view.leaf.path.last_name().map_or(Hints::empty(), Hints::of);
        let text = Value {
            bytes: view.bytes,
            lower,
            path: view.leaf.path,
            host: if view.form.is_name {
                HostSyntax::JsonKey
            } else {
                view.leaf.host
            },
            hints: view.form.hints.unwrap_or_else(own),
            setting: Setting::of(view.bytes),
            layers: view.form.chain.layers(),
            context: view.context,
            hits: view.hits,
            room: 0,
        };
        rooms(&text, classes, 100, notes, |_| ());
        // Browsers look for tags wherever they stand, and so does their room.
        let classes = classes - Classes::XSS;
        if text.setting == Setting::Short || visible_here != Classes::all() || classes.is_empty() {
            return;
        }
        let is_worth =
            |line| classes.intersects(self.prefilter.part(text.bytes, text.hits, &line, hits));
        let ends = match view.leaf.piece {
            Piece::Window { overlap, last } => (overlap == 0, last),
            Piece::Whole => (true, true),
        };
        islands::find(text.bytes, ends, is_worth, islands);
        for island in islands.iter() {
            let Island {
                at,
                setting,
                is_end,
            } = island;
            let (Some(bytes), Some(lower)) =
                (text.bytes.get(at.clone()), text.lower.get(at.clone()))
            else {
                continue;
            };
            let classes = classes & self.prefilter.part(text.bytes, text.hits, at, hits);
            if classes.is_empty() {
                continue;
            }
            // Forms of a text share most of their islands.
            let sort = [
                u8::from(*is_end),
                u8::from(text.layers > 0),
                text.hints.bits(),
                text.host as u8,
            ];
            let mut hash = hasher.build_hasher();
            hash.write(bytes);
            hash.write_u32(u32::from_le_bytes(sort));
            if !seen.insert(hash.finish()) {
                continue;
            }
            let island = Value {
                bytes,
                lower,
                setting: *setting,
                hits,
                ..text
            };
            let most = if *is_end { 100 } else { INNER_MOST };
            let classes = classes & visible(bytes, classes);
            rooms(&island, classes, most, notes, |evidence| {
                if !is_end {
                    evidence.temper(INNER_MOST);
                    evidence.cap(INNER_MOST);
                }
                evidence.shift(at.start);
            });
        }
    }
}

/// Runs the rooms of `classes` that can still say something new, with scores up to `most`, over one value.
fn rooms(
    value: &Value<'_>,
    classes: Classes,
    most: u8,
    notes: &mut impl Notes,
    finish: impl Fn(&mut Evidence),
) {
    for (number, room) in ROOMS.iter().enumerate() {
        if classes.contains(room.class) && notes.wants(number, most) {
            let mut evidence = Evidence::default();
            (room.look)(
                &Value {
                    room: number,
                    ..*value
                },
                &mut evidence,
            );
            finish(&mut evidence);
            notes.take(number, room, &evidence);
        }
    }
}

/// Islands for which memory is kept from leaf to leaf.
const KEPT_ISLANDS: usize = 4096;
/// What an island between others counts at most, and the percentage that its score is lowered to: samples of code and rows of
/// tables are such. The first one and the last one count in full, since an attack ends a text or begins it.
const INNER_MOST: u8 = 66;

/// Documents are full of quotes, brackets and names by their nature: most classes see their strings only, which are
/// forms of their own.
fn visible(bytes: &[u8], classes: Classes) -> Classes {
    if classes.contains(Classes::GRAPHQL) && graphql::is_document(bytes) {
        Classes::GRAPHQL
    } else if nested::is_json(bytes) {
        Classes::DESER | Classes::NOSQLI
    } else {
        Classes::all()
    }
}

fn finding(room: &Room, leaf: &Leaf<'_>, context: &Context, sighting: &Sighting) -> Finding {
    let Sighting { evidence, chain } = sighting;
    Finding {
        rule: Cow::Owned(format!("{}/{}", room.category.code(), evidence.strongest())),
        category: room.category,
        severity: Severity::High,
        score: evidence.score(),
        part: context.part,
        span: place(leaf, sighting),
        path: leaf.path.shown(),
        reason: Cow::Owned(reason(evidence, *chain)),
    }
}

/// The raw bytes that the signs stand in; all of the leaf when they stand in a decoded form.
fn place(leaf: &Leaf<'_>, sighting: &Sighting) -> Span {
    match sighting.evidence.span() {
        Some(span) if sighting.chain.layers() == 0 => leaf.map.raw(span.start, span.end),
        _ => leaf.span,
    }
}

/// `percent > base64: string-break-out, tautology`.
fn reason(evidence: &Evidence, chain: Chain) -> String {
    let mut text = String::new();
    for decoder in chain.steps() {
        if !text.is_empty() {
            text.push_str(" > ");
        }
        text.push_str(decoder.name());
    }
    let mut separator = if text.is_empty() { "" } else { ": " };
    for name in evidence.names() {
        text.push_str(separator);
        text.push_str(name);
        separator = ", ";
    }
    text
}
