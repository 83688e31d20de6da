//! Who is at the other end of a connection, and what he may ask for.

use std::sync::Arc;

use crate::config::listeners::Listener;
use crate::config::quotas::Quotas;
use crate::icap::Status;
use crate::service::facts::Peer;
use crate::service::outcome::{Failure, Outcome};
use crate::service::transaction::Transaction;

use super::Shared;
use super::quota::{Asking, Membership, Refusal, Ticket};

/// The ICAP client of one connection.
#[derive(Clone)]
pub(super) struct Client {
    /// Where he is, as a trusted proxy said, if there is one (a Unix socket's client has no address); and the name in his
    /// certificate, the listed one, if there is a list.
    pub(super) peer: Peer,
    /// Through which door he came.
    pub(super) listener: Arc<Listener>,
    /// What he has under way.
    pub(super) membership: Arc<Membership>,
    /// Told of each outcome.
    pub(super) observer: Option<Observer>,
}

/// Who wants to know what became of a client's transactions.
pub(super) type Observer = Arc<dyn Fn(&Outcome) + Send + Sync>;

impl Client {
    /// The same client, his transactions observed.
    pub(super) fn observed(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Hands `outcome` to metrics and audit, and to the observer.
    pub(super) fn record(&self, outcome: &Outcome, shared: &Shared) {
        shared.telemetry.transaction(outcome);
        if let Some(observer) = &self.observer {
            observer(outcome);
        }
    }

    /// Refuses `transaction` when it is not for this client, or not now; else counts it until the ticket is dropped.
    pub(super) fn examine(
        &self,
        transaction: &mut Transaction,
        shared: &Shared,
        limits: &Quotas,
    ) -> Option<Ticket> {
        let offered = |path: &str| self.listener.offers(path);
        if transaction.service().is_some_and(|path| !offered(path)) {
            shared.telemetry.metrics.denied("service");
            transaction.refuse(Failure::NotFound, Status::NotFound);
            return None;
        }
        let facts = transaction.facts();
        let asking = Asking {
            address: &facts.client,
            user: &facts.user,
        };
        let account = &self.membership.account;
        let refusal = match shared.quotas.admit(account, asking, limits) {
            Ok(ticket) => return Some(ticket),
            Err(refusal) => refusal,
        };
        shared.telemetry.metrics.shed(refusal.code());
        if let Some(left_out) = shared.shed.take() {
            tracing::warn!(
                peer = ?self.peer,
                reason = refusal.code(),
                left_out,
                "a request was refused"
            );
        }
        match refusal {
            Refusal::Client(code) => {
                transaction.refuse(Failure::Overload(code), Status::Overloaded);
            }
            Refusal::Subject(_) => transaction.shed(),
        }
        None
    }
}
