//! `sluice probe` against our own server, and against one that is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use sluice::probe::{self, Outcome, ProbeError, Table};

use super::harness::shared;

#[test]
fn our_own_services_pass_every_check() {
    for path in ["/reqmod", "/respmod", "/avscan", "/echo"] {
        let url = format!("icap://{}{path}", shared());
        let checks = probe::run(&url, Duration::from_secs(20)).expect("a server");
        let table = Table(&checks).to_string();
        assert!(
            !checks
                .iter()
                .any(|check| matches!(check.outcome, Outcome::Fail(_))),
            "{url}\n{table}"
        );
        let passed = checks
            .iter()
            .filter(|check| check.outcome == Outcome::Pass)
            .count();
        assert!(passed >= 35, "{table}");
    }
}

#[test]
fn a_server_that_says_200_to_everything_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(b"ICAP/1.0 200 OK\r\nMethods: REQMOD\r\n\r\n");
        }
    });
    let url = format!("icap://{address}/x");
    let checks = probe::run(&url, Duration::from_secs(2)).expect("a listener");
    assert!(
        checks.iter().all(|check| check.outcome != Outcome::Pass),
        "{}",
        Table(&checks)
    );
}

#[test]
fn what_is_no_icap_url_is_refused() {
    for url in ["", "http://h/x", "icap://h", "icap:///x", "icap://h/a b"] {
        assert_eq!(
            probe::run(url, Duration::from_secs(1)).err(),
            Some(ProbeError::BadUrl),
            "{url}"
        );
    }
}
