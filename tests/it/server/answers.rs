//! Which answer, and how it looks.

use super::harness::{Client, GET, OK, POST, Running, eicar, reqmod, respmod, shared};

#[test]
fn every_status_has_its_cause() {
    let put = reqmod("/reqmod", "", POST, Some(b"x"));
    let put = String::from_utf8(put).expect("text");
    let options = |line: &str| format!("{line}\r\nHost: h\r\n\r\n");
    let table = [
        (options("OPTIONS icap://h/reqmod ICAP/1.0"), 200),
        (
            put.replacen("Host: h\r\n", "Host: h\r\nAllow: 204\r\n", 1),
            204,
        ),
        (put.clone(), 200),
        ("REQMOD icap://h/reqmod ICAP/1.0\r\n\r\n".to_owned(), 400),
        (put.replacen("req-hdr=0", "req-hdr=1", 1), 400),
        (options("OPTIONS icap://h/nothing-here ICAP/1.0"), 404),
        (put.replacen("/reqmod", "/respmod", 1), 405),
        (
            "REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nEncapsulated: null-body=0\r\n\r\n"
                .to_owned(),
            418,
        ),
        (options("PROPFIND icap://h/reqmod ICAP/1.0"), 501),
        (options("options icap://h/reqmod ICAP/1.0"), 501),
        (options("OPTIONS icap://h/reqmod ICAP/1.1"), 505),
    ];
    for (request, status) in table {
        let reply = Client::connect(shared()).ask(&request);
        assert_eq!(reply.status, status, "{request}");
    }
    let long =
        format!("{POST}X: {}\r\n\r\n", "x".repeat(200_000)).replacen("\r\n\r\nX:", "\r\nX:", 1);
    let reply = Client::connect(shared()).ask(&reqmod("/reqmod", "", &long, None)[..160_000]);
    assert!([400, 413].contains(&reply.status), "{}", reply.head);
}

#[test]
fn options_is_answered_on_every_path_and_alias() {
    let mut client = Client::connect(shared());
    for (paths, methods) in [
        (
            &["/reqmod", "/request", "/req", "/reqmod/default"][..],
            "REQMOD",
        ),
        (
            &["/respmod", "/response", "/resp", "/respmod/default"],
            "RESPMOD",
        ),
        (
            &[
                "/avscan",
                "/virus_scan",
                "/srv_clamav",
                "/squidclamav",
                "/OMSScanReq-AV",
                "/OMSScanResp-AV",
                "/options",
                "/echo",
                "/redact",
                "/avscan/",
                "/virus_scan?allow204=on&force=on&sizelimit=off&mode=simple",
            ],
            "REQMOD, RESPMOD",
        ),
    ] {
        for path in paths {
            let reply = client.ask(format!(
                "OPTIONS icap://h{path} ICAP/1.0\r\nHost: h\r\n\r\n"
            ));
            assert_eq!(reply.status, 200, "{path}");
            assert_eq!(reply.field("Methods"), Some(methods), "{path}");
            assert_eq!(reply.field("Max-Connections"), Some("1000"));
            assert_eq!(reply.field("Preview"), Some("4096"));
            assert_eq!(reply.field("Options-TTL"), Some("3600"));
            assert_eq!(reply.field("Encapsulated"), Some("null-body=0"));
            assert!(
                reply
                    .field("Date")
                    .is_some_and(|date| date.ends_with(" GMT"))
            );
        }
    }
}

#[test]
fn partial_content_is_offered_to_those_who_offer_it() {
    let mut client = Client::connect(shared());
    let options =
        |lines: &str| format!("OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\n{lines}\r\n");
    assert_eq!(client.ask(options("")).field("Allow"), Some("204"));
    assert_eq!(
        client.ask(options("Allow: 204, 206\r\n")).field("Allow"),
        Some("204, 206")
    );
}

#[test]
fn a_clean_message_goes_back_in_the_cheapest_form_that_is_allowed() {
    let mut client = Client::connect(shared());
    assert_eq!(
        client
            .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"hello")))
            .status,
        204
    );
    let reply = client.ask(reqmod("/reqmod", "", POST, Some(b"hello")));
    assert_eq!(
        (reply.status, reply.http.as_str(), &reply.body[..]),
        (200, POST, &b"hello"[..])
    );
    let reply = client.ask(reqmod("/reqmod", "Allow: 206\r\n", POST, Some(b"hello")));
    assert_eq!((reply.status, &reply.body[..]), (200, &b"hello"[..]));
    let reply = client.ask(reqmod("/reqmod", "", GET, None));
    assert_eq!((reply.status, reply.http.as_str()), (200, GET));
    let reply = client.ask(reqmod("/reqmod", "Preview: 0\r\n", GET, None));
    assert_eq!(reply.status, 204);
    let reply = client.ask(respmod("/respmod", "", OK, b"hello"));
    assert_eq!(
        (reply.status, reply.http.as_str(), &reply.body[..]),
        (200, OK, &b"hello"[..])
    );
    assert_eq!(
        client
            .ask(respmod("/respmod", "Allow: 204\r\n", OK, b"hello"))
            .status,
        204
    );
}

#[test]
fn hop_by_hop_fields_are_not_sent_back() {
    let head = "POST / HTTP/1.1\r\nHost: origin\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\nTransfer-Encoding: \
                chunked\r\nX-End: 2\r\n\r\n";
    let reply = Client::connect(shared()).ask(reqmod("/echo", "", head, Some(b"hello")));
    assert_eq!(
        reply.http,
        "POST / HTTP/1.1\r\nHost: origin\r\nX-End: 2\r\n\r\n"
    );
}

#[test]
fn trailers_come_back_errata_e2() {
    let mut request = reqmod("/reqmod", "", POST, Some(b"hello"));
    request.truncate(request.len() - 2);
    request.extend_from_slice(b"X-Sum: 1\r\n\r\n");
    let reply = Client::connect(shared()).ask(request);
    assert_eq!(
        (&reply.body[..], reply.trailers.as_str()),
        (&b"hello"[..], "X-Sum: 1\r\n")
    );
}

#[test]
fn a_block_is_icap_200_with_an_http_403_and_its_headers() {
    let bad = eicar();
    let mut client = Client::connect(shared());
    for request in [
        reqmod("/reqmod", "Allow: 204\r\n", POST, Some(bad.as_bytes())),
        respmod("/respmod", "Allow: 204\r\n", OK, bad.as_bytes()),
        respmod("/avscan", "", OK, bad.as_bytes()),
        reqmod("/redact", "", POST, Some(bad.as_bytes())),
    ] {
        let reply = client.ask(request);
        assert!(reply.is_block(), "{}{}", reply.head, reply.http);
        let found = reply.field("X-Infection-Found").expect("it says what");
        assert!(
            found.starts_with("Type=0; Resolution=2; Threat=") && found.ends_with(';'),
            "{found}"
        );
        assert_eq!(found.matches(';').count(), 3);
        assert!(reply.field("X-Virus-ID").is_some());
        assert_eq!(reply.field("X-Response-Info"), Some("Blocked"));
        assert!(
            reply
                .field("Encapsulated")
                .is_some_and(|it| it.starts_with("res-hdr=0, res-body="))
        );
        assert!(reply.http.contains("Cache-Control: no-store\r\n"));
        let length = format!("Content-Length: {}\r\n", reply.body.len());
        assert!(reply.http.contains(&length), "{}", reply.http);
        let page = String::from_utf8(reply.body.clone()).expect("text");
        let transaction = reply.field("X-Sluice-Transaction").expect("a name");
        assert!(
            page.contains(transaction) && page.contains("malware"),
            "{page}"
        );
        assert!(!page.contains("EICAR"));
        assert!(!reply.closes());
    }
}

#[test]
fn the_page_speaks_the_clients_language_and_repeats_nothing() {
    let bad = eicar();
    let head = |accept: &str| {
        format!(
            "POST /<script>alert(1)</script>?q=<b> HTTP/1.1\r\nHost: <script>\r\nAccept: {accept}\r\n\r\n"
        )
    };
    let mut client = Client::connect(shared());
    for (accept, kind) in [
        ("text/html", "text/html; charset=utf-8"),
        ("application/json", "application/problem+json"),
        ("text/plain", "text/plain; charset=utf-8"),
    ] {
        let reply = client.ask(reqmod("/reqmod", "", &head(accept), Some(bad.as_bytes())));
        assert!(
            reply.http.contains(&format!("Content-Type: {kind}\r\n")),
            "{}",
            reply.http
        );
        let page = String::from_utf8(reply.body).expect("text");
        assert!(!page.contains("script") && !page.contains("<b>"), "{page}");
    }
}

#[test]
fn an_attack_in_the_url_of_a_get_is_blocked_and_a_head_gets_no_body() {
    let mut client = Client::connect(shared());
    let attack = "/?q=%3Cscript%3Ealert%281%29%3C%2Fscript%3E&id=1%27%20OR%20%271%27%3D%271";
    let get = format!("GET {attack} HTTP/1.1\r\nHost: origin\r\n\r\n");
    let reply = client.ask(reqmod("/reqmod", "Allow: 204\r\n", &get, None));
    assert!(reply.is_block(), "{}", reply.head);
    let head = format!("HEAD {attack} HTTP/1.1\r\nHost: origin\r\n\r\n");
    let reply = client.ask(reqmod("/reqmod", "Allow: 204\r\n", &head, None));
    assert!(reply.is_block() && reply.body.is_empty());
    assert_eq!(
        client
            .ask(reqmod("/reqmod", "Allow: 204\r\n", GET, None))
            .status,
        204
    );
}

#[test]
fn no_query_weakens_the_policy() {
    let bad = eicar();
    for query in [
        "?allow=all",
        "?mode=off&profile=off&action=allow",
        "?service=echo",
        "?/echo",
        "?x=%00",
    ] {
        let path = format!("/avscan{query}");
        let reply = Client::connect(shared()).ask(reqmod(
            &path,
            "Allow: 204\r\n",
            POST,
            Some(bad.as_bytes()),
        ));
        assert!(reply.is_block(), "{query}");
    }
}

#[test]
fn a_preview_is_answered_once_and_rightly_section_4_5() {
    let mut client = Client::connect(shared());
    let head = |lines: &str| reqmod("/reqmod", lines, POST, Some(b""));
    let start = |lines: &str| {
        let mut request = head(lines);
        request.truncate(request.len() - 5);
        request
    };
    // The whole body fits: never 100.
    let mut request = start("Preview: 1024\r\n");
    request.extend_from_slice(b"5\r\nhello\r\n0; ieof\r\n\r\n");
    assert_eq!(client.ask(&request).status, 204);
    // It does not: 100, then the rest, then 204 only when it was allowed.
    for (lines, status) in [
        ("Preview: 4\r\n", 200),
        ("Preview: 4\r\nAllow: 204\r\n", 204),
    ] {
        let mut request = start(lines);
        request.extend_from_slice(b"4\r\nhell\r\n0\r\n\r\n");
        assert_eq!(client.ask(&request).status, 100, "{lines}");
        let reply = client.ask(b"1\r\no\r\n0\r\n\r\n");
        assert_eq!(reply.status, status, "{lines}");
        if status == 200 {
            assert_eq!(reply.body, b"hello");
        }
    }
    // A block in the preview is the answer, and the connection lives on.
    let mut request = start("Preview: 1024\r\n");
    request.extend_from_slice(format!("44\r\n{}\r\n0\r\n\r\n", eicar()).as_bytes());
    let mut reply = client.ask(&request);
    if reply.status == 100 {
        reply = client.ask(b"0\r\n\r\n");
    }
    assert!(reply.is_block());
    // A block after it.
    let mut request = start("Preview: 4\r\nAllow: 204\r\n");
    request.extend_from_slice(format!("4\r\n{}\r\n0\r\n\r\n", &eicar()[..4]).as_bytes());
    assert_eq!(client.ask(&request).status, 100);
    assert!(
        client
            .ask(format!("40\r\n{}\r\n0\r\n\r\n", &eicar()[4..]))
            .is_block()
    );
    // Nothing is inspected: 204 at the preview.
    let request = reqmod("/echo", "Preview: 4\r\n", POST, Some(b"hell"));
    assert_eq!(client.ask(&request).status, 204);
}

#[test]
fn what_the_preview_shows_already_is_blocked_without_the_rest() {
    let xxe = "<!DOCTYPE r [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><r>&e;</r>";
    let html = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
    let xml = "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n\r\n";
    let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let half = b"{\"a\":[1,2,".as_slice();
    for (head, beginning, blocked) in [
        (html, eicar().as_bytes(), true),
        (xml, xxe.as_bytes(), true),
        (html, b"<p>nothing", false),
        // What only looks bad because it is not all there waits for the rest.
        (json, half, false),
    ] {
        let lines = format!("Preview: {}\r\nAllow: 204\r\n", beginning.len());
        let mut client = Client::connect(shared());
        let reply = client.ask(respmod("/respmod", &lines, head, beginning));
        match blocked {
            true => assert!(reply.is_block(), "{}", reply.head),
            false => assert_eq!(reply.status, 100, "{}", reply.head),
        }
        if blocked {
            // The connection lives on, and the record names the finding.
            let next = client.ask(respmod("/respmod", "Allow: 204\r\n", html, b"fine"));
            assert_eq!(next.status, 204);
        }
    }
}

#[test]
fn trailers_are_inspected_before_they_go_on() {
    let with_trailer = |value: &str| {
        let mut request = respmod("/respmod", "", OK, b"fine");
        request.truncate(request.len() - 2);
        request.extend_from_slice(format!("X-Note: {value}\r\n\r\n").as_bytes());
        request
    };
    let mut client = Client::connect(shared());
    assert_eq!(
        client.ask(with_trailer("fine")).trailers.trim(),
        "X-Note: fine"
    );
    assert!(client.ask(with_trailer(&eicar())).is_block());
    let escaped: String = eicar().bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert!(
        Client::connect(shared())
            .ask(with_trailer(&escaped))
            .is_block()
    );
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let mut all = Vec::new();
    for n in 0..50 {
        all.extend(reqmod(
            "/reqmod",
            "",
            POST,
            Some(format!("body-{n}").as_bytes()),
        ));
        if n % 7 == 0 {
            all.extend_from_slice(b"\r\n");
        }
    }
    let mut client = Client::connect(shared());
    client.send(&all);
    for n in 0..50 {
        assert_eq!(client.reply().body, format!("body-{n}").as_bytes());
    }
}

#[test]
fn a_client_that_wants_to_close_is_closed() {
    let mut client = Client::connect(shared());
    let reply = client.ask(reqmod("/reqmod", "Connection: close\r\n", POST, Some(b"x")));
    assert!(reply.closes());
    assert!(client.is_closed());
}

#[test]
fn a_body_that_is_cut_off_is_never_clean() {
    let server = Running::start("");
    let whole = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"hello"));
    for end in [whole.len() - 2, whole.len() - 5, whole.len() - 8] {
        let mut client = Client::connect(server.icap());
        client.send(&whole[..end]);
        client.half_close();
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut client.stream, &mut rest);
        let rest = String::from_utf8_lossy(&rest);
        assert!(
            rest.is_empty() || rest.starts_with("ICAP/1.0 400"),
            "{rest}"
        );
    }
    for record in server.stop() {
        assert_eq!(record["event.action"], "error", "{record}");
    }
}

#[test]
fn each_transaction_leaves_one_record_without_query_or_payload() {
    let server = Running::start("");
    let mut client = Client::connect(server.icap());
    let head = "POST /path?password=hunter2 HTTP/1.1\r\nHost: origin\r\nAuthorization: Basic c2VjcmV0\r\n\r\n";
    client.ask(reqmod(
        "/reqmod",
        "X-Client-IP: 10.1.2.3\r\nX-Client-Username: ann\r\n",
        head,
        Some(b"the payload"),
    ));
    client.ask("OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\n\r\n");
    client.ask(reqmod("/reqmod", "", POST, Some(eicar().as_bytes())));
    drop(client);
    assert!(server.metric_reaches("sluice_transactions_total", 3.0));
    assert_eq!(
        server.metric("sluice_findings_total{rule=\"malware/eicar\""),
        1.0
    );
    let records = server.stop();
    assert_eq!(records.len(), 3, "{records:?}");
    let text = format!("{records:?}");
    for secret in ["hunter2", "c2VjcmV0", "payload"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert_eq!(records[0]["client.address"], "10.1.2.3");
    assert_eq!(records[0]["user.name"], "ann");
    assert_eq!(records[0]["url.path"], "/path");
    assert_eq!(records[0]["event.action"], "allow");
    assert_eq!(records[1]["sluice.mode"], "options");
    assert_eq!(records[2]["rule.name"], "malware/eicar");
    assert_eq!(records[2]["event.reason"], "malware");
}

#[test]
fn the_admin_listener_says_how_it_is() {
    let server = Running::start("");
    assert_eq!(server.admin("/livez").0, 200);
    let (status, text) = server.admin("/readyz?verbose");
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("[+]self-test"), "{text}");
    assert_eq!(server.metric("sluice_build_info"), 1.0);
}
