//! Redaction over sockets: rules by route, heads, what stands around a body.

use super::harness::{Client, Reply, Running, chunked};

/// A RESPMOD request with both heads.
fn answered(lines: &str, request: &str, response: &str, body: Option<&[u8]>) -> Vec<u8> {
    let section = match body {
        Some(_) => "res-body",
        None => "null-body",
    };
    let mut message = format!(
        "RESPMOD icap://h/redact ICAP/1.0\r\nHost: h\r\n{lines}Encapsulated: req-hdr=0, res-hdr={}, {section}={}\r\n\r\n{request}{response}",
        request.len(),
        request.len() + response.len()
    )
    .into_bytes();
    message.extend(body.map(chunked).unwrap_or_default());
    message
}

fn json_answer(lines: &str, target: &str, server: &Running) -> Reply {
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: api\r\nX-Authenticated-Groups: fraud\r\n\r\n");
    let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    Client::connect(server.icap()).ask(answered(lines, &request, response, Some(CARD)))
}

const CARD: &[u8] = br#"{"pan":"4111111111111111"}"#;
const MASKED: &[u8] = br#"{"pan":"[REDACTED:PAN]"}"#;

const ROUTES: &str = r#"
[profiles.see-cards]
base = "response"

[[routes]]
name = "the fraud team sees cards"
methods = ["GET"]
paths = ["/customers/**"]
groups = ["fraud"]
direction = "response"
profile = "see-cards"
"#;

#[test]
fn a_rule_by_route_shows_cards_to_one_group_only() {
    let server = Running::start(ROUTES);
    // LDAP://fraud
    for groups in ["fraud", "ops, fraud", "TERBUDovL2ZyYXVk"] {
        let lines = format!("X-Authenticated-Groups: {groups}\r\n");
        let reply = json_answer(&lines, "/customers/7", &server);
        assert_eq!(reply.body, CARD, "{groups}");
    }
    for (lines, target) in [
        ("", "/customers/7"),
        ("X-Authenticated-Groups: ops\r\n", "/customers/7"),
        ("X-Authenticated-Groups: fraud\r\n", "/orders/7"),
        (
            "X-Authenticated-Groups: fraud\r\n",
            "/customers/../orders/7",
        ),
        // Two lines: one of them may be what the client made its gateway pass on.
        (
            "X-Authenticated-Groups: ops\r\nX-Authenticated-Groups: fraud\r\n",
            "/customers/7",
        ),
    ] {
        let reply = json_answer(lines, target, &server);
        assert_eq!(reply.body, MASKED, "{lines} {target}");
    }
    let records = server.stop();
    assert_eq!(records[0]["route"], "the fraud team sees cards");
    assert_eq!(records[0]["profile"], "see-cards");
    assert!(records[3].get("route").is_none());
}
