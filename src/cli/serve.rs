//! `sluice serve`.

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;

use crate::config::Config;
use crate::config::file::Switch;
use crate::server::process::{self, Cage};
use crate::server::{Listening, Server, until_terminated};
use crate::telemetry::audit::Records;
use crate::telemetry::baseline::Baselines;
use crate::telemetry::lines::{LinesGuard, Outlet};
use crate::telemetry::traces::Traces;
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
    let (application, _log) = log::start(config.log_format, config.log_level, &config.log_to)
        .with_context(|| format!("cannot write the log to {}", config.log_to.to))?;
    let (mut telemetry, _guards) = telemetry(&config)?;
    telemetry.application = Some(application);
    let _spans = match &config.traces {
        None => None,
        Some((collector, percent)) => {
            let (traces, guard) = Traces::to(collector.clone(), *percent)
                .context("cannot start the thread that sends spans")?;
            telemetry.traces = Some(traces);
            Some(guard)
        }
    };
    if config.dumps == Switch::Off {
        process::forbid_core_dumps();
    }
    if config.confine_writes == Switch::On {
        let cage = process::confine_writes(&config).context("cannot confine file writes")?;
        match cage {
            Cage::Closed => tracing::info!("file writes are confined"),
            Cage::Partly | Cage::Unsupported => {
                tracing::warn!(?cage, "the kernel cannot confine file writes as asked");
            }
        }
    }
    if config.confine_calls == Switch::On {
        process::confine_calls().context("cannot confine system calls")?;
        tracing::info!("system calls are confined");
    }
    for doubt in config.doubts() {
        tracing::warn!("{doubt}");
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
        for place in server.listening() {
            let Listening {
                listener,
                address,
                what,
            } = place;
            tracing::info!(%address, %listener, "listening for {what}");
        }
        if let Some(address) = server.addresses().admin {
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

/// The streams but the application's, with what must live until their last line is written.
fn telemetry(config: &Config) -> anyhow::Result<(Telemetry, Vec<LinesGuard>)> {
    let mut guards = Vec::new();
    let mut open = |outlet: &Outlet, stream: &str| {
        let opened = outlet.open();
        let (lines, guard) =
            opened.with_context(|| format!("cannot write {stream} lines to {}", outlet.to))?;
        guards.push(guard);
        anyhow::Ok(lines)
    };
    let telemetry = Telemetry {
        records: config.audit,
        audit: match config.audit {
            Records::Off => None,
            Records::All | Records::Findings => Some(open(&config.audit_to, "access")?),
        },
        findings: match &config.findings {
            None => None,
            Some((form, outlet)) => Some((*form, open(outlet, "finding")?)),
        },
        baselines: config
            .baselines
            .map(|habits| (Baselines::new(habits), Instant::now())),
        ..Telemetry::default()
    };
    Ok((telemetry, guards))
}
