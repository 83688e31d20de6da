//! Slow peers, with deadlines short enough to wait for.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::harness::{Client, OK, POST, Running, harmless, reqmod, respmod};

/// The time until the server closes, and what it said.
fn until_closed(client: &mut Client) -> (Duration, String) {
    let began = Instant::now();
    let mut text = Vec::new();
    let _ = client.stream.read_to_end(&mut text);
    (began.elapsed(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn a_peer_that_says_nothing_is_closed() {
    let server = Running::start("[timeouts]\nfirst-byte-ms = 100\n");
    let (time, said) = until_closed(&mut Client::connect(server.icap()));
    assert!(
        time < Duration::from_secs(5) && said.is_empty(),
        "{time:?} {said}"
    );
}

#[test]
fn a_dripping_head_does_not_extend_its_deadline() {
    let server = Running::start("[timeouts]\nhead-ms = 300\n");
    let mut client = Client::connect(server.icap());
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .expect("a timeout");
    let began = Instant::now();
    let mut said = Vec::new();
    for byte in reqmod("/reqmod", "", POST, None).iter().cycle() {
        let mut piece = [0; 512];
        if client.stream.write_all(&[*byte]).is_err() {
            break;
        }
        match client.stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => said.extend_from_slice(&piece[..read]),
            Err(_) => {}
        }
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it waits for ever"
        );
    }
    let said = String::from_utf8_lossy(&said);
    assert!(
        said.starts_with("ICAP/1.0 408 ") && said.contains("Connection: close"),
        "{said}"
    );
}

#[test]
fn a_silent_body_is_408() {
    let server = Running::start("[timeouts]\nbody-idle-ms = 150\n");
    let mut client = Client::connect(server.icap());
    let request = reqmod("/reqmod", "", POST, Some(b"hello"));
    client.send(&request[..request.len() - 5]);
    let reply = client.reply();
    assert_eq!(reply.status, 408);
    assert!(reply.closes() && client.is_closed());
    let records = server.stop();
    assert_eq!(records[0]["event.reason"], "body-timeout");
}

#[test]
fn a_dripping_body_is_408_when_the_grace_is_over() {
    let server = Running::start("[timeouts]\nbody-rate-grace-ms = 300\nbody-rate-bytes = 100000\n");
    let mut client = Client::connect(server.icap());
    client
        .stream
        .set_read_timeout(Some(Duration::from_millis(30)))
        .expect("a timeout");
    let request = reqmod("/reqmod", "", POST, Some(b"hello"));
    client.send(&request[..request.len() - 5]);
    let began = Instant::now();
    let mut said = [0; 12];
    while client.stream.read(&mut said).is_err() {
        client.send(b"1\r\nx\r\n");
        assert!(
            began.elapsed() < Duration::from_secs(10),
            "it waits for ever"
        );
    }
    assert_eq!(&said, b"ICAP/1.0 408");
}

#[test]
fn a_preview_without_its_last_line_end_is_408_errata_e9() {
    let server = Running::start("[timeouts]\npreview-ms = 150\n");
    let mut client = Client::connect(server.icap());
    let mut request = reqmod("/reqmod", "Preview: 4\r\n", POST, Some(b"hell"));
    request.truncate(request.len() - 2);
    client.send(&request);
    assert_eq!(client.reply().status, 408);
}

#[test]
fn a_client_that_never_goes_on_after_100_is_closed() {
    let server = Running::start("[timeouts]\nafter-continue-ms = 150\n");
    let mut client = Client::connect(server.icap());
    assert_eq!(
        client
            .ask(reqmod("/reqmod", "Preview: 4\r\n", POST, Some(b"hell")))
            .status,
        100
    );
    let (time, said) = until_closed(&mut client);
    assert!(time < Duration::from_secs(5), "{time:?}");
    assert!(
        said.is_empty() || said.starts_with("ICAP/1.0 408"),
        "{said}"
    );
}

#[test]
fn a_peer_that_does_not_read_its_answer_is_closed() {
    let server = Running::start("[timeouts]\nwrite-stall-ms = 300\n");
    let body = harmless(24 << 20);
    let mut client = Client::connect(server.icap());
    client.send(respmod("/respmod", "", OK, &body));
    let began = Instant::now();
    while server.metric("sluice_errors_total{kind=\"write-stall-timeout\"") < 1.0 {
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "it waits for ever"
        );
        std::thread::yield_now();
    }
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let server = Running::start("[timeouts]\nidle-ms = 150\n");
    let mut client = Client::connect(server.icap());
    assert_eq!(
        client
            .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
            .status,
        204
    );
    let (time, said) = until_closed(&mut client);
    assert!(
        time < Duration::from_secs(5) && said.is_empty(),
        "{time:?} {said}"
    );
}
