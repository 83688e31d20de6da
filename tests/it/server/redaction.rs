//! Redaction over sockets: rules by route, heads, what stands around a body.

use super::harness::{Client, GET, Reply, Running, chunked, reqmod};
use crate::redactor::reach::zipped;

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
    // Each came over a connection of its own, so that the lines are in no order.
    let records = server.stop();
    let (by_route, others): (Vec<_>, Vec<_>) = records
        .iter()
        .partition(|record| record.get("sluice.route").is_some());
    assert_eq!((by_route.len(), others.len()), (3, 5));
    for record in by_route {
        assert_eq!(record["sluice.route"], "the fraud team sees cards");
        assert_eq!(record["sluice.profile"], "see-cards");
    }
}

#[test]
fn each_condition_of_a_rule_by_route_chooses_on_its_own() {
    let ask = |server: &Running, [target, host, user, content_type]: [&str; 4]| {
        let request = format!("{target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let response = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n");
        let lines = format!("X-Authenticated-User: {user}\r\n");
        let message = answered(&lines, &request, &response, Some(CARD));
        Client::connect(server.icap()).ask(message).body
    };
    let fits = ["GET /customers/7", "api.test", "ann", "application/json"];
    for (condition, at, other) in [
        ("methods = [\"GET\"]", 0, "POST /customers/7"),
        ("paths = [\"/customers/{id}\"]", 0, "GET /customers/7/x"),
        ("hosts = [\"api.*\"]", 1, "www.test"),
        ("users = [\"ann\"]", 2, "bob"),
        ("content-types = [\"application/json\"]", 3, "text/json"),
    ] {
        let rule = format!(
            "[profiles.see-cards]\nbase = \"response\"\n[[routes]]\nprofile = \"see-cards\"\n{condition}\n"
        );
        let server = Running::start(&rule);
        assert_eq!(ask(&server, fits), CARD, "{condition}");
        let mut misses = fits;
        misses[at] = other;
        assert_eq!(ask(&server, misses), MASKED, "{condition} {other}");
    }
}

const HEADS: &str = r#"
[profiles.redact-request]
redact = "edge"
[profiles.redact-response]
redact = "edge"
[redactions.edge.masks]
PAN = "keep-last-4"
CVV = "block"
[redactions.edge.heads]
fields = ["Authorization", "X-Api-Key"]
cookies = "on"
query = "on"
"#;

const SECRET: &str = "u629Aey_W6tS-FVgb2JIf1";

#[test]
fn the_head_of_a_request_is_masked_with_and_without_a_body() {
    let server = Running::start(HEADS);
    let head = format!(
        "POST /pay?card=4111111111111111&page=2 HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {SECRET}\r\n\
         Cookie: theme=dark; access_token={SECRET}\r\nX-API-Key: {SECRET}\r\nX-Other:  kept  \r\n"
    );
    let masked = "POST /pay?card=************1111&page=2 HTTP/1.1\r\nHost: shop\r\n\
                  Authorization: Bearer [REDACTED:SECRET]\r\n\
                  Cookie: theme=dark; access_token=[REDACTED:SECRET]\r\nX-API-Key: [REDACTED:SECRET]\r\nX-Other:  kept  \r\n";
    let typed = "Content-Type: application/json\r\nContent-Length: 7\r\nContent-MD5: x\r\n\r\n";
    let mut client = Client::connect(server.icap());
    for lines in ["Allow: 204\r\n", ""] {
        // Null body: the head alone goes back.
        let reply = client.ask(reqmod("/redact", lines, &format!("{head}\r\n"), None));
        assert_eq!(reply.status, 200, "{}", reply.head);
        assert_eq!(reply.http, format!("{masked}\r\n"));
        assert_eq!(reply.field("X-Sluice-Redactions"), Some("PAN=1, SECRET=3"));
        // A body that stays: it and what is said of it come back as they were.
        let reply = client.ask(reqmod(
            "/redact",
            lines,
            &format!("{head}{typed}"),
            Some(b"{\"a\":1}"),
        ));
        assert_eq!(reply.http, format!("{masked}{typed}"));
        assert_eq!(reply.body, b"{\"a\":1}");
        // A body that nobody reads.
        let image = typed.replace("application/json", "image/png");
        let reply = client.ask(reqmod(
            "/redact",
            lines,
            &format!("{head}{image}"),
            Some(b"\x89PNG..."),
        ));
        assert_eq!(reply.http, format!("{masked}{image}"));
        assert_eq!(reply.body, b"\x89PNG...");
    }
    // Nothing to mask: the cheapest answer.
    let reply = client.ask(reqmod("/redact", "Allow: 204\r\n", GET, None));
    assert_eq!(reply.status, 204);
    let records = server.stop();
    assert_eq!(records[0]["event.action"], "redact");
    assert_eq!(records[0]["sluice.edits"], 4);
    assert_eq!(records[0]["sluice.redactions"][0]["entity"], "PAN");
    assert_eq!(records[0]["sluice.redactions"][0]["path"], "query:card");
    assert_eq!(records[0]["sluice.redactions"][0]["length"], 16);
    assert_eq!(records[0]["sluice.redactions"][0]["action"], "mask");
    assert!(!format!("{records:?}").contains(SECRET));
}

#[test]
fn the_head_of_a_response_is_masked_and_its_preview_is_not_cut_short() {
    let server = Running::start(HEADS);
    let response = format!(
        "HTTP/1.1 302 Found\r\nSet-Cookie: access_token={SECRET}; Path=/; HttpOnly\r\nSet-Cookie: theme=dark\r\n\
         Location: /next?email=ann%40example.org&n=1\r\nContent-Type: text/plain\r\n\r\n"
    );
    let masked = "HTTP/1.1 302 Found\r\nSet-Cookie: access_token=[REDACTED:SECRET]; Path=/; HttpOnly\r\nSet-Cookie: theme=dark\r\n\
                  Location: /next?email=%5BREDACTED%3AEMAIL%5D&n=1\r\nContent-Type: text/plain\r\n\r\n";
    let mut client = Client::connect(server.icap());
    let reply = client.ask(answered("Allow: 204\r\n", GET, &response, None));
    assert_eq!((reply.status, reply.http.as_str()), (200, masked));
    // The preview is harmless, but the head must be changed: the rest of the body is asked for.
    let mut request = answered(
        "Allow: 204\r\nPreview: 4\r\n",
        GET,
        &response,
        Some(b"abcd"),
    );
    client.send(&request);
    assert_eq!(client.reply().status, 100);
    request = chunked(b"efgh");
    let reply = client.ask(request);
    assert_eq!((reply.status, reply.http.as_str()), (200, masked));
    assert_eq!(reply.body, b"abcdefgh");
}

#[test]
fn a_value_whose_mask_is_block_blocks_its_message() {
    let server = Running::start(HEADS);
    let mut client = Client::connect(server.icap());
    let head = "POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n";
    let body = br#"{"pan":"4111111111111111","cvv":"123"}"#;
    let reply = client.ask(reqmod("/redact", "Allow: 204\r\n", head, Some(body)));
    assert!(reply.is_block(), "{} {}", reply.head, reply.http);
    assert_eq!(reply.field("X-Blocked-Reason"), Some("redaction-block"));
    assert_eq!(
        reply.field("X-Infection-Found"),
        Some("Type=1; Resolution=2; Threat=CVV;")
    );
    let records = server.stop();
    assert_eq!(records[0]["event.reason"], "redaction-block");
    assert_eq!(records[0]["sluice.redactions"][1]["rule"], "field/cvv");
    assert_eq!(records[0]["sluice.redactions"][1]["action"], "block");
}

#[test]
fn who_observes_counts_and_changes_nothing() {
    let server = Running::start("[profiles.redact-response]\nmode = \"observe\"\n");
    let reply = json_answer("Allow: 204\r\n", "/customers/7", &server);
    assert_eq!(reply.status, 204);
    let records = server.stop();
    assert_eq!(records[0]["event.action"], "allow");
    assert_eq!(records[0]["sluice.redactions"][0]["entity"], "PAN");
    assert_eq!(records[0]["sluice.redactions"][0]["action"], "observe");
    assert!(records[0].get("sluice.edits").is_none());
}

/// Fields that say something of the bytes of a body, and one that does not.
const STALE: &str = "ETag: \"abc\"\r\nDigest: sha-256=x\r\nContent-MD5: x\r\nContent-Digest: sha-256=:x:\r\n\
                     Repr-Digest: sha-256=:x:\r\nAccept-Ranges: bytes\r\nX-Kept: yes\r\n";

#[test]
fn fields_that_describe_the_old_bytes_go_with_them_in_both_directions() {
    let server = Running::start("");
    let mut client = Client::connect(server.icap());
    for (body, masked) in [(CARD, MASKED), (&b"{\"a\":1}"[..], &b"{\"a\":1}"[..])] {
        let fields = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n{STALE}\r\n",
            body.len()
        );
        let request = format!("POST /a HTTP/1.1\r\nHost: h\r\n{fields}");
        let response = format!("HTTP/1.1 200 OK\r\n{fields}");
        for reply in [
            client.ask(reqmod("/redact", "", &request, Some(body))),
            client.ask(answered("", GET, &response, Some(body))),
        ] {
            assert_eq!(reply.body, masked);
            let length = format!("Content-Length: {}\r\n", masked.len());
            assert!(reply.http.contains(&length), "{}", reply.http);
            assert!(reply.http.contains("X-Kept: yes"), "{}", reply.http);
            for name in STALE.lines().filter_map(|line| line.split(':').next()) {
                let stays = reply.http.contains(&format!("{name}: "));
                assert_eq!(
                    stays,
                    body == masked || name == "X-Kept",
                    "{name} {}",
                    reply.http
                );
            }
        }
        let weak = response.replace("ETag: \"", "ETag: W/\"");
        let reply = client.ask(answered("", GET, &weak, Some(body)));
        assert!(reply.http.contains("ETag: W/\"abc\""), "{}", reply.http);
    }
}

#[test]
fn digests_in_trailers_go_as_well() {
    let server = Running::start("");
    let mut client = Client::connect(server.icap());
    let head = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTrailer: Content-Digest\r\n\r\n";
    for (body, trailers) in [
        (CARD, "X-Kept: 1"),
        (b"{\"a\":1}", "Content-Digest: sha-256=:x:"),
    ] {
        let mut request = reqmod("/redact", "", head, Some(body));
        request.truncate(request.len() - 2);
        request.extend_from_slice(b"Content-Digest: sha-256=:x:\r\nX-Kept: 1\r\n\r\n");
        let reply = client.ask(request);
        assert!(reply.trailers.contains(trailers), "{}", reply.trailers);
        assert_eq!(reply.trailers.contains("Digest"), body != CARD);
    }
}

/// The status of a redaction over these fields: blocked, masked or passed.
fn fate(reply: &Reply) -> &'static str {
    match (reply.is_block(), reply.body == MASKED) {
        (true, _) => "blocked",
        (false, true) => "masked",
        (false, false) => {
            assert!(reply.status == 204 || reply.body == CARD);
            "passed"
        }
    }
}

#[test]
fn what_forbids_an_edit_blocks_passes_or_is_overruled_by_policy() {
    let open = "[profiles.redact-request.fail-modes]\nedit-forbidden = \"open\"\nsigned-content = \"open\"\n\
                partial-content = \"open\"\nunreachable-edit = \"open\"\n";
    let open = open.to_owned() + &open.replace("request", "response");
    let mask = "[profiles.redact-request]\nredact = \"bold\"\n[profiles.redact-response]\nredact = \"bold\"\n\
                [redactions.bold]\ndespite = [\"no-transform\", \"signature\"]\n";
    for (config, transform, signed, partial) in [
        ("", "blocked", "blocked", "blocked"),
        (open.as_str(), "passed", "passed", "passed"),
        (mask, "masked", "masked", "blocked"),
    ] {
        let server = Running::start(config);
        let mut client = Client::connect(server.icap());
        for lines in ["", "Allow: 204\r\n"] {
            let typed = "Content-Type: application/json\r\n";
            let request =
                |field: &str| format!("POST /hook HTTP/1.1\r\nHost: h\r\n{typed}{field}\r\n\r\n");
            let mut fate_of = |field: &str| {
                let reply = client.ask(reqmod("/redact", lines, &request(field), Some(CARD)));
                (
                    fate(&reply),
                    reply.field("X-Blocked-Reason").map(str::to_owned),
                )
            };
            let (fate_now, reason) = fate_of("Cache-Control: no-transform");
            assert_eq!(fate_now, transform, "{config}");
            assert_eq!(reason.is_some(), fate_now == "blocked");
            for field in [
                "X-Hub-Signature-256: sha256=00",
                "Stripe-Signature: t=1,v1=0",
                "Signature-Input: sig1=(\"@method\" \"content-digest\");created=1;keyid=\"k\"",
            ] {
                let (fate_now, reason) = fate_of(field);
                assert_eq!(fate_now, signed, "{field} {config}");
                if fate_now == "blocked" {
                    assert_eq!(reason.as_deref(), Some("signed-content"));
                }
            }
            let response = format!(
                "HTTP/1.1 206 Partial Content\r\n{typed}Content-Range: bytes 0-26/90\r\n\r\n"
            );
            let reply = client.ask(answered(lines, GET, &response, Some(CARD)));
            assert_eq!(fate(&reply), partial, "{config}");
            // Without a value there is nothing to forbid.
            let clean = request("X-Hub-Signature-256: sha256=00");
            let reply = client.ask(reqmod("/redact", lines, &clean, Some(b"{\"a\":1}")));
            assert!(!reply.is_block() && (reply.status == 204 || reply.body == b"{\"a\":1}"));
        }
        let records = server.stop();
        let passed = &records[0];
        assert_eq!(passed["sluice.redactions"][0]["entity"], "PAN", "{passed}");
        let action = if transform == "masked" {
            "mask"
        } else {
            "observe"
        };
        assert_eq!(passed["sluice.redactions"][0]["action"], action, "{passed}");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory does not fail");
    encoder.finish().expect("memory does not fail")
}

#[test]
fn an_edited_body_leaves_in_no_coding_where_policy_says_so() {
    let profiles = r#"
[redactions.plain]
recode = "identity"
[profiles.redact-response]
redact = "plain"
"#;
    for release in ["at-verdict", "as-settled"] {
        let server = Running::start(&format!("{profiles}release = \"{release}\"\n"));
        let mut client = Client::connect(server.icap());
        for body in [CARD, b"{\"a\":1}"] {
            let coded = gzip(body);
            let response = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nVary: Accept-Encoding\r\n\
                 ETag: \"abc\"\r\nContent-Length: {}\r\n\r\n",
                coded.len()
            );
            let reply = client.ask(answered("", GET, &response, Some(&coded)));
            assert!(
                reply.http.contains("Vary: Accept-Encoding"),
                "{}",
                reply.http
            );
            if reply.body == coded {
                assert_eq!(
                    (body == CARD, reply.http.as_str()),
                    (false, response.as_str())
                );
                continue;
            }
            let plain = if body == CARD { MASKED } else { body };
            assert_eq!(reply.body, plain, "{release}");
            for gone in ["Content-Encoding", "ETag"] {
                assert!(!reply.http.contains(gone), "{release} {}", reply.http);
            }
            let length = format!("Content-Length: {}\r\n", plain.len());
            let told = reply.http.contains("Content-Length");
            assert_eq!(told, release == "at-verdict", "{}", reply.http);
            assert!(!told || reply.http.contains(&length), "{}", reply.http);
        }
    }
}

#[test]
fn headers_that_tell_of_edits_are_renamed_or_left_out() {
    for (lines, infection, counts) in [
        ("", "X-Infection-Found", "X-Sluice-Redactions"),
        (
            "[verdict-headers]\ninfection-found = \"\"\nredactions = \"X-Masked\"\n",
            "",
            "X-Masked",
        ),
        (
            "[verdict-headers]\nredactions = \"\"\n",
            "X-Infection-Found",
            "",
        ),
    ] {
        let server = Running::start(lines);
        let reply = json_answer("", "/a", &server);
        assert_eq!(reply.body, MASKED);
        let told = "Type=1; Resolution=1; Threat=sensitive data;";
        let expect = |name: &str, value| (!name.is_empty()).then_some(value);
        assert_eq!(reply.field("X-Infection-Found"), expect(infection, told));
        assert_eq!(reply.field(counts), expect(counts, "PAN=1"));
        if counts != "X-Sluice-Redactions" {
            assert_eq!(reply.field("X-Sluice-Redactions"), None);
        }
    }
}

#[test]
fn a_log_whose_lines_repeat_names_is_masked_and_passes() {
    let server = Running::start("");
    let lines: Vec<String> = (0..500)
        .map(|line| {
            let fields =
                (line % 40..line % 40 + 2).map(|field| format!("\"f{field}\":1,\"f{field}\":2"));
            let fields: Vec<String> = fields.collect();
            format!(
                "{{{},\"from\":\"a@b.org\",\"from\":\"c@d.org\"}}\n",
                fields.join(",")
            )
        })
        .collect();
    let log = lines.concat();
    let request = "GET /log HTTP/1.1\r\nHost: api\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n";
    let message = answered("", request, response, Some(log.as_bytes()));
    let reply = Client::connect(server.icap()).ask(message);
    let masked = log.replace("a@b.org", "[REDACTED:EMAIL]");
    let masked = masked.replace("c@d.org", "[REDACTED:EMAIL]");
    assert_eq!(String::from_utf8_lossy(&reply.body), masked);
    let [record] = &server.stop()[..] else {
        panic!("one message was sent");
    };
    let record = record.to_string();
    assert!(record.contains("json-abuse/duplicate-key"), "{record}");
    assert!(!record.contains("too-many-matches"), "{record}");
}

/// Two tenants, told apart by host: a key each, with what comes behind its lines.
fn tenants(folder: &std::path::Path, behind: &str) -> String {
    let tenant = |name: &str, behind: &str| {
        format!(
            "[profiles.{name}]\nbase = \"response\"\nredact = \"{name}\"\n\
             [redactions.{name}.masks]\nEMAIL = \"token\"\n\
             [redactions.{name}.token]\nkey-file = {:?}\nkey-id = \"a\"\ntenant = \"{name}\"\n{behind}\
             [[routes]]\nhosts = [\"{name}.test\"]\nprofile = \"{name}\"\n",
            folder.join("old")
        )
    };
    tenant("acme", behind) + &tenant("bolt", "")
}

/// The mask of a mailbox in an answer of that host.
fn token_of(mailbox: &str, host: &str, server: &Running) -> String {
    let request = format!("GET / HTTP/1.1\r\nHost: {host}.test\r\n\r\n");
    let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let body = format!("{{\"mail\":\"{mailbox}\"}}");
    let message = answered("", &request, response, Some(body.as_bytes()));
    let reply = Client::connect(server.icap()).ask(message);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    body["mail"].as_str().expect("a string").to_owned()
}

#[test]
fn tokens_join_within_a_tenant_and_over_the_rotation_of_its_key() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, key: &str| std::fs::write(folder.path().join(name), key);
    write("old", "0123456789abcdef0123456789abcdef").expect("a file");
    write("new", "fedcba9876543210fedcba9876543210").expect("a file");
    let server = Running::start(&tenants(folder.path(), ""));
    let before = token_of("ann@example.org", "acme", &server);
    assert!(before.starts_with("tok_a_"), "{before}");
    assert_eq!(token_of("ann@example.org", "acme", &server), before);
    assert_ne!(token_of("bob@example.org", "acme", &server), before);
    assert_ne!(token_of("ann@example.org", "bolt", &server), before);

    // The new key, and the old one behind it.
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let previous =
        format!("[redactions.acme.token.previous]\nkey-file = {old:?}\nkey-id = \"a\"\n");
    let rotated = tenants(folder.path(), &previous).replacen(
        &format!("key-file = {old:?}\nkey-id = \"a\""),
        &format!("key-file = {new:?}\nkey-id = \"b\""),
        1,
    );
    let bolt = token_of("ann@example.org", "bolt", &server);
    drop(server);
    let server = Running::start(&rotated);
    let both = token_of("ann@example.org", "acme", &server);
    let (fresh, known) = both.split_once('.').expect("under both keys");
    assert!(fresh.starts_with("tok_b_"), "{both}");
    assert_eq!(format!("tok_{known}"), before);
    assert_eq!(token_of("ann@example.org", "bolt", &server), bolt);

    // The old one is gone.
    let after = rotated.replace(&previous, "");
    drop(server);
    let server = Running::start(&after);
    assert_eq!(token_of("ann@example.org", "acme", &server), fresh);
    let records = format!("{:?}", server.stop());
    assert!(!records.contains("tok_"), "a record tells a token");
}

#[test]
fn a_value_that_the_preview_cuts_is_masked_as_without_one() {
    let server = Running::start("");
    let mut client = Client::connect(server.icap());
    let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    // The value begins before the end of the preview, at it and behind it.
    for gap in 470..505 {
        let body = format!(
            "{{\"a\":\"{}\",\"pan\":\"4111111111111111\",\"b\":\"{}\"}}",
            "x".repeat(gap),
            "y".repeat(3000)
        );
        let body = body.as_bytes();
        let whole = client.ask(answered("", GET, response, Some(body)));
        assert_eq!(whole.body.len(), body.len() - 16 + "[REDACTED:PAN]".len());
        let (preview, rest) = body.split_at(512);
        client.send(answered("Preview: 512\r\n", GET, response, Some(preview)));
        assert_eq!(client.reply().status, 100, "{gap}");
        let reply = client.ask(chunked(rest));
        assert!(reply.body == whole.body, "{gap}");
    }
}

#[test]
fn a_record_tells_no_name_that_is_a_value_and_no_piece_of_one() {
    let server = Running::start("");
    let body = br#"{"ann@example.org":{"pan":"4111111111111111","password":"Velvet9!rose"}}"#;
    let response = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let reply = Client::connect(server.icap()).ask(answered("", GET, response, Some(body)));
    assert_eq!(reply.status, 200);
    let records = server.stop();
    let text = records[0].to_string();
    assert_eq!(records[0]["sluice.edits"], 2, "{text}");
    assert!(text.contains("[...]"), "{text}");
    for piece in ["ann@", "example.org", "4111", "1111", "Velvet", "rose"] {
        assert!(!text.contains(piece), "{piece} in {text}");
    }
}

#[test]
fn a_coded_body_without_a_value_goes_back_as_it_came() {
    let server = Running::start("");
    let mut client = Client::connect(server.icap());
    let coded = gzip(br#"{"a":1,"b":"nothing to hide"}"#);
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n{STALE}\r\n",
        coded.len()
    );
    let reply = client.ask(answered("", GET, &response, Some(&coded)));
    assert_eq!(
        (reply.status, reply.http.as_str()),
        (200, response.as_str())
    );
    assert!(reply.body == coded);
    let reply = client.ask(answered("Allow: 204\r\n", GET, &response, Some(&coded)));
    assert_eq!(reply.status, 204);
}

#[test]
fn what_no_edit_reaches_is_blocked_or_passes_with_a_record() {
    let zip = zipped("a.txt", b"mail ann@example.org");
    let wide: Vec<u8> = std::iter::once(0xfeff)
        .chain("mail ann@example.org".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    let open = "[profiles.redact-response.fail-modes]\nunreachable-edit = \"open\"\n";
    for (config, passes) in [("", false), (open, true)] {
        for (content_type, body) in [
            ("application/zip", &zip),
            ("text/plain; charset=utf-16", &wide),
        ] {
            let server = Running::start(config);
            let response = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n");
            let message = answered("", GET, &response, Some(body));
            let reply = Client::connect(server.icap()).ask(message);
            assert_eq!(reply.is_block(), !passes, "{content_type} {}", reply.head);
            assert_eq!(reply.body == *body, passes, "{content_type}");
            let record = server.stop()[0].to_string();
            assert!(record.contains("unreachable-edit"), "{record}");
        }
    }
}

#[test]
fn a_fragment_is_known_by_its_range_alone() {
    let server = Running::start("");
    let response =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Range: bytes 0-26/90\r\n\r\n";
    let reply = Client::connect(server.icap()).ask(answered("", GET, response, Some(CARD)));
    assert!(reply.is_block(), "{}", reply.head);
    assert_eq!(reply.field("X-Blocked-Reason"), Some("partial-content"));
}

#[test]
fn a_removed_value_of_a_query_goes_with_its_pair() {
    let config = "[profiles.redact-request]\nredact = \"edge\"\n[redactions.edge.masks]\nEMAIL = \"remove\"\n\
                  [redactions.edge.heads]\nquery = \"on\"\n";
    let server = Running::start(config);
    let mut client = Client::connect(server.icap());
    for (before, after) in [
        ("/a?email=ann%40example.org&n=1", "/a?n=1"),
        ("/a?n=1&email=ann@example.org", "/a?n=1"),
        ("/a?m=2&email=ann@example.org&n=1", "/a?m=2&n=1"),
    ] {
        let head = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let reply = client.ask(reqmod("/redact", "", &head(before), None));
        assert_eq!(reply.http, head(after));
    }
}
