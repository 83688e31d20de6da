//! Configuration and rules anew, all or nothing: at SIGHUP, and when the admin API asks. What is wrong is refused with its
//! place, counted and shown as amber, and what was in force stays in force.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;

use crate::config::ConfigError;

use super::listener;
use super::process::{self, Told};
use super::snapshot::{Snapshot, SnapshotError};
use super::tls::TlsError;
use super::{Shared, Source, loaded_at};

/// A reload was refused.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the loading thread was lost")]
    Lost,
}

/// What was refused, and why.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    what: String,
    why: String,
    at: SystemTime,
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>, why: &(dyn Error + 'static)) -> Self {
        Self {
            what: what.into(),
            why: chain(why),
            at: SystemTime::now(),
        }
    }

    /// Why, with all causes.
    pub(super) fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} was refused: {}", self.what, self.why)?;
        match jiff::Timestamp::try_from(self.at) {
            Ok(at) => write!(f, " ({at:.0})"),
            Err(_) => Ok(()),
        }
    }
}

/// What an error says, with all its causes, in one line.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // `#[error(transparent)]` and messages that quote their cause say it already.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}

/// The last thing that was refused, until something is taken.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    last: ArcSwapOption<Refusal>,
}

impl Refusals {
    /// The last one, when nothing was taken since.
    pub(super) fn last(&self) -> Option<Arc<Refusal>> {
        self.last.load_full()
    }
}

/// The one place where a snapshot is replaced; one at a time.
pub(super) struct Reloader {
    shared: Arc<Shared>,
    source: Source,
    turn: Mutex<()>,
}

impl Reloader {
    pub(super) fn new(shared: Arc<Shared>, source: Source) -> Self {
        Self {
            shared,
            source,
            turn: Mutex::new(()),
        }
    }

    /// Reloads at each SIGHUP, for ever.
    pub(super) async fn on_hangup(self: Arc<Self>) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => return tracing::error!(%error, "cannot catch SIGHUP: no reload"),
        };
        while hangup.recv().await.is_some() {
            process::tell(Told::Reloading);
            let _ = self.reload().await;
            process::tell(Told::Ready);
        }
    }

    /// Configuration and rules anew.
    pub(super) async fn reload(&self) -> Result<Arc<Snapshot>, Arc<Refusal>> {
        let _turn = self.turn.lock().await;
        let source = Arc::clone(&self.source);
        let listeners = self.shared.listeners.clone();
        let loaded = tokio::task::spawn_blocking(move || {
            let mut config = source()?;
            listener::lower(&mut config);
            let config = Arc::new(config);
            let listeners = listeners.prepare(&config)?;
            Ok::<_, ReloadError>((Snapshot::load(config)?, listeners))
        })
        .await
        .unwrap_or(Err(ReloadError::Lost));
        match loaded {
            Ok((snapshot, listeners)) => {
                listeners.commit();
                self.shared.listeners.announce(&self.shared);
                Ok(self.take(snapshot))
            }
            Err(error) => Err(self.refuse(Refusal::new("reload", &error))),
        }
    }

    fn take(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        self.shared.snapshot.store(Arc::clone(&snapshot));
        self.shared.refusals.last.store(None);
        self.shared.telemetry.metrics.reload("ok");
        announce(&self.shared);
        snapshot
    }

    fn refuse(&self, refusal: Refusal) -> Arc<Refusal> {
        let refusal = Arc::new(refusal);
        self.shared.refusals.last.store(Some(Arc::clone(&refusal)));
        self.shared.telemetry.metrics.reload("refused");
        tracing::error!(
            error = refusal.why(),
            "reload refused; what was in force stays in force"
        );
        refusal
    }
}

/// Tells log and metrics what is in force now.
pub(super) fn announce(shared: &Shared) {
    let snapshot = shared.snapshot.load();
    let digest = snapshot.house.istag.as_str().to_owned();
    shared
        .telemetry
        .metrics
        .rules(&digest, loaded_at(&snapshot));
    tracing::info!(istag = digest, "configuration and rules are in force");
}
