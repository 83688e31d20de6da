//! `sluice check`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::server::snapshot::Snapshot;

use super::Check;

pub(super) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let config = arguments.file.load()?;
    let snapshot = Snapshot::load(Arc::new(config)).context("rules")?;
    for service in snapshot.config.services.list() {
        let name = |profile: &Option<Arc<crate::policy::profile::Profile>>| {
            profile
                .as_ref()
                .map_or("-".to_owned(), |profile| profile.name.to_string())
        };
        println!(
            "{:<24} request: {:<12} response: {}",
            service.path,
            name(&service.request),
            name(&service.response)
        );
    }
    println!(
        "configuration and rules are good, ISTag {}",
        snapshot.house.istag
    );
    Ok(ExitCode::SUCCESS)
}
