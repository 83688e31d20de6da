//! Who comes to the admin listener: a number of connections at a time, of which nobody has more than he leaves free, each
//! in a task of its own with its handshake, and none waits longer than at the other listeners.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::server::Shared;
use crate::server::listener::Open;
use crate::server::web::{self, Terms};

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) address: SocketAddr,
    /// The names in his certificate.
    pub(super) names: Arc<[Box<str>]>,
}

impl Caller {
    /// His address.
    pub(super) fn ip(&self) -> IpAddr {
        self.address.ip()
    }
}

/// Lets callers in.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    /// The certificates; `None`: plain HTTP.
    pub(super) open: Option<Arc<Open>>,
    pub(super) shared: Arc<Shared>,
    pub(super) router: Router,
}

impl Door {
    /// Takes connections, for ever.
    pub(super) async fn run(self) {
        let seats = Arc::new(Seats::default());
        let mut callers = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => match seats.take(address.ip()) {
                        Some(seat) => {
                            let _ = stream.set_nodelay(true);
                            let served = self.served(stream, address);
                            callers.spawn(async move {
                                served.await;
                                drop(seat);
                            });
                        }
                        None => self.shared.telemetry.metrics.shed("admin-connections"),
                    },
                    Err(error) => {
                        tracing::warn!(%error, "the admin listener cannot accept");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(_) = callers.join_next() => {}
            }
        }
    }

    /// One connection, its handshake first.
    fn served(
        &self,
        stream: TcpStream,
        address: SocketAddr,
    ) -> impl Future<Output = ()> + Send + use<> {
        let tls = self.open.as_ref().and_then(|open| open.tls());
        let router = TowerToHyperService::new(self.router.clone());
        let shared = Arc::clone(&self.shared);
        async move {
            let config = Arc::clone(&shared.snapshot.load().config);
            let (terms, time) = (Terms::of(&config), config.deadlines.handshake);
            drop(config);
            let mut caller = Caller {
                address,
                names: Arc::default(),
            };
            let Some(tls) = tls else {
                return carried(stream, caller, router, terms).await;
            };
            let metrics = &shared.telemetry.metrics;
            match tokio::time::timeout(time, tls.accept(stream)).await {
                Ok(Ok((stream, names))) => {
                    metrics.handshake("ok");
                    caller.names = names.into();
                    carried(stream, caller, router, terms).await;
                }
                Ok(Err(error)) => {
                    metrics.handshake("failed");
                    tracing::debug!(%error, peer = %address.ip(), "a TLS handshake failed");
                }
                Err(_) => metrics.handshake("timeout"),
            }
        }
    }
}

async fn carried<S>(stream: S, caller: Caller, router: TowerToHyperService<Router>, terms: Terms)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let answer = |mut request: Request<Incoming>| {
        request.extensions_mut().insert(caller.clone());
        let answer = router.call(request);
        async move {
            match answer.await {
                Ok(answer) => answer,
                Err(never) => match never {},
            }
        }
    };
    web::carry(stream, answer, terms, pending()).await;
}

/// Connections by address: one may have as many as are left free, so that there is always one for the next.
#[derive(Debug, Default)]
struct Seats(Mutex<HashMap<IpAddr, usize>>);

/// One connection; free again when dropped.
struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

impl Seats {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let mine = taken.get(&address).copied().unwrap_or_default();
        if mine.saturating_add(all) >= CONNECTIONS {
            return None;
        }
        taken.insert(address, mine + 1);
        Some(Seat {
            seats: Arc::clone(self),
            address,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.address) {
            Some(mine) if *mine > 1 => *mine -= 1,
            Some(_) | None => {
                taken.remove(&self.address);
            }
        }
    }
}

/// Connections at once: a handful of operators, probes and scrapers come here.
const CONNECTIONS: usize = 128;

/// The pause when no connection can be accepted, as when all files are open.
const PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_half_of_the_seats_and_the_next_one_finds_some() {
        let seats = Arc::new(Seats::default());
        let one = IpAddr::from([10, 0, 0, 1]);
        let other = IpAddr::from([10, 0, 0, 2]);
        let all = |address| std::iter::from_fn(|| seats.take(address)).collect::<Vec<_>>();
        let greedy = all(one);
        assert_eq!(greedy.len(), CONNECTIONS / 2);
        assert_eq!(all(other).len(), CONNECTIONS / 4);
        drop(greedy);
        assert!(seats.0.lock().expect("no panic").is_empty());
        assert!(seats.take(one).is_some());
    }
}
