//! Sockets, clocks, files and threads: everything that the rooms below do not have.
//!
//! ```text
//! listener ─► driver (one task a connection) ─► service
//!    │           ├─ client     who is at the other end, and what he may ask for
//!    │           ├─ quota      how much he may have, and how fast
//!    │           ├─ deadline   how long each state may last
//!    │           ├─ spool      bodies that may have to go back
//!    │           └─ pool       heavy work
//!    │     └─ http             POST /v1/scan and /v1/adapt, through the same driver
//!    ├─ web                    an HTTP connection of theirs or of the admin listener: how long it may last
//!    ├─ tls                    certificates, and whose certificates are taken
//!    ├─ snapshot ◄─ reload     SIGHUP, admin API, watch: all or nothing
//!    ├─ rules                  what is loaded, and its updates
//!    ├─ process                what the service manager is told, where files may be written
//!    └─ admin                  health, metrics, settings, rules over HTTP
//! ```

pub mod admin;
mod client;
pub mod deadline;
mod driver;
mod file_watch;
mod http;
mod listener;
pub mod pool;
pub mod process;
mod quota;
mod reload;
pub mod rules;
mod self_test;
mod signals;
pub mod snapshot;
pub mod spool;
mod throttle;
mod tls;
mod web;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::budget::{Budget, Disk};
use crate::config::listeners::Protocol;
use crate::config::{self, Config, ConfigError};
use crate::icap::Request;
use crate::telemetry::Telemetry;

use crate::policy::standing::Modes;
use listener::{Accept, Admission, Entrance, Inherited, Open, Openings, Socket};
use pool::Pool;
use process::Told;
use quota::Quotas;
use rules::load::LoadError;
use snapshot::Snapshot;
use spool::SpoolLimits;
use throttle::Throttle;

pub use signals::until_terminated;
pub use tls::TlsError;

/// What all connections share.
struct Shared {
    snapshot: ArcSwap<Snapshot>,
    telemetry: Arc<Telemetry>,
    memory: Budget,
    quotas: Arc<Quotas>,
    pool: Pool,
    listeners: Openings,
    denials: Throttle,
    refusals: reload::Refusals,
    shed: Throttle,
    /// Set before the watchers are told, so that an answer given in between announces the close as well.
    draining: AtomicBool,
    /// The program that tries sets of rules aside.
    compiler: PathBuf,
    probe: Option<Probe>,
}

impl Shared {
    fn probe(&self, stage: Stage, request: &Request) {
        if let Some(probe) = &self.probe {
            probe(stage, request);
        }
    }
}

/// Called inside a transaction's guard. Tests panic in it; nothing else sets one.
pub type Probe = Arc<dyn Fn(Stage, &Request) + Send + Sync>;

/// Where in a transaction a [`Probe`] is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The request's heads are read.
    Begin,
}

/// Yields the configuration anew, from the same place as at the start.
pub type Source = Arc<dyn Fn() -> Result<Config, ConfigError> + Send + Sync>;

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The certificates of a listener cannot be used.
    #[error("listener {name}")]
    Tls {
        /// The listener.
        name: String,
        /// Why.
        source: TlsError,
    },
    /// systemd opened a socket that the configuration does not know.
    #[error("no listener has the address {0} of the socket that systemd opened")]
    Unclaimed(String),
    /// The rules do not load.
    #[error("cannot load the rules")]
    Snapshot(#[from] LoadError),
    /// The spool's folder cannot be used.
    #[error("cannot write in the spool folder {}", directory.display())]
    Spool {
        /// The folder.
        directory: std::path::PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the admin API kept in the store cannot be read.
    #[error("modes.toml in rules.store cannot be read; mend or remove it")]
    Modes(#[source] io::Error),
    /// The record of changes cannot be used.
    #[error("admin.audit-log {}", path.display())]
    Ledger {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: admin::ledger::LedgerError,
    },
}

/// A server that listens already and serves when it is [run](Server::run).
pub struct Server {
    shared: Arc<Shared>,
    source: Source,
    sockets: Vec<Socket>,
    admin: Option<TcpListener>,
    /// The certificates of the admin listener, if it has any.
    admin_tls: Option<Arc<Open>>,
    ledger: Option<Arc<admin::ledger::Ledger>>,
    /// What the admin API said before the last stop.
    modes: Modes,
}

/// What the addresses in use are, for those who listen on port 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The ICAP listeners.
    pub icap: Vec<SocketAddr>,
    /// The admin listener.
    pub admin: Option<SocketAddr>,
}

/// Where something is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// Its name in metrics and logs.
    pub listener: Arc<str>,
    /// `address:port`, the port the one in use, or `unix:/path`.
    pub address: String,
    /// What is spoken there.
    pub what: &'static str,
}

impl Server {
    /// Loads the rules and binds the listeners of `config`; `source` yields the configuration again at a reload.
    ///
    /// # Errors
    /// [`ServerError`]: nothing was started then.
    pub async fn bind(
        mut config: Config,
        telemetry: Telemetry,
        source: Source,
    ) -> Result<Self, ServerError> {
        listener::lower(&mut config);
        let config = Arc::new(config);
        let directory = config.spool_directory.clone();
        spools_in(&directory)?;
        let (listeners, sockets) = listeners(&config).await?;
        let admin = match config.admin {
            Some(address) => Some(bound(address).await?),
            None => None,
        };
        let admin_tls = config.admin_listener().and(listeners.0.last().cloned());
        let disk = Budget::new(config.spool_total_bytes);
        let memory = Budget::with_disk(
            config.in_flight_bytes,
            Disk {
                directory: directory.clone(),
                bytes: disk.clone(),
            },
        );
        let modes = rules::overlay::read(&config.rules.store).map_err(ServerError::Modes)?;
        let ledger =
            admin::ledger(&config.access.audit_log).map_err(|source| ServerError::Ledger {
                path: config.access.audit_log.clone(),
                source,
            })?;
        let shared = Shared {
            quotas: Arc::new(Quotas::new(
                &config.quotas,
                SpoolLimits {
                    memory_bytes: config.spool_memory_bytes,
                    body_bytes: config.spool_body_bytes,
                    directory,
                    disk,
                    memory: memory.clone(),
                },
                config.threads,
            )),
            pool: Pool::new(config.heavy_workers, config.heavy_queue),
            snapshot: ArcSwap::from_pointee(Snapshot::load(config)?.with_modes(&modes)),
            telemetry: Arc::new(telemetry),
            memory,
            listeners,
            denials: Throttle::new(),
            refusals: reload::Refusals::default(),
            shed: Throttle::new(),
            draining: AtomicBool::new(false),
            compiler: rules::aside::Aside::of_this_program(),
            probe: None,
        };
        reload::announce(&shared);
        shared.listeners.announce(&shared);
        Ok(Self {
            shared: Arc::new(shared),
            source,
            sockets,
            admin,
            admin_tls,
            ledger,
            modes,
        })
    }

    /// Sets the program that tries sets of rules aside; without, it is this very one, which in tests is not `sluice`.
    #[must_use]
    pub fn with_compiler(mut self, program: PathBuf) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.compiler = program;
        }
        self
    }

    /// Sets what is called inside each transaction's guard; for tests.
    #[must_use]
    pub fn with_probe(mut self, probe: Probe) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.probe = Some(probe);
        }
        self
    }

    /// The addresses in use.
    pub fn addresses(&self) -> Addresses {
        let admin = self.admin.as_ref();
        Addresses {
            icap: self.sockets.iter().filter_map(Socket::address).collect(),
            admin: admin.and_then(|listener| listener.local_addr().ok()),
        }
    }

    /// What is spoken where, by the listeners of ICAP and of the scan API.
    pub fn listening(&self) -> Vec<Listening> {
        let sockets = self.sockets.iter().zip(&self.shared.listeners.0);
        sockets
            .map(|(socket, open)| {
                let settings = open.settings();
                Listening {
                    address: match socket.address() {
                        Some(address) => address.to_string(),
                        None => settings.address.to_string(),
                    },
                    what: match (settings.protocol, &settings.tls) {
                        (Protocol::Icap, None) => "ICAP",
                        (Protocol::Icap, Some(_)) => "ICAP over TLS",
                        (Protocol::Http, None) => "HTTP calls",
                        (Protocol::Http, Some(_)) => "HTTP calls over TLS",
                    },
                    listener: Arc::clone(&settings.name),
                }
            })
            .collect()
    }

    /// Serves until `stop` ends; then no connection is accepted any more, each open one is closed after the request in
    /// flight, and after the configured time all that is left is dropped.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let drain_time = self.shared.snapshot.load().config.shutdown;
        let (draining, drained) = watch::channel(false);
        let (alive, mut dead) = tokio::sync::mpsc::channel::<()>(1);
        let admission = Arc::new(Admission::new(&self.shared.snapshot.load().config));
        let mut tasks = tokio::task::JoinSet::new();
        for (socket, open) in self.sockets.into_iter().zip(&self.shared.listeners.0) {
            let accept = Accept {
                socket,
                entrance: Entrance {
                    open: Arc::clone(open),
                    shared: Arc::clone(&self.shared),
                    draining: drained.clone(),
                },
                admission: Arc::clone(&admission),
                alive: alive.clone(),
            };
            tasks.spawn(accept.run());
        }
        let mut admin = tokio::task::JoinSet::new();
        let reloader = Arc::new(reload::Reloader::new(
            Arc::clone(&self.shared),
            self.source,
            (self.shared.compiler.clone(), self.modes),
        ));
        if let Some(listener) = self.admin {
            let api = admin::Admin::new(
                Arc::clone(&self.shared),
                Arc::clone(&reloader),
                drained.clone(),
                self.ledger,
            );
            admin.spawn(api.serve(listener, self.admin_tls));
        }
        let listeners = self.shared.listeners.clone();
        admin.spawn(listeners.watch(Arc::clone(&self.shared)));
        admin.spawn(file_watch::run(Arc::clone(&reloader)));
        admin.spawn(reloader.on_hangup());
        drop(alive);
        admin.spawn(process::keep_watchdog());
        process::tell(Told::Ready);
        stop.await;
        process::tell(Told::Stopping);
        tracing::info!(seconds = drain_time.as_secs(), "draining");
        self.shared.draining.store(true, Ordering::Relaxed);
        draining.send_replace(true);
        while tasks.join_next().await.is_some() {}
        // Every connection holds a sender; the channel ends with the last of them.
        if tokio::time::timeout(drain_time, dead.recv()).await.is_err() {
            self.shared.telemetry.metrics.shed("shutdown");
            tracing::warn!("requests in flight were dropped at the end of the drain time");
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("addresses", &self.addresses())
            .finish_non_exhaustive()
    }
}

/// What a server with `config` would not find on this machine: certificates, the spool's folder. Nothing is bound.
pub fn lacks(config: &Config) -> Vec<ServerError> {
    let mut listeners = config.all_listeners();
    listeners.extend(config.admin_listener());
    let opened = listeners
        .into_iter()
        .map(|listener| opened(listener).map(drop));
    std::iter::once(spools_in(&config.spool_directory))
        .chain(opened)
        .filter_map(Result::err)
        .collect()
}

fn spools_in(directory: &Path) -> Result<(), ServerError> {
    let made = tempfile::tempfile_in(directory).map(drop);
    made.map_err(|source| ServerError::Spool {
        directory: directory.into(),
        source,
    })
}

async fn bound(address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| ServerError::Bind {
            address: address.to_string(),
            source,
        })
}

fn opened(listener: config::listeners::Listener) -> Result<Open, ServerError> {
    let name = listener.name.to_string();
    Open::new(listener).map_err(|source| ServerError::Tls { name, source })
}

/// Loads certificates and binds sockets, in the order of the configuration.
async fn listeners(config: &Config) -> Result<(Openings, Vec<Socket>), ServerError> {
    let failed = |address: String| move |source| ServerError::Bind { address, source };
    let mut inherited =
        Inherited::from_environment().map_err(failed("a socket of systemd's".into()))?;
    let (mut openings, mut sockets) = (Vec::new(), Vec::new());
    for listener in config.all_listeners() {
        let socket = Socket::bind(&listener.address, &mut inherited).await;
        sockets.push(socket.map_err(failed(listener.address.to_string()))?);
        openings.push(Arc::new(opened(listener)?));
    }
    // Behind those that have a socket here.
    if let Some(listener) = config.admin_listener() {
        openings.push(Arc::new(opened(listener)?));
    }
    match inherited.unclaimed() {
        Some(address) => Err(ServerError::Unclaimed(address)),
        None => Ok((Openings(openings), sockets)),
    }
}

/// The time of `snapshot` as a scraper shows it.
fn loaded_at(snapshot: &Snapshot) -> Duration {
    snapshot
        .loaded
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
