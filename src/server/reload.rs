//! Configuration and rules anew, all or nothing: at SIGHUP, and when the admin API asks. What is wrong is refused with its
//! place, counted and shown as amber, and what was in force stays in force.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, MutexGuard};

use crate::config::{Config, ConfigError};
use crate::policy::standing::Modes;

use super::listener;
use super::process::{self, Told};
use super::rules::load::{self, LoadError};
use super::snapshot::Snapshot;
use super::tls::TlsError;
use super::{Shared, Source, loaded_at};

/// A reload was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Rules(#[from] LoadError),
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
    /// What the admin API said about observe and enforce.
    modes: std::sync::Mutex<Modes>,
    /// The program that tries sets of rules aside.
    program: PathBuf,
}

impl Reloader {
    pub(super) fn new(
        shared: Arc<Shared>,
        source: Source,
        (program, modes): (PathBuf, Modes),
    ) -> Self {
        Self {
            shared,
            source,
            turn: Mutex::new(()),
            modes: std::sync::Mutex::new(modes),
            program,
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
        let _turn = self.turn().await;
        self.reload_in_turn("reload").await
    }

    /// The same for who has the turn already; `what` names the cause of it in a refusal.
    pub(super) async fn reload_in_turn(&self, what: &str) -> Result<Arc<Snapshot>, Arc<Refusal>> {
        let (source, program) = (Arc::clone(&self.source), self.program.clone());
        let (listeners, modes) = (self.shared.listeners.clone(), self.modes());
        let before = self.in_force();
        let loaded = beside(move || {
            let mut config = source()?;
            listener::lower(&mut config);
            let config = Arc::new(config);
            let listeners = listeners.prepare(&config)?;
            let raws = load::gathered(&config.rules)?;
            let snapshot = before.next(config, &raws, (&modes, &program))?;
            Ok::<_, ReloadError>((snapshot, listeners))
        })
        .await
        .unwrap_or(Err(ReloadError::Lost));
        match loaded {
            Ok((snapshot, listeners)) => {
                listeners.commit();
                self.shared.listeners.announce(&self.shared);
                Ok(self.take(snapshot))
            }
            Err(error) => Err(self.refuse(Refusal::new(what, &error))),
        }
    }

    /// Waits until nothing else is being changed.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    pub(super) fn in_force(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    pub(super) fn program(&self) -> PathBuf {
        self.program.clone()
    }

    /// The configuration as it is written now.
    pub(super) fn configuration(&self) -> Result<Config, ConfigError> {
        (self.source)()
    }

    pub(super) fn modes(&self) -> Modes {
        let modes = self.modes.lock();
        modes.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts the operator's words in force, for who has the turn.
    pub(super) fn set_modes(&self, modes: Modes) {
        let snapshot = self.in_force().with_modes(&modes);
        *self.modes.lock().unwrap_or_else(PoisonError::into_inner) = modes;
        self.shared.snapshot.store(Arc::new(snapshot));
        announce(&self.shared);
    }

    fn take(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        self.shared.snapshot.store(Arc::clone(&snapshot));
        self.shared.refusals.last.store(None);
        self.shared.telemetry.metrics.reload("ok");
        announce(&self.shared);
        snapshot
    }

    /// Puts a refusal on record: in the log, the metrics and `/readyz`.
    pub(super) fn refuse(&self, refusal: Refusal) -> Arc<Refusal> {
        let refusal = Arc::new(refusal);
        self.shared.refusals.last.store(Some(Arc::clone(&refusal)));
        self.shared.telemetry.metrics.reload("refused");
        tracing::error!(
            what = refusal.what,
            error = refusal.why(),
            "reload refused; what was in force stays in force"
        );
        refusal
    }
}

/// Runs `work` on a thread of its own: what compiles rules lowers its priority, which a pool's thread would keep. `None`
/// when it panicked.
pub(super) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, told) = tokio::sync::oneshot::channel();
    let thread = std::thread::Builder::new().name("sluice-rules".into());
    thread
        .spawn(move || {
            // Nobody waits any more: the work was done all the same.
            let _ = done.send(work());
        })
        .ok()?;
    told.await.ok()
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
