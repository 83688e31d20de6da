//! Everything that ends a transaction other than its answer, and the record of each end.

use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::icap::{ProtocolError, Response, Status};
use crate::service::outcome::{Ending, Facts, Failure, Method, Outcome, Timing, TransactionId};

use super::super::deadline::Waiting;
use super::{Driver, guarded};

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// The peer broke the protocol.
    pub(super) fn misdeed(&mut self, error: ProtocolError) {
        let status = error.status().code();
        let failure = match error {
            ProtocolError::TruncatedHead | ProtocolError::TruncatedBody => Failure::PeerGone,
            _ => Failure::Protocol(error.code()),
        };
        let refused = self
            .current
            .as_ref()
            .is_none_or(|current| current.transaction.answered());
        if refused && self.connection.owes_answer() {
            self.close_current(Instant::now());
            self.record(failure, status);
        } else if let Some(current) = &mut self.current {
            current.transaction.abandon(failure, status);
        }
        self.connection.send_error(error);
    }

    /// A bug of ours: this transaction ends with 500, this connection with it, and nothing else.
    pub(super) fn panicked(&mut self) {
        match self.current.take() {
            Some(current) => {
                self.shared.telemetry.metrics.inflight.dec();
                self.live.end();
                let id = current.transaction.id();
                // What panicked once may do it again when it is dropped.
                let _ = guarded(move || drop(current));
                self.record_as(id, Failure::Panic, 500);
            }
            None => self.record(Failure::Panic, 500),
        }
        if self.connection.owes_answer() {
            let istag = self.shared.snapshot.load().house.istag;
            self.connection.close_after_response();
            self.connection.drain(self.drain_bytes);
            self.connection
                .send_response(&Response::new(Status::ServerError, istag));
        } else {
            self.connection.abort();
        }
    }

    /// A deadline passed; false: there is nobody to tell.
    pub(super) fn timed_out(&mut self) -> bool {
        let waiting = self.clock.waiting();
        let failure = Failure::Timeout(waiting.code());
        match waiting {
            Waiting::Idle | Waiting::FirstByte | Waiting::Linger | Waiting::Work => false,
            Waiting::Drain | Waiting::Write => {
                match &mut self.current {
                    Some(current) => current.transaction.lose(failure),
                    None => self.shared.telemetry.metrics.error(waiting.code()),
                }
                false
            }
            Waiting::Head | Waiting::Preview | Waiting::Body | Waiting::AfterContinue => {
                match &mut self.current {
                    Some(current) if !current.is_over() => {
                        current.transaction.abandon(failure, 408)
                    }
                    Some(_) | None => self.record(failure, 408),
                }
                self.connection.send_error(ProtocolError::TimedOut);
                true
            }
        }
    }

    /// The peer is gone: nothing more can be said.
    pub(super) fn gone(&mut self) {
        if let Some(current) = &mut self.current {
            current.transaction.lose(Failure::PeerGone);
        }
        self.close_current(Instant::now());
    }

    /// Records the transaction, when there is one.
    pub(super) fn close_current(&mut self, now: Instant) {
        let Some(mut current) = self.current.take() else {
            return;
        };
        self.shared.telemetry.metrics.inflight.dec();
        self.live.end();
        if !current.transaction.answered() {
            current.transaction.abandon(Failure::PeerGone, 0);
        }
        if current.answered.is_some() {
            current.first_byte.get_or_insert(now);
        }
        if let Some(ticket) = current.ticket.take() {
            let limits = &self.shared.snapshot.load().config.quotas;
            ticket.charge(current.transaction.bytes_in(), limits);
        }
        let since = |at: Instant| at.saturating_duration_since(current.began);
        let timing = Timing {
            first_byte: current.first_byte.map(since),
            total: since(now),
        };
        let outcome =
            current
                .transaction
                .take_outcome(self.client.peer.address, timing, current.bytes_out);
        self.client.record(&outcome, &self.shared);
        outcome.message.give_back();
    }

    /// Records a request that never became a transaction.
    fn record(&self, failure: Failure, status: u16) {
        self.record_as(TransactionId::next(), failure, status);
    }

    fn record_as(&self, id: TransactionId, failure: Failure, status: u16) {
        let outcome = Outcome {
            id,
            peer: self.client.peer.address,
            method: Method::Unknown,
            service: None,
            profile: None,
            route: None,
            message: Facts::default(),
            report: crate::scan::Report::default(),
            status,
            ending: Ending::Failed(failure),
            bytes_in: 0,
            bytes_out: 0,
            timing: Timing::default(),
        };
        self.client.record(&outcome, &self.shared);
    }
}
