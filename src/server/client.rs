//! Who is at the other end of a connection, and what he may ask for.

use std::sync::Arc;

use crate::config::listeners::Listener;
use crate::icap::Status;
use crate::service::facts::Peer;
use crate::service::outcome::Failure;
use crate::service::transaction::Transaction;

use super::Shared;

/// The ICAP client of one connection.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// Where he is, as a trusted proxy said, if there is one (a Unix socket's client has no address); and the name in his
    /// certificate, the listed one, if there is a list.
    pub(super) peer: Peer,
    /// Through which door he came.
    pub(super) listener: Arc<Listener>,
}

impl Client {
    /// Refuses `transaction` when it is not for this client.
    pub(super) fn examine(&self, transaction: &mut Transaction, shared: &Shared) {
        let offered = |path: &str| self.listener.offers(path);
        if transaction.service().is_some_and(|path| !offered(path)) {
            shared.telemetry.metrics.denied("service");
            transaction.refuse(Failure::NotFound, Status::NotFound);
        }
    }
}
