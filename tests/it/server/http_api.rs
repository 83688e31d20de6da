//! The HTTP scan API over real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::harness::{Client, Running, chunked, connected, connected_from, eicar, harmless};
use super::tls::House;

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

/// A form with a text field and a file of these bytes.
fn form(file: &[u8]) -> Vec<u8> {
    [
        b"--cut\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nplain\r\n--cut\r\nContent-Disposition: form-data; \
          name=\"file\"; filename=\"a.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n",
        file,
        b"\r\n--cut--\r\n",
    ]
    .concat()
}

#[test]
fn each_part_of_a_multipart_upload_is_looked_at() {
    let server = Running::start(LISTENER);
    let kind = "Content-Type: multipart/form-data; boundary=cut\r\n";
    let clean = post(api(&server), "/v1/scan", kind, &form(b"\0\x01 plain"));
    assert_eq!(clean.json()["verdict"], "allow");
    let bad = post(api(&server), "/v1/scan", kind, &form(eicar().as_bytes()));
    let verdict = bad.json();
    assert_eq!(verdict["verdict"], "block");
    let finding = &verdict["findings"][0];
    assert_eq!(finding["rule"], "malware/eicar");
    let body = form(eicar().as_bytes());
    let at = memchr::memmem::find(&body, b"X5O!").expect("it is there");
    let start = finding["start"]
        .as_u64()
        .and_then(|start| usize::try_from(start).ok());
    let inside = start.is_some_and(|start| (at..at + eicar().len()).contains(&start));
    assert!(inside, "its place in the upload: {finding}");
    let adapted = post(api(&server), "/v1/adapt", kind, &body);
    assert_eq!(adapted.status, 403);
}

/// The status of a call over this connection.
fn status<S: Read + Write>(stream: &mut S) -> Option<u16> {
    let call =
        "POST /v1/scan HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx";
    stream.write_all(call.as_bytes()).ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    std::str::from_utf8(&start[9..]).ok()?.parse().ok()
}

#[test]
fn the_api_has_the_doors_of_icap() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    house.issue("gateway", &["gw.example.com"], |_| {});
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("api.sock");
    let secured = house
        .listener(&format!(
            "client-ca = {:?}\nclient-names = [\"gw.example.com\"]\n",
            house.path("ca.pem")
        ))
        .replace("name = \"tls\"", "name = \"tls\"\nprotocol = \"http\"");
    let server = Running::start(&format!(
        "{LISTENER}allow = [\"127.0.0.2/32\"]\n\
         [[listeners]]\nname = \"file\"\nprotocol = \"http\"\naddress = \"unix:{}\"\n{secured}",
        path.display()
    ));
    let at = server.addresses.icap[1];
    assert_eq!(status(&mut connected(at)), Some(403), "the wrong address");
    let mut right = connected_from(Ipv4Addr::new(127, 0, 0, 2), at);
    assert_eq!(status(&mut right), Some(200));
    let mut file = std::os::unix::net::UnixStream::connect(&path).expect("it accepts");
    assert_eq!(status(&mut file), Some(200));
    let mut known = house.connect(api(&server), Some("gateway"));
    assert_eq!(status(&mut known.stream), Some(200));
    assert!(server.metric("sluice_denied_total{reason=\"address\"}") >= 1.0);
    let records = server.stop();
    assert_eq!(records.len(), 3);
}

#[test]
fn the_api_has_the_limits_of_icap() {
    let server = Running::start(&format!(
        "{LISTENER}[server]\nrequests-per-connection = 2\n[quotas.client]\nrequests-per-second = 1\nrequests-burst = 3\n"
    ));
    let call = "POST /v1/scan HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";
    let mut stream = connected(api(&server));
    stream
        .write_all(call.repeat(2).as_bytes())
        .expect("it reads");
    let mut said = String::new();
    stream
        .read_to_string(&mut said)
        .expect("two answers and the end");
    assert_eq!(said.matches("HTTP/1.1 200 ").count(), 2, "{said}");
    assert_eq!(
        said.to_lowercase().matches("connection: close").count(),
        1,
        "{said}"
    );
    let answers: Vec<_> = (0..4)
        .map(|_| post(api(&server), "/v1/scan", "", b"x"))
        .collect();
    let refused = answers.iter().find(|answer| answer.status == 503);
    let refused = refused.expect("over the rate");
    assert!(
        refused.head.contains("application/problem+json"),
        "{}",
        refused.head
    );
    assert!(server.metric_reaches("sluice_shed_total{reason=\"client-requests\"}", 1.0));
}

#[test]
fn a_body_comes_back_while_it_is_still_sent() {
    let server = Running::start(&format!(
        "{LISTENER}[profiles.flowing]\nbase = \"response\"\nrelease = \"as-settled\"\n\
         [[services]]\npath = \"/respmod\"\nresponse-profile = \"flowing\"\n"
    ));
    let mut stream = connected(api(&server));
    let head = "POST /v1/adapt?direction=response HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\n\
                Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it reads");
    let body = harmless(600_000);
    let sent = chunked(&body);
    let (first, rest) = sent.split_at(sent.len() - 100);
    let mut writer = stream.try_clone().expect("a second handle");
    let (first, rest) = (first.to_vec(), rest.to_vec());
    let (seen, go_on) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        writer.write_all(&first).expect("it reads");
        // The rest of the body only after much of it has come back.
        go_on.recv().expect("seen");
        writer.write_all(&rest).expect("it reads");
    });
    let mut said = Vec::new();
    let mut piece = vec![0; 16 << 10];
    while said.len() < 100_000 {
        let read = stream.read(&mut piece).expect("in time");
        assert!(read > 0, "it ended");
        said.extend_from_slice(&piece[..read]);
    }
    seen.send(()).expect("it waits");
    stream.read_to_end(&mut said).expect("the end");
    sender.join().expect("sent");
    let end = memchr::memmem::find(&said, b"\r\n\r\n").expect("a head");
    assert!(unchunked(&said[end + 4..]) == body);
}

#[test]
fn a_caller_who_does_not_read_his_answer_is_let_go() {
    let server = Running::start(&format!("{LISTENER}[timeouts]\nwrite-stall-ms = 400\n"));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.connect(&api(&server).into()).expect("it accepts");
    let mut stream = TcpStream::from(socket);
    let body = harmless(8 << 20);
    let head = format!(
        "POST /v1/adapt HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    stream.write_all(&body).expect("it reads");
    let open = || server.metric("sluice_connections{listener=\"api\"}");
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while open() > 0.0 {
        assert!(std::time::Instant::now() < end, "he holds his connection");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(post(api(&server), "/v1/scan", "", b"x").status, 200);
}

#[test]
fn a_caller_who_drips_or_idles_or_stays_is_let_go() {
    let server = Running::start(&format!(
        "{LISTENER}[server]\nconnection-seconds = 1\n[timeouts]\nhead-ms = 300\n"
    ));
    let mut mute = Client::connect(api(&server));
    let mut slow = Client::connect(api(&server));
    slow.send("POST /v1/scan HTTP/1.1\r\nHost:");
    let mut said = Vec::new();
    let _ = slow.stream.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP/1.1 200"));
    assert!(mute.is_closed());
    // One that is never silent for long ends by its age, after an answer.
    let mut busy = connected(api(&server));
    let began = std::time::Instant::now();
    let call = "POST /v1/scan HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx";
    let mut answers = 0;
    while busy.write_all(call.as_bytes()).is_ok() {
        let mut piece = [0; 4096];
        match busy.read(&mut piece) {
            Ok(read) if read > 0 => answers += 1,
            Ok(_) | Err(_) => break,
        }
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it stays for ever"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(answers > 3 && began.elapsed() > Duration::from_millis(800));
}
