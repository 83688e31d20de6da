//! Heavy work of a scan, done where it holds nobody up.

use crate::anomaly::Anomaly;
use crate::inspect::signatures::YaraWork;
use crate::inspect::yara::Externals;
use crate::inspect::{AnomalyAt, Findings, PartId};

use super::super::Step;
use super::{Scan, State};

/// Work for a pool thread.
#[derive(Debug)]
pub struct Job {
    work: Vec<(YaraWork, Externals)>,
}

impl Job {
    /// True when it waits for a disk only, and needs no place in a pool that shares out the processors.
    pub fn is_file_work(&self) -> bool {
        self.work.iter().all(|(work, _)| work.is_file_work())
    }

    /// Does the work; takes milliseconds to seconds.
    pub fn run(self) -> JobResult {
        let mut findings = Findings::default();
        for (work, externals) in self.work {
            work.run(&externals, &mut findings);
        }
        JobResult { findings }
    }
}

/// What a [`Job`] found.
#[derive(Debug)]
pub struct JobResult {
    findings: Findings,
}

impl Scan {
    /// The heavy work so far, when [`step`](Self::step) said [`Step::Offload`].
    pub fn take_job(&mut self) -> Option<Job> {
        if self.heavy.is_empty() {
            return None;
        }
        let work = std::mem::take(&mut self.heavy)
            .into_iter()
            .map(|(work, name)| {
                let externals = self.origin.externals(&self.declared, name.as_deref());
                (work, externals)
            })
            .collect();
        Some(Job { work })
    }

    /// Takes the result of the job back.
    pub fn job_done(&mut self, result: JobResult) {
        self.space.findings = result.findings;
        self.judge_found();
        self.conclude_if_ended();
    }

    /// The pool had no room: the missing work becomes an `overload` anomaly.
    pub fn job_refused(&mut self) {
        self.heavy.clear();
        let offset = 0;
        self.judge_anomaly(AnomalyAt {
            anomaly: Anomaly::Overload,
            part: PartId::BODY,
            offset,
        });
        self.conclude_if_ended();
    }

    /// As [`step`](Self::step), with the heavy work done on this thread: for who has nothing to serve meanwhile. Never says
    /// [`Step::Offload`].
    pub fn step_here(&mut self) -> Step {
        match self.step() {
            Step::Offload => {
                match self.take_job() {
                    Some(job) => self.job_done(job.run()),
                    None => self.job_refused(),
                }
                Step::Busy
            }
            step => step,
        }
    }

    /// After a job: one of a body that is not over yet changes nothing more.
    fn conclude_if_ended(&mut self) {
        match self.state {
            State::Offloaded => self.conclude(),
            State::Inspecting | State::Ending | State::GivenUp | State::Done => {}
        }
    }
}
