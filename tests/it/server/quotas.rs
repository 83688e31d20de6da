//! Who may have what, and how much of it.

use std::net::Ipv4Addr;

use super::harness::{Client, GET, POST, Running, connected_from, eicar, harmless, reqmod};

fn ask(lines: &str) -> Vec<u8> {
    reqmod(
        "/reqmod",
        &format!("Allow: 204\r\n{lines}"),
        POST,
        Some(b"x"),
    )
}

#[test]
fn a_service_is_for_those_it_was_given_to() {
    let server = Running::start(
        "[[services]]\npath = \"/ours\"\nrequest-profile = \"request\"\nallow = [\"127.0.0.1\"]\n\
         [[services]]\npath = \"/theirs\"\nrequest-profile = \"request\"\nallow = [\"10.0.0.0/8\", \"gw.example.com\"]\n",
    );
    let mut client = Client::connect(server.icap());
    let request = |path: &str| reqmod(path, "Allow: 204\r\n", POST, Some(b"x"));
    assert_eq!(client.ask(request("/ours")).status, 204);
    assert_eq!(client.ask(request("/theirs")).status, 403);
    let options = "OPTIONS icap://h/theirs ICAP/1.0\r\nHost: h\r\n\r\n";
    assert_eq!(client.ask(options).status, 403);
    assert_eq!(client.ask(request("/ours")).status, 204);
    assert!(server.metric_reaches("sluice_errors_total{kind=\"forbidden\"}", 2.0));
}

#[test]
fn a_client_over_its_rate_is_told_503_and_the_connection_goes_on() {
    let server = Running::start("[quotas.client]\nrequests-per-second = 1\nrequests-burst = 3\n");
    let mut client = Client::connect(server.icap());
    let answers: Vec<_> = (0..5).map(|_| client.ask(ask("")).status).collect();
    assert_eq!(answers[..3], [204, 204, 204]);
    assert!(answers.contains(&503));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(client.ask(ask("")).status, 204);
    assert!(server.metric("sluice_shed_total{reason=\"client-requests\"}") >= 1.0);
    let records = server.stop();
    assert!(
        records
            .iter()
            .any(|record| record["event.reason"] == "client-requests"
                && record["event.action"] == "error")
    );
}

#[test]
fn a_user_over_his_rate_gets_a_page_and_nobody_else_does() {
    let server = Running::start(
        "[quotas.user]\nrequests-per-second = 1\n[quotas.address]\nrequests-per-second = 1\n",
    );
    let mut client = Client::connect(server.icap());
    let ann = ask("X-Authenticated-User: ann\r\nX-Client-IP: 10.0.0.1\r\n");
    assert_eq!(client.ask(&ann).status, 204);
    let elsewhere = ask("X-Authenticated-User: ann\r\nX-Client-IP: 10.0.0.9\r\n");
    let reply = client.ask(&elsewhere);
    assert!(reply.is_block(), "{}", reply.head);
    assert_eq!(reply.field("X-Blocked-Reason"), Some("overload"));
    let same_address = ask("X-Authenticated-User: bob\r\nX-Client-IP: 10.0.0.1\r\n");
    assert!(client.ask(&same_address).is_block());
    let bob = ask("X-Authenticated-User: bob\r\nX-Client-IP: 10.0.0.2\r\n");
    assert_eq!(client.ask(&bob).status, 204);
    let nobody = reqmod("/reqmod", "Allow: 204\r\n", GET, None);
    for _ in 0..3 {
        assert_eq!(client.ask(&nobody).status, 204);
    }
    assert!(server.metric("sluice_shed_total{reason=\"user-requests\"}") >= 1.0);
    assert!(server.metric("sluice_shed_total{reason=\"address-requests\"}") >= 1.0);
}

#[test]
fn bytes_are_paid_for_afterwards_and_no_body_is_cut() {
    let server = Running::start("[quotas.client]\nkib-per-second = 1\n");
    let mut client = Client::connect(server.icap());
    let body = vec![b'a'; 8 << 10];
    let large = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(&body));
    assert_eq!(client.ask(&large).status, 204);
    // The answer leaves a moment before its bytes are charged.
    let refused = (0..50).any(|_| client.ask(ask("")).status == 503);
    assert!(refused);
    let bad = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()));
    let reply = client.ask(bad);
    assert!(
        reply.status == 503,
        "what was not looked at is not let through"
    );
}

#[test]
fn options_promise_no_more_connections_than_one_client_may_have() {
    let server = Running::start("[quotas]\nclient-connections = 2\n");
    let mut first = Client::connect(server.icap());
    let options = first.ask("OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\n\r\n");
    assert_eq!(options.field("Max-Connections"), Some("2"));
    let mut second = Client::connect(server.icap());
    assert_eq!(second.ask(ask("")).status, 204);
    let mut third = Client::connect(server.icap());
    assert_eq!(third.reply().status, 503);
    drop(second);
    let again = (0..100).any(|_| {
        let mut client = Client::connect(server.icap());
        client.send(ask(""));
        client.reply().status == 204
    });
    assert!(again);
}

#[test]
fn a_connection_of_age_announces_its_end() {
    let server = Running::start("[server]\nconnection-seconds = 1\n");
    let mut client = Client::connect(server.icap());
    assert!(!client.ask(ask("")).closes());
    std::thread::sleep(std::time::Duration::from_millis(1150));
    let reply = client.ask(ask(""));
    assert!(reply.status == 204 && reply.closes() && client.is_closed());
}

#[test]
fn one_client_may_have_half_of_all_transactions_and_there_is_room_for_the_next() {
    let server = Running::start("[quotas]\ntransactions = 8\n");
    let whole = ask("");
    let (first, rest) = whole.split_at(whole.len() - 4);
    let mut under_way: Vec<_> = (0..4)
        .map(|_| {
            let mut client = Client::connect(server.icap());
            client.send(first);
            client
        })
        .collect();
    assert!(server.metric_reaches("sluice_inflight ", 4.0));
    let mut one_more = Client::connect(server.icap());
    assert_eq!(one_more.ask(&whole).status, 503);
    let stream = connected_from(Ipv4Addr::new(127, 0, 0, 2), server.icap());
    let mut other = Client::over(stream);
    assert_eq!(other.ask(&whole).status, 204);
    for client in &mut under_way {
        client.send(rest);
        assert_eq!(client.reply().status, 204);
    }
    // An answer leaves a moment before its transaction is counted out.
    assert!((0..50).any(|_| one_more.ask(&whole).status == 204));
    assert!(server.metric("sluice_shed_total{reason=\"transactions\"}") >= 1.0);
}

#[test]
fn memory_that_one_client_holds_leaves_room_for_the_next() {
    const MIB: usize = 1024 * 1024;
    let server = Running::start("[server]\nin-flight-mib = 6\n");
    let whole = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(&harmless(2 * MIB)));
    let (first, rest) = whole.split_at(whole.len() - 4);
    let mut greedy: Vec<_> = (0..4)
        .map(|_| {
            let mut client = Client::connect(server.icap());
            client.send(first);
            client
        })
        .collect();
    let held = |least: f64| {
        server.call("GET /readyz?verbose", "", b"");
        server.metric("sluice_inflight_bytes") >= least
    };
    assert!((0..200).any(|_| held(2.0 * MIB as f64)));
    let stream = connected_from(Ipv4Addr::new(127, 0, 0, 2), server.icap());
    let mut other = Client::over(stream);
    let modest = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(&harmless(MIB)));
    assert_eq!(other.ask(&modest).status, 204);
    // Whoever took too much is told so, and nothing of it passes unseen.
    let answers: Vec<_> = greedy
        .iter_mut()
        .map(|client| {
            client.send(rest);
            client.reply()
        })
        .collect();
    assert!(
        answers
            .iter()
            .all(|reply| reply.status == 204 || reply.is_block())
    );
    assert!(answers.iter().any(super::harness::Reply::is_block));
}

#[test]
fn bytes_of_an_address_and_of_a_user_are_counted_each_for_himself() {
    for (quota, field) in [("user", "X-Authenticated-User"), ("address", "X-Client-IP")] {
        let server = Running::start(&format!(
            "[quotas.{quota}]\nkib-per-second = 1\nkib-burst = 4\n"
        ));
        let mut client = Client::connect(server.icap());
        let by = |who: &str, bytes: usize| {
            let lines = format!("Allow: 204\r\n{field}: 10.0.0.{who}\r\n");
            reqmod("/reqmod", &lines, POST, Some(&vec![b'a'; bytes]))
        };
        assert_eq!(
            client.ask(by("1", 64 << 10)).status,
            204,
            "paid for afterwards"
        );
        // The answer leaves a moment before its bytes are charged.
        let refused = (0..50).any(|_| client.ask(by("1", 1)).is_block());
        assert!(refused, "{quota}");
        assert_eq!(client.ask(by("2", 1)).status, 204, "another {quota}");
        let name = format!("sluice_shed_total{{reason=\"{quota}-bytes\"}}");
        assert!(server.metric_reaches(&name, 1.0));
    }
}
