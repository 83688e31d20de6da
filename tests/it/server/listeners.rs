//! Doors of other kinds: Unix sockets, proxies in front, who may come in, services of a door's own.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use super::binary::Process;
use super::harness::{Client, POST, Running, eicar, reqmod};

fn good() -> Vec<u8> {
    reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x"))
}

fn bad() -> Vec<u8> {
    reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()))
}

#[test]
fn a_unix_socket_serves_with_its_mode_and_replaces_a_stale_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("icap.sock");
    // A process that was killed leaves its socket behind.
    drop(UnixListener::bind(&path).expect("it binds"));
    assert!(path.exists());
    let server = Running::start(&format!(
        "[[listeners]]\naddress = \"unix:{}\"\nmode = \"0600\"\n",
        path.display()
    ));
    let mode = std::fs::metadata(&path).expect("it is there").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    let mut client = Client::over(UnixStream::connect(&path).expect("it accepts"));
    assert_eq!(client.ask(good()).status, 204);
    assert!(client.ask(bad()).is_block());
    let records = server.stop();
    assert_eq!(records.len(), 2);
    assert!(!path.exists(), "the socket is removed at the end");
}

#[test]
fn a_live_unix_socket_and_a_plain_file_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("icap.sock");
    let bind = || {
        let text = format!("[[listeners]]\naddress = \"unix:{}\"\n", path.display());
        super::harness::bind_error(&text)
    };
    let other = UnixListener::bind(&path).expect("it binds");
    assert!(bind().contains("address in use"), "{}", bind());
    drop(other);
    std::fs::remove_file(&path).expect("it is there");
    std::fs::write(&path, "precious").expect("a file");
    assert!(bind().contains("no socket"), "{}", bind());
    assert_eq!(std::fs::read(&path).expect("it is there"), b"precious");
}

#[test]
fn a_client_without_a_right_is_told_403_and_counted() {
    let server = Running::start(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\nallow = [\"10.0.0.0/8\", \"127.0.0.2/32\"]\n",
    );
    let mut stranger = Client::connect(server.listener());
    let reply = stranger.reply();
    assert_eq!(reply.status, 403);
    assert!(reply.closes() && stranger.is_closed());
    assert!(server.metric("sluice_denied_total{reason=\"address\"}") >= 1.0);
    // The plain listener is another door.
    assert_eq!(Client::connect(server.icap()).ask(good()).status, 204);
}

/// `PROXY` headers for `client`, in both versions.
fn headers(client: [u8; 4]) -> [Vec<u8>; 2] {
    let [a, b, c, d] = client;
    let text = format!("PROXY TCP4 {a}.{b}.{c}.{d} 127.0.0.1 4000 1344\r\n");
    let mut binary = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    binary.extend_from_slice(&[a, b, c, d, 127, 0, 0, 1, 0x0f, 0xa0, 0x05, 0x40]);
    [text.into_bytes(), binary]
}

#[test]
fn a_trusted_proxy_names_the_client_and_the_client_needs_the_right() {
    let server = Running::start(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\nproxies = [\"127.0.0.0/8\"]\nallow = [\"10.0.0.0/8\"]\n",
    );
    for header in headers([10, 1, 2, 3]) {
        // However the header and the request are cut.
        for cut in [1, 5, 14, 15, 16, header.len() - 1, header.len()] {
            let mut client = Client::connect(server.listener());
            client.send(&header[..cut]);
            client.send([&header[cut..], &good()].concat());
            assert_eq!(client.reply().status, 204);
            assert!(client.ask(bad()).is_block());
        }
    }
    for header in headers([11, 1, 2, 3]) {
        let mut client = Client::connect(server.listener());
        assert_eq!(client.ask(&header).status, 403);
    }
    let mut check = Client::connect(server.listener());
    let local = [&b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"[..], &good()].concat();
    assert_eq!(check.ask(local).status, 204, "the proxy's own health check");
    // Each came over a connection of its own, so that the lines are in no order.
    let records = server.stop();
    let named = records
        .iter()
        .filter(|record| record["source.ip"] == "10.1.2.3");
    assert_eq!(named.count(), 28);
}

#[test]
fn a_proxy_that_says_nothing_of_the_client_is_not_served() {
    let server = Running::start(
        "[timeouts]\nhandshake-ms = 300\n[[listeners]]\naddress = \"127.0.0.1:0\"\nproxies = [\"127.0.0.0/8\"]\n",
    );
    let mut mute = Client::connect(server.listener());
    mute.send(good());
    assert!(mute.is_closed());
    let mut slow = Client::connect(server.listener());
    slow.send(b"PROXY TCP4 ");
    assert!(slow.is_closed());
    assert!(server.metric("sluice_denied_total{reason=\"proxy-header\"}") >= 1.0);
    assert!(server.metric("sluice_tls_handshakes_total{result=\"timeout\"}") >= 1.0);
}

#[test]
fn a_header_from_elsewhere_is_refused_or_a_broken_request() {
    let door = |strangers: &str| {
        Running::start(&format!(
            "[[listeners]]\naddress = \"127.0.0.1:0\"\nproxies = [\"10.0.0.0/8\"]\nstrangers = \"{strangers}\"\n"
        ))
    };
    let refusing = door("refuse");
    let mut client = Client::connect(refusing.listener());
    assert!(client.is_closed());
    assert!(refusing.metric("sluice_denied_total{reason=\"not-a-proxy\"}") >= 1.0);
    let direct = door("direct");
    let mut client = Client::connect(direct.listener());
    assert_eq!(client.ask(good()).status, 204, "it speaks for itself");
    for header in headers([10, 1, 2, 3]) {
        let mut client = Client::connect(direct.listener());
        client.send([header, good()].concat());
        assert_eq!(client.reply().status, 400, "a lie is no ICAP");
    }
    let records = direct.stop();
    assert!(
        records
            .iter()
            .all(|record| record["source.ip"] == "127.0.0.1")
    );
}

#[test]
fn a_listener_offers_its_own_services_only() {
    let server = Running::start(
        "[[listeners]]\naddress = \"127.0.0.1:0\"\nname = \"inner\"\nservices = [\"/respmod\", \"/req\"]\n",
    );
    let ask = |address: SocketAddr, path: &str| {
        let request = reqmod(path, "Allow: 204\r\n", POST, Some(eicar().as_bytes()));
        Client::connect(address).ask(request)
    };
    assert!(ask(server.listener(), "/request").is_block(), "an alias");
    assert_eq!(ask(server.listener(), "/echo").status, 404);
    assert_eq!(ask(server.listener(), "/avscan").status, 404);
    assert!(ask(server.icap(), "/avscan").is_block());
    assert!(server.metric("sluice_accepted_connections_total{listener=\"inner\"}") >= 3.0);
    // Connections of their own: the order of their records is not that of their requests.
    let records = server.stop();
    let denied = records
        .iter()
        .filter(|record| record["event.reason"] == "service-not-found");
    assert_eq!(denied.count(), 2);
}

#[test]
fn rights_and_services_of_a_listener_change_at_a_reload_and_refusals_are_logged() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    let write = |more: &str| {
        let text = format!("[[listeners]]\nname = \"inner\"\naddress = \"127.0.0.1:0\"\n{more}\n");
        std::fs::write(&config, text).expect("a file");
    };
    write("allow = [\"10.0.0.0/8\"]");
    let mut process = Process::serve(Some(&config));
    let line = process.wait_for("listening for ICAP");
    let address: SocketAddr = line["sluice.address"]
        .as_str()
        .and_then(|text| text.parse().ok())
        .expect("an address");
    assert_eq!(Client::connect(address).reply().status, 403);
    let refused = process.wait_for("a connection was refused");
    let told = refused.to_string();
    assert!(
        told.contains("\"inner\"") && told.contains("\"address\"") && told.contains("127.0.0.1"),
        "{told}"
    );
    write("allow = [\"127.0.0.0/8\"]\nservices = [\"/avscan\"]");
    process.signal("-HUP");
    process.wait_for("configuration and rules are in force");
    let mut client = Client::connect(address);
    assert_eq!(client.ask(good()).status, 404, "not among its services");
    let bad = reqmod("/avscan", "Allow: 204\r\n", POST, Some(eicar().as_bytes()));
    assert!(client.ask(bad).is_block());
    // Another address would be another listener.
    std::fs::write(&config, "").expect("a file");
    process.signal("-HUP");
    process.wait_for("a changed or removed listener needs a restart");
    assert_eq!(
        Client::connect(address).ask(good()).status,
        404,
        "as it was"
    );
}
