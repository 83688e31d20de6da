//! TLS over real sockets, with rustls' and openssl's client sides.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};

use super::binary::Process;
use super::harness::{Client, POST, Running, connected, connected_from, eicar, harmless, reqmod};

/// A certification authority and what it issued, as files.
pub(super) struct House {
    folder: tempfile::TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

impl House {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("good");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "the house's CA");
        let key = KeyPair::generate().expect("a key");
        let ca = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).expect("a file");
        Self { folder, ca }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Issues a certificate for `names` into `file.pem` and `file.key`, each replaced in one step.
    pub(super) fn issue(
        &self,
        file: &str,
        names: &[&str],
        change: impl Fn(&mut CertificateParams),
    ) {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("good names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.ca).expect("a certificate");
        self.put(&format!("{file}.key"), &key.serialize_pem());
        self.put(&format!("{file}.pem"), &certificate.pem());
    }

    pub(super) fn put(&self, name: &str, text: &str) {
        let before = self.path(&format!("{name}.new"));
        std::fs::write(&before, text).expect("a file");
        std::fs::rename(&before, self.path(name)).expect("the same folder");
    }

    /// `[[listeners]]` with the certificate `server`.
    pub(super) fn listener(&self, more: &str) -> String {
        format!(
            "[[listeners]]\naddress = \"127.0.0.1:0\"\nname = \"tls\"\n[listeners.tls]\ncertificate = {:?}\nkey = {:?}\n{more}",
            self.path("server.pem"),
            self.path("server.key")
        )
    }

    /// The settings of a server that shows the certificate `file`.
    pub(super) fn server(&self, file: &str) -> Arc<ServerConfig> {
        let pem = self.path(&format!("{file}.pem"));
        let key = self.path(&format!("{file}.key"));
        let chain = vec![CertificateDer::from_pem_file(pem).expect("PEM")];
        let key = PrivateKeyDer::from_pem_file(key).expect("PEM");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Arc::new(config.expect("they fit"))
    }

    /// A client's settings; `shows` is the certificate that it shows.
    fn client(&self, shows: Option<&str>) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.ca.der().clone()).expect("good");
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        match shows {
            None => builder.with_no_client_auth(),
            Some(file) => {
                let pem = self.path(&format!("{file}.pem"));
                let key = self.path(&format!("{file}.key"));
                let chain = vec![CertificateDer::from_pem_file(pem).expect("PEM")];
                let key = PrivateKeyDer::from_pem_file(key).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("they fit")
            }
        }
    }

    pub(super) fn connect(&self, address: SocketAddr, shows: Option<&str>) -> Client<Tls> {
        self.try_connect(address, self.client(shows))
            .expect("a handshake")
    }

    fn try_connect(&self, address: SocketAddr, config: ClientConfig) -> io::Result<Client<Tls>> {
        shake_hands(connected(address), config)
    }
}

fn shake_hands(mut stream: TcpStream, config: ClientConfig) -> io::Result<Client<Tls>> {
    let name = ServerName::try_from("localhost").expect("a name");
    let mut session = ClientConnection::new(Arc::new(config), name).expect("good");
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(Client::over(StreamOwned::new(session, stream)))
}

/// The certificate that the server shows.
fn shown(client: &Client<Tls>) -> Vec<u8> {
    let chain = client
        .stream
        .conn
        .peer_certificates()
        .expect("shaken hands");
    chain[0].to_vec()
}

fn good() -> Vec<u8> {
    reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x"))
}

fn bad() -> Vec<u8> {
    reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()))
}

#[test]
fn icap_over_tls_is_the_same_icap() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let server = Running::start(&house.listener(""));
    let mut client = house.connect(server.listener(), None);
    assert_eq!(client.ask(good()).status, 204);
    assert!(client.ask(bad()).is_block());
    // More than the buffers of TLS and of the socket hold, both ways.
    let body = harmless(3 << 20);
    let reply = client.ask(reqmod("/echo", "", POST, Some(&body)));
    assert_eq!(reply.status, 200);
    assert!(reply.body == body);
    let preview = reqmod(
        "/reqmod",
        "Preview: 4\r\nAllow: 204\r\n",
        POST,
        Some(b"hell"),
    );
    assert_eq!(client.ask(preview).status, 100);
    assert_eq!(client.ask(b"1\r\no\r\n0\r\n\r\n").status, 204);
    assert!(server.metric("sluice_tls_handshakes_total{result=\"ok\"}") >= 1.0);
    let expiry = server.metric("sluice_tls_cert_expiry_timestamp_seconds{listener=\"tls\"}");
    assert!(expiry > 1e9, "{expiry}");
}

#[test]
fn an_answer_that_the_peer_does_not_read_for_a_while_arrives_whole() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let server = Running::start(&house.listener(""));
    let mut client = house.connect(server.listener(), None);
    let body = harmless(6 << 20);
    let request = reqmod("/echo", "", POST, Some(&body));
    // Everything is written before anything is read: the server's answers have to wait in between.
    client.send(&request);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let reply = client.reply();
    assert!(reply.status == 200 && reply.body == body);
    assert_eq!(client.ask(good()).status, 204);
}

#[test]
fn a_connection_that_ends_without_close_notify_inside_a_body_has_no_clean_verdict() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let server = Running::start(&house.listener(""));
    let half = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(&harmless(5000)));
    let half = &half[..half.len() - 1000];
    let mut cut = house.connect(server.listener(), None);
    cut.send(half);
    cut.stream
        .sock
        .shutdown(std::net::Shutdown::Both)
        .expect("open");
    let mut closed = house.connect(server.listener(), None);
    closed.send(half);
    closed.stream.conn.send_close_notify();
    closed.stream.flush().expect("it reads");
    assert_eq!(closed.reply().status, 400, "it can still be told");
    assert!(server.metric_reaches("sluice_errors_total{kind=\"peer-gone\"}", 2.0));
    for record in server.stop() {
        assert_eq!(record["event.action"], "error", "{record}");
    }
}

#[test]
fn what_is_no_tls_is_closed_without_an_icap_answer() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let server = Running::start(&house.listener(""));
    let mut stream = connected(server.listener());
    stream.write_all(&good()).expect("it reads");
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    assert!(!said.starts_with(b"ICAP"), "{said:?}");
    assert!(server.metric_reaches("sluice_tls_handshakes_total{result=\"failed\"}", 1.0));
    assert_eq!(
        house.connect(server.listener(), None).ask(good()).status,
        204
    );
}

#[test]
fn stalled_handshakes_end_in_time_and_do_not_keep_others_out() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let text = format!(
        "[server]\nmax-handshakes = 4\n[timeouts]\nhandshake-ms = 500\n{}",
        house.listener("")
    );
    let server = Running::start(&text);
    let stalled: Vec<_> = (0..4).map(|_| connected(server.listener())).collect();
    for mut stream in stalled {
        let _ = stream.write_all(&[0x16, 3, 1]);
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "it is closed");
    }
    assert!(server.metric_reaches("sluice_tls_handshakes_total{result=\"timeout\"}", 4.0));
    assert_eq!(
        house.connect(server.listener(), None).ask(good()).status,
        204
    );
    // While four stall, the fifth is turned away at once; the plain door does not care.
    let _stalled: Vec<_> = (0..4).map(|_| connected(server.listener())).collect();
    let turned_away = || {
        let mut stream = connected(server.listener());
        let _ = stream.read(&mut [0; 1]);
        server.metric("sluice_tls_handshakes_total{result=\"too-many\"}") >= 1.0
    };
    assert!((0..20).any(|_| turned_away()));
    assert_eq!(Client::connect(server.icap()).ask(good()).status, 204);
}

#[test]
fn a_client_needs_a_certificate_of_the_ca_and_a_name_of_the_list() {
    let house = House::new();
    let other = House::new();
    house.issue("server", &["localhost"], |_| {});
    house.issue("gateway", &["gw1.example.com", "10.0.0.9"], |_| {});
    house.issue("spiffe", &["elsewhere"], |params| {
        let name = "spiffe://house/gw".try_into().expect("a name");
        params.subject_alt_names.push(rcgen::SanType::URI(name));
    });
    house.issue("unknown", &["a.b.example.com"], |_| {});
    other.issue("foreign", &["gw1.example.com"], |_| {});
    house.put("foreign.pem", &read(&other.path("foreign.pem")));
    house.put("foreign.key", &read(&other.path("foreign.key")));
    let server = Running::start(&house.listener(&format!(
        "client-ca = {:?}\nclient-names = [\"*.example.com\", \"spiffe://house/gw\"]\n",
        house.path("ca.pem")
    )));
    let asked = |shows: Option<&str>| {
        let mut client = house
            .try_connect(server.listener(), house.client(shows))
            .ok()?;
        // With TLS 1.3 the refusal comes after the client's side of the handshake.
        client.stream.write_all(&good()).ok()?;
        let mut start = [0; 12];
        client.stream.read_exact(&mut start).ok()?;
        Some(start == *b"ICAP/1.0 204")
    };
    assert_eq!(asked(Some("gateway")), Some(true));
    assert_eq!(asked(Some("spiffe")), Some(true));
    assert_eq!(asked(None), None);
    assert_eq!(asked(Some("foreign")), None);
    assert_eq!(asked(Some("unknown")), None);
    assert!(server.metric_reaches("sluice_denied_total{reason=\"certificate-name\"}", 1.0));
    assert!(server.metric_reaches("sluice_tls_handshakes_total{result=\"failed\"}", 2.0));
}

#[test]
fn a_proxys_header_comes_before_the_handshake_and_address_and_certificate_must_both_fit() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    house.issue("gateway", &["gw.example.com"], |_| {});
    let listener = house.listener(&format!("client-ca = {:?}\n", house.path("ca.pem")));
    let door = |more: &str| listener.replace("name = \"tls\"", &format!("name = \"tls\"\n{more}"));
    let server = Running::start(&door(
        "proxies = [\"127.0.0.0/8\"]\nallow = [\"10.0.0.0/8\"]",
    ));
    let through = |header: &str| {
        let mut stream = connected(server.listener());
        stream.write_all(header.as_bytes())?;
        let mut client = shake_hands(stream, house.client(Some("gateway")))?;
        client.stream.write_all(&good())?;
        let mut start = [0; 12];
        client.stream.read_exact(&mut start)?;
        io::Result::Ok(start == *b"ICAP/1.0 204")
    };
    let line = |client: &str| format!("PROXY TCP4 {client} 127.0.0.1 4000 11344\r\n");
    assert!(through(&line("10.1.2.3")).expect("served"));
    assert!(through(&line("11.1.2.3")).is_err(), "another network");
    assert!(through("").is_err(), "no header");
    assert!(server.metric_reaches("sluice_denied_total{reason=\"address\"}", 1.0));
    let records = server.stop();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["source.ip"], "10.1.2.3");

    let server = Running::start(&door("allow = [\"127.0.0.2/32\"]"));
    let from = |last: u8, shows: Option<&str>| {
        let stream = connected_from(Ipv4Addr::new(127, 0, 0, last), server.listener());
        let mut client = shake_hands(stream, house.client(shows)).ok()?;
        client.stream.write_all(&good()).ok()?;
        client.stream.read_exact(&mut [0; 12]).ok()
    };
    assert!(from(2, Some("gateway")).is_some());
    assert!(from(2, None).is_none(), "the certificate is missing");
    assert!(
        from(1, Some("gateway")).is_none(),
        "the address has no right"
    );
}

#[test]
fn changed_certificate_files_are_taken_up_and_bad_ones_are_not() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let server = Running::start(&house.listener(""));
    let mut old = house.connect(server.listener(), None);
    let first = shown(&old);
    let reaches = |result: &str, least: f64| {
        server.metric_reaches(
            &format!("sluice_reload_total{{result=\"certificate-{result}\"}}"),
            least,
        )
    };
    let now = |house: &House| shown(&house.connect(server.listener(), None));

    house.put(
        "server.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    assert!(reaches("refused", 1.0));
    assert!(now(&house) == first, "the old one stays");

    house.issue("server", &["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    });
    assert!(reaches("refused", 2.0));
    assert!(
        now(&house) == first,
        "an expired one does not replace one that works"
    );

    house.issue("server", &["localhost"], |_| {});
    let good_key = read(&house.path("server.key"));
    house.put(
        "server.key",
        &KeyPair::generate().expect("a key").serialize_pem(),
    );
    assert!(reaches("refused", 3.0));
    assert!(now(&house) == first, "a key that does not fit");

    house.put("server.key", &good_key);
    assert!(reaches("ok", 1.0));
    assert!(now(&house) != first, "the new one");
    assert_eq!(old.ask(good()).status, 204, "the connection goes on");
}

/// What `openssl s_client` gets to see of the answer to `request`.
fn s_client(address: SocketAddr, arguments: &[&str], request: &[u8]) -> Option<String> {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string(), "-quiet"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.as_mut()?.write_all(request).ok()?;
    let mut said = vec![0; 4096];
    let read = child.stdout.as_mut()?.read(&mut said).ok()?;
    let _ = child.kill();
    let _ = child.wait();
    Some(String::from_utf8_lossy(&said[..read]).into_owned())
}

#[test]
fn openssl_speaks_both_versions_with_it_and_an_older_one_not() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: no openssl here");
        return;
    }
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    house.issue("gateway", &["gw.example.com"], |_| {});
    let ca = house.path("ca.pem");
    let ca = ca.to_str().expect("text");
    let server = Running::start(&house.listener(""));
    for version in ["-tls1_2", "-tls1_3"] {
        let said = s_client(
            server.listener(),
            &[
                version,
                "-CAfile",
                ca,
                "-verify_return_error",
                "-alpn",
                "h2,\u{1}odd",
            ],
            &good(),
        );
        assert!(
            said.as_deref()
                .is_some_and(|said| said.starts_with("ICAP/1.0 204")),
            "{version}: {said:?}"
        );
    }
    let said = s_client(
        server.listener(),
        &["-tls1_1", "-cipher", "ALL@SECLEVEL=0"],
        &good(),
    );
    assert_eq!(said.as_deref(), Some(""));
    let strict = Running::start(&house.listener(&format!(
        "min-version = \"1.3\"\nclient-ca = {ca:?}\nclient-names = [\"gw.example.com\"]\n"
    )));
    let said = s_client(strict.listener(), &["-tls1_2"], &good());
    assert_eq!(said.as_deref(), Some(""));
    let (pem, key) = (house.path("gateway.pem"), house.path("gateway.key"));
    let shows = [
        "-cert",
        pem.to_str().expect("text"),
        "-key",
        key.to_str().expect("text"),
    ];
    let said = s_client(strict.listener(), &shows, &bad());
    assert!(
        said.as_deref()
            .is_some_and(|said| said.starts_with("ICAP/1.0 200")),
        "{said:?}"
    );
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

/// `[admin]` over TLS with the certificate `server`, and a role for each of two names.
fn admin(house: &House) -> String {
    format!(
        "[admin.tls]\ncertificate = {:?}\nkey = {:?}\nclient-ca = {:?}\n\
         [[admin.certificates]]\nname = \"dash.example\"\nrole = \"viewer\"\n\
         [[admin.certificates]]\nname = \"*.ops.example\"\nrole = \"operator\"\n",
        house.path("server.pem"),
        house.path("server.key"),
        house.path("ca.pem"),
    )
}

/// One request to the admin listener, by whoever shows `shows`: status and body.
fn asked(house: &House, server: &Running, shows: Option<&str>, what: &str) -> (u16, String) {
    let address = server.addresses.admin.expect("an admin listener");
    let mut client = house.connect(address, shows);
    let (first, lines) = what.split_once('\n').unwrap_or((what, ""));
    client.send(format!(
        "{first} HTTP/1.1\r\nHost: localhost\r\n{lines}Connection: close\r\nContent-Length: 0\r\n\r\n"
    ));
    let mut bytes = Vec::new();
    let _ = client.stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head[9..12].parse().expect("a status");
    (status, body.to_owned())
}

#[test]
fn a_certificate_stands_for_a_role_at_the_admin_listener() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    house.issue("dash", &["dash.example"], |_| {});
    house.issue("ops", &["other.example", "ann.ops.example"], |_| {});
    house.issue("nobody", &["nobody.example"], |_| {});
    let (token, hash) = sluice::server::admin::token::make("bob").expect("made");
    let ledger = house.path("ledger.jsonl");
    let mut toml = format!("[admin]\naudit-log = {ledger:?}\n");
    toml += &admin(&house);
    toml += &format!("[[admin.tokens]]\nname = \"bob\"\nrole = \"viewer\"\nhash = \"{hash}\"\n");
    let server = Running::start(&toml);
    let ask = |shows, what: &str| asked(&house, &server, shows, what);
    let bearer = format!("GET /metrics\nAuthorization: Bearer {token}\r\n");

    assert_eq!(ask(None, "GET /livez").0, 200);
    assert_eq!(ask(None, "GET /metrics").0, 401, "loopback is no one here");
    assert_eq!(ask(Some("nobody"), "GET /metrics").0, 401);
    assert_eq!(ask(None, &bearer).0, 200);
    assert_eq!(ask(Some("nobody"), &bearer).0, 200);
    let page = ask(Some("dash"), "GET /metrics");
    assert!(
        page.0 == 200 && page.1.contains("listener=\"admin\""),
        "{}",
        page.1
    );
    assert_eq!(ask(Some("dash"), "POST /v1/rules/reload").0, 403);
    assert_eq!(ask(Some("ops"), "POST /v1/rules/reload").0, 200);
    assert_eq!(
        ask(Some("ops"), "POST /v1/rules/update").0,
        403,
        "an admin's"
    );
    let record = std::fs::read_to_string(&ledger).expect("a record");
    assert!(record.contains("\"who\":\"ann.ops.example\""), "{record}");

    let port = server.addresses.admin.expect("an admin listener").port();
    let listed = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["rules", "list", "--admin"])
        .arg(format!("https://localhost:{port}"))
        .arg("--authorities")
        .arg(house.path("ca.pem"))
        .env("SLUICE_TOKEN", &token)
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&listed.stdout);
    assert!(text.contains("malware/eicar"), "{listed:?}");

    // A certificate of another house is none, and plain HTTP is not spoken.
    let other = House::new();
    other.issue("ops", &["ann.ops.example"], |_| {});
    let mut config = house.client(None);
    config.client_auth_cert_resolver = other.client(Some("ops")).client_auth_cert_resolver;
    let address = server.addresses.admin.expect("an admin listener");
    // TLS 1.3 tells with the first read.
    let told = house.try_connect(address, config).and_then(|mut client| {
        client
            .stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        client.stream.read_exact(&mut [0; 1])
    });
    assert!(told.is_err());
    let mut plain = connected(address);
    plain
        .write_all(b"GET /livez HTTP/1.1\r\n\r\n")
        .expect("it reads");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/"));
}

#[test]
fn the_admin_listeners_certificate_and_its_roles_change_while_it_runs() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    house.issue("dash", &["dash.example"], |_| {});
    let toml = admin(&house);
    let server = Running::start(&toml);
    let address = server.addresses.admin.expect("an admin listener");
    let before = shown(&house.connect(address, None));
    house.issue("server", &["localhost"], |_| {});
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while shown(&house.connect(address, None)) == before {
        assert!(
            std::time::Instant::now() < end,
            "the old one is still shown"
        );
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    server.configure(&toml.replace("viewer", "operator"));
    // Who may not reload cannot have himself promoted: an operator does it.
    house.issue("ann", &["ann.ops.example"], |_| {});
    assert_eq!(
        asked(&house, &server, Some("dash"), "POST /v1/rules/reload").0,
        403
    );
    assert_eq!(
        asked(&house, &server, Some("ann"), "POST /v1/rules/reload").0,
        200
    );
    assert_eq!(
        asked(&house, &server, Some("dash"), "POST /v1/rules/reload").0,
        200
    );
}

#[test]
fn an_admin_listener_with_names_and_no_authority_does_not_start() {
    let certificates = "[[admin.certificates]]\nname = \"a\"\nrole = \"viewer\"\n";
    let tls = "[admin.tls]\ncertificate = \"c\"\nkey = \"k\"\n";
    for toml in [
        certificates.to_owned(),
        format!("{tls}{certificates}"),
        format!("{tls}client-ca = \"a\"\nclient-names = [\"a\"]\n"),
    ] {
        let read = sluice::config::Config::parse(&toml, None, &[]);
        assert!(read.is_err(), "{toml}");
    }
}

/// The end of a certificate's time, so many days from now.
fn in_days(days: i64) -> impl Fn(&mut CertificateParams) {
    let day = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
    let day = day.to_zoned(jiff::tz::TimeZone::UTC).date();
    let number = |part: i8| u8::try_from(part).expect("above 0");
    let end = rcgen::date_time_ymd(day.year().into(), number(day.month()), number(day.day()));
    move |params| params.not_after = end
}

#[test]
fn a_certificate_is_warned_of_before_and_after_its_end_and_stands_in_the_way_of_no_reload() {
    let house = House::new();
    let config = house.path("sluice.toml");
    for (days, warned) in [(60, false), (10, true), (-10, true)] {
        house.issue("server", &["localhost"], in_days(days));
        std::fs::write(&config, house.listener("")).expect("a file");
        let mut process = Process::serve(Some(&config));
        process.wait_for("listening for ICAP");
        let told = process
            .seen
            .contains("the certificate expires soon, or has");
        assert_eq!(told, warned, "{days}: {}", process.seen);
        let line = "sluice_tls_cert_expiry_timestamp_seconds{listener=\"tls\"} ";
        assert!(process.metrics().contains(line));
        // New rules and rights must come in however old the certificate in force is.
        process.signal("-HUP");
        process.wait_for("configuration and rules are in force");
    }
}
