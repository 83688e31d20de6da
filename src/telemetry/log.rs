//! The application log: for people on a terminal, JSON lines otherwise; both on stderr.

use std::io::{self, IsTerminal};
use std::panic;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
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
    let targets = Targets::new()
        .with_default(Level::WARN.min(threshold.level()))
        .with_target("sluice", threshold.level());
    let json = match format {
        Format::Auto => !terminal,
        Format::Human => false,
        Format::Json => true,
    };
    let registry = tracing_subscriber::registry().with(targets);
    // A second start in one process (tests) keeps the first subscriber.
    let _ = if json {
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
    log_panics();
    Ok(guard)
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
