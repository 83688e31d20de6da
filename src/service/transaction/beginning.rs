//! How a transaction begins: whether the request is for us, the scan that it gets, what its head alone decides.

use crate::anomaly::Anomaly;
use crate::budget::Budget;
use crate::icap::{BodySection, Request, Status};
use crate::policy::Reason;
use crate::policy::allow::Allow;
use crate::policy::profile::{Mode, Release};
use crate::scan::{Ended, Scan};

use super::super::facts::{self, Peer};
use super::super::outcome::{Failure, Method};
use super::super::respond::{Stage, Unchanged, unchanged};
use super::{Action, Input, Plan, Source, Transaction, Work};

impl Transaction {
    /// Why the request is not for us, if so.
    pub(super) fn refused(&self, request: &Request, peer: &Peer) -> Option<(Failure, Status)> {
        let hosts = &self.house.hosts;
        let host = request.uri.host();
        if !hosts.is_empty() && !hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
            return Some((Failure::NotFound, Status::NotFound));
        }
        let Some(service) = &self.service else {
            return Some((Failure::NotFound, Status::NotFound));
        };
        let admits = |allow: &Allow| allow.admits(peer.address, peer.tls_identity.as_deref());
        if !admits(&service.allow) {
            return Some((Failure::Forbidden, Status::Forbidden));
        }
        if !service.offers(self.method) {
            return Some((Failure::MethodNotAllowed, Status::MethodNotAllowed));
        }
        // After the rules by route: whichever way a message came to the profile.
        let profile = self.profile.as_ref();
        if profile.is_some_and(|profile| !admits(&profile.allow)) {
            return Some((Failure::Forbidden, Status::Forbidden));
        }
        let composed = match self.method {
            Method::Options | Method::Unknown => true,
            // Errata e5: a message without head and body is none.
            Method::Reqmod => self.heads.request.is_some() || self.section == BodySection::Request,
            Method::Respmod => {
                self.heads.response.is_some() || self.section == BodySection::Response
            }
        };
        (!composed).then_some((Failure::BadComposition, Status::BadComposition))
    }

    pub(super) fn start_scan(&mut self, budget: &Budget) {
        let (Some(direction), Some(profile)) = (self.method.direction(), self.profile.clone())
        else {
            return;
        };
        let mut keeps_copy = unchanged(self.allow, Stage::Whole) == Unchanged::NoContent;
        if profile.mode == Mode::Off {
            self.plan = if keeps_copy {
                Plan::Ignore
            } else {
                Plan::Stream
            };
            return;
        }
        let message = facts::message(direction, &self.heads, &self.facts);
        let mut scan = Scan::new(&self.house.rules, &profile, budget, &message);
        if self.facts.names.is_some() {
            scan.watch_members();
        }
        let head_edits = scan.take_head_edits();
        self.heads.redact(direction, &head_edits);
        self.head_changed = !head_edits.is_empty();
        // The client's copy has the old head.
        keeps_copy &= !self.head_changed;
        let settles = profile.release == Release::AsSettled && !scan.forbids_edits();
        self.plan = if settles && (!keeps_copy || scan.edits()) {
            Plan::Stream
        } else if keeps_copy || scan.edits() && !scan.recodes() {
            // Where nothing is edited the edited copy is the original.
            Plan::Judge
        } else {
            Plan::JudgeAndKeep
        };
        self.scan = Some(scan);
        self.work = Work::Waiting;
        if self.input == Input::Ended {
            self.end_scan(Ended::Complete);
        }
    }

    pub(super) fn answer_by_head(&mut self) -> Action {
        match (self.refusal, &self.service) {
            (None, Some(service)) => {
                let answer = service.options.response(
                    self.house.istag,
                    self.allow,
                    Some(&(self.house.date)()),
                );
                self.respond((answer, Source::None))
            }
            (Some(_), Some(_)) if self.sheds => self.block(Reason::Anomaly(Anomaly::Overload)),
            (Some((failure, status)), _) => self.fail(failure, status),
            (None, None) => self.fail(Failure::NotFound, Status::NotFound),
        }
    }
}
