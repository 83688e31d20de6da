//! Spans as a collector receives them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};
use serde_json::Value;

use super::binary::Process;
use super::harness::{Client, eicar, reqmod};
use super::tls::House;

/// A collector: takes requests, answers 200, and hands on what it got: the request line, and the body.
pub(super) fn collector() -> (u16, Receiver<(String, Value)>) {
    collector_behind(Some)
}

/// The same behind what `wrap` makes of each connection.
fn collector_behind<S: Read + Write>(
    wrap: impl Fn(TcpStream) -> Option<S> + Send + 'static,
) -> (u16, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("it binds");
    let port = listener.local_addr().expect("bound").port();
    let (got, taken) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A handshake that fails is none of a collector.
            let Some(request) = stream.ok().and_then(&wrap).and_then(request) else {
                continue;
            };
            if got.send(request).is_err() {
                return;
            }
        }
    });
    (port, taken)
}

fn request(mut stream: impl Read + Write) -> Option<(String, Value)> {
    let mut bytes = Vec::new();
    let head = loop {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).ok()?;
        bytes.extend_from_slice(&piece[..read]);
        if let Some(at) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            break at;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).ok()?;
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))?;
    let mut body = bytes.split_off(head + 4);
    let missing = length.parse::<usize>().ok()? - body.len();
    let mut rest = vec![0; missing];
    stream.read_exact(&mut rest).ok()?;
    body.extend(rest);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        .ok()?;
    Some((
        text.lines().next()?.to_owned(),
        serde_json::from_slice(&body).ok()?,
    ))
}

fn served(more: &str) -> Process {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    std::fs::write(&config, format!("[traces]\n{more}\n")).expect("a file");
    Process::serve(Some(&config))
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn head(flags: &str) -> String {
    format!(
        "POST /pay?card=secret HTTP/1.1\r\nHost: h\r\ntraceparent: 00-{TRACE}-00f067aa0ba902b7-{flags}\r\n\r\n"
    )
}

/// Spans until there are so many, by what `get` yields of each.
fn spans(taken: &Receiver<(String, Value)>, wanted: usize) -> Vec<Value> {
    let mut all = Vec::new();
    while all.len() < wanted {
        let (line, body) = taken
            .recv_timeout(Duration::from_secs(20))
            .expect("spans in time");
        assert_eq!(line, "POST /v1/traces HTTP/1.1");
        let resource = &body["resourceSpans"][0];
        assert_eq!(
            resource["resource"]["attributes"][0]["value"]["stringValue"],
            "sluice"
        );
        all.extend(
            resource["scopeSpans"][0]["spans"]
                .as_array()
                .expect("spans")
                .clone(),
        );
    }
    all
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let all = span["attributes"].as_array().expect("attributes");
    let found = all.iter().find(|attribute| attribute["key"] == key);
    found.map_or(&Value::Null, |attribute| &attribute["value"])
}

#[test]
fn a_collector_gets_a_span_of_the_trace_that_the_carried_request_belongs_to() {
    let (port, taken) = collector();
    let endpoint = format!("endpoint = \"http://127.0.0.1:{port}/v1/traces\"");
    let mut process = served(&endpoint);
    let mut client = Client::connect(process.icap);
    let body = eicar();
    assert!(
        client
            .ask(reqmod("/reqmod", "", &head("01"), Some(body.as_bytes())))
            .is_block()
    );
    // Its sender decided that this one is not recorded.
    let left = reqmod("/reqmod", "Allow: 204\r\n", &head("00"), Some(b"x"));
    assert_eq!(client.ask(left).status, 204);
    // One that belongs to no trace begins one.
    let own = "GET /own HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(
        client
            .ask(reqmod("/reqmod", "Allow: 204\r\n", own, None))
            .status,
        204
    );
    let spans = spans(&taken, 2);
    assert_eq!(spans.len(), 2);
    let blocked = &spans[0];
    assert_eq!(
        (&blocked["traceId"], &blocked["parentSpanId"]),
        (&TRACE.into(), &"00f067aa0ba902b7".into())
    );
    assert_eq!(blocked["name"], "reqmod /reqmod");
    assert_eq!(attribute(blocked, "sluice.verdict")["stringValue"], "block");
    assert_eq!(
        attribute(blocked, "sluice.rule")["stringValue"],
        "malware/eicar"
    );
    assert_eq!(attribute(blocked, "url.path")["stringValue"], "/pay");
    assert!(!blocked.to_string().contains("secret"), "no query");
    let time = |key: &str| {
        blocked[key]
            .as_str()
            .and_then(|text| text.parse::<u64>().ok())
    };
    assert!(time("startTimeUnixNano") < time("endTimeUnixNano"));
    assert_eq!(attribute(&spans[1], "url.path")["stringValue"], "/own");
    assert!(spans[1]["parentSpanId"].is_null() && spans[1]["traceId"] != TRACE);
    // What is still waiting when the server is stopped is sent.
    assert!(
        client
            .ask(reqmod("/reqmod", "", &head("01"), Some(body.as_bytes())))
            .is_block()
    );
    drop(client);
    process.signal("-TERM");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
    assert_eq!(self::spans(&taken, 1).len(), 1);
}

#[test]
fn a_collector_that_is_gone_costs_spans_and_no_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("it binds");
    let port = closed.local_addr().expect("bound").port();
    drop(closed);
    let mut process = served(&format!("endpoint = \"http://127.0.0.1:{port}/v1/traces\""));
    let mut client = Client::connect(process.icap);
    for _ in 0..10 {
        let good = reqmod("/reqmod", "Allow: 204\r\n", &head("01"), Some(b"x"));
        assert_eq!(client.ask(good).status, 204);
    }
    process.wait_for("spans cannot be delivered");
}

#[test]
fn spans_go_over_tls_to_a_collector_whose_certificate_is_known_and_to_no_other() {
    let (house, stranger) = (House::new(), House::new());
    for owner in [&house, &stranger] {
        owner.issue("server", &["localhost"], |_| {});
    }
    for (owner, known) in [(&house, true), (&stranger, false)] {
        let config = owner.server("server");
        let (port, taken) = collector_behind(move |stream| {
            let session = ServerConnection::new(Arc::clone(&config)).ok()?;
            Some(StreamOwned::new(session, stream))
        });
        let mut process = served(&format!(
            "endpoint = \"https://localhost:{port}/v1/traces\"\nauthorities = {:?}",
            house.path("ca.pem")
        ));
        let mut client = Client::connect(process.icap);
        let good = reqmod("/reqmod", "Allow: 204\r\n", &head("01"), Some(b"x"));
        assert_eq!(client.ask(good).status, 204);
        match known {
            true => assert_eq!(spans(&taken, 1)[0]["traceId"], TRACE),
            false => {
                process.wait_for("spans cannot be delivered");
                assert!(taken.try_recv().is_err());
            }
        }
    }
}
