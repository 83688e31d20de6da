//! The admin listener: who may do what, and what is on record.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;
use sluice::server::admin::{ledger, token};

use super::binary::Process;
use super::harness::{Client, POST, Running, connected, connected_from, eicar, harmless, reqmod};

const HOST: &str = "Host: localhost\r\n";

/// A configuration with one token a role, and the header lines of each.
struct Access {
    toml: String,
    viewer: String,
    operator: String,
    admin: String,
}

fn access(audit_log: &Path) -> Access {
    let mut toml = format!(
        "[admin]\naudit-log = {:?}\n",
        audit_log.display().to_string()
    );
    let lines = ["viewer", "operator", "admin"].map(|role| {
        let (text, hash) = token::make(&format!("the-{role}")).expect("made");
        toml += &format!(
            "[[admin.tokens]]\nname = \"the-{role}\"\nrole = \"{role}\"\nhash = \"{hash}\"\n"
        );
        format!("{HOST}Authorization: Bearer {text}\r\n")
    });
    let [viewer, operator, admin] = lines;
    Access {
        toml,
        viewer,
        operator,
        admin,
    }
}

fn json(answer: &(u16, String)) -> Value {
    serde_json::from_str(&answer.1).unwrap_or_else(|_| panic!("JSON: {answer:?}"))
}

#[test]
fn without_tokens_loopback_may_look_and_nobody_may_change_anything() {
    let server = Running::start("");
    for path in [
        "/livez",
        "/readyz",
        "/startupz",
        "/metrics",
        "/v1/rules",
        "/v1/config",
        "/v1/version",
    ] {
        assert_eq!(server.admin(path).0, 200, "{path}");
    }
    for what in ["POST /v1/rules/reload", "PUT /v1/log-level"] {
        let answer = server.call(what, HOST, b"{\"level\":\"debug\"}");
        assert_eq!(answer.0, 403, "{what}");
        let problem = json(&answer);
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(
            detail.contains("sluice token NAME --role operator"),
            "{detail}"
        );
    }
}

#[test]
fn a_request_for_another_host_is_refused_wherever_it_comes_from() {
    let server = Running::start("[admin]\nhosts = [\"Sluice.Example\"]\n");
    for (line, status) in [
        ("Host: rebind.example:9380\r\n", 421),
        ("Host: sluice.example:9380\r\n", 200),
        ("Host: 127.0.0.1:9380\r\n", 200),
        ("Host: [::1]:9380\r\n", 200),
    ] {
        for path in ["GET /v1/config", "GET /livez"] {
            assert_eq!(server.call(path, line, b"").0, status, "{line}");
        }
    }
}

#[test]
fn a_token_opens_what_its_role_allows_and_each_change_is_on_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("admin.jsonl");
    let access = access(&log);
    let server = Running::start(&access.toml);
    // Probes need no token, everything else does.
    assert_eq!(server.admin("/readyz?verbose").0, 200);
    assert_eq!(server.admin("/metrics").0, 401);
    let wrong = access.viewer.replace("the-viewer.", "the-viewer.x");
    let stolen = access.viewer.replace("the-viewer.", "the-admin.");
    for (lines, look, change) in [
        (HOST, 401, 401),
        (&*wrong, 401, 401),
        (&*stolen, 401, 401),
        (&*access.viewer, 200, 403),
        (&*access.operator, 200, 200),
        (&*access.admin, 200, 200),
    ] {
        assert_eq!(
            server.call("GET /v1/rules?limit=1", lines, b"").0,
            look,
            "{lines}"
        );
        assert_eq!(
            server.call("POST /v1/rules/reload", lines, b"").0,
            change,
            "{lines}"
        );
    }
    server.configure("[server]\nmax-conections = 1\n");
    let refused = server.call("POST /v1/rules/reload", &access.operator, b"");
    assert_eq!(refused.0, 422);
    assert!(
        json(&refused)["detail"]
            .as_str()
            .is_some_and(|text| text.contains("max-connections"))
    );
    let ready = server.admin("/readyz?verbose");
    assert_eq!(ready.0, 200, "amber is not red");
    assert!(
        ready.1.contains("[!]rules: the reload was refused"),
        "{}",
        ready.1
    );
    server.configure(&access.toml);
    assert_eq!(
        server
            .call("POST /v1/rules/reload", &access.operator, b"")
            .0,
        200
    );
    assert!(server.admin("/readyz?verbose").1.contains("[+]rules"));
    drop(server);

    let text = std::fs::read_to_string(&log).expect("the log");
    let intact = ledger::verify(text.as_bytes()).expect("an unbroken chain");
    assert_eq!(intact.records, 8, "two a change:\n{text}");
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(records[0]["phase"], "begin");
    assert_eq!(records[1]["who"], "the-operator");
    assert_eq!(records[1]["what"], "/v1/rules/reload");
    assert_eq!(records[1]["status"], 200);
    assert_eq!(records[5]["status"], 422);
    assert!(!text.contains("sluice_"), "no token is on record");
    let tampered = text.replacen("the-operator", "the-admin", 1);
    assert!(ledger::verify(tampered.as_bytes()).is_err());
}

#[test]
fn the_effective_configuration_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let access = access(&folder.path().join("log"));
    let server = Running::start(&access.toml);
    let answer = server.call("GET /v1/config", &access.viewer, b"");
    assert_eq!(answer.0, 200);
    assert!(!answer.1.contains("argon2"), "{}", answer.1);
    let config = json(&answer);
    assert_eq!(config["admin"]["tokens"][0]["hash"], "***");
    assert_eq!(config["limits"]["drain-mib"], 256, "defaults are filled in");
}

#[test]
fn rules_are_listed_with_their_hits() {
    let server = Running::start("");
    let mut client = Client::connect(server.icap());
    for _ in 0..3 {
        let reply = client.ask(reqmod(
            "/reqmod",
            "Allow: 204\r\n",
            POST,
            Some(eicar().as_bytes()),
        ));
        assert!(reply.is_block());
    }
    assert!(server.metric_reaches("sluice_findings_total{rule=\"malware/eicar\"", 3.0));
    let listed = json(&server.admin("/v1/rules?category=malware&kind=literal"));
    let rules = listed["rules"].as_array().expect("a list");
    let eicar = rules
        .iter()
        .find(|rule| rule["id"] == "malware/eicar")
        .expect("it is there");
    assert_eq!(eicar["hits"], 3);
    assert_eq!(eicar["bundle"], "sluice");
    assert_eq!(eicar["mode"], "enforce");
    assert!(rules.iter().all(|rule| rule["kind"] == "literal"));
    let page = json(&server.admin("/v1/rules?offset=1&limit=2"));
    assert_eq!(page["rules"].as_array().map(Vec::len), Some(2));
    let bundles = json(&server.admin("/v1/rules/bundles"));
    assert_eq!(bundles["bundles"][0]["name"], "sluice");
    assert_eq!(
        bundles["bundles"][0]["digest"].as_str().map(str::len),
        Some(64)
    );
}

#[test]
fn the_document_and_the_routes_are_the_same() {
    let server = Running::start("");
    let document = json(&server.admin("/openapi.json"));
    let paths = document["paths"].as_object().expect("paths");
    let mut operations = BTreeSet::new();
    for (path, methods) in paths {
        for method in methods.as_object().expect("methods").keys() {
            let called = server.call(&format!("{} {path}", method.to_uppercase()), HOST, b"");
            assert!(
                ![404, 405].contains(&called.0),
                "{method} {path}: {called:?}"
            );
            let id = &document["paths"][path][method]["operationId"];
            assert!(operations.insert(id.as_str().expect("an id").to_owned()));
        }
        // What the document does not name is not there.
        let other = server.call(&format!("DELETE {path}"), HOST, b"").0;
        assert!([403, 405].contains(&other), "{path}: {other}");
    }
    assert!(paths.len() >= 10);
    assert_eq!(server.admin("/v1/nothing").0, 404);
}

#[test]
fn transactions_under_way_and_the_last_verdicts_are_told_without_queries() {
    let server = Running::start("");
    let slow = reqmod("/reqmod", "", POST, Some(&harmless(100_000)));
    let mut waiting = Client::connect(server.icap());
    waiting.send(&slow[..slow.len() - 500]);
    let live = || json(&server.admin("/v1/transactions"));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let one = loop {
        let found = live()["transactions"][0].clone();
        if found["state"] == "body" && found["bytes"].as_u64() > Some(90_000) {
            break found;
        }
        assert!(std::time::Instant::now() < end, "{found}");
        std::thread::yield_now();
    };
    assert_eq!(
        (&one["service"], &one["method"]),
        (&"/reqmod".into(), &"reqmod".into())
    );
    assert_eq!(one["client"], "127.0.0.1");
    assert!(one["age_ms"].is_u64());
    waiting.send(&slow[slow.len() - 500..]);
    assert_eq!(waiting.reply().status, 200);
    let head = "GET /find?q=1'+UNION+SELECT+secret+FROM+t-- HTTP/1.1\r\nHost: origin\r\n\r\n";
    let blocked = Client::connect(server.icap()).ask(reqmod("/reqmod", "", head, None));
    assert!(blocked.is_block());
    let id = blocked
        .field("X-Sluice-Transaction")
        .expect("a name")
        .to_owned();
    assert!(server.metric_reaches("sluice_transactions_total", 2.0));
    let told = json(&server.admin(&format!("/v1/verdicts?transaction={id}")));
    let verdict = &told["verdicts"][0];
    assert_eq!(
        (&verdict["verdict"], &verdict["path"]),
        (&"block".into(), &"/find".into())
    );
    assert_eq!(verdict["findings"][0]["action"], "block");
    assert!(!told.to_string().contains("secret"));
    let passed = json(&server.admin("/v1/verdicts?verdict=allow&limit=1"));
    assert_eq!(passed["verdicts"][0]["bytes"], 100_000);
    assert_eq!(passed["verdicts"].as_array().map(Vec::len), Some(1));
    assert_eq!(live()["total"], 0);
    assert_eq!(server.admin("/v1/verdicts?whatever=1").0, 400);
}

/// The status of `GET path` over this connection.
fn get(mut stream: std::net::TcpStream, path: &str) -> Option<u16> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).ok()?;
    std::str::from_utf8(&start[9..]).ok()?.parse().ok()
}

#[test]
fn who_says_nothing_is_let_go_and_leaves_room_for_others_meanwhile() {
    let server = Running::start("[timeouts]\nhead-ms = 3000\n");
    let admin = server.addresses.admin.expect("an admin listener");
    let mut mute: Vec<_> = (0..200).map(|_| connected(admin)).collect();
    mute[0].write_all(b"GET /livez HT").expect("it reads");
    let other = connected_from(Ipv4Addr::new(127, 0, 0, 2), admin);
    assert_eq!(
        get(other, "/livez"),
        Some(200),
        "one address does not take all"
    );
    for stream in &mut mute {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        assert!(!said.starts_with(b"HTTP/1.1 200"));
    }
    assert!(server.metric_reaches("sluice_shed_total{reason=\"admin-connections\"}", 1.0));
}

#[test]
fn readiness_ends_with_the_drain_and_without_a_rule_that_finds_eicar() {
    let mut server = Running::start("");
    let mut busy = Client::connect(server.icap());
    let preview = reqmod(
        "/reqmod",
        "Preview: 4\r\nAllow: 204\r\n",
        POST,
        Some(b"hell"),
    );
    assert_eq!(busy.ask(preview).status, 100);
    let ready = server.admin("/readyz?verbose");
    assert!(
        ready.0 == 200 && ready.1.contains("[+]self-test"),
        "{ready:?}"
    );
    server.begin_stop();
    let drains = (0..200).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        server.admin("/readyz").0 == 503
    });
    assert!(drains);
    assert!(server.admin("/readyz?verbose").1.contains("[-]accepting"));
    assert_eq!(server.admin("/livez").0, 200, "a restart would help nobody");
    assert_eq!(busy.ask(b"1\r\no\r\n0\r\n\r\n").status, 204);
    let blind = Running::start("[rules]\nembedded = false\n");
    let ready = blind.admin("/readyz?verbose");
    assert!(
        ready.0 == 503 && ready.1.contains("[-]self-test"),
        "{ready:?}"
    );
}

#[test]
fn the_log_level_changes_while_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let access = access(&folder.path().join("admin.jsonl"));
    let config = folder.path().join("sluice.toml");
    std::fs::write(&config, &access.toml).expect("a file");
    let mut process = Process::serve(Some(&config));
    let admin = process.admin();
    let call = |what: &str, lines: &str, body: &str| {
        let mut stream = connected(admin);
        write!(
            stream,
            "{what} HTTP/1.1\r\n{lines}Connection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it reads");
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text);
        text
    };
    let set = |level: &str| {
        call(
            "PUT /v1/log-level",
            &access.operator,
            &format!("{{\"level\":\"{level}\"}}"),
        )
    };
    let reload = || {
        let answer = call("POST /v1/rules/reload", &access.operator, "");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    assert!(call("GET /v1/log-level", &access.viewer, "").ends_with("{\"level\":\"info\"}"));
    assert!(
        call("PUT /v1/log-level", &access.viewer, "{\"level\":\"error\"}")
            .starts_with("HTTP/1.1 403 ")
    );
    assert!(set("loud").starts_with("HTTP/1.1 422 "));
    assert!(set("error").starts_with("HTTP/1.1 200 "));
    assert!(call("GET /v1/log-level", &access.viewer, "").ends_with("{\"level\":\"error\"}"));
    // Two of them, so that what they had to say would be there before the line that is waited for.
    reload();
    reload();
    assert!(set("info").starts_with("HTTP/1.1 200 "));
    reload();
    process.wait_for("configuration and rules are in force");
    let told = process
        .seen
        .matches("configuration and rules are in force")
        .count();
    assert_eq!(
        told, 2,
        "at the start and after the last one:\n{}",
        process.seen
    );
}
