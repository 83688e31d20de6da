//! What the server tells of itself: log streams, traces, baselines.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::telemetry::audit::Records;
use crate::telemetry::detection::Form;
use crate::telemetry::log::{Format, Threshold};

use super::{AUTHORITIES, Switch};

/// The application stream.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Log {
    /// How lines look.
    pub format: Format,
    /// From which level on.
    pub level: Threshold,
    /// `stdout`, `stderr` or the path of a file that is appended to.
    pub to: PathBuf,
    /// Lines a second at most; 0: no limit.
    pub lines_per_second: u32,
    /// The longest line.
    pub line_bytes: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: Format::default(),
            level: Threshold::default(),
            to: "stderr".into(),
            lines_per_second: 1000,
            line_bytes: LINE_BYTES,
        }
    }
}

/// The access stream: one line a transaction.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Audit {
    /// Which transactions leave one.
    pub records: Records,
    /// `stdout`, `stderr` or the path of a file that is appended to.
    pub to: PathBuf,
    /// Lines a second at most; 0: no limit.
    pub lines_per_second: u32,
    /// The longest line.
    pub line_bytes: usize,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            records: Records::default(),
            to: "stdout".into(),
            lines_per_second: 0,
            line_bytes: LINE_BYTES,
        }
    }
}

/// The finding stream: one line a detection.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Findings {
    /// Whether there is one.
    pub records: Switch,
    /// How lines look.
    pub format: Form,
    /// `stdout`, `stderr` or the path of a file that is appended to.
    pub to: PathBuf,
    /// Lines a second at most; 0: no limit.
    pub lines_per_second: u32,
    /// The longest line.
    pub line_bytes: usize,
}

impl Default for Findings {
    fn default() -> Self {
        Self {
            records: Switch::On,
            format: Form::default(),
            to: "stdout".into(),
            lines_per_second: 1000,
            line_bytes: LINE_BYTES,
        }
    }
}

/// Traces: one span a transaction to an OpenTelemetry collector.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Traces {
    /// `http://host:port/path` or `https://…` of the collector; empty: none.
    pub endpoint: String,
    /// PEM file of the authorities that its certificate may come from.
    pub authorities: PathBuf,
    /// Of a hundred transactions that belong to no trace, how many begin one.
    pub percent: u8,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            authorities: AUTHORITIES.into(),
            percent: 100,
        }
    }
}

/// What is usual on each route, and reports of what is not.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Baselines {
    /// Whether there are any.
    pub mode: Switch,
    /// Routes that are followed at once.
    pub routes: usize,
    /// Messages of a route, and time, before anything is reported of it.
    pub learn_messages: u64,
    /// See there.
    pub learn_seconds: u64,
    /// Over how long rates and ratios are taken.
    pub window_seconds: u64,
    /// How long a signal of a route is silent after it was reported.
    pub quiet_seconds: u64,
}

impl Default for Baselines {
    fn default() -> Self {
        Self {
            mode: Switch::On,
            routes: 2048,
            learn_messages: 500,
            learn_seconds: 3600,
            window_seconds: 60,
            quiet_seconds: 600,
        }
    }
}

/// A line with some 40 findings; a journal entry may have three times as much.
const LINE_BYTES: usize = 16 << 10;
