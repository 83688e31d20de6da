//! Caps, drains and contained panics.

use std::io::Write;
use std::sync::Arc;

use sluice::icap::Request;
use sluice::server::{Probe, Stage};

use super::harness::{Client, POST, Running, reqmod};

#[test]
fn a_connection_over_the_cap_is_told_503_and_the_next_one_finds_room() {
    let server = Running::start("[server]\nmax-connections = 1\n");
    let mut first = Client::connect(server.icap());
    assert_eq!(
        first
            .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
            .status,
        204
    );
    let mut second = Client::connect(server.icap());
    let reply = second.reply();
    assert_eq!(reply.status, 503);
    assert!(reply.closes() && second.is_closed());
    assert_eq!(
        first
            .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
            .status,
        204
    );
    drop(first);
    while server.metric("sluice_connections{") > 0.0 {
        std::thread::yield_now();
    }
    let mut third = Client::connect(server.icap());
    assert_eq!(
        third
            .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
            .status,
        204
    );
}

#[test]
fn the_last_request_of_a_connection_announces_its_end() {
    let server = Running::start("[server]\nrequests-per-connection = 2\n");
    let mut client = Client::connect(server.icap());
    assert!(
        !client
            .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
            .closes()
    );
    assert!(
        client
            .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
            .closes()
    );
    assert!(client.is_closed());
}

#[test]
fn a_drain_closes_idle_connections_and_lets_requests_in_flight_finish() {
    let mut server = Running::start("");
    let mut idle = Client::connect(server.icap());
    assert_eq!(
        idle.ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
            .status,
        204
    );
    let mut busy = Client::connect(server.icap());
    let request = reqmod(
        "/reqmod",
        "Preview: 4\r\nAllow: 204\r\n",
        POST,
        Some(b"hell"),
    );
    assert_eq!(busy.ask(request).status, 100);
    let fresh = Client::connect(server.icap());
    server.begin_stop();
    assert!(idle.is_closed());
    let reply = busy.ask(b"1\r\no\r\n0\r\n\r\n");
    assert_eq!(reply.status, 204);
    assert!(reply.closes() && busy.is_closed());
    drop(fresh);
    let records = server.stop();
    assert_eq!(records.len(), 2, "{records:?}");
}

#[test]
fn a_pipeline_that_nobody_reads_does_not_grow() {
    let server = Running::start("[server]\nrequests-per-connection = 100000000\n");
    let mut client = Client::connect(server.icap());
    let timeout = Some(std::time::Duration::from_millis(500));
    client.stream.set_write_timeout(timeout).expect("a timeout");
    let requests = "OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\n\r\n".repeat(500);
    let mut sent = 0;
    while client.stream.write_all(requests.as_bytes()).is_ok() {
        sent += requests.len();
        assert!(sent < 64 << 20, "it reads for ever");
    }
}

#[test]
fn a_panic_costs_one_transaction_and_nothing_else() {
    let probe: Probe = Arc::new(|stage: Stage, request: &Request| {
        let pairs: Vec<_> = request.uri.query_pairs().collect();
        assert!(
            !pairs.contains(&("panic", "begin")),
            "as the test wants at {stage:?}"
        );
    });
    let server = Running::start_with("", Some(probe));
    let mut bystander = Client::connect(server.icap());
    let mut victim = Client::connect(server.icap());
    let reply = victim.ask(reqmod("/reqmod?panic=begin", "", POST, Some(b"x")));
    assert_eq!(reply.status, 500);
    assert!(reply.closes() && victim.is_closed());
    let reply = bystander.ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")));
    assert_eq!(reply.status, 204);
    assert!(server.metric_reaches("sluice_errors_total{kind=\"panic\"", 1.0));
    while server.metric("sluice_inflight ") > 0.0 {
        std::thread::yield_now();
    }
}
