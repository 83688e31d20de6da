//! A simulated peer, and what becomes of a conversation when it fails: at every byte that is read, at every byte that is
//! written, whatever the state of the protocol is by then.
//!
//! The driver knows its peer as a stream of bytes only, so the peer here is one that cuts its input short, resets, takes
//! one byte at a time, breaks while it is written to, or sees the server begin to drain. For each fault and each place:
//! the driver comes to its end, what it has written by then lets nothing pass that was not inspected whole, nothing is
//! held any more, and the next connection is served.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

use crate::config::Config;
use crate::server::client::Client;
use crate::server::{Server, Shared};
use crate::service::facts::Peer;
use crate::telemetry::Telemetry;

/// What goes wrong, and at which byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    /// Not a fault: one byte at a time, read and written, and not always at once.
    Trickle,
    /// The input is over after so many bytes.
    Ends(usize),
    /// The connection is reset after so many bytes of input.
    Resets(usize),
    /// The peer is gone after so many bytes of output.
    Breaks(usize),
    /// The server begins to drain after so many bytes of input.
    Drains(usize),
}

/// A conversation: what the client sends, and what becomes of it.
#[derive(Clone, Debug)]
struct Script {
    name: &'static str,
    /// The second piece is sent when the server asks for it.
    pieces: Vec<Vec<u8>>,
    /// Statuses of the answers.
    statuses: &'static [&'static str],
    /// Bytes that must never come back.
    secret: Vec<u8>,
}

impl Script {
    fn len(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }
}

/// The client's end.
struct Simulated {
    script: Script,
    fault: Fault,
    sent: usize,
    reads: usize,
    writes: usize,
    drain: watch::Sender<bool>,
    wire: Arc<Mutex<Wire>>,
}

#[derive(Default)]
struct Wire {
    written: Vec<u8>,
    waiting: Option<Waker>,
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Simulated {
    /// How many bytes may be read now; `None`: the client waits for an answer.
    fn released(&self) -> Option<usize> {
        let first = self.script.pieces.first().map_or(0, Vec::len);
        if self.sent < first || self.script.pieces.len() == 1 {
            return Some(self.script.len());
        }
        let statuses = statuses(&lock(&self.wire).written);
        match statuses.first().map(String::as_str) {
            Some("100") => Some(self.script.len()),
            // Answered already: the rest is not sent.
            Some(_) => Some(self.sent),
            None => None,
        }
    }
}

impl AsyncRead for Simulated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        if self.fault == Fault::Trickle && self.reads.is_multiple_of(2) {
            return later(context);
        }
        let Some(released) = self.released() else {
            lock(&self.wire).waiting = Some(context.waker().clone());
            return Poll::Pending;
        };
        let end = match self.fault {
            Fault::Ends(at) | Fault::Resets(at) => at.min(released),
            Fault::Drains(at) if self.sent < at => at.min(released),
            _ => released,
        };
        if let Fault::Drains(at) = self.fault
            && self.sent >= at
        {
            self.drain.send_replace(true);
        }
        if let Fault::Resets(at) = self.fault
            && self.sent >= at
        {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let first = self.script.pieces.first().map_or(0, Vec::len);
        let end = if self.sent < first {
            end.min(first)
        } else {
            end
        };
        let most = match self.fault {
            Fault::Trickle => 1,
            _ => buffer.remaining(),
        };
        let all = self.script.pieces.concat();
        let bytes = &all[self.sent..end.max(self.sent)];
        let bytes = &bytes[..bytes.len().min(most)];
        buffer.put_slice(bytes);
        self.sent += bytes.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Simulated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writes += 1;
        if self.fault == Fault::Trickle && self.writes.is_multiple_of(2) {
            return later(context);
        }
        let mut wire = lock(&self.wire);
        let most = match self.fault {
            Fault::Trickle => 1,
            Fault::Breaks(at) if wire.written.len() >= at => {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            Fault::Breaks(at) => at - wire.written.len(),
            _ => bytes.len(),
        };
        let taken = &bytes[..bytes.len().min(most)];
        wire.written.extend_from_slice(taken);
        if let Some(waiting) = wire.waiting.take() {
            waiting.wake();
        }
        Poll::Ready(Ok(taken.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Not at once.
fn later<T>(context: &Context<'_>) -> Poll<T> {
    context.waker().wake_by_ref();
    Poll::Pending
}

/// The statuses of the answers in `written`.
fn statuses(written: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(written);
    let heads = text.split("ICAP/1.0 ").skip(1);
    heads
        .filter_map(|head| head.get(..3).map(str::to_owned))
        .collect()
}

/// A server without sockets.
pub(super) struct House {
    pub(super) shared: Arc<Shared>,
}

impl House {
    pub(super) async fn of(toml: &str) -> Self {
        let mut config = Config::parse(toml, None, &[]).expect("a good configuration");
        config.listen = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        config.admin = None;
        // Without optimisation an inspection takes many times what it may.
        config.scan_time = Duration::from_secs(600);
        let again = config.clone();
        let server = Server::bind(
            config,
            Telemetry::default(),
            Arc::new(move || Ok(again.clone())),
        )
        .await
        .expect("it binds");
        Self {
            shared: server.shared,
        }
    }

    /// Carries one conversation; what the server wrote.
    async fn talk(&self, script: &Script, fault: Fault) -> Vec<u8> {
        let snapshot = self.shared.snapshot.load_full();
        let peer = crate::service::facts::Peer {
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            tls_identity: None,
        };
        let client = self.client(&snapshot.config, peer);
        let (drain, mut draining) = watch::channel(false);
        let wire = Arc::new(Mutex::new(Wire::default()));
        let simulated = Simulated {
            script: script.clone(),
            fault,
            sent: 0,
            reads: 0,
            writes: 0,
            drain,
            wire: Arc::clone(&wire),
        };
        let drained = async move {
            // A client that is gone drains nothing.
            if draining.wait_for(|draining| *draining).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let served = super::serve(simulated, client, Arc::clone(&self.shared), drained);
        tokio::time::timeout(Duration::from_secs(60), served)
            .await
            .unwrap_or_else(|_| panic!("{} hangs after {fault:?}", script.name));
        std::mem::take(&mut lock(&wire).written)
    }

    pub(super) fn client(&self, config: &Config, peer: Peer) -> Client {
        let membership = self.shared.quotas.enter(&peer, &config.quotas);
        let listener = config.all_listeners().swap_remove(0);
        Client {
            membership: Arc::new(membership.expect("room for one connection")),
            peer,
            listener: Arc::new(listener),
            observer: None,
        }
    }

    fn holds_nothing(&self) -> bool {
        self.shared.telemetry.metrics.inflight.get() == 0
            && self.shared.telemetry.live.list(10).is_empty()
            && self.shared.memory.used() == 0
    }
}

fn eicar() -> String {
    [
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}",
        "$EICAR-STANDARD-",
        "ANTIVIRUS-TEST-FILE!$H+H*",
    ]
    .concat()
}

/// A request with `http` before the body, its body in `chunks`.
fn message(service: &str, fields: &str, http: &str, chunks: &[&str]) -> Vec<u8> {
    let verb = match service {
        "respmod" => "RESPMOD",
        _ => "REQMOD",
    };
    let section = match verb {
        "RESPMOD" => "res",
        _ => "req",
    };
    let length = http.len();
    let mut text = format!(
        "{verb} icap://h/{service} ICAP/1.0\r\nHost: h\r\n{fields}Encapsulated: {section}-hdr=0, {section}-body={length}\r\n\r\n{http}"
    );
    for chunk in chunks {
        text.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
    }
    text.into_bytes()
}

const POST: &str = "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Type: application/json\r\n\r\n";
const PAGE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
const ALLOW: &str = "Allow: 204\r\n";

fn scripts() -> Vec<Script> {
    let eicar = eicar();
    let ended = |mut bytes: Vec<u8>| {
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    };
    let script = |name, pieces, statuses, secret: &str| Script {
        name,
        pieces,
        statuses,
        secret: secret.as_bytes().to_vec(),
    };
    let card = r#"{"card":"4111 1111 1111 1111"}"#;
    vec![
        script(
            "options",
            vec![b"OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\n\r\n".to_vec()],
            &["200"],
            "",
        ),
        script(
            "allowed",
            vec![ended(message(
                "reqmod",
                ALLOW,
                POST,
                &[r#"{"a""#, r#":[1,2]}"#],
            ))],
            &["204"],
            "",
        ),
        script(
            "given back",
            vec![ended(message("respmod", "", PAGE, &["<p>one", " two</p>"]))],
            &["200"],
            "",
        ),
        script(
            "blocked",
            vec![ended(message(
                "respmod",
                ALLOW,
                PAGE,
                &[&eicar[..20], &eicar[20..]],
            ))],
            &["200"],
            &eicar,
        ),
        script(
            "asked for the rest",
            vec![
                ended(message(
                    "reqmod",
                    "Allow: 204\r\nPreview: 4\r\n",
                    POST,
                    &[r#"{"a""#],
                )),
                b"7\r\n:[1,2]}\r\n0\r\n\r\n".to_vec(),
            ],
            &["100", "204"],
            "",
        ),
        script(
            "edited",
            vec![ended(message(
                "redact",
                ALLOW,
                POST,
                &[&card[..15], &card[15..]],
            ))],
            &["200"],
            "4111 1111 1111 1111",
        ),
        script(
            "two in a row",
            vec![
                [
                    ended(message("reqmod", ALLOW, POST, &["{}"])),
                    ended(message("respmod", ALLOW, PAGE, &[&eicar])),
                ]
                .concat(),
            ],
            &["204", "200"],
            &eicar,
        ),
    ]
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && memchr::memmem::find(text, part).is_some()
}

/// What no fault may lead to.
fn check(script: &Script, fault: Fault, written: &[u8]) {
    let said = format!(
        "{}, {fault:?}: {}",
        script.name,
        String::from_utf8_lossy(written)
    );
    assert!(!holds(written, &script.secret), "{said}");
    let statuses = statuses(written);
    let allowed = statuses.iter().filter(|status| *status == "204").count();
    let allows = script
        .statuses
        .iter()
        .filter(|status| **status == "204")
        .count();
    assert!(allowed <= allows, "{said}");
    if let Fault::Ends(at) | Fault::Resets(at) = fault
        && at < script.len()
        && script.statuses.len() == 1
    {
        // A message that is not whole is not allowed, and not given back whole.
        assert_eq!(allowed, 0, "{said}");
        let given = holds(written, b"ICAP/1.0 200") && holds(written, b"HTTP/1.1 200 OK");
        assert!(!(given && written.ends_with(b"\r\n0\r\n\r\n")), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_the_peer_at_whatever_byte_nothing_passes_uninspected_and_nothing_is_left()
{
    let house = House::of("").await;
    let scripts = scripts();
    for script in &scripts {
        let clean = house.talk(script, Fault::None).await;
        assert_eq!(statuses(&clean), script.statuses, "{}", script.name);
        let trickled = house.talk(script, Fault::Trickle).await;
        assert_eq!(statuses(&trickled), script.statuses, "{}", script.name);
        assert_eq!(trickled.len(), clean.len(), "{}", script.name);
        let inputs = (0..script.len())
            .flat_map(|at| [Fault::Ends(at), Fault::Resets(at), Fault::Drains(at)]);
        let outputs = (0..clean.len()).map(Fault::Breaks);
        for fault in inputs.chain(outputs) {
            let written = house.talk(script, fault).await;
            check(script, fault, &written);
            assert!(house.holds_nothing(), "{}, {fault:?}", script.name);
        }
        for script in &scripts {
            let after = house.talk(script, Fault::None).await;
            assert_eq!(statuses(&after), script.statuses, "{}", script.name);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_nothing_lets_nothing_pass() {
    let folder = tempfile::tempdir().expect("a folder");
    let path: PathBuf = folder.path().join("spool");
    std::fs::create_dir(&path).expect("a folder");
    let toml = format!(
        "[spool]\ndirectory = \"{}\"\nmemory-kib = 1\n",
        path.display()
    );
    let house = House::of(&toml).await;
    // Every file that is begun from now on fails.
    std::fs::remove_dir(&path).expect("an empty folder");
    let text = "word ".repeat(400_000);
    let large = |end: &str| {
        let mut bytes = message("respmod", "", PAGE, &[&text, end]);
        bytes.extend_from_slice(b"0\r\n\r\n");
        Script {
            name: "large",
            pieces: vec![bytes],
            statuses: &[],
            secret: eicar().into_bytes(),
        }
    };
    for script in [large("end"), large(&eicar())] {
        for fault in [
            Fault::None,
            Fault::Ends(script.len() / 2),
            Fault::Drains(script.len() / 2),
        ] {
            let written = house.talk(&script, fault).await;
            check(&script, fault, &written);
            assert!(
                !holds(&written, b"HTTP/1.1 200 OK"),
                "nothing is given back"
            );
            assert!(house.holds_nothing(), "{fault:?}");
        }
    }
    for script in scripts() {
        let after = house.talk(&script, Fault::None).await;
        assert_eq!(statuses(&after), script.statuses, "{}", script.name);
    }
}
