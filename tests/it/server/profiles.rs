//! Profiles over the configuration: presets, actions and thresholds by class, exceptions and their counters.

use super::harness::{Client, Running, reqmod, respmod};

const SQL: &str = r#"{"q":"' or '1'='1","note":"x"}"#;
const SCRIPT: &str = "<script>alert(document.cookie)</script>";

fn post(route: &str, kind: &str) -> String {
    format!("POST {route} HTTP/1.1\r\nHost: api.test\r\nContent-Type: {kind}\r\n\r\n")
}

fn is_blocked(server: &Running, lines: &str, head: &str, body: &str) -> bool {
    let lines = format!("Allow: 204\r\n{lines}");
    let request = reqmod("/reqmod", &lines, head, Some(body.as_bytes()));
    let reply = Client::connect(server.icap()).ask(request);
    assert!(reply.is_block() || reply.status == 204, "{}", reply.head);
    reply.is_block()
}

#[test]
fn each_preset_is_as_strict_as_it_says() {
    let json = post("/x", "application/json");
    let xml = post("/x", "application/xml");
    // One kind of evidence; a slip of hand-made XML; odd JSON; a plain attack.
    let table = [
        ("strict", [true, true, true, true]),
        ("default", [false, false, true, true]),
        ("lenient", [false, false, false, true]),
        ("observe", [false, false, false, false]),
    ];
    for (preset, expected) in table {
        let server = Running::start(&format!("[profiles.request]\npreset = '{preset}'\n"));
        let found = [
            is_blocked(
                &server,
                "",
                &json,
                r#"{"note":"(case when 1=1 then id else name end)"}"#,
            ),
            is_blocked(&server, "", &xml, "<a>x & y</a>"),
            is_blocked(&server, "", &json, r#"{"a":1,"a":2}"#),
            is_blocked(&server, "", &json, SQL),
        ];
        assert_eq!(found, expected, "{preset}");
    }
}

#[test]
fn what_passes_where_a_profile_is_open_is_counted_as_not_scanned() {
    let open = "[profiles.request]\n[profiles.request.limits]\nbody-mib = 1\n\
        [profiles.request.fail-modes]\nbody-too-large = 'open'\n";
    let server = Running::start(open);
    let text = post("/x", "text/plain");
    let most = "words of a letter\n".repeat(100_000);
    assert!(!is_blocked(&server, "", &text, &most));
    let metric = "sluice_unscanned_bytes_total{reason=\"body-too-large\"";
    assert!(server.metric_reaches(metric, most.len() as f64));
    assert!((server.metric(metric) - most.len() as f64).abs() < 1.0);
}

#[test]
fn action_and_threshold_are_set_by_class_and_action_by_rule() {
    let json = post("/x", "application/json");
    let server = Running::start(
        "[profiles.request.classes]\n\
         sqli = { action = 'observe' }\n\
         xss = { threshold = 100 }\n\
         [profiles.request.rules]\n\
         'json-abuse/duplicate-key' = 'observe'\n",
    );
    assert!(!is_blocked(&server, "", &json, SQL));
    assert!(!is_blocked(&server, "", &json, r#"{"a":1,"a":2}"#));
    assert!(is_blocked(&server, "", &json, r#"{"a":1,"A":2}"#));
    assert!(server.metric_reaches(
        "sluice_findings_total{rule=\"sqli/tautology\",severity=\"high\",action=\"observe\"",
        1.0
    ));
}

#[test]
fn an_exception_silences_its_finding_at_its_place_and_is_counted() {
    let scopes = [
        (
            "value = '$.q'",
            "",
            post("/x", "application/json"),
            r#"{"p":"' or '1'='1"}"#,
        ),
        (
            "route = '/reports/*'",
            "",
            post("/reports/7", "application/json"),
            "",
        ),
        (
            "content-type = 'application/vnd.api+json'",
            "",
            post("/x", "application/vnd.api+json"),
            "",
        ),
        (
            "clients = ['192.0.2.0/24']",
            "X-Client-IP: 192.0.2.9\r\n",
            post("/x", "application/json"),
            "",
        ),
        (
            "method = 'POST'\nhost = 'api.test'",
            "",
            post("/x", "application/json"),
            "",
        ),
    ];
    for (scope, lines, head, elsewhere) in scopes {
        for subject in ["rule = 'sqli/tautology'", "class = 'sqli'"] {
            let server = Running::start(&format!(
                "[[profiles.request.exceptions]]\nclass = 'crlf'\n\
                 [[profiles.request.exceptions]]\n{subject}\n{scope}\n"
            ));
            assert!(!is_blocked(&server, lines, &head, SQL), "{scope} {subject}");
            let counter = "sluice_exceptions_total{policy=\"request\",exception=\"2\"}";
            assert!(server.metric_reaches(counter, 1.0), "{scope}");
            // No door is opened: elsewhere, and to other attacks, it stays shut.
            if !elsewhere.is_empty() {
                assert!(is_blocked(&server, lines, &head, elsewhere), "{scope}");
            } else if !scope.starts_with("method") {
                let other = post("/y", "application/json");
                assert!(is_blocked(&server, "", &other, SQL), "{scope}");
            }
            assert!(is_blocked(
                &server,
                lines,
                &head,
                r#"{"q":"; cat /etc/passwd"}"#
            ));
        }
    }
}

#[test]
fn responses_are_checked_for_malware_and_structure_and_not_for_scripts() {
    let server = Running::start("");
    let mut client = Client::connect(server.icap());
    let mut is_blocked = |kind: &str, body: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n\r\n");
        client
            .ask(respmod(
                "/respmod",
                "Allow: 204\r\n",
                &head,
                body.as_bytes(),
            ))
            .is_block()
    };
    assert!(!is_blocked("text/html", SCRIPT));
    assert!(!is_blocked("application/json", SQL));
    assert!(!is_blocked("application/json", r#"{"a":1,"a":2}"#));
    assert!(is_blocked("text/plain", &super::harness::eicar()));
    assert!(is_blocked(
        "application/xml",
        "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>"
    ));
}
