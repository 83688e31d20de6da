//! What a transaction does while its body comes: steps of the scan, bytes for the stores, whether it may stream.

use bytes::Bytes;

use crate::icap::BodySection;
use crate::policy::profile::Mode;
use crate::policy::{Reason, Verdict};
use crate::scan::{Scan, Step};

use super::super::facts;
use super::super::respond::{Change, Stage};
use super::{Action, Copy, Input, Plan, Source, State, Transaction, Work};

impl Transaction {
    /// Bytes for the store: the original before it is inspected, edited ones as they settle.
    pub(super) fn store_input(&mut self) -> Option<Action> {
        let edits = self.scan.as_ref().is_some_and(Scan::edits);
        if edits && let Some(bytes) = self.scan.as_mut().and_then(Scan::released) {
            self.edited_bytes += bytes.len() as u64;
            return Some(Action::Keep(Copy::Edited, bytes));
        }
        if self.plan == Plan::Stream && self.scan.is_some() {
            return match edits || self.work == Work::Waiting {
                true => None,
                false => self.settled(),
            };
        }
        self.pending
            .take()
            .map(|bytes| Action::Keep(Copy::Original, bytes))
    }

    /// The next bytes of an inspected stream that may leave: what the inspectors have not seen in full windows stays
    /// behind until they have.
    pub(super) fn settled(&mut self) -> Option<Action> {
        if let Some(bytes) = self.pending.take() {
            self.held_bytes += bytes.len();
            self.held.push_back(bytes);
        }
        let is_final = self.input == Input::Ended && self.work == Work::Over;
        let front = self.held.front().map(Bytes::len)?;
        if !is_final && self.held_bytes.saturating_sub(front) < HOLD_BACK_BYTES {
            return None;
        }
        self.held_bytes -= front;
        self.held
            .pop_front()
            .map(|bytes| Action::Keep(Copy::Original, bytes))
    }

    pub(super) fn step(&mut self) -> Action {
        let Some(scan) = &mut self.scan else {
            self.work = Work::Over;
            return Action::Yield;
        };
        match scan.step() {
            Step::Busy => Action::Yield,
            Step::NeedInput => {
                self.work = Work::Idle;
                self.poll_again()
            }
            Step::Offload => match scan.take_job() {
                Some(job) => {
                    self.work = Work::OnPool;
                    Action::Offload(job)
                }
                None => {
                    scan.job_refused();
                    Action::Yield
                }
            },
            Step::Decided | Step::Done => {
                self.work = Work::Over;
                match scan.report().verdict.clone() {
                    Verdict::Block(reason) => self.block(reason),
                    Verdict::Allow | Verdict::Redact { .. } => self.poll_again(),
                }
            }
        }
    }

    /// The next state has work of its own: at most one level deep, since the scan is not waiting any more.
    pub(super) fn poll_again(&mut self) -> Action {
        match self.store_input() {
            Some(action) => action,
            None if self.plan == Plan::Stream && self.may_stream() => self.begin_stream(),
            None => match self.input {
                Input::Open => Action::Wait,
                Input::AwaitingContinue => self.after_preview(),
                Input::Ended => self.finish(),
            },
        }
    }

    /// The scan wants more than the preview, or there is none and the client holds no copy.
    pub(super) fn after_preview(&mut self) -> Action {
        let off = self
            .profile
            .as_ref()
            .is_some_and(|profile| profile.mode == Mode::Off);
        // RFC 3507 §4.5: whoever does not need to see the rest says so now.
        if off || self.work == Work::Over && !self.head_changed {
            return self.unchanged();
        }
        if let Some(reason) = self.bad_already() {
            return self.block(reason);
        }
        self.input = Input::Open;
        self.stage = Stage::Whole;
        Action::Continue
    }

    /// Why the preview alone is enough to block, if it is: the rest needs not be sent (RFC 3507 §4.5).
    pub(super) fn bad_already(&mut self) -> Option<Reason> {
        let beginning = std::mem::take(&mut self.preview);
        let direction = self.method.direction()?;
        let enforces = self.profile.as_ref()?.mode == Mode::Enforce;
        if beginning.is_empty() || !enforces {
            return None;
        }
        let message = facts::message(direction, &self.heads, &self.facts);
        let (scan, reason) = self.scan.as_ref()?.glance(&message, &beginning)?;
        self.scan = Some(scan);
        Some(reason)
    }

    pub(super) fn may_stream(&self) -> bool {
        let begun = self.state == State::Streaming;
        // What was seen of a preview may still be answered with 204, and 100 must come before any answer.
        !begun && self.stage == Stage::Whole && self.section_has_body()
    }

    pub(super) fn section_has_body(&self) -> bool {
        match self.section {
            BodySection::Request | BodySection::Response => true,
            BodySection::Absent | BodySection::Null | BodySection::Options => false,
        }
    }

    pub(super) fn begin_stream(&mut self) -> Action {
        let (copy, change) = match self.scan.as_ref().is_some_and(Scan::edits) {
            true => (Copy::Edited, self.change(None)),
            false => (Copy::Original, Change::None),
        };
        self.streams = Some(copy);
        let answer = self.message(change);
        self.state = State::Streaming;
        self.outcome.status = answer.status().code();
        Action::Respond(answer, Source::Store(copy))
    }
}

/// What stays behind of a stream that is released as it settles: a window of 16 KiB, coded as base64 and then some.
const HOLD_BACK_BYTES: usize = 64 << 10;
