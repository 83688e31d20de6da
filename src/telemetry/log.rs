//! The application stream: for people on a terminal, JSON lines with ECS names otherwise.

use std::fmt;
use std::io::{self, IsTerminal};
use std::panic;
use std::sync::{Mutex, OnceLock, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

use super::ecs::{self, Stream};
use super::lines::{Lines, LinesGuard, Outlet, Target};
use super::object::Object;

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

/// Starts the log and sends panics into it. The guard writes the last lines when it is dropped; the other end is for
/// counting what was lost.
///
/// # Errors
/// When the file cannot be opened or the writing thread not be started.
pub fn start(
    format: Format,
    threshold: Threshold,
    outlet: &Outlet,
) -> io::Result<(Lines, LinesGuard)> {
    let terminal = match outlet.to {
        Target::Stdout => io::stdout().is_terminal(),
        Target::Stderr => io::stderr().is_terminal(),
        Target::File(_) => false,
    };
    let (lines, guard) = outlet.open()?;
    let ours = lines.clone();
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
            .event_format(Json {
                line_bytes: lines.line_bytes(),
            })
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
    Ok((ours, guard))
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

/// An event as one line of JSON with ECS names; its fields stand under `sluice.`.
struct Json {
    line_bytes: usize,
}

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Vec::with_capacity(512);
        let mut object = Object::begin(&mut line, self.line_bytes);
        ecs::heading(
            &mut object,
            std::time::SystemTime::now(),
            Stream::Application,
        );
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        object.text("log.level", &level);
        object.text("log.logger", event.metadata().target());
        event.record(&mut Fields(&mut object));
        object.under(ecs::OWN);
        object.end();
        line.push(b'\n');
        writer.write_str(std::str::from_utf8(&line).map_err(|_| fmt::Error)?)
    }
}

struct Fields<'a, 'b>(&'a mut Object<'b>);

impl Fields<'_, '_> {
    fn text(&mut self, field: &Field, text: &str) {
        if self.0.is_full() {
            return;
        }
        let name = match field.name() {
            "message" => "message",
            "error" => "error.message",
            "transaction" => "transaction.id",
            own => {
                self.0.under(ecs::OWN);
                own
            }
        };
        self.0.text_of(name, text, TEXT_BYTES);
        self.0.under("");
    }

    fn literal(&mut self, field: &Field, json: &str) {
        if !self.0.is_full() {
            self.0.under(ecs::OWN);
            self.0.literal(field.name(), json);
            self.0.under("");
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.literal(field, &value.to_string());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.literal(field, &value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.literal(field, &value.to_string());
    }
}

/// One field of an event: an error with its causes fits.
const TEXT_BYTES: usize = 1024;
