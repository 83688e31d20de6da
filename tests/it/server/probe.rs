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
