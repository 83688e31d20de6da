//! One ICAP transaction as a state machine: events in, actions out. No socket, no clock, no file.
//!
//! ```text
//!  begin ─► poll ─► Respond            404, 405, 418, OPTIONS: decided by the head
//!              │
//!  body(..) ───┤ Step/Keep/Offload     judged: nothing leaves before the verdict; the original is kept when it may
//!  preview_end │ Continue              have to go back
//!  body_end ───┤ Respond + BodyDone    streamed: the head leaves first, bytes follow as they are inspected
//!              │ CutOff                streamed, and a block was decided too late
//!              └ Wait                  more events are needed
//! ```
//!
//! Call [`Transaction::poll`] until it says [`Action::Wait`] after each event, and take no event from the connection
//! before it does: that is the back-pressure.
//!
//! `beginning`, `middle` and `ending` are what it does in each part of its life.

mod beginning;
mod ending;
mod middle;

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread::LocalKey;

use bytes::Bytes;

use crate::anomaly::Anomaly;
use crate::budget::Budget;
use crate::content::Pace;
use crate::icap::{BodySection, IsTag, Request, Response, Status};
use crate::inspect::Direction;
use crate::policy::Verdict;
use crate::policy::profile::Profile;
use crate::policy::route::{Routes, Rule};
use crate::redact::Seam;
use crate::scan::{Ended, Job, JobResult, Report, Ruleset, Scan, Uninspected};
use crate::shelf::{Boxes, Shelf, Shelved};
use crate::wire::{Fields, Pieces};

use super::facts::{Peer, Watch};
use super::outcome::{Ending, Facts, Failure, Method, Outcome, Timing, TransactionId};
use super::respond::{Heads, Stage, Style};
use super::services::{Service, Services};

/// What the transactions of a snapshot share.
#[derive(Debug)]
pub struct House {
    /// Which path does what.
    pub services: Services,
    /// Which messages get another profile than their service's.
    pub routes: Routes,
    /// The compiled rules.
    pub rules: Arc<Ruleset>,
    /// How answers look.
    pub style: Style,
    /// The state of all that.
    pub istag: IsTag,
    /// Hosts that a request URI may name, in lower case; empty: any.
    pub hosts: Vec<Box<str>>,
    /// What is taken from heads besides.
    pub watch: Watch,
    /// Now, as HTTP writes it; there is no clock here.
    pub date: fn() -> String,
}

impl House {
    /// The rule by route that fits a message to `service`.
    fn rule(
        &self,
        service: &Service,
        direction: Direction,
        facts: impl FnOnce() -> crate::policy::facts::Facts,
    ) -> Option<&Rule> {
        if self.routes.is_empty() {
            return None;
        }
        let facts = crate::policy::facts::Facts {
            service: (&*service.path).into(),
            ..facts()
        };
        self.routes.choose(direction, &facts)
    }
}

/// What the driver is to do next.
#[derive(Debug)]
pub enum Action {
    /// Nothing: hand in the next event.
    Wait,
    /// A window of work was done: let others run, then poll again.
    Yield,
    /// Keep these bytes in the store of that name, for [`Source`].
    Keep(Copy, Bytes),
    /// Send `100 Continue`.
    Continue,
    /// Send this head; the body, if it has one, comes from the source.
    Respond(Response, Source),
    /// What is in the store is all of the body that is sent.
    BodyDone(Tail),
    /// Run this on the pool; hand the result in with [`Transaction::job_done`] or [`Transaction::job_refused`].
    Offload(Job),
    /// End the connection without completing the answer.
    CutOff,
}

/// Which bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// As they came.
    Original,
    /// As they were edited.
    Edited,
}

/// Where an answer's body comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// There is none.
    None,
    /// These bytes are all of it.
    Inline(Bytes),
    /// The store; [`Action::BodyDone`] says when no more is added.
    Store(Copy),
}

/// How an answer's body ends.
#[derive(Clone, Debug)]
pub enum Tail {
    /// With the last chunk.
    Plain,
    /// With these trailers.
    Trailers(Fields),
    /// The client goes on with its own copy where the edits end (206, `use-original-body`); what the store holds beyond
    /// that is not sent.
    Original(Seam),
}

/// One transaction.
#[derive(Debug)]
pub struct Transaction {
    house: Arc<House>,
    id: TransactionId,
    method: Method,
    service: Option<Arc<Service>>,
    profile: Option<Arc<Profile>>,
    route: Option<Arc<str>>,
    facts: Facts,
    heads: Heads,
    allow: crate::icap::Allow,
    section: BodySection,
    stage: Stage,
    plan: Plan,
    scan: Option<Scan>,
    work: Work,
    input: Input,
    pending: Option<Bytes>,
    /// The preview, as long as the client waits for what becomes of it.
    preview: Pieces,
    held: Pieces,
    held_bytes: usize,
    trailers: Option<Fields>,
    state: State,
    refusal: Option<(Failure, Status)>,
    head_changed: bool,
    sheds: bool,
    edited_bytes: u64,
    streams: Option<Copy>,
    /// Set when the answer is a 206.
    seam: Option<Seam>,
    outcome: Partial,
}

impl Shelf for Transaction {
    fn shelf() -> &'static LocalKey<Boxes<Self>> {
        thread_local!(static SHELF: Boxes<Transaction> = const { RefCell::new(Vec::new()) });
        &SHELF
    }
}

/// How the body is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Answered by the head alone; the body, if any, is not looked at.
    HeadOnly,
    /// Nothing leaves before the verdict, and nothing is kept: the client keeps its copy.
    Judge,
    /// Nothing leaves before the verdict; the original is kept.
    JudgeAndKeep,
    /// Bytes leave once they were inspected.
    Stream,
    /// Nothing is inspected, and the client keeps its copy.
    Ignore,
}

/// Whether the scan has something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Idle,
    Waiting,
    OnPool,
    Over,
}

/// What has come of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    /// More will come.
    Open,
    /// The preview is over and the client waits.
    AwaitingContinue,
    /// All is here.
    Ended,
}

/// What has been said to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing final.
    Undecided,
    /// The head of an answer whose body is still being made.
    Streaming,
    /// The whole answer, as far as this machine is concerned.
    Answered,
}

/// The parts of the outcome that are known before the end.
#[derive(Debug, Default)]
struct Partial {
    status: u16,
    ending: Ending,
    bytes_in: u64,
    verdict: Option<Verdict>,
}

/// What one answer consists of; built by the handlers below.
type Answer = (Response, Source);

impl Transaction {
    /// Begins with a request's heads.
    pub fn begin(
        house: &Arc<House>,
        budget: &Budget,
        peer: &Peer,
        mut request: Shelved<Request>,
    ) -> Shelved<Self> {
        let method = match request.method {
            crate::icap::Method::Options => Method::Options,
            crate::icap::Method::Reqmod => Method::Reqmod,
            crate::icap::Method::Respmod => Method::Respmod,
        };
        let service = house.services.find(request.uri.path()).cloned();
        let heads = Heads::of(&mut request);
        let (mut profile, mut route) = (None, None);
        if let (Some(direction), Some(service)) = (method.direction(), &service) {
            profile = service.profile(direction).cloned();
            let rule = house.rule(service, direction, || {
                super::facts::policy(&request.fields, &heads, direction, peer)
            });
            if let (Some(rule), true) = (rule, profile.is_some()) {
                profile = Some(Arc::clone(&rule.profile));
                route = Some(Arc::clone(&rule.name));
            }
        }
        let section = request.encapsulated.body();
        let has_body = request.has_body();
        let facts = super::facts::of(&request, &heads, house.watch);
        // Thousands of bytes, which are not to be moved from hand to hand.
        let mut begun = Shelved::new(Self {
            house: Arc::clone(house),
            id: TransactionId::next(),
            method,
            service,
            profile,
            route,
            facts,
            allow: request.allow,
            section,
            stage: match request.preview {
                Some(_) => Stage::Preview,
                None => Stage::Whole,
            },
            plan: Plan::HeadOnly,
            scan: None,
            work: Work::Over,
            input: if has_body { Input::Open } else { Input::Ended },
            pending: None,
            preview: Pieces::default(),
            held: Pieces::default(),
            held_bytes: 0,
            trailers: None,
            state: State::Undecided,
            refusal: None,
            head_changed: false,
            sheds: false,
            edited_bytes: 0,
            streams: None,
            seam: None,
            outcome: Partial::default(),
            heads,
        });
        begun.refusal = begun.refused(&request, peer);
        if begun.refusal.is_none() {
            begun.start_scan(budget);
        }
        begun
    }

    /// Its name.
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// What is asked for.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The path of the service that was asked for, as configured.
    pub fn service(&self) -> Option<&Arc<str>> {
        self.service.as_deref().map(|service| &service.path)
    }

    /// Refuses it before anything was done: its client may not have this, or not now.
    pub fn refuse(&mut self, failure: Failure, status: Status) {
        self.refusal = Some((failure, status));
        self.plan = Plan::HeadOnly;
        self.scan = None;
        self.work = Work::Over;
    }

    /// Refuses the message, and only this: the client is told by a block page, so that a gateway does not take it for a
    /// failure of the service.
    pub fn shed(&mut self) {
        let refusal = (Failure::Overload("quota"), Status::Overloaded);
        self.refuse(refusal.0, refusal.1);
        self.sheds = self.method.direction().is_some();
    }

    /// What may be logged of the message.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Body bytes came.
    pub fn body(&mut self, bytes: Bytes) {
        self.outcome.bytes_in += bytes.len() as u64;
        if self.state == State::Answered {
            return;
        }
        if self.stage == Stage::Preview {
            self.preview.push_back(bytes.clone());
        }
        if let Some(scan) = &mut self.scan {
            scan.push(bytes.clone());
            self.work = Work::Waiting;
        }
        match self.plan {
            Plan::JudgeAndKeep | Plan::Stream => self.pending = Some(bytes),
            Plan::HeadOnly | Plan::Judge | Plan::Ignore => {}
        }
    }

    /// The preview is over and the client waits for a decision.
    pub fn preview_end(&mut self) {
        self.input = Input::AwaitingContinue;
    }

    /// The body is over.
    pub fn body_end(&mut self, trailers: Fields) {
        self.input = Input::Ended;
        if !trailers.is_empty() {
            if let Some(scan) = &mut self.scan {
                scan.trailers(&trailers);
            }
            self.trailers = Some(trailers);
        }
        self.end_scan(Ended::Complete);
    }

    /// The result of an [`Action::Offload`].
    pub fn job_done(&mut self, result: JobResult) {
        if let Some(scan) = &mut self.scan {
            scan.job_done(result);
            self.work = Work::Waiting;
        }
    }

    /// The pool had no room for an [`Action::Offload`].
    pub fn job_refused(&mut self) {
        if let Some(scan) = &mut self.scan {
            scan.job_refused();
            self.work = Work::Waiting;
        }
    }

    /// The pool did not do an [`Action::Offload`] in time.
    pub fn job_timed_out(&mut self) {
        self.work = Work::Waiting;
        self.time_is_over();
    }

    /// The inspection took too long: policy judges what was seen.
    pub fn time_is_over(&mut self) {
        if let (Some(scan), true) = (&mut self.scan, self.work != Work::Over) {
            scan.abandon(Anomaly::ScanTimeout);
            self.work = Work::Waiting;
        }
    }

    /// Body bytes that came.
    pub fn bytes_in(&self) -> u64 {
        self.outcome.bytes_in
    }

    /// The store could not take the bytes of an [`Action::Keep`], or not give them back.
    pub fn store_failed(&mut self) -> Action {
        if self.state == State::Streaming {
            return self.cut_off(Failure::Spool);
        }
        if let Some(scan) = &mut self.scan {
            scan.abandon(Anomaly::SpoolFailure);
            if let Verdict::Block(reason) = &scan.report().verdict {
                let reason = reason.clone();
                return self.block(reason);
            }
        }
        // Policy lets it pass, but it is not there any more.
        self.fail(Failure::Spool, Status::ServerError)
    }

    /// Ends it without an answer of its own; the connection has said what there is to say.
    pub fn abandon(&mut self, failure: Failure, status: u16) {
        self.end_scan(Ended::Truncated);
        if self.state != State::Answered || self.outcome.status == 0 {
            self.outcome.ending = Ending::Failed(failure);
        }
        if self.outcome.status == 0 {
            self.outcome.status = status;
        }
        self.state = State::Answered;
    }

    /// The answer, or the rest of it, did not reach the client.
    pub fn lose(&mut self, failure: Failure) {
        self.abandon(failure, 0);
        self.outcome.ending = Ending::Failed(failure);
    }

    /// Sets how much the next steps of the inspection do.
    pub fn pace(&mut self, pace: Pace) {
        if let Some(scan) = &mut self.scan {
            scan.pace(pace);
        }
    }

    /// True once the final answer has begun.
    pub fn answered(&self) -> bool {
        self.state != State::Undecided
    }

    /// Does the next piece of work.
    pub fn poll(&mut self) -> Action {
        if self.state == State::Answered {
            return Action::Wait;
        }
        if self.plan == Plan::HeadOnly {
            return self.answer_by_head();
        }
        if let Some(action) = self.store_input() {
            return action;
        }
        match self.work {
            Work::Waiting => return self.step(),
            Work::OnPool => return Action::Wait,
            Work::Idle | Work::Over => {}
        }
        if self.plan == Plan::Stream && self.may_stream() {
            return self.begin_stream();
        }
        match self.input {
            Input::Open => Action::Wait,
            Input::AwaitingContinue => self.after_preview(),
            Input::Ended => self.finish(),
        }
    }

    /// What became of it. Timing and bytes sent are the driver's.
    pub fn take_outcome(
        &mut self,
        peer: Option<IpAddr>,
        timing: Timing,
        bytes_out: u64,
    ) -> Outcome {
        let bytes_in = self.outcome.bytes_in;
        self.facts.members = self.scan.as_mut().and_then(Scan::take_members);
        let seen = self.scan.as_mut().map(Scan::take_report);
        let mut report = seen.unwrap_or_else(|| Report {
            body_bytes: bytes_in,
            uninspected: match self.profile {
                Some(_) if bytes_in > 0 => Uninspected::ProfileOff,
                Some(_) | None => Uninspected::No,
            },
            ..Report::default()
        });
        if let Some(verdict) = self.outcome.verdict.take() {
            report.verdict = verdict;
        }
        Outcome {
            id: self.id,
            peer,
            method: self.method,
            service: self.service().cloned(),
            profile: self
                .profile
                .as_ref()
                .map(|profile| Arc::clone(&profile.name)),
            route: self.route.take(),
            message: std::mem::take(&mut self.facts),
            report,
            status: self.outcome.status,
            ending: self.outcome.ending,
            bytes_in: self.outcome.bytes_in,
            bytes_out,
            timing,
        }
    }
}
