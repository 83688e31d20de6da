//! The application log: for people on a terminal, JSON lines otherwise; both on stderr.

use std::io::{self, IsTerminal};
use std::panic;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::Level;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::lines::{Lines, LinesGuard};

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `Human` on a terminal, `Json` otherwise.
    #[default]
    Auto,
    /// One readable line an event.
    Human,
    /// One JSON object a line.
    Json,
}

/// From which level on events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Threshold {
    /// Failures that need somebody.
    Error,
    /// Refusals and overload.
    Warn,
    /// Start, stop, reload.
    #[default]
    Info,
    /// One event a transaction.
    Debug,
    /// Everything.
    Trace,
}

impl Threshold {
    fn level(self) -> Level {
        match self {
            Threshold::Error => Level::ERROR,
            Threshold::Warn => Level::WARN,
            Threshold::Info => Level::INFO,
            Threshold::Debug => Level::DEBUG,
            Threshold::Trace => Level::TRACE,
        }
    }
}

/// Starts the log and sends panics into it. The guard writes the last lines when it is dropped.
///
/// # Errors
/// When the writing thread cannot be started.
pub fn start(format: Format, threshold: Threshold) -> io::Result<LinesGuard> {
    let terminal = io::stderr().is_terminal();
    let (lines, guard) = Lines::to(io::stderr())?;
    let (targets, handle) = reload::Layer::new(targets(threshold));
    let json = match format {
        Format::Auto => !terminal,
        Format::Human => false,
        Format::Json => true,
    };
    let registry = tracing_subscriber::registry().with(targets);
    // A second start in one process (tests) keeps the first subscriber.
    let started = if json {
        let layer = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(move || lines.clone());
        registry.with(layer).try_init()
    } else {
        let layer = tracing_subscriber::fmt::layer()
            .with_ansi(terminal)
            .with_writer(move || lines.clone());
        registry.with(layer).try_init()
    };
    if started.is_ok() {
        let _ = FILTER.set(Filter {
            handle,
            threshold: Mutex::new(threshold),
        });
    }
    log_panics();
    Ok(guard)
}

/// From which level on events are written; `None` where no log was started.
pub fn threshold() -> Option<Threshold> {
    let threshold = FILTER.get()?.threshold.lock();
    Some(*threshold.unwrap_or_else(PoisonError::into_inner))
}

/// Sets from which level on events are written.
///
/// # Errors
/// [`NotStarted`] where no log was started.
pub fn set_threshold(threshold: Threshold) -> Result<(), NotStarted> {
    let filter = FILTER.get().ok_or(NotStarted)?;
    let mut current = filter
        .threshold
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    filter
        .handle
        .reload(targets(threshold))
        .map_err(|_| NotStarted)?;
    *current = threshold;
    Ok(())
}

/// No log was started in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process writes no application log")]
pub struct NotStarted;

/// The filter of the process's one log: `tracing`'s subscriber is global as well.
static FILTER: OnceLock<Filter> = OnceLock::new();

struct Filter {
    handle: reload::Handle<Targets, Registry>,
    threshold: Mutex<Threshold>,
}

fn targets(threshold: Threshold) -> Targets {
    Targets::new()
        .with_default(Level::WARN.min(threshold.level()))
        .with_target("sluice", threshold.level())
}

/// Panics are logged by place only: their messages may quote the payload (a `str` cut inside a character does).
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location();
        tracing::error!(
            file = place.map(panic::Location::file),
            line = place.map(panic::Location::line),
            "a panic: a bug of sluice, contained"
        );
    }));
}
