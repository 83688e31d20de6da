//! The HTTP scan API over real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::harness::{Running, eicar, harmless};

const LISTENER: &str =
    "[[listeners]]\nname = \"api\"\nprotocol = \"http\"\naddress = \"127.0.0.1:0\"\n";

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

fn api(server: &Running) -> SocketAddr {
    *server.addresses.icap.last().expect("the API's listener")
}

/// One call on a connection of its own, in HTTP/1.0 terms: the answer ends with the connection.
fn post(address: SocketAddr, target: &str, lines: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).expect("it accepts");
    let mut writer = stream.try_clone().expect("a second handle");
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: {}\r\n{lines}\r\n",
        body.len()
    );
    let body = body.to_vec();
    let sender = std::thread::spawn(move || {
        let _ = writer.write_all(head.as_bytes());
        // An early answer may close before all of it is sent.
        let _ = writer.write_all(&body);
    });
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    sender.join().expect("no panic");
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let body = match head.contains("transfer-encoding: chunked") {
        true => unchunked(&bytes[end + 4..]),
        false => bytes[end + 4..].to_vec(),
    };
    Answer {
        status: head[9..12].parse().expect("digits"),
        head,
        body,
    }
}

fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let line = bytes.windows(2).position(|two| two == b"\r\n");
        let line = line.expect("a chunk's size");
        let size = std::str::from_utf8(&bytes[..line]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("hexadecimal");
        if size == 0 {
            return out;
        }
        out.extend_from_slice(&bytes[line + 2..line + 2 + size]);
        bytes = &bytes[line + 2 + size + 2..];
    }
}

#[test]
fn a_scan_answers_with_the_verdict_and_its_findings() {
    let server = Running::start(LISTENER);
    let clean = post(
        api(&server),
        "/v1/scan",
        "Content-Type: text/plain\r\n",
        b"hello",
    );
    assert_eq!(clean.status, 200, "{}", clean.head);
    assert_eq!(clean.json()["verdict"], "allow");
    let bad = post(api(&server), "/v1/scan", "", eicar().as_bytes());
    assert_eq!((bad.status, &bad.json()["verdict"]), (200, &"block".into()));
    assert_eq!(bad.json()["findings"][0]["rule"], "malware/eicar");
    assert!(!String::from_utf8_lossy(&bad.body).contains("X5O"));
    let attack = b"{\"id\":\"1' or '1'='1' -- \"}";
    let kind = "Content-Type: application/json\r\n";
    let sqli = |query: &str| post(api(&server), &format!("/v1/scan{query}"), kind, attack);
    assert_eq!(sqli("").json()["reason"], "sqli");
    assert_eq!(sqli("?direction=response").json()["verdict"], "allow");
    let spoofed = "X-Original-URI: /a?x=%3Cscript%3Ealert(1)%3C/script%3E\r\n";
    let head = post(api(&server), "/v1/scan", spoofed, b"");
    assert_eq!(
        head.json()["verdict"],
        "block",
        "the original URI is inspected"
    );
    assert_eq!(server.stop().len(), 5, "each call leaves one record");
}

#[test]
fn adapt_gives_the_body_to_use_or_a_403() {
    let server = Running::start(LISTENER);
    let large = harmless(3 << 20);
    let same = post(
        api(&server),
        "/v1/adapt",
        "Content-Type: text/plain\r\n",
        &large,
    );
    assert_eq!(same.status, 200);
    assert!(same.body == large);
    assert!(
        same.head.contains("content-type: text/plain"),
        "{}",
        same.head
    );
    for direction in ["request", "response"] {
        let target = format!("/v1/adapt?direction={direction}");
        let blocked = post(
            api(&server),
            &target,
            "Accept: application/json\r\n",
            eicar().as_bytes(),
        );
        assert_eq!(blocked.status, 403, "{direction}: {}", blocked.head);
        assert!(
            blocked.head.contains("application/problem+json"),
            "{}",
            blocked.head
        );
        assert!(blocked.head.contains("cache-control: no-store"));
        assert_eq!(blocked.json()["status"], 403);
    }
    let card = ["4111", "1111", "1111", "1111"].concat();
    let document = format!("{{\"card\":\"{card}\",\"n\":1}}");
    let target = "/v1/adapt?direction=response&profile=redact-response";
    let kind = "Content-Type: application/json\r\n";
    let masked = post(api(&server), target, kind, document.as_bytes());
    assert_eq!(
        masked.status,
        200,
        "{}",
        String::from_utf8_lossy(&masked.body)
    );
    assert_eq!(masked.json()["card"], "[REDACTED:PAN]");
}

#[test]
fn what_is_no_call_is_told_what_is() {
    let server = Running::start(&format!("{LISTENER}services = [\"/reqmod\"]\n"));
    let at = api(&server);
    assert_eq!(post(at, "/v2", "", b"").status, 404);
    assert_eq!(post(at, "/v1/scan?direction=up", "", b"").status, 400);
    let unknown = post(at, "/v1/scan?profile=off", "", b"");
    assert_eq!(unknown.status, 400);
    let detail = unknown.json()["detail"].to_string();
    assert!(detail.contains("there are: request"), "{detail}");
    let other = post(at, "/v1/scan?direction=response", "", b"");
    assert_eq!(other.status, 400, "this listener offers requests only");
    let mut stream = TcpStream::connect(at).expect("it accepts");
    let get = "GET /v1/scan HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    stream.write_all(get.as_bytes()).expect("it reads");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("it answers");
    assert!(text.starts_with("HTTP/1.1 405 "), "{text}");
}

#[test]
fn a_caller_who_breaks_off_is_never_clean() {
    let server = Running::start(LISTENER);
    let mut stream = TcpStream::connect(api(&server)).expect("it accepts");
    let head = "POST /v1/scan HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf";
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.shutdown(Shutdown::Both).expect("open");
    drop(stream);
    let records = server.stop();
    assert!(
        records
            .iter()
            .all(|record| record["event.action"] != "allow"),
        "{records:?}"
    );
}
