//! Bodies of any size, in both directions at once.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use super::harness::{Client, OK, Running, chunked, eicar, harmless, respmod, shared};

#[test]
fn a_large_clean_body_comes_back_byte_for_byte_through_the_spool() {
    let server = Running::start("[spool]\nmemory-kib = 64\n");
    let body = harmless(6 << 20);
    let mut client = Client::connect(server.icap());
    let reply = client.ask(respmod("/respmod", "", OK, &body));
    assert_eq!(reply.status, 200);
    assert!(reply.body == body);
    assert_eq!(
        client
            .ask(respmod("/respmod", "Allow: 204\r\n", OK, &body))
            .status,
        204
    );
}

#[test]
fn an_echo_serves_a_client_that_writes_everything_before_it_reads() {
    let body = harmless(24 << 20);
    let mut client = Client::connect(shared());
    let reply = client.ask(respmod("/echo", "", OK, &body));
    assert_eq!(reply.status, 200);
    assert!(reply.body == body);
    assert_eq!(
        client
            .ask(respmod("/echo", "Allow: 204\r\n", OK, b"x"))
            .status,
        204
    );
}

#[test]
fn an_echo_begins_before_the_body_has_ended() {
    let mut client = Client::connect(shared());
    let mut request = respmod("/echo", "", OK, &harmless(1000));
    request.truncate(request.len() - 5);
    client.send(&request);
    let mut first = [0; 8];
    client
        .stream
        .read_exact(&mut first)
        .expect("an answer while the body is open");
    assert_eq!(&first, b"ICAP/1.0");
}

#[test]
fn an_early_block_is_answered_early_and_survives_the_rest_of_the_body() {
    let bad = eicar();
    let mut start = respmod("/respmod", "Allow: 204\r\n", OK, bad.as_bytes());
    start.truncate(start.len() - 5);
    // A client that reads while it writes.
    let mut client = Client::connect(shared());
    client.send(&start);
    client.send(
        chunked(&harmless(100_000))
            .strip_suffix(b"0\r\n\r\n")
            .expect("the last chunk"),
    );
    let reply = client.reply();
    assert!(reply.is_block());
    // A client that writes all of it first: the answer is not lost to a reset.
    let mut client = Client::connect(shared());
    client.send(&start);
    client.send(chunked(&harmless(24 << 20)));
    assert!(client.reply().is_block());
}

#[test]
fn an_early_answer_to_a_body_without_end_is_drained_and_then_closed() {
    let server = Running::start("[limits]\ndrain-mib = 1\n[timeouts]\nlinger-ms = 200\n");
    let mut start = respmod("/respmod", "", OK, eicar().as_bytes());
    start.truncate(start.len() - 5);
    let mut client = Client::connect(server.icap());
    client.send(&start);
    let piece = chunked(&harmless(32 << 10));
    let piece = piece.strip_suffix(b"0\r\n\r\n").expect("the last chunk");
    let mut sent = 0;
    while client.stream.write_all(piece).is_ok() {
        sent += piece.len();
        assert!(sent < 64 << 20, "it reads for ever");
    }
    assert!(sent >= 1 << 20);
}

#[test]
fn a_spool_over_its_quota_is_judged_and_space_comes_back() {
    let server = Running::start("[spool]\nmemory-kib = 16\nbody-mib = 1\n");
    let mut client = Client::connect(server.icap());
    let reply = client.ask(respmod("/respmod", "", OK, &harmless(3 << 20)));
    assert!(reply.is_block(), "{}", reply.head);
    assert_eq!(reply.field("X-Blocked-Reason"), Some("spool-failure"));
    let body = harmless(500_000);
    let reply = Client::connect(server.icap()).ask(respmod("/respmod", "", OK, &body));
    assert!(reply.status == 200 && reply.body == body);
}

#[test]
fn small_requests_do_not_wait_for_a_large_one() {
    let server = Running::start("");
    let mut large = Client::connect(server.icap());
    let body = harmless(8 << 20);
    let address = server.icap();
    let writer = std::thread::spawn(move || {
        large
            .ask(respmod("/respmod", "Allow: 204\r\n", OK, &body))
            .status
    });
    let mut small = Client::connect(address);
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let began = Instant::now();
        assert_eq!(
            small
                .ask(respmod("/respmod", "Allow: 204\r\n", OK, b"small"))
                .status,
            204
        );
        slowest = slowest.max(began.elapsed());
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    assert_eq!(writer.join().expect("no panic"), 204);
}

#[test]
fn a_profile_that_releases_as_it_settles_streams_and_cuts_off_a_late_block() {
    let server = Running::start("[profiles.response]\nrelease = \"as-settled\"\n");
    let clean = harmless(3 << 20);
    let mut client = Client::connect(server.icap());
    let mut request = respmod("/respmod", "", OK, &clean);
    let rest = request.split_off(1 << 20);
    client.send(&request);
    let mut first = [0; 8];
    client
        .stream
        .peek(&mut first)
        .expect("an answer while the body is open");
    let reply = client.ask(&rest);
    assert!(reply.status == 200 && reply.body == clean);
    let mut bad = clean;
    bad.extend_from_slice(eicar().as_bytes());
    client.send(respmod("/respmod", "", OK, &bad));
    let mut answer = Vec::new();
    let _ = client.stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"ICAP/1.0 200"));
    assert!(
        !answer.ends_with(b"0\r\n\r\n"),
        "the answer must not look complete"
    );
    let text = String::from_utf8_lossy(&answer);
    assert!(!text.contains("EICAR-STANDARD"));
    drop(client);
    let records = server.stop();
    assert_eq!(
        (
            records[0]["event.action"].as_str(),
            records[1]["event.action"].as_str()
        ),
        (Some("allow"), Some("block"))
    );
}
