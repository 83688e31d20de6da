//! How a transaction ends: which answer, and from which copy of the body.

use crate::icap::{Allow, Response, Status};
use crate::inspect::Direction;
use crate::policy::{Reason, Verdict};
use crate::redact::Seam;
use crate::scan::{Ended, Scan};

use super::super::outcome::{Ending, Failure};
use super::super::respond::{Block, Change, Unchanged, remove_stale, unchanged};
use super::{Action, Answer, Copy, Plan, Source, State, Tail, Transaction, Work};

impl Transaction {
    pub(super) fn finish(&mut self) -> Action {
        if self.state == State::Streaming {
            // The rest of an edited stream cannot be made any more: the scan was given up.
            let lost =
                self.streams == Some(Copy::Edited) && !self.scan.as_ref().is_some_and(Scan::edits);
            if lost {
                return self.cut_off(Failure::CutOff);
            }
            self.state = State::Answered;
            let changed = self.body_changed();
            let trailers = self.trailers.take().map(|mut trailers| {
                if changed {
                    remove_stale(&mut trailers);
                }
                trailers
            });
            let tail = match (self.seam.take(), trailers) {
                (Some(seam), _) => Tail::Original(seam),
                (None, Some(trailers)) => Tail::Trailers(trailers),
                (None, None) => Tail::Plain,
            };
            return Action::BodyDone(tail);
        }
        let report = self.scan.as_ref().map(Scan::report);
        match report.map(|report| &report.verdict) {
            Some(Verdict::Redact { .. }) => self.edited(),
            Some(Verdict::Block(reason)) => {
                let reason = reason.clone();
                self.block(reason)
            }
            Some(Verdict::Allow) | None => self.unchanged(),
        }
    }

    /// The message as it came, in the cheapest form that the client can take.
    pub(super) fn unchanged(&mut self) -> Action {
        if !self.head_changed && unchanged(self.allow, self.stage) == Unchanged::NoContent {
            let answer = Response::new(Status::NoContent, self.house.istag);
            return self.respond((answer, Source::None));
        }
        let edits = self.scan.as_ref().is_some_and(Scan::edits);
        let source = match (self.section_has_body(), self.plan) {
            (false, _) => Source::None,
            (true, Plan::Judge) if edits => Source::Store(Copy::Edited),
            // The scan was given up, policy lets the message pass, and half of it was never kept.
            (true, Plan::Judge) => return self.fail(Failure::Spool, Status::ServerError),
            (true, _) => Source::Store(Copy::Original),
        };
        let answer = self.message(Change::None);
        self.respond((answer, source))
    }

    fn edited(&mut self) -> Action {
        let (source, change) = match (self.section_has_body(), self.body_changed(), self.plan) {
            (false, _, _) => (Source::None, Change::None),
            (true, false, Plan::JudgeAndKeep) => (Source::Store(Copy::Original), Change::None),
            // Nothing was kept but the edited copy, which is the original where the body was not changed.
            (true, false, _) => (Source::Store(Copy::Edited), Change::None),
            (true, true, _) => {
                let length = Some(self.edited_bytes);
                (Source::Store(Copy::Edited), self.change(length))
            }
        };
        if source == Source::Store(Copy::Edited) {
            self.seam = self.partial();
        }
        let mut answer = self.message(change);
        if let Some(scan) = &self.scan {
            self.house
                .style
                .redacted(&mut answer, scan.report(), self.id);
        }
        self.respond((answer, source))
    }

    /// What an edited body of that length is to the one that came.
    pub(super) fn change(&self, length: Option<u64>) -> Change {
        match self.scan.as_ref().is_some_and(Scan::decodes) {
            true => Change::Decoded(length),
            false => Change::Edited(length),
        }
    }

    fn body_changed(&self) -> bool {
        let report = self.scan.as_ref().map(Scan::report);
        report.is_some_and(|report| report.body_edits() > 0)
    }

    /// Where the client can go on with its own copy, if it offered that and keeps one: draft-icap-ext-partial-content-07.
    fn partial(&self) -> Option<Seam> {
        let offered = self.allow.contains(Allow::PARTIAL_CONTENT)
            && unchanged(self.allow, self.stage) == Unchanged::NoContent;
        // There is no place for trailers behind `use-original-body`.
        if !offered || !self.section_has_body() || self.trailers.is_some() {
            return None;
        }
        let seam = self.scan.as_ref()?.seam()?;
        (seam.original < self.outcome.bytes_in).then_some(seam)
    }

    pub(super) fn block(&mut self, reason: Reason) -> Action {
        if self.state == State::Streaming {
            self.outcome.verdict = Some(Verdict::Block(reason));
            return self.cut_off(Failure::CutOff);
        }
        let block = Block {
            reason: &reason,
            direction: self.method.direction().unwrap_or(Direction::Request),
            transaction: self.id,
        };
        let (answer, page) = self.house.style.block(self.house.istag, &self.heads, block);
        self.outcome.verdict = Some(Verdict::Block(reason));
        self.trailers = None;
        self.respond((answer, page.map_or(Source::None, Source::Inline)))
    }

    pub(super) fn fail(&mut self, failure: Failure, status: Status) -> Action {
        self.outcome.ending = Ending::Failed(failure);
        let answer = Response::new(status, self.house.istag);
        self.respond((answer, Source::None))
    }

    pub(super) fn cut_off(&mut self, failure: Failure) -> Action {
        self.outcome.ending = Ending::Failed(failure);
        self.state = State::Answered;
        self.scan_over();
        Action::CutOff
    }

    pub(super) fn respond(&mut self, (answer, source): Answer) -> Action {
        self.outcome.status = answer.status().code();
        self.scan_over();
        self.pending = None;
        let stored = matches!(source, Source::Store(_));
        // The store holds all of it: `BodyDone` follows at the next poll.
        self.state = if stored {
            State::Streaming
        } else {
            State::Answered
        };
        Action::Respond(answer, source)
    }

    /// The head of an ICAP 200 (206 where the client adds the rest) that carries the message.
    pub(super) fn message(&mut self, change: Change) -> Response {
        let direction = self.method.direction().unwrap_or(Direction::Request);
        let status = match self.seam {
            Some(_) => Status::PartialContent,
            None => Status::Ok,
        };
        let answer = Response::new(status, self.house.istag);
        self.heads.answer(answer, direction, self.section, change)
    }

    pub(super) fn end_scan(&mut self, ended: Ended) {
        if let (Some(scan), true) = (&mut self.scan, self.work != Work::Over) {
            scan.end(ended);
            self.work = Work::Waiting;
        }
    }

    pub(super) fn scan_over(&mut self) {
        self.work = Work::Over;
    }
}
