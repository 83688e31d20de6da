//! The admin listener: health, metrics, settings and rules, over HTTP. Loopback by default.
//!
//! ```text
//! endpoints   the table of all endpoints: routes and OpenAPI document are made of it
//! door        TLS handshakes, beside those who are in already
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

use door::Caller;
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

    /// Serves for ever; ended by whoever started it.
    pub(super) async fn serve(self, listener: TcpListener) {
        let router = endpoints::router(Arc::new(self));
        let service = router.into_make_service_with_connect_info::<Caller>();
        if let Err(error) = axum::serve(listener, service).await {
            tracing::error!(%error, "the admin listener ended");
        }
    }

    /// The same over TLS, with the certificates of `open`.
    pub(super) async fn serve_secured(self, listener: TcpListener, open: Arc<Open>) {
        let shared = Arc::clone(&self.shared);
        let router = endpoints::router(Arc::new(self));
        let service = router.into_make_service_with_connect_info::<Caller>();
        let (porter, door) = door::of(listener, open, shared);
        tokio::select! {
            () = porter.run() => {}
            ended = axum::serve(door, service).into_future() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the admin listener ended");
                }
            }
        }
    }
}

/// The ledger at `path`; none when it is empty.
pub(super) fn ledger(path: &Path) -> Result<Option<Arc<Ledger>>, LedgerError> {
    match path.as_os_str().is_empty() {
        true => Ok(None),
        false => Ledger::open(path).map(|ledger| Some(Arc::new(ledger))),
    }
}
