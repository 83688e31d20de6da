//! `sluice probe` against our own server, and against one that is none.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sluice::probe::{self, Failure, Outcome, ProbeError, Table};

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

#[test]
fn bench_counts_answers_and_times_them() {
    use sluice::probe::bench::{Allow, Kind, Load, Reuse, bench};
    let mut load = Load {
        url: format!("icap://{}/reqmod", shared()),
        kind: Kind::Reqmod,
        body: br#"{"plain":"text"}"#.to_vec(),
        content_type: "application/json".to_owned(),
        preview: None,
        allow: Allow::NoContent,
        connections: 3,
        reuse: Reuse::Keep,
        rate: None,
        time: Duration::from_millis(300),
        patience: Duration::from_secs(20),
    };
    let ran = |load: &Load| bench(load, |_| {}).expect("somebody listens");
    let plain = ran(&load);
    assert!(plain.answers > 3 && plain.failures.is_empty(), "{plain}");
    assert_eq!(plain.statuses.keys().collect::<Vec<_>>(), [&204]);
    let times = plain.latency_us;
    assert!(0 < times.p50 && times.p50 <= times.p99 && times.p99 <= times.max);
    (load.preview, load.reuse, load.kind) = (Some(4), Reuse::Fresh, Kind::Respmod);
    load.url = format!("icap://{}/respmod", shared());
    let continued = ran(&load);
    assert_eq!(continued.statuses.keys().collect::<Vec<_>>(), [&204]);
    (load.preview, load.allow) = (None, Allow::Nothing);
    assert_eq!(ran(&load).statuses.keys().collect::<Vec<_>>(), [&200]);
    (load.kind, load.rate) = (Kind::Options, Some(50.0));
    let paced = ran(&load);
    assert!(
        (6..=24).contains(&paced.answers),
        "0.3 s at 50 a second: {paced}"
    );
    load.url = "icap://127.0.0.1:1/x".to_owned();
    assert!(bench(&load, |_| {}).is_err());
}

/// A peer that answers each request by `answer`; the connection ends when that yields nothing.
fn peer(answer: fn(&str) -> Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let serve = move |mut stream: TcpStream| {
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let Some(said) = answer(&request) else { return };
            if stream.write_all(said.as_bytes()).is_err() {
                return;
            }
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    format!("icap://{address}/x")
}

const OFFER: &str =
    "ICAP/1.0 200 OK\r\nMethods: REQMOD\r\nISTag: \"t\"\r\nEncapsulated: null-body=0\r\n\r\n";

/// The outcome of the check `id` against a peer that answers so.
fn outcome(id: &str, answer: fn(&str) -> Option<&'static str>) -> Outcome {
    let checks = probe::run(&peer(answer), Duration::from_millis(150)).expect("a listener");
    let found = checks.iter().find(|check| check.id == id);
    found.expect("a check").outcome.clone()
}

#[test]
fn each_way_to_miss_a_demand_is_told_by_its_name() {
    assert_eq!(
        outcome("options", |_| Some("")),
        Outcome::Fail(Failure::NoAnswer)
    );
    assert_eq!(
        outcome("options", |_| Some(
            "ICAP/1.0 500 Error\r\nISTag: \"t\"\r\n\r\n"
        )),
        Outcome::Fail(Failure::Status { found: 500 })
    );
    assert_eq!(outcome("options", |_| None), Outcome::Fail(Failure::Closed));
    assert_eq!(
        outcome("options", |_| Some("HTTP/1.1 200 OK\r\n\r\n")),
        Outcome::Fail(Failure::NotIcap)
    );
    assert_eq!(
        outcome("options", |_| Some("ICAP/1.0 200 OK\r\nISTag: t\r\n\r\n")),
        Outcome::Fail(Failure::BadIsTag)
    );
    assert_eq!(
        outcome("options", |_| Some(
            "ICAP/1.0 200 OK\r\nISTag: \"t\"\r\n\r\n"
        )),
        Outcome::Fail(Failure::BadField { name: "Methods" })
    );
    assert_eq!(
        outcome("connection-close", |_| Some(OFFER)),
        Outcome::Fail(Failure::StillOpen)
    );
    assert_eq!(
        outcome("connection-close", |_| Some(
            "ICAP/1.0 200 OK\r\nMethods: REQMOD\r\nISTag: \"t\"\r\nEncapsulated: null-body=0\r\n\r\nand more"
        )),
        Outcome::Fail(Failure::ExtraBytes)
    );
}

/// OPTIONS as it should be, and to all else what is `said`.
fn modified(request: &str, said: &'static str) -> Option<&'static str> {
    match request.starts_with("OPTIONS") {
        true => Some(OFFER),
        false => Some(said),
    }
}

#[test]
fn an_answer_without_end_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("icap://{}/x", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let more = [b'a'; 64 << 10];
                let mut good = stream.write_all(b"ICAP/1.0 200 OK\r\nX: ").is_ok();
                while good {
                    good = stream.write_all(&more).is_ok();
                }
            });
        }
    });
    let checks = probe::run(&url, Duration::from_secs(5)).expect("a listener");
    let options = checks.iter().find(|check| check.id == "options");
    let outcome = options.map(|check| check.outcome.clone());
    assert_eq!(outcome, Some(Outcome::Fail(Failure::NotIcap)));
}

#[test]
fn a_message_that_comes_back_changed_or_broken_is_told() {
    // The head that was sent, so that it is the message and no page of the service's own; "A" for "a".
    let changed = |request: &str| {
        modified(
            request,
            "ICAP/1.0 200 OK\r\nISTag: \"t\"\r\nEncapsulated: req-hdr=0, req-body=48\r\n\r\n\
             POST http://probe.example/ HTTP/1.1\r\nX: 1234\r\n\r\n13\r\nA harmless sentence\r\n0\r\n\r\n",
        )
    };
    assert_eq!(outcome("copy", changed), Outcome::Fail(Failure::Changed));
    let chunks = |request: &str| {
        modified(
            request,
            "ICAP/1.0 200 OK\r\nISTag: \"t\"\r\nEncapsulated: req-body=0\r\n\r\nxyz\r\n0\r\n\r\n",
        )
    };
    assert_eq!(outcome("copy", chunks), Outcome::Fail(Failure::BadChunks));
    let sections = |request: &str| {
        modified(
            request,
            "ICAP/1.0 200 OK\r\nISTag: \"t\"\r\nEncapsulated: req-hdr=5, req-body=0\r\n\r\n0\r\n\r\n",
        )
    };
    assert_eq!(
        outcome("copy", sections),
        Outcome::Fail(Failure::BadSections)
    );
}

#[test]
fn nobody_there_is_told_before_any_check_and_one_who_leaves_by_each() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = gone.local_addr().expect("an address");
    drop(gone);
    let url = format!("icap://{address}/x");
    let nobody = probe::run(&url, Duration::from_secs(1));
    assert_eq!(nobody.err(), Some(ProbeError::NoConnection));
    // It accepts once, and is gone.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("icap://{}/x", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || drop(listener.accept()));
    let checks = probe::run(&url, Duration::from_secs(1)).expect("a listener");
    server.join().expect("no panic");
    let last = checks.iter().find(|check| check.id == "not-icap");
    let outcome = last.map(|check| check.outcome.clone());
    assert_eq!(outcome, Some(Outcome::Fail(Failure::NoConnection)));
}
