//! The process among others: what the service manager is told, no core dumps, and a cage for file writes and one for system
//! calls.

use std::path::{Path, PathBuf};
use std::time::Duration;

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use sd_notify::NotifyState;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::config::Config;
use crate::config::listeners::Address;
use crate::telemetry::lines::Target;

/// No core dumps, which would hold bodies and token keys; and no looking into the process for its own user: PR_SET_DUMPABLE
/// keeps debuggers and `/proc/PID/mem` for who may trace anything (prctl(2)).
pub fn forbid_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!(%error, "core dumps cannot be forbidden");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "the process cannot be hidden from its user");
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
    let findings = config.findings.as_ref().map(|(_, outlet)| outlet);
    for outlet in [&config.log_to, &config.audit_to]
        .into_iter()
        .chain(findings)
    {
        if let Target::File(path) = &outlet.to {
            folders.extend(parent(path));
        }
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

/// Has the kernel refuse, in every thread of this process and those that they start, system calls that a server never
/// makes, with EPERM. A list of what is allowed would have to follow each version of the C library and of every crate;
/// this one names what an intruder needs beyond what the server itself does. Programs can still be run, since rules are
/// tried in a process of our own, which inherits the list.
///
/// # Errors
/// When the kernel has no seccomp, or refuses the filter.
pub fn confine_calls() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter_all_threads(&refused_calls()?)
}

/// The same for the calling thread alone, and those that it starts; for tests.
///
/// # Errors
/// As there.
pub fn confine_calls_of_this_thread() -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(&refused_calls()?)
}

fn refused_calls() -> Result<BpfProgram, seccompiler::Error> {
    let rules = REFUSED_CALLS.iter().map(|call| (*call, Vec::new()));
    let refused = u32::try_from(libc::EPERM).unwrap_or_default();
    let filter = SeccompFilter::new(
        rules.collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(refused),
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

/// What no part of the server calls: reading and tracing other processes, mounts, name spaces, modules, keys, users, clocks,
/// the machine's state, and interfaces whose bugs have been the way into kernels.
const REFUSED_CALLS: &[libc::c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mknodat,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_settimeofday,
    libc::SYS_setuid,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

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
