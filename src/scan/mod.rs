//! One message: its heads, its URL and its body, from bytes to verdict. Knows neither sockets nor ICAP nor clocks.
//!
//! ```text
//!            push(Bytes) ─► step() ─► Busy        one window of work was done, call again (yield in between)
//!                                    NeedInput   all that was pushed is inspected
//!                                    Decided     a block stands; more input changes nothing
//!   end(Ended) ─► step() … ─► Offload  heavy work waits: take_job(), run it elsewhere, job_done()
//!                             Done     the verdict is final
//! ```
//!
//! With a redacting profile [`Scan::released`] yields the bytes of the edited message as they settle; everything that
//! it yields, in order, is the whole edited body.

use std::sync::Arc;

use bytes::Bytes;

use crate::budget::Budget;
use crate::inspect::{AnomalyAt, Direction, Finding};
use crate::policy::Verdict;
use crate::policy::profile::Profile;

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// One window of work was done and more waits: call [`Scan::step`] again, after letting others run.
    Busy,
    /// Everything pushed so far is inspected.
    NeedInput,
    /// The verdict is a block already; no further input can change it.
    Decided,
    /// Heavy work waits: take it with [`Scan::take_job`].
    Offload,
    /// The verdict is final.
    Done,
}

/// How the body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By its framing.
    Complete,
    /// The peer went away or broke its framing.
    Truncated,
}

/// Work for a pool thread.
pub struct Job;

impl Job {
    /// Does the work; takes milliseconds to seconds.
    pub fn run(self) -> JobResult {
        JobResult
    }
}

/// What a [`Job`] found.
pub struct JobResult;

/// The compiled rules that all scans of a snapshot share.
#[derive(Debug, Default)]
pub struct Ruleset;

/// The message's facts that are not in its body. (Grows http1 heads, URL, client facts.)
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Request or response.
    pub direction: Direction,
}

/// The inspection of one message.
#[derive(Debug)]
pub struct Scan {
    report: Report,
}

/// Everything that is known at the end; the audit record is made of it.
#[derive(Debug, Default)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Findings, capped at 64, worst first kept.
    pub findings: Vec<Finding>,
    /// Findings that were not kept.
    pub findings_dropped: u64,
    /// Anomalies, each with how it was judged left to `policy`.
    pub anomalies: Vec<AnomalyAt>,
    /// Body bytes taken in (encoded form).
    pub body_bytes: u64,
    /// Bytes after the content-codings.
    pub decoded_bytes: u64,
    /// Bytes that were not fully inspected.
    pub uninspected_bytes: u64,
}

impl Scan {
    /// Begins with the heads; the verdict may stand at once.
    pub fn new(
        _rules: &Arc<Ruleset>,
        _profile: &Arc<Profile>,
        _budget: &Budget,
        _message: &Message,
    ) -> Self {
        Self {
            report: Report::default(),
        }
    }

    /// Hands over body bytes. Cheap; the work is done by [`step`](Self::step).
    pub fn push(&mut self, bytes: Bytes) {
        self.report.body_bytes += bytes.len() as u64;
    }

    /// Says that the body is over.
    pub fn end(&mut self, _ended: Ended) {}

    /// Does at most one window of work.
    pub fn step(&mut self) -> Step {
        Step::NeedInput
    }

    /// The heavy work, when [`step`](Self::step) said [`Step::Offload`].
    pub fn take_job(&mut self) -> Option<Job> {
        None
    }

    /// Takes the result of the job back.
    pub fn job_done(&mut self, _result: JobResult) {}

    /// The pool had no room: the missing work becomes an `overload` anomaly.
    pub fn job_refused(&mut self) {}

    /// True when the profile may edit this body, so that [`released`](Self::released) carries the outgoing bytes.
    pub fn edits(&self) -> bool {
        false
    }

    /// Outgoing bytes that have settled since the last call (only when [`edits`](Self::edits)).
    pub fn released(&mut self) -> Option<Bytes> {
        None
    }

    /// What is known so far; final after [`Step::Done`].
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Ends the scan.
    pub fn into_report(self) -> Report {
        self.report
    }
}
