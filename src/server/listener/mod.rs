//! Accepting: one task a listener, a permit a connection, and no way for a flood to end the loop.
//!
//! ```text
//! socket ─► Accept ─► Entrance: proxy header, access, TLS ─► driver
//! ```

mod entrance;
mod proxy;
mod socket;

use std::fs::File;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use crate::config::Config;
use crate::icap::Status;
use crate::telemetry::metrics::Arrivals;

pub(super) use entrance::{Entrance, Open, Openings};
pub(super) use socket::{Inherited, Socket, Stream};

/// How many connections are let in.
pub(super) struct Admission {
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
}

impl Admission {
    /// As many as configured.
    pub(super) fn new(config: &Config) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(
                config.max_connections.min(Semaphore::MAX_PERMITS),
            )),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
            handshakes: Arc::new(Semaphore::new(
                config.max_handshakes.clamp(1, Semaphore::MAX_PERMITS),
            )),
        }
    }
}

/// One accept loop.
pub(super) struct Accept {
    pub(super) socket: Socket,
    pub(super) entrance: Entrance,
    pub(super) admission: Arc<Admission>,
    pub(super) alive: mpsc::Sender<()>,
}

impl Accept {
    /// Accepts until the server drains.
    pub(super) async fn run(self) {
        let mut spare = Spare::new();
        let metrics = &self.entrance.shared.telemetry.metrics;
        let arrivals = metrics.arrivals(&self.entrance.open.name);
        let mut stop = std::pin::pin!(self.entrance.drained());
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok(stream) => self.admit(stream, &arrivals),
                Err(error) if is_out_of_files(&error) => {
                    metrics.shed("open-files");
                    tracing::warn!("no file descriptor is left; a connection is turned away");
                    spare.turn_one_away(&self.socket).await;
                    tokio::time::sleep(OUT_OF_FILES_TIME).await;
                }
                // The peer gave up before we took it (ECONNABORTED), or the network is down: neither ends the loop.
                Err(error) => {
                    metrics.error("accept");
                    tracing::debug!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_ERROR_TIME).await;
                }
            }
        }
    }

    fn admit(&self, stream: Stream, arrivals: &Arrivals) {
        let entrance = self.entrance.clone();
        let Ok(permit) = Arc::clone(&self.admission.connections).try_acquire_owned() else {
            return self.turn_away(stream);
        };
        let held = (permit, arrivals.connection(), self.alive.clone());
        let early = Arc::clone(&self.admission.handshakes);
        // Boxed, since the runtime moves what it is given, and at its end what is left of it, from hand to hand.
        let carried: Pin<Box<dyn Future<Output = ()> + Send>> = match stream {
            Stream::Tcp(stream, peer) if entrance.open.tls.is_some() => {
                Box::pin(entrance.secure(stream, peer, early))
            }
            Stream::Tcp(stream, peer) => Box::pin(entrance.plain(stream, Some(peer), early)),
            Stream::Unix(stream) => Box::pin(entrance.plain(stream, None, early)),
        };
        tokio::spawn(async move {
            carried.await;
            drop(held);
        });
    }

    /// 503, unless the peer would have to shake hands for it, or too many are told already: then it is just closed.
    fn turn_away(&self, stream: Stream) {
        let entrance = self.entrance.clone();
        let peer = match &stream {
            Stream::Tcp(_, peer) => Some(*peer),
            Stream::Unix(_) => None,
        };
        entrance.full("connections", peer);
        let permit = Arc::clone(&self.admission.refusals).try_acquire_owned();
        if let (Ok(permit), None) = (permit, &entrance.open.tls) {
            tokio::spawn(async move {
                match stream {
                    Stream::Tcp(stream, _) => entrance.refuse(stream, Status::Overloaded).await,
                    Stream::Unix(stream) => entrance.refuse(stream, Status::Overloaded).await,
                }
                drop(permit);
            });
        }
    }
}

/// A file that is kept open, to be closed when no descriptor is left: then one connection can be taken and closed, so
/// that the accept queue does not stand still and the loop does not spin.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    async fn turn_one_away(&mut self, socket: &Socket) {
        drop(self.0.take());
        let _ = tokio::time::timeout(ACCEPT_ERROR_TIME, socket.accept()).await;
        *self = Self::new();
    }
}

fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM)
    )
}

/// Lowers what `config` promises to what the limit of open files carries: each connection may need a second file for its
/// spool, and some are needed elsewhere.
pub(super) fn lower(config: &mut Config) {
    let carried = (open_files() / 2).saturating_sub(RESERVED_FILES).max(1);
    if carried < config.max_connections {
        tracing::warn!(
            wanted = config.max_connections,
            carried,
            "the limit of open files lowers max-connections"
        );
        config.lower_max_connections(carried);
    }
}

/// The limit of open files, raised to what the system lets us have.
fn open_files() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    current.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    })
}

/// Files that are not connections: listeners, logs, rules, the admin listener's connections.
const RESERVED_FILES: usize = 64;

/// Refusals under way at once; beyond them connections are closed without a word.
const REFUSALS: usize = 256;

/// The pause after running out of descriptors.
const OUT_OF_FILES_TIME: Duration = Duration::from_millis(50);

/// The pause after any other failure to accept.
const ACCEPT_ERROR_TIME: Duration = Duration::from_millis(5);
