//! The process among others: what the service manager is told, no core dumps, and a cage for file writes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, path_beneath_rules,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use sd_notify::NotifyState;

use crate::config::listeners::Address;
use crate::config::{AuditTarget, Config};

/// No core dumps: they would hold bodies.
pub fn forbid_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps cannot be forbidden");
    }
}

/// Allows this thread, and those that it starts, to write only where the configuration says that the server writes: the
/// spool's folder, the folders of logs and of Unix sockets. Reading stays as it is. Call it before threads are started.
///
/// # Errors
/// When the kernel has Landlock and refuses the rules.
pub fn confine_writes(config: &Config) -> Result<Cage, RulesetError> {
    let writes = AccessFs::from_write(ABI::V3);
    let folders = writable(config);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)?
        .create()?
        .add_rules(path_beneath_rules(&folders, writes))?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Cage::Closed,
        RulesetStatus::PartiallyEnforced => Cage::Partly,
        RulesetStatus::NotEnforced => Cage::Unsupported,
    })
}

/// How far the kernel confines writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cage {
    /// As asked.
    Closed,
    /// An older kernel: all but cutting files short.
    Partly,
    /// The kernel has no Landlock.
    Unsupported,
}

fn writable(config: &Config) -> Vec<PathBuf> {
    let parent = |path: &Path| path.parent().map(Path::to_path_buf);
    let mut folders = vec![config.spool_directory.clone(), PathBuf::from("/dev/null")];
    if let AuditTarget::File(path) = &config.audit_to {
        folders.extend(parent(path));
    }
    for listener in config.all_listeners() {
        if let Address::Unix { path, .. } = &listener.address {
            folders.extend(parent(path));
        }
    }
    if !config.access.audit_log.as_os_str().is_empty() {
        folders.extend(parent(&config.access.audit_log));
    }
    // Packs and imports come in while serving; folders that are not there yet are made at the first update.
    for folder in [&config.rules.store, &config.rules.imports] {
        if !folder.as_os_str().is_empty() && std::fs::create_dir_all(folder).is_ok() {
            folders.push(folder.clone());
        }
    }
    for folder in &mut folders {
        if folder.as_os_str().is_empty() {
            *folder = ".".into();
        }
    }
    folders
}

/// Tells the service manager (`sd_notify(3)`); without one nothing happens.
pub(super) fn tell(state: Told) {
    let sent = match state {
        Told::Ready => sd_notify::notify(&[NotifyState::Ready]),
        Told::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now])),
        Told::Stopping => sd_notify::notify(&[NotifyState::Stopping]),
        Told::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
    };
    if let Err(error) = sent {
        tracing::warn!(%error, ?state, "the service manager cannot be told");
    }
}

/// What the service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Serving, for the first time or again after a reload.
    Ready,
    /// Reading configuration and rules anew.
    Reloading,
    /// Draining.
    Stopping,
    /// The reactor turns.
    Alive,
}

/// Tells the service manager twice in each of its watchdog's periods that the reactor turns, for ever.
pub(super) async fn keep_watchdog() {
    let Some(period) = sd_notify::watchdog_enabled().filter(|period| !period.is_zero()) else {
        return;
    };
    let mut ticks = tokio::time::interval((period / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        tell(Told::Alive);
    }
}
