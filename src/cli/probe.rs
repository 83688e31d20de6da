//! `sluice probe`: is that server an ICAP server?

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use super::{FINDINGS_STATUS, Probe};
use crate::probe::{self, Outcome, Table};

pub(super) fn run(arguments: &Probe) -> anyhow::Result<ExitCode> {
    let patience = Duration::from_secs(arguments.timeout_seconds);
    let checks = probe::run(&arguments.url, patience)
        .with_context(|| format!("cannot probe {}", arguments.url))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&checks)?);
    } else {
        print!("{}", Table(&checks));
    }
    let failed = |check: &probe::Check| matches!(check.outcome, Outcome::Fail(_));
    Ok(match checks.iter().any(failed) {
        true => ExitCode::from(FINDINGS_STATUS),
        false => ExitCode::SUCCESS,
    })
}
