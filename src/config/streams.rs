//! Where lines, spans and habits go: the sections of `file::streams`, ready for use.

use std::path::Path;

use crate::outgoing::{Client, OutgoingError, Scheme, Url};
use crate::telemetry::baseline::Habits;
use crate::telemetry::detection::Form;
use crate::telemetry::lines::{Outlet, Target};
use crate::telemetry::traces::Collector;

use super::file::{self, Switch};
use super::resolve::seconds;
use super::{Mistake, Source};

pub(super) fn traces(
    file: &file::Traces,
    source: &Source<'_>,
) -> Result<Option<(Collector, u8)>, Mistake> {
    if file.percent > 100 {
        return Err(source.mistake(None, "traces.percent must be at most 100"));
    }
    if file.endpoint.is_empty() {
        return Ok(None);
    }
    let wrong = |error: OutgoingError| source.mistake(None, &format!("traces.endpoint: {error}"));
    let url: Url = file.endpoint.parse().map_err(wrong)?;
    let client = match url.scheme() {
        Scheme::Http => Client::default(),
        Scheme::Https => Client::new(&file.authorities).map_err(wrong)?,
    };
    Ok(Some((Collector { url, client }, file.percent)))
}

pub(super) fn baselines(file: &file::Baselines) -> Option<Habits> {
    (file.mode == Switch::On).then(|| Habits {
        routes: file.routes,
        learn_messages: file.learn_messages,
        learn_time: seconds(file.learn_seconds),
        window: seconds(file.window_seconds.max(1)),
        quiet: seconds(file.quiet_seconds),
    })
}

pub(super) fn findings(
    file: &file::Findings,
    source: &Source<'_>,
) -> Result<Option<(Form, Outlet)>, Mistake> {
    let outlet = outlet(
        source,
        "findings.line-bytes",
        (&file.to, file.lines_per_second, file.line_bytes),
    )?;
    Ok((file.records == Switch::On).then_some((file.format, outlet)))
}

/// Where the lines of a stream go, how many a second and how long.
pub(super) fn outlet(
    source: &Source<'_>,
    key: &'static str,
    (to, lines_per_second, line_bytes): (&Path, u32, usize),
) -> Result<Outlet, Mistake> {
    if line_bytes < LINE_BYTES {
        return Err(source.mistake(None, &format!("{key} must be at least {LINE_BYTES}")));
    }
    Ok(Outlet {
        to: match to.to_str() {
            Some("stdout") => Target::Stdout,
            Some("stderr") => Target::Stderr,
            _ => Target::File(to.to_path_buf()),
        },
        lines_per_second,
        line_bytes,
    })
}

/// Sixteen fields of 256 bytes with their names, escapes and a rest.
const LINE_BYTES: usize = 8 << 10;
