//! The admin listener: health, metrics, settings and rules, over HTTP. Loopback by default.
//!
//! ```text
//! endpoints   the table of all endpoints: routes and OpenAPI document are made of it
//! door        connections: how many, how long, their handshakes
//! gate        Host, token, role, ledger: before every endpoint
//! token       bearer tokens by argon2 hash; certificates by name
//! ledger      the hash-chained record of changes
//! health      livez readyz startupz metrics
//! settings    version, configuration, log level
//! traffic     transactions under way, last verdicts
//! rules       list, bundles, reload, observe and enforce
//! packs       check, test, verify, update, rollback, import
//! openapi     the document
//! problem     refusals
//! ```

mod door;
mod endpoints;
mod gate;
mod health;
pub mod ledger;
mod openapi;
mod packs;
mod problem;
mod rules;
mod settings;
pub mod token;
mod traffic;

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Shared;
use super::listener::Open;
use super::reload::Reloader;

use door::Door;
use ledger::{Ledger, LedgerError};
use token::Tokens;

/// What endpoints share.
pub(super) struct Admin {
    shared: Arc<Shared>,
    reloader: Arc<Reloader>,
    draining: watch::Receiver<bool>,
    tokens: Tokens,
    ledger: Option<Arc<Ledger>>,
}

impl Admin {
    pub(super) fn new(
        shared: Arc<Shared>,
        reloader: Arc<Reloader>,
        draining: watch::Receiver<bool>,
        ledger: Option<Arc<Ledger>>,
    ) -> Self {
        Self {
            shared,
            reloader,
            draining,
            tokens: Tokens::new(),
            ledger,
        }
    }

    /// Serves for ever, over TLS where `open` has certificates; ended by whoever started it.
    pub(super) async fn serve(self, listener: TcpListener, open: Option<Arc<Open>>) {
        let shared = Arc::clone(&self.shared);
        let router = endpoints::router(Arc::new(self));
        let door = Door {
            listener,
            open,
            shared,
            router,
        };
        door.run().await;
    }
}

/// The ledger at `path`; none when it is empty.
pub(super) fn ledger(path: &Path) -> Result<Option<Arc<Ledger>>, LedgerError> {
    match path.as_os_str().is_empty() {
        true => Ok(None),
        false => Ledger::open(path).map(|ledger| Some(Arc::new(ledger))),
    }
}
