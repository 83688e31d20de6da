//! A server in this process on ports of the system's choice, and a client that reads answers the strict way.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use sluice::config::Config;
use sluice::server::{Addresses, Probe, Server, Source};
use sluice::telemetry::Telemetry;
use sluice::telemetry::audit::Records;
use sluice::telemetry::lines::{Lines, LinesGuard};
use socket2::{Domain, Socket, Type};

/// EICAR, put together at run time.
pub(super) fn eicar() -> String {
    [
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}",
        "$EICAR-STANDARD-",
        "ANTIVIRUS-TEST-FILE!$H+H*",
    ]
    .concat()
}

/// A running server; stopped and drained when dropped.
pub(super) struct Running {
    pub(super) addresses: Addresses,
    audit: Sink,
    lines: Option<LinesGuard>,
    toml: Arc<Mutex<String>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The server with the defaults, shared by the tests that need nothing else.
pub(super) fn shared() -> SocketAddr {
    static SHARED: OnceLock<Running> = OnceLock::new();
    SHARED.get_or_init(|| Running::start("")).icap()
}

impl Running {
    /// Starts with this configuration; ports are overridden.
    pub(super) fn start(toml: &str) -> Self {
        Self::start_with(toml, None)
    }

    pub(super) fn start_with(toml: &str, probe: Option<Probe>) -> Self {
        let toml = Arc::new(Mutex::new(toml.to_owned()));
        let text = Arc::clone(&toml);
        let source: Source = Arc::new(move || {
            let mut config = Config::parse(&text.lock().expect("no panic"), None, &[])?;
            config.listen = vec![SocketAddr::from(([127, 0, 0, 1], 0))];
            config.admin = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
            // Without optimisation an inspection takes many times what it may.
            config.scan_time = Duration::from_secs(600);
            Ok(config)
        });
        let config = source().expect("a good configuration");
        let audit = Sink::default();
        let (lines, guard) = Lines::to(audit.clone()).expect("a thread");
        let telemetry = Telemetry {
            records: Records::All,
            audit: Some(lines),
            ..Telemetry::default()
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (told, addresses) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let mut server = Server::bind(config, telemetry, source)
                    .await
                    .expect("it binds")
                    .with_compiler(env!("CARGO_BIN_EXE_sluice").into());
                if let Some(probe) = probe {
                    server = server.with_probe(probe);
                }
                told.send(server.addresses()).expect("the test waits");
                server
                    .run(async {
                        let _ = stopped.await;
                    })
                    .await;
            });
        });
        Self {
            addresses: addresses.recv().expect("the server starts"),
            audit,
            lines: Some(guard),
            toml,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn icap(&self) -> SocketAddr {
        self.addresses.icap[0]
    }

    /// The first of `[[listeners]]`.
    pub(super) fn listener(&self) -> SocketAddr {
        self.addresses.icap[1]
    }

    /// Asks for a stop without waiting for its end.
    pub(super) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops, and yields the audit records.
    pub(super) fn stop(mut self) -> Vec<serde_json::Value> {
        self.begin_stop();
        self.thread
            .take()
            .expect("it runs")
            .join()
            .expect("it ends well");
        drop(self.lines.take());
        let bytes = self.audit.0.lock().expect("no panic").clone();
        String::from_utf8(bytes)
            .expect("ASCII")
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// What the next reload reads.
    pub(super) fn configure(&self, toml: &str) {
        toml.clone_into(&mut self.toml.lock().expect("no panic"));
    }

    /// A page of the admin listener: status code and body.
    pub(super) fn admin(&self, path: &str) -> (u16, String) {
        self.call(&format!("GET {path}"), "Host: localhost\r\n", b"")
    }

    /// A request of the admin listener (`POST /path`), with these header lines: status code and body.
    pub(super) fn call(&self, what: &str, lines: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.addresses.admin.expect("an admin listener"))
            .expect("it accepts");
        write!(
            stream,
            "{what} HTTP/1.1\r\n{lines}Connection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .expect("it reads");
        // A refusal may come, and the connection end, before all of the body is taken.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head
            .split(' ')
            .nth(1)
            .expect("a status")
            .parse()
            .expect("digits");
        (status, body.to_owned())
    }

    /// Waits for a metric: it is counted after the answer has left.
    pub(super) fn metric_reaches(&self, name: &str, least: f64) -> bool {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while self.metric(name) < least {
            if std::time::Instant::now() > end {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    /// The value of a metric whose line begins with `name`, summed over its labels.
    pub(super) fn metric(&self, name: &str) -> f64 {
        self.admin("/metrics")
            .1
            .lines()
            .filter(|line| line.starts_with(name))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One connection.
pub(super) struct Client<S = TcpStream> {
    pub(super) stream: S,
    unread: Vec<u8>,
}

/// One answer, taken apart.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) http: String,
    pub(super) body: Vec<u8>,
    pub(super) trailers: String,
}

impl Reply {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn closes(&self) -> bool {
        self.field("Connection") == Some("close")
    }

    pub(super) fn is_block(&self) -> bool {
        self.status == 200 && self.http.starts_with("HTTP/1.1 403 ")
    }
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Self {
        Self::over(connected(address))
    }

    pub(super) fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).expect("open");
    }
}

/// A connection that does not wait for ever.
pub(super) fn connected(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream
}

/// A connection that comes from `source`, an address of loopback: another ICAP client.
pub(super) fn connected_from(source: Ipv4Addr, server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let own = SocketAddr::new(IpAddr::V4(source), 0);
    socket.bind(&own.into()).expect("a loopback address");
    socket.connect(&server.into()).expect("it accepts");
    let stream = TcpStream::from(socket);
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    stream
}

impl<S: Read + Write> Client<S> {
    pub(super) fn over(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("it reads");
    }

    /// Sends and waits for the answer.
    pub(super) fn ask(&mut self, bytes: impl AsRef<[u8]>) -> Reply {
        self.send(bytes);
        self.reply()
    }

    /// The next answer.
    pub(super) fn reply(&mut self) -> Reply {
        let head = self.until(b"\r\n\r\n");
        let head = String::from_utf8(head).expect("ASCII");
        let mut reply = Reply {
            status: head[9..12].parse().expect("a status"),
            head,
            ..Reply::default()
        };
        assert!(reply.head.starts_with("ICAP/1.0 "), "{}", reply.head);
        if reply.status == 100 {
            return reply;
        }
        let tag = reply.field("ISTag").expect("every answer has an ISTag");
        assert!(
            tag.starts_with('"') && tag.ends_with('"') && tag.len() <= 34,
            "{tag}"
        );
        let sections = reply.field("Encapsulated").unwrap_or_default().to_owned();
        let Some((name, offset)) = sections
            .rsplit(", ")
            .next()
            .and_then(|last| last.split_once('='))
        else {
            assert_eq!(reply.status, 204, "{}", reply.head);
            return reply;
        };
        let http = self.exactly(offset.parse().expect("an offset"));
        reply.http = String::from_utf8_lossy(&http).into_owned();
        if name != "null-body" {
            self.chunks(&mut reply);
        }
        reply
    }

    fn chunks(&mut self, reply: &mut Reply) {
        loop {
            let line = self.until(b"\r\n");
            let line = String::from_utf8(line).expect("ASCII");
            let digits = line.trim().split(';').next().expect("a size");
            let size = usize::from_str_radix(digits, 16).expect("hexadecimal");
            if size == 0 {
                reply.trailers = line.trim().trim_start_matches('0').to_owned();
                loop {
                    let line = self.until(b"\r\n");
                    if line == b"\r\n" {
                        return;
                    }
                    reply.trailers += &String::from_utf8_lossy(&line);
                }
            }
            let chunk = self.exactly(size + 2);
            reply.body.extend_from_slice(&chunk[..size]);
            assert_eq!(&chunk[size..], b"\r\n");
        }
    }

    /// True when the server closes without another byte.
    pub(super) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_))
    }

    fn until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut from = 0;
        loop {
            let found = self.unread[from..]
                .windows(end.len())
                .position(|window| window == end);
            if let Some(at) = found {
                let rest = self.unread.split_off(from + at + end.len());
                return std::mem::replace(&mut self.unread, rest);
            }
            from = self.unread.len().saturating_sub(end.len());
            self.fill();
        }
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        while self.unread.len() < length {
            self.fill();
        }
        let rest = self.unread.split_off(length);
        std::mem::replace(&mut self.unread, rest)
    }

    fn fill(&mut self) {
        let mut buffer = [0; 64 << 10];
        let read = self.stream.read(&mut buffer).expect("an answer in time");
        assert!(
            read > 0,
            "closed inside an answer: {:?}",
            String::from_utf8_lossy(&self.unread)
        );
        self.unread.extend_from_slice(&buffer[..read]);
    }
}

/// A REQMOD to `path` with these ICAP lines, this HTTP head and this body.
pub(super) fn reqmod(path: &str, lines: &str, head: &str, body: Option<&[u8]>) -> Vec<u8> {
    let section = if body.is_some() {
        "req-body"
    } else {
        "null-body"
    };
    let mut request = format!(
        "REQMOD icap://h{path} ICAP/1.0\r\nHost: h\r\n{lines}Encapsulated: req-hdr=0, {section}={}\r\n\r\n{head}",
        head.len()
    )
    .into_bytes();
    request.extend(body.map(chunked).unwrap_or_default());
    request
}

/// A RESPMOD to `path` with these ICAP lines, this HTTP head and this body.
pub(super) fn respmod(path: &str, lines: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "RESPMOD icap://h{path} ICAP/1.0\r\nHost: h\r\n{lines}Encapsulated: res-hdr=0, res-body={}\r\n\r\n{head}",
        head.len()
    )
    .into_bytes();
    request.extend(chunked(body));
    request
}

/// `body` in chunks as a gateway would make them, with the last one.
pub(super) fn chunked(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    for piece in body.chunks(32 << 10) {
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}

/// Bytes that no rule minds and no position repeats.
pub(super) fn harmless(length: usize) -> Vec<u8> {
    let mut state = 1u32;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            b'a' + u8::try_from((state >> 24) % 26).expect("below 26")
        })
        .collect()
}

/// A request head.
pub(super) const POST: &str =
    "POST /upload HTTP/1.1\r\nHost: origin\r\nContent-Type: text/plain\r\n\r\n";

/// A request head without a body.
pub(super) const GET: &str = "GET /page HTTP/1.1\r\nHost: origin\r\n\r\n";

/// A response head.
pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

/// Why a server with this configuration does not start.
pub(super) fn bind_error(toml: &str) -> String {
    let mut config = Config::parse(toml, None, &[]).expect("a good configuration");
    config.listen.clear();
    config.admin = None;
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let source: Source = Arc::new(|| Config::load(None, &[]));
    let bound = runtime.block_on(Server::bind(config, Telemetry::default(), source));
    let mut text = String::new();
    let error = bound.expect_err("it cannot start");
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        text += &format!("{error}: ");
        cause = error.source();
    }
    text
}
