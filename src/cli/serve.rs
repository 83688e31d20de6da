//! `sluice serve`.

use std::fs::OpenOptions;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::file::Switch;
use crate::config::{AuditTarget, Config};
use crate::server::process::{self, Cage};
use crate::server::{Server, until_terminated};
use crate::telemetry::audit::Records;
use crate::telemetry::lines::{Lines, LinesGuard};
use crate::telemetry::{Telemetry, log};

use super::Serve;

pub(super) fn run(arguments: Serve) -> anyhow::Result<ExitCode> {
    let (listen, allow, admin) = (arguments.listen, arguments.allow, arguments.admin);
    let source = arguments.file.source(move |config| {
        if let Some(listen) = listen {
            config.listen = vec![listen];
        }
        config.allow.extend_from_slice(&allow);
        if let Some(admin) = admin {
            config.admin = Some(admin);
        }
    });
    let config = source().context("configuration")?;
    let _log = log::start(config.log_format, config.log_level).context("cannot start the log")?;
    let (telemetry, _audit) = telemetry(&config)?;
    process::forbid_core_dumps();
    if config.confine_writes == Switch::On {
        let cage = process::confine_writes(&config).context("cannot confine file writes")?;
        match cage {
            Cage::Closed => tracing::info!("file writes are confined"),
            Cage::Partly | Cage::Unsupported => {
                tracing::warn!(?cage, "the kernel cannot confine file writes as asked");
            }
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.threads)
        .thread_name("sluice")
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let stop = until_terminated().context("cannot catch signals")?;
        let server = Server::bind(config, telemetry, source).await?;
        let addresses = server.addresses();
        for address in &addresses.icap {
            tracing::info!(%address, "listening for ICAP");
        }
        if let Some(address) = addresses.admin {
            tracing::info!(%address, "listening for admin");
        }
        server.run(stop).await;
        anyhow::Ok(())
    })?;
    tracing::info!("stopped");
    // What is left was given its time: its threads are not waited for.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

fn telemetry(config: &Config) -> anyhow::Result<(Telemetry, Option<LinesGuard>)> {
    let (audit, guard) = match (config.audit, &config.audit_to) {
        (Records::Off, _) => (None, None),
        (_, AuditTarget::Stdout) => started(std::io::stdout())?,
        (_, AuditTarget::File(path)) => {
            let file = OpenOptions::new().create(true).append(true).open(path);
            started(file.with_context(|| format!("cannot append to {}", path.display()))?)?
        }
    };
    let telemetry = Telemetry {
        records: config.audit,
        audit,
        ..Telemetry::default()
    };
    Ok((telemetry, guard))
}

fn started(
    sink: impl std::io::Write + Send + 'static,
) -> anyhow::Result<(Option<Lines>, Option<LinesGuard>)> {
    let (lines, guard) = Lines::to(sink).context("cannot start the audit thread")?;
    Ok((Some(lines), Some(guard)))
}
