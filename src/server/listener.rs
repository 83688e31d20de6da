//! Accepting: one task a listener, a permit a connection, and no way for a flood to end the loop.

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::{Shared, driver};

/// How many connections are let in.
pub(super) struct Admission {
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl Admission {
    /// As many as configured, and as the limit of open files carries: each connection may need a second file for its
    /// spool, and some are needed elsewhere.
    pub(super) fn new(shared: &Shared) -> Self {
        let wanted = shared.snapshot.load().config.max_connections;
        let carried = (open_files() / 2).saturating_sub(RESERVED_FILES).max(1);
        if carried < wanted {
            tracing::warn!(
                wanted,
                carried,
                "the limit of open files lowers max-connections"
            );
        }
        Self {
            connections: Arc::new(Semaphore::new(
                wanted.min(carried).min(Semaphore::MAX_PERMITS),
            )),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }
}

/// One accept loop.
pub(super) struct Accept {
    pub(super) listener: TcpListener,
    pub(super) shared: Arc<Shared>,
    pub(super) admission: Arc<Admission>,
    pub(super) draining: watch::Receiver<bool>,
    pub(super) alive: mpsc::Sender<()>,
}

impl Accept {
    /// Accepts until the server drains.
    pub(super) async fn run(self) {
        let mut spare = Spare::new();
        let mut stop = std::pin::pin!(drained(self.draining.clone()));
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) if is_out_of_files(&error) => {
                    self.shared.telemetry.metrics.shed("open-files");
                    tracing::warn!("no file descriptor is left; a connection is turned away");
                    spare.turn_one_away(&self.listener).await;
                    tokio::time::sleep(OUT_OF_FILES_TIME).await;
                }
                // The peer gave up before we took it (ECONNABORTED), or the network is down: neither ends the loop.
                Err(error) => {
                    self.shared.telemetry.metrics.error("accept");
                    tracing::debug!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_ERROR_TIME).await;
                }
            }
        }
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        // Answers are written whole: to wait for more would only add latency.
        let _ = stream.set_nodelay(true);
        let shared = Arc::clone(&self.shared);
        match Arc::clone(&self.admission.connections).try_acquire_owned() {
            Ok(permit) => {
                let guard = shared.telemetry.metrics.connection("icap");
                let stop = drained(self.draining.clone());
                let alive = self.alive.clone();
                tokio::spawn(async move {
                    driver::serve(stream, Some(peer.ip()), shared, stop).await;
                    drop((permit, guard, alive));
                });
            }
            Err(_) => {
                shared.telemetry.metrics.shed("connections");
                // With too many of these the connection is just closed.
                if let Ok(permit) = Arc::clone(&self.admission.refusals).try_acquire_owned() {
                    tokio::spawn(refuse(stream, shared, permit));
                }
            }
        }
    }
}

/// Ends when the server drains.
async fn drained(mut draining: watch::Receiver<bool>) {
    // An error means that the server is gone, which is the same.
    let _ = draining.wait_for(|draining| *draining).await;
}

/// 503 and close (RFC 3507 §4.3.3), without waiting for a request.
async fn refuse(mut stream: TcpStream, shared: Arc<Shared>, permit: OwnedSemaphorePermit) {
    let istag = shared.snapshot.load().house.istag;
    let answer = format!(
        "ICAP/1.0 503 Service Overloaded\r\nISTag: {istag}\r\nConnection: close\r\nEncapsulated: null-body=0\r\n\r\n"
    );
    let _ = tokio::time::timeout(REFUSAL_TIME, async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut sink = [0; 1024];
        while stream.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    })
    .await;
    drop(permit);
}

/// A file that is kept open, to be closed when no descriptor is left: then one connection can be taken and closed, so
/// that the accept queue does not stand still and the loop does not spin.
struct Spare(Option<File>);

impl Spare {
    fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    async fn turn_one_away(&mut self, listener: &TcpListener) {
        drop(self.0.take());
        let _ = tokio::time::timeout(ACCEPT_ERROR_TIME, listener.accept()).await;
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

/// A refused peer's time to read the refusal.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// The pause after running out of descriptors.
const OUT_OF_FILES_TIME: Duration = Duration::from_millis(50);

/// The pause after any other failure to accept.
const ACCEPT_ERROR_TIME: Duration = Duration::from_millis(5);
