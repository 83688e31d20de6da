//! Sanitized messages over sockets: framing, digests, records.

use super::harness::{Client, Running, reqmod, respmod};

const CONFIG: &str = "
[profiles.request.classes]
xxe = { action = 'sanitize' }
prototype-pollution = { action = 'sanitize' }
json-abuse = { action = 'sanitize' }
[profiles.response.classes]
xxe = { action = 'sanitize' }
";

fn head(kind: &str, length: usize) -> String {
    format!(
        "POST /x HTTP/1.1\r\nHost: origin\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Digest: sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n\r\n"
    )
}

#[test]
fn a_sanitized_message_has_the_length_that_it_says_and_no_stale_digest() {
    let server = Running::start(CONFIG);
    let mut client = Client::connect(server.icap());
    let table = [
        (
            "application/json",
            r#"{"id":7,"__proto__":{"admin":true},"id":8,"name":"x"}"#,
            r#"{"id":7,"name":"x"}"#,
        ),
        (
            "application/xml",
            "<!DOCTYPE r [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><r>a&e;b</r>",
            "<r>ab</r>",
        ),
    ];
    for (kind, body, expected) in table {
        for lines in ["", "Allow: 204\r\n", "Allow: 204, 206\r\nPreview: 4096\r\n"] {
            let mut request = reqmod(
                "/reqmod",
                lines,
                &head(kind, body.len()),
                Some(body.as_bytes()),
            );
            if lines.contains("Preview") {
                // All of the body fits: the preview ends with it.
                request.truncate(request.len() - 5);
                request.extend_from_slice(b"0; ieof\r\n\r\n");
            }
            let reply = client.ask(request);
            assert_eq!(reply.status, 200, "{lines:?} {}", reply.head);
            assert_eq!(String::from_utf8_lossy(&reply.body), expected, "{lines:?}");
            let length = format!("Content-Length: {}\r\n", expected.len());
            assert!(reply.http.contains(&length), "{}", reply.http);
            assert!(!reply.http.contains("Digest"), "{}", reply.http);
            assert!(!reply.http.contains("Content-MD5"), "{}", reply.http);
            let found = reply.field("X-Infection-Found").expect("it says so");
            assert!(
                found.contains("Resolution=1; Threat=unsafe structure"),
                "{found}"
            );
        }
    }
    let body = "<!DOCTYPE r SYSTEM 'http://10.1.2.3/x.dtd'><r/>";
    let ok = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let reply = client.ask(respmod("/respmod", "", &ok, body.as_bytes()));
    assert_eq!(reply.body, b"<r/>");
    assert!(reply.http.contains("Content-Length: 4\r\n"));
    assert!(server.metric_reaches("sluice_redactions_total{entity=\"sanitize/doctype\"", 3.0));
    let records = server.stop();
    assert_eq!(records[0]["event.action"], "redact");
    let actions: Vec<_> = records[0]["sluice.findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|rule| rule["action"].clone())
        .collect();
    assert!(
        !actions.is_empty() && actions.iter().all(|action| action == "sanitize"),
        "{}",
        records[0]
    );
}

#[test]
fn what_no_cut_answers_is_blocked() {
    let server = Running::start(CONFIG);
    let mut client = Client::connect(server.icap());
    let body = r#"{"id":1,"ID":2}"#;
    let head = head("application/json", body.len());
    assert!(
        client
            .ask(reqmod("/reqmod", "", &head, Some(body.as_bytes())))
            .is_block()
    );
    // RFC 9111 §5.2.2.6: nobody may edit it, so it may not pass.
    let body = r#"{"id":1,"__proto__":2}"#;
    let head = head.replace(
        "Host: origin\r\n",
        "Host: origin\r\nCache-Control: no-transform\r\n",
    );
    assert!(
        client
            .ask(reqmod("/reqmod", "", &head, Some(body.as_bytes())))
            .is_block()
    );
}
