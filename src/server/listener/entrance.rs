//! From an accepted stream to the driver: PROXY header, access, TLS. Whoever is turned away is counted and logged.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::config::Config;
use crate::config::listeners::{Listener, Protocol, Strangers};
use crate::icap::Status;
use crate::service::facts::Peer;

use super::super::client::Client;
use super::super::tls::{Loaded, Tls, TlsError, Unlisted};
use super::super::{Shared, driver, http};
use super::proxy::{self, Speaker};

/// A listener in use: its socket and name stay, all else may change at a reload.
#[derive(Debug)]
pub(in crate::server) struct Open {
    pub(super) name: Arc<str>,
    settings: ArcSwap<Listener>,
    pub(super) tls: Option<Tls>,
}

/// All listeners in use.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct Openings(pub(in crate::server) Vec<Arc<Open>>);

/// What a reload would change; nothing has changed before [`Prepared::commit`].
pub(in crate::server) struct Prepared(Vec<(Arc<Open>, Listener, Option<Loaded>)>);

/// Where connections of one listener come in.
#[derive(Clone)]
pub(in crate::server) struct Entrance {
    pub(in crate::server) open: Arc<Open>,
    pub(in crate::server) shared: Arc<Shared>,
    pub(in crate::server) draining: watch::Receiver<bool>,
}

/// Why a connection goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// Its address has no right.
    Address,
    /// It does not come from a trusted proxy.
    Stranger,
    /// Its PROXY header is none.
    ProxyHeader,
    /// Its certificate does not name a client that was listed.
    Name,
    /// It has as many connections as it may.
    Connections,
    /// The handshake failed, or took too long, or there are too many.
    Handshake(&'static str),
}

impl Open {
    /// Loads the certificates of `listener`.
    pub(in crate::server) fn new(listener: Listener) -> Result<Self, TlsError> {
        let tls = listener.tls.as_ref().map(Tls::load).transpose()?;
        Ok(Self {
            name: Arc::clone(&listener.name),
            settings: ArcSwap::from_pointee(listener),
            tls,
        })
    }

    /// What is configured.
    pub(in crate::server) fn settings(&self) -> Arc<Listener> {
        self.settings.load_full()
    }

    /// The certificates in force.
    pub(in crate::server) fn tls(&self) -> Option<Arc<Loaded>> {
        self.tls.as_ref().map(Tls::current)
    }

    /// Tells metrics and log when the certificate expires.
    fn announce(&self, shared: &Shared) {
        let Some(tls) = &self.tls else {
            return;
        };
        let loaded = tls.current();
        let metrics = &shared.telemetry.metrics;
        metrics.certificate_expiry(&self.name, loaded.expires);
        let left = loaded.seconds_left();
        if left < EXPIRY_WARNING_SECONDS {
            let days = left.div_euclid(DAY_SECONDS);
            tracing::warn!(listener = %self.name, days, "the certificate expires soon, or has");
        }
    }
}

impl Openings {
    /// Reads what `config` says of the listeners in use.
    ///
    /// # Errors
    /// When a certificate cannot be used: nothing is changed then.
    pub(in crate::server) fn prepare(&self, config: &Config) -> Result<Prepared, TlsError> {
        let mut prepared = Vec::new();
        let mut configured = config.all_listeners();
        configured.extend(config.admin_listener());
        for open in &self.0 {
            let before = open.settings.load();
            let same = |new: &&Listener| {
                new.name == before.name
                    && new.address == before.address
                    && new.tls.is_some() == before.tls.is_some()
            };
            let Some(new) = configured.iter().find(same) else {
                tracing::warn!(listener = %open.name, "a changed or removed listener needs a restart");
                continue;
            };
            let loaded = match &new.tls {
                Some(entry) => Some(Loaded::read(entry, open.tls().as_deref())?),
                None => None,
            };
            prepared.push((Arc::clone(open), new.clone(), loaded));
        }
        if configured.len() > prepared.len() {
            tracing::warn!("a new listener needs a restart");
        }
        Ok(Prepared(prepared))
    }

    /// Tells metrics and log when the certificates expire.
    pub(in crate::server) fn announce(&self, shared: &Shared) {
        for open in &self.0 {
            open.announce(shared);
        }
    }

    /// Takes up changed certificate files, for ever. They are looked at rather than watched: that works on every file
    /// system, through the symbolic links of Kubernetes, and costs three calls a second and listener.
    pub(in crate::server) async fn watch(self, shared: Arc<Shared>) {
        let mut announced = tokio::time::Instant::now();
        loop {
            tokio::time::sleep(WATCH_TIME).await;
            for open in &self.0 {
                let settings = open.settings.load_full();
                if let (Some(tls), Some(entry)) = (&open.tls, &settings.tls)
                    && tls.has_changed(entry)
                {
                    take_up(open, tls, &shared).await;
                }
            }
            if announced.elapsed() > ANNOUNCE_TIME {
                announced = tokio::time::Instant::now();
                self.announce(&shared);
            }
        }
    }
}

impl Prepared {
    /// Puts it in force for the connections to come.
    pub(in crate::server) fn commit(self) {
        for (open, settings, loaded) in self.0 {
            open.settings.store(Arc::new(settings));
            if let (Some(tls), Some(loaded)) = (&open.tls, loaded) {
                tls.replace(loaded);
            }
        }
    }
}

/// The files of one listener changed: all of it or nothing.
async fn take_up(open: &Arc<Open>, tls: &Tls, shared: &Shared) {
    let (settings, before) = (open.settings.load_full(), tls.current());
    let read = tokio::task::spawn_blocking(move || {
        let entry = settings.tls.as_ref()?;
        Some(Loaded::read(entry, Some(&before)))
    });
    match read.await {
        Ok(Some(Ok(loaded))) => {
            tls.replace(loaded);
            shared.telemetry.metrics.reload("certificate-ok");
            tracing::info!(listener = %open.name, "a new certificate is in force");
            open.announce(shared);
        }
        Ok(Some(Err(error))) => {
            shared.telemetry.metrics.reload("certificate-refused");
            tracing::error!(listener = %open.name, %error, "certificate refused; the old one stays in force");
        }
        Ok(None) | Err(_) => {}
    }
}

impl Entrance {
    /// Ends when the server drains.
    pub(in crate::server) fn drained(&self) -> impl Future<Output = ()> + use<> {
        let mut draining = self.draining.clone();
        async move {
            // An error means that the server is gone, which is the same.
            let _ = draining.wait_for(|draining| *draining).await;
        }
    }

    /// A connection without TLS.
    pub(super) async fn plain<S>(self, mut stream: S, peer: Option<IpAddr>, early: Arc<Semaphore>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let listener = self.open.settings.load_full();
        let client = match self.behind(&mut stream, peer, &early).await {
            Ok(address) => self.client(&listener, address),
            Err(refusal) => Err(refusal),
        };
        match client.and_then(|(peer, listener)| self.enter(peer, listener)) {
            Ok(client) => {
                self.carry(stream, client).await;
            }
            Err(refusal) => {
                self.turned_away(refusal, peer);
                match refusal {
                    Refusal::Address => self.refuse(stream, Status::Forbidden).await,
                    Refusal::Connections => self.refuse(stream, Status::Overloaded).await,
                    Refusal::Stranger
                    | Refusal::ProxyHeader
                    | Refusal::Name
                    | Refusal::Handshake(_) => {}
                }
            }
        }
    }

    /// A connection with TLS. Whoever is refused is not told why: he has not even shaken hands, or does not need to know.
    pub(super) async fn secure(self, stream: TcpStream, peer: IpAddr, early: Arc<Semaphore>) {
        match self.shake_hands(stream, peer, &early).await {
            Ok((stream, client)) => {
                self.shared.telemetry.metrics.handshake("ok");
                tracing::debug!(peer = ?client.peer, "a TLS client");
                self.carry(stream, client).await;
            }
            Err(refusal) => self.turned_away(refusal, Some(peer)),
        }
    }

    /// Hands over to whoever speaks the listener's protocol.
    async fn carry<S>(self, stream: S, client: Client)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stop = self.drained();
        match client.listener.protocol {
            Protocol::Icap => driver::serve(stream, client, self.shared, stop).await,
            Protocol::Http => http::serve(stream, client, self.shared, stop).await,
        }
    }

    async fn shake_hands(
        &self,
        mut stream: TcpStream,
        peer: IpAddr,
        early: &Arc<Semaphore>,
    ) -> Result<(tokio_rustls::server::TlsStream<TcpStream>, Client), Refusal> {
        let listener = self.open.settings.load_full();
        let address = self.behind(&mut stream, Some(peer), early).await?;
        // Before the handshake, which is work.
        let (mut client, listener) = self.client(&listener, address)?;
        let tls = self.open.tls.as_ref().map(Tls::current);
        let tls = tls.ok_or(Refusal::Handshake("no-certificate"))?;
        let _permit = early
            .try_acquire()
            .map_err(|_| Refusal::Handshake("too-many"))?;
        let (stream, names) = tokio::time::timeout(self.handshake_time(), tls.accept(stream))
            .await
            .map_err(|_| Refusal::Handshake("timeout"))?
            .map_err(|error| {
                tracing::debug!(%error, %peer, "a TLS handshake failed");
                Refusal::Handshake("failed")
            })?;
        client.tls_identity = tls.identity(&names).map_err(|Unlisted| Refusal::Name)?;
        Ok((stream, self.enter(client, listener)?))
    }

    /// Who is behind the peer: himself, or whom a trusted proxy names.
    async fn behind(
        &self,
        stream: &mut (impl AsyncRead + Unpin),
        peer: Option<IpAddr>,
        early: &Semaphore,
    ) -> Result<Behind, Refusal> {
        let listener = self.open.settings.load();
        let Some(proxies) = &listener.proxy else {
            return Ok(Behind::Client(peer));
        };
        if !proxies.trusts(peer) {
            return match proxies.strangers {
                Strangers::Refuse => Err(Refusal::Stranger),
                Strangers::Direct => Ok(Behind::Client(peer)),
            };
        }
        drop(listener);
        let _permit = early
            .try_acquire()
            .map_err(|_| Refusal::Handshake("too-many"))?;
        match tokio::time::timeout(self.handshake_time(), proxy::read(stream)).await {
            Err(_) => Err(Refusal::Handshake("timeout")),
            Ok(Err(error)) => {
                tracing::debug!(%error, ?peer, "no PROXY header");
                Err(Refusal::ProxyHeader)
            }
            Ok(Ok(Speaker::Client(address))) => Ok(Behind::Client(Some(address.to_canonical()))),
            Ok(Ok(Speaker::Itself)) => Ok(Behind::Proxy(peer)),
        }
    }

    fn client(
        &self,
        listener: &Arc<Listener>,
        behind: Behind,
    ) -> Result<(Peer, Arc<Listener>), Refusal> {
        let address = match behind {
            Behind::Client(address) if listener.access.admits(address) => address,
            Behind::Client(_) => return Err(Refusal::Address),
            Behind::Proxy(address) => address,
        };
        let peer = Peer {
            address,
            tls_identity: None,
        };
        Ok((peer, Arc::clone(listener)))
    }

    /// Counts the connection in.
    fn enter(&self, peer: Peer, listener: Arc<Listener>) -> Result<Client, Refusal> {
        let limits = &self.shared.snapshot.load().config.quotas;
        let membership = self.shared.quotas.enter(&peer, limits);
        Ok(Client {
            membership: Arc::new(membership.ok_or(Refusal::Connections)?),
            peer,
            listener,
            observer: None,
        })
    }

    fn handshake_time(&self) -> Duration {
        self.shared.snapshot.load().config.deadlines.handshake
    }

    fn turned_away(&self, refusal: Refusal, peer: Option<IpAddr>) {
        let metrics = &self.shared.telemetry.metrics;
        let reason = match refusal {
            Refusal::Handshake(result) => return metrics.handshake(result),
            Refusal::Connections => return self.full("client-connections", peer),
            Refusal::Address => "address",
            Refusal::Stranger => "not-a-proxy",
            Refusal::ProxyHeader => "proxy-header",
            Refusal::Name => "certificate-name",
        };
        metrics.denied(reason);
        if let Some(left_out) = self.shared.denials.take() {
            tracing::warn!(
                listener = %self.open.name,
                peer = peer.map(tracing::field::display),
                reason,
                left_out,
                "a connection was refused"
            );
        }
    }

    /// Counts and logs a connection for which there is no room.
    pub(super) fn full(&self, reason: &'static str, peer: Option<IpAddr>) {
        self.shared.telemetry.metrics.shed(reason);
        if let Some(left_out) = self.shared.shed.take() {
            tracing::warn!(
                listener = %self.open.name,
                peer = peer.map(tracing::field::display),
                reason,
                left_out,
                "a connection was refused"
            );
        }
    }

    /// Says `status` (RFC 3507 §4.3.3) and closes, without waiting for a request.
    pub(super) async fn refuse<S>(&self, mut stream: S, status: Status)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let istag = self.shared.snapshot.load().house.istag;
        let answer = match self.open.settings.load().protocol {
            Protocol::Icap => format!(
                "{}ISTag: {istag}\r\nConnection: close\r\nEncapsulated: null-body=0\r\n\r\n",
                status.line()
            ),
            Protocol::Http => format!(
                "HTTP/1.1 {} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                status.code()
            ),
        };
        let _ = tokio::time::timeout(REFUSAL_TIME, async {
            stream.write_all(answer.as_bytes()).await?;
            stream.shutdown().await?;
            let mut sink = [0; 1024];
            while stream.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        })
        .await;
    }
}

/// Who is behind a connection.
#[derive(Clone, Copy, Debug)]
enum Behind {
    /// A client of this address; over a Unix socket, of none.
    Client(Option<IpAddr>),
    /// A trusted proxy itself, for a health check.
    Proxy(Option<IpAddr>),
}

/// A refused peer's time to read the refusal.
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// How often certificate files are looked at.
const WATCH_TIME: Duration = Duration::from_secs(1);

/// How often a certificate that expires soon is warned of.
const ANNOUNCE_TIME: Duration = Duration::from_secs(24 * 60 * 60);

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// From when on: ACME clients renew thirty days before the end, so less means that renewal has failed.
const EXPIRY_WARNING_SECONDS: i64 = 28 * DAY_SECONDS;
