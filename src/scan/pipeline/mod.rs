//! [`Scan`]: heads (`heads`), then stack → parts → findings → judge, one window at a time; heavy work elsewhere (`job`); its
//! end is in `ending`.

mod ending;
mod heads;
mod job;

use std::cmp::Reverse;
use std::sync::Arc;

use bytes::Bytes;

use crate::anomaly::Anomaly;
use crate::budget::Budget;
use crate::content::{self, Declared, Pace, Stack};
use crate::inspect::cut::Cuts;
use crate::inspect::injection::{Classes, Explanation};
use crate::inspect::signatures::{SignatureScan, YaraWork};
use crate::inspect::{AnomalyAt, Direction, Finding, PartId};
use crate::policy::Verdict;
use crate::policy::judge::{Judge, Ruling};
use crate::policy::profile::{Mode, Profile};
use crate::redact::{HeadEdit, Seam, redact_head};

use super::Step;
use super::blob::Order;
use super::leaves::wanted;
use super::members::Members;
use super::message::{Message, Origin};
use super::obstacle;
use super::part::may_be_document;
use super::redaction::{Redaction, Way};
use super::report::{Judged, Report, Uninspected};
use super::router::PartRouter;
use super::ruleset::Ruleset;
use super::workspace::Loan;

pub use job::{Job, JobResult};

/// The inspection of one message.
#[derive(Debug)]
pub struct Scan {
    rules: Arc<Ruleset>,
    profile: Arc<Profile>,
    budget: Budget,
    judge: Judge,
    origin: Origin,
    direction: Direction,
    declared: Declared,
    classes: Classes,
    stack: Option<Box<Stack>>,
    space: Loan,
    values: Option<Box<SignatureScan>>,
    /// Values that are open in the stack: the part that each lies in, and its own.
    open_values: Vec<(PartId, PartId)>,
    heavy: Vec<(YaraWork, Option<Box<str>>)>,
    /// Boxed: few messages are edited, and what is edited takes much to keep.
    redaction: Option<Box<Redaction>>,
    head_edits: Vec<HeadEdit>,
    purpose: Purpose,
    state: State,
    report: Report,
    explanation: Option<Box<Explanation>>,
    members: Option<Box<Members>>,
}

/// What a scan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// The message's verdict.
    Verdict,
    /// A first look at its beginning: rules that speak of the whole file are left out.
    Glance,
}

/// What is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Input is inspected.
    Inspecting,
    /// The end of the body is known.
    Ending,
    /// Heavy work waits or is under way.
    Offloaded,
    /// Nothing more is looked at: the body is too large, or time is over, and the profile is open for that.
    GivenUp,
    /// The verdict is final.
    Done,
}

impl Scan {
    /// Begins with the heads; the verdict may stand at once.
    pub fn new(
        rules: &Arc<Ruleset>,
        profile: &Arc<Profile>,
        budget: &Budget,
        message: &Message<'_>,
    ) -> Self {
        let mut scan = Self::before_heads(rules, profile, budget, message);
        scan.begin(message);
        scan
    }

    /// The same, and keeps what the detectors see ([`into_explained`](Self::into_explained)): excerpts of values, so
    /// for an operator's own eyes only.
    pub fn explaining(
        rules: &Arc<Ruleset>,
        profile: &Arc<Profile>,
        budget: &Budget,
        message: &Message<'_>,
    ) -> Self {
        let mut scan = Self::before_heads(rules, profile, budget, message);
        scan.explanation = Some(Box::default());
        scan.begin(message);
        scan
    }

    fn before_heads(
        rules: &Arc<Ruleset>,
        profile: &Arc<Profile>,
        budget: &Budget,
        message: &Message<'_>,
    ) -> Self {
        let declared = message.declared();
        let origin = message.origin();
        let judge = match profile.exceptions.is_empty() {
            true => Judge::default(),
            false => Judge::new(profile, &origin.facts(&declared)),
        };
        let classes = match message.direction {
            Direction::Request | Direction::Response if profile.mode != Mode::Off => {
                wanted(profile)
            }
            Direction::Request | Direction::Response => Classes::empty(),
        };
        Self {
            rules: Arc::clone(rules),
            profile: Arc::clone(profile),
            budget: budget.clone(),
            judge,
            origin,
            direction: message.direction,
            stack: None,
            declared,
            classes,
            space: Loan::take(),
            values: None,
            open_values: Vec::new(),
            heavy: Vec::new(),
            redaction: None,
            head_edits: Vec::new(),
            purpose: Purpose::Verdict,
            state: State::Inspecting,
            report: Report::default(),
            explanation: None,
            members: None,
        }
    }

    fn begin(&mut self, message: &Message<'_>) {
        if self.profile.mode != Mode::Off {
            self.space.scratch.begin();
            self.redaction = self.redaction_of(message);
            self.redact_head(message);
            self.heads(message);
        }
    }

    /// Hands over body bytes. Cheap; the work is done by [`step`](Self::step).
    pub fn push(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        self.report.body_bytes += bytes.len() as u64;
        if self.profile.mode == Mode::Off {
            return;
        }
        let most = self.profile.limits.body_bytes;
        if most > 0 && self.report.body_bytes > most && self.state == State::Inspecting {
            self.abandon(Anomaly::BodyTooLarge);
        }
        if self.state == State::GivenUp {
            return;
        }
        if !self.is_decided() {
            self.stack().push(bytes);
        }
    }

    /// Sets how much the next steps do.
    pub fn pace(&mut self, pace: Pace) {
        if let Some(stack) = &mut self.stack {
            stack.pace(pace);
        }
    }

    /// Does at most about one window of work.
    pub fn step(&mut self) -> Step {
        if self.is_decided() {
            return Step::Decided;
        }
        match self.state {
            State::Inspecting | State::Ending if self.profile.mode == Mode::Off => self.step_off(),
            State::Inspecting | State::Ending => self.step_stack(),
            State::Offloaded => Step::Offload,
            State::GivenUp | State::Done => Step::Done,
        }
    }

    /// True when the profile may edit this body, so that [`released`](Self::released) carries the outgoing bytes. False
    /// once inspection is given up: then the original is what passes, if policy lets it.
    pub fn edits(&self) -> bool {
        self.redaction.as_deref().is_some_and(Redaction::edits)
    }

    /// True when the released bytes differ from the original even where nothing was edited (they are coded anew), so
    /// that the original must be kept for an unedited message.
    pub fn recodes(&self) -> bool {
        self.redaction.as_deref().is_some_and(Redaction::recodes)
    }

    /// True when the released bytes are in no content-coding although the body came in one.
    pub fn decodes(&self) -> bool {
        self.redaction.as_deref().is_some_and(Redaction::decodes)
    }

    /// True when the message as a whole must not be edited, so that a value in it leads to a block, or to nothing.
    pub fn forbids_edits(&self) -> bool {
        self.redaction
            .as_deref()
            .is_some_and(Redaction::is_forbidden)
    }

    /// After [`Step::Done`]: where the rest of the body begins that goes out byte for byte as it came, if that is known.
    pub fn seam(&self) -> Option<Seam> {
        self.redaction.as_deref()?.seam()
    }

    /// What is to be replaced in the head; known from the beginning.
    pub fn take_head_edits(&mut self) -> Vec<HeadEdit> {
        std::mem::take(&mut self.head_edits)
    }

    /// Outgoing bytes that have settled since the last call (only when [`edits`](Self::edits)).
    pub fn released(&mut self) -> Option<Bytes> {
        self.redaction.as_deref_mut()?.released()
    }

    /// Notes the names of JSON members from here on.
    pub fn watch_members(&mut self) {
        self.members = Some(Box::default());
    }

    /// The names of JSON members, a line each, when they were [watched](Self::watch_members) and there are any.
    pub fn take_members(&mut self) -> Option<Box<str>> {
        self.members.take()?.into_names()
    }

    /// What is known so far; final after [`Step::Done`].
    pub fn report(&self) -> &Report {
        &self.report
    }

    fn is_decided(&self) -> bool {
        self.report.is_blocked()
    }

    fn stack(&mut self) -> &mut Stack {
        let (declared, limits) = (&self.declared, self.profile.limits.content);
        let (budget, space) = (&self.budget, &mut self.space);
        self.stack.get_or_insert_with(|| {
            let mut stack = space.stack(declared, limits);
            stack.draw_on(budget);
            stack
        })
    }

    fn step_off(&mut self) -> Step {
        if self.state == State::Inspecting {
            return Step::NeedInput;
        }
        if self.report.body_bytes > 0 {
            self.report.uninspected = Uninspected::ProfileOff;
        }
        self.state = State::Done;
        Step::Done
    }

    fn step_stack(&mut self) -> Step {
        let progress = match &mut self.stack {
            None => content::Progress::Done,
            Some(stack) => {
                let mut router = PartRouter {
                    rules: &self.rules,
                    profile: &self.profile,
                    budget: &self.budget,
                    direction: self.direction,
                    classes: self.classes,
                    space: &mut self.space,
                    values: &mut self.values,
                    heavy: &mut self.heavy,
                    redaction: self.redaction.as_deref_mut(),
                    report: &mut self.report,
                    explanation: self.explanation.as_deref_mut(),
                    members: self.members.as_deref_mut(),
                };
                stack.step(&mut router)
            }
        };
        if progress == content::Progress::Within {
            return Step::Busy;
        }
        self.run_light_work();
        self.judge_found();
        let opened = self.open_blobs();
        if self.is_decided() {
            return Step::Decided;
        }
        if self.heavy.iter().any(|(work, _)| work.is_pressing()) {
            return Step::Offload;
        }
        match (progress, self.state) {
            _ if opened => Step::Busy,
            (content::Progress::Busy | content::Progress::Within, _) => Step::Busy,
            (content::Progress::NeedInput, _) | (content::Progress::Done, State::Inspecting) => {
                Step::NeedInput
            }
            (content::Progress::Done, _) if !self.heavy.is_empty() => {
                self.state = State::Offloaded;
                Step::Offload
            }
            (content::Progress::Done, _) => {
                self.conclude();
                Step::Done
            }
        }
    }

    fn redact_head(&mut self, message: &Message<'_>) {
        let Some(redact) = &self.profile.redact else {
            return;
        };
        let (target, fields) = match message.direction {
            Direction::Request => match message.request {
                Some(head) => (Some(head.target()), &head.fields),
                None => return,
            },
            Direction::Response => match message.response {
                Some(head) => (None, &head.fields),
                None => return,
            },
        };
        let values = fields.iter().map(|field| (field.name, field.value));
        let (edits, summary) = redact_head(redact, target, values);
        self.head_edits = edits;
        self.report.head_edits = summary.edits;
        self.report.absorb(summary);
    }

    fn redaction_of(&mut self, message: &Message<'_>) -> Option<Box<Redaction>> {
        let essence = self
            .declared
            .media_type()
            .map(|media_type| &*media_type.essence);
        let cuts = match may_be_document(essence) {
            true => self.profile.cuts(),
            false => Cuts::default(),
        };
        let redact = self.profile.redact.clone();
        if redact.is_none() && cuts.is_empty() {
            return None;
        }
        let fields = match message.direction {
            Direction::Request => &message.request?.fields,
            Direction::Response => &message.response?.fields,
        };
        let despite = redact.as_ref().map(|redact| redact.despite());
        let obstacle = obstacle::of(message, despite.unwrap_or_default());
        let content_type = match obstacle {
            // A fragment of a document is no document.
            Some(Anomaly::UnreachableEdit) => &b"text/plain"[..],
            Some(_) | None => fields.get("content-type").unwrap_or_default(),
        };
        let way = Way {
            profile: redact,
            cuts,
            content_type: String::from_utf8_lossy(content_type).into(),
            obstacle,
            direction: message.direction,
            budget: self.budget.clone(),
        };
        match Redaction::new(way, &self.declared) {
            Ok(redaction) => Some(Box::new(redaction)),
            Err(anomaly) => {
                self.space.findings.anomaly(anomaly, PartId::BODY, 0);
                None
            }
        }
    }

    /// A scan of the same message, begun anew, that looks at its body's beginning only: the head was read by this one,
    /// and evidence of injection is weighed on whole values.
    pub(super) fn glancing(&self, message: &Message<'_>) -> Self {
        let mut scan = Self::before_heads(&self.rules, &self.profile, &self.budget, message);
        scan.purpose = Purpose::Glance;
        scan.classes = Classes::empty();
        scan.space.scratch.begin();
        scan
    }

    fn run_light_work(&mut self) {
        if self.purpose == Purpose::Glance {
            self.heavy.clear();
        }
        if self.heavy.iter().all(|(work, _)| !work.is_light()) {
            return;
        }
        let (light, heavy): (Vec<_>, Vec<_>) = std::mem::take(&mut self.heavy)
            .into_iter()
            .partition(|(work, _)| work.is_light());
        self.heavy = heavy;
        for (work, name) in light {
            let externals = self.origin.externals(&self.declared, name.as_deref());
            work.run(&externals, &mut self.space.findings);
        }
    }

    /// Hands the stack the values that are files; true when there were any.
    fn open_blobs(&mut self) -> bool {
        let Some(stack) = &mut self.stack else {
            return false;
        };
        let space = &mut *self.space;
        let opened = !space.blobs.orders.is_empty();
        while let Some(order) = space.blobs.orders.pop_front() {
            match order {
                Order::Open(opening, at) => {
                    let parent = opening.parent;
                    match stack.open(opening) {
                        Ok(value) => {
                            if let Some(redaction) = &mut self.redaction {
                                redaction.value_opens(value, parent, at);
                            }
                            self.open_values.push((parent, value));
                        }
                        Err(anomaly) => space.findings.anomaly(anomaly, parent, 0),
                    }
                }
                Order::Feed(parent, bytes) => {
                    let open = self.open_values.iter().find(|(part, _)| *part == parent);
                    if let Some((_, value)) = open {
                        stack.feed(*value, bytes);
                    }
                }
                Order::Close(parent) => {
                    let mut open = self.open_values.iter();
                    if let Some(place) = open.position(|(part, _)| *part == parent) {
                        let (_, value) = self.open_values.swap_remove(place);
                        stack.close(value);
                    }
                }
            }
        }
        self.judge_found();
        opened
    }

    /// Judges what the last step found, in an order that does not depend on which inspector was first.
    fn judge_found(&mut self) {
        if self.space.findings.is_empty() {
            return;
        }
        let mut found = std::mem::take(&mut self.space.findings);
        found
            .list
            .sort_by(|one, other| place_of(one).cmp(&place_of(other)));
        for at in found.anomalies.drain(..) {
            self.judge_anomaly(at);
        }
        self.report.name_late(&mut found.late);
        for finding in found.list.drain(..) {
            let standing = self.rules.standings.of(&finding);
            let ruling = match self.judge.finding(&self.profile, &finding, standing) {
                Ruling::Sanitized(reason) if !self.is_cut(finding.part) => Ruling::Enforced(reason),
                ruling => ruling,
            };
            if ruling == Ruling::Ignored {
                continue;
            }
            self.block_if_enforced(&ruling);
            self.name_part(finding.part);
            self.report.keep(finding, ruling);
        }
        self.space.findings = found;
    }

    fn is_cut(&mut self, part: PartId) -> bool {
        self.redaction
            .as_deref_mut()
            .is_some_and(|redaction| redaction.answers(part))
    }

    fn judge_anomaly(&mut self, at: AnomalyAt) {
        let known = self
            .report
            .anomalies
            .iter()
            .any(|judged| judged.fact.anomaly == at.anomaly && judged.fact.part == at.part);
        if known {
            return;
        }
        let ruling = self.judge.anomaly(&self.profile, at.anomaly);
        self.block_if_enforced(&ruling);
        if self.report.anomalies.len() < MAX_ANOMALIES {
            self.name_part(at.part);
            self.report.anomalies.push(Judged { fact: at, ruling });
        }
    }

    fn name_part(&mut self, part: PartId) {
        if matches!(part, PartId::HEAD | PartId::BODY) {
            return;
        }
        if let Some(path) = self.stack.as_ref().and_then(|stack| stack.path_of(part)) {
            self.report.paths.entry(part).or_insert_with(|| path.into());
        }
    }

    fn block_if_enforced(&mut self, ruling: &Ruling) {
        if let (Ruling::Enforced(reason), false) = (ruling, self.is_decided()) {
            self.report.verdict = Verdict::Block(reason.clone());
        }
    }
}

impl Drop for Scan {
    /// What it borrowed goes back to the workspace, which goes back to its shelf.
    fn drop(&mut self) {
        if let Some(values) = self.values.take() {
            self.space.reuse(values);
        }
        if let Some(stack) = self.stack.take() {
            self.space.reuse_stack(stack);
        }
    }
}

/// Findings of one step are judged the surest first, then by where they end, then by rule.
fn place_of(finding: &Finding) -> (PartId, Reverse<u8>, u64, &str) {
    (
        finding.part,
        Reverse(finding.score),
        finding.span.end,
        &finding.rule,
    )
}

/// Anomalies recorded for one message; each kind counts once a part, so an archive of broken members cannot flood it.
const MAX_ANOMALIES: usize = 64;
