//! Profiles by request: what a rule by route may ask for, and for whom a profile is. `sluice check --explain` is asked the
//! same as the server, and must say the same.

use std::net::Ipv4Addr;
use std::process::Command;

use super::harness::{Client, Running, connected_from, eicar, reqmod};
use super::tls::House;

const HEAD: &str = "POST /up/7 HTTP/1.1\r\nHost: api.test\r\nContent-Type: text/plain\r\n\r\n";

/// A rule with this condition lets EICAR pass; without a rule it is blocked.
fn rule(condition: &str) -> String {
    format!(
        "[profiles.lenient]\nmode = \"observe\"\n[[routes]]\nname = \"the rule\"\nprofile = \"lenient\"\n{condition}\n"
    )
}

/// True when the server chooses the rule for a request to `path` with these ICAP lines.
fn chosen(server: &Running, path: &str, lines: &str) -> bool {
    let request = format!("Allow: 204\r\n{lines}");
    let request = reqmod(path, &request, HEAD, Some(eicar().as_bytes()));
    let reply = Client::connect(server.icap()).ask(request);
    assert!(reply.status == 204 || reply.is_block(), "{}", reply.head);
    reply.status == 204
}

/// What `sluice check --explain` says of the same.
fn explained(toml: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sluice.toml");
    std::fs::write(&path, toml).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(["check", "--explain", "POST http://api.test/up/7"])
        .args(["--content-type", "text/plain", "--config"])
        .arg(&path)
        .args(arguments)
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn each_fact_of_the_icap_head_chooses_a_rule_and_is_explained() {
    // Local://jane, and LDAP://fraud with LDAP://ops, in base64.
    for (condition, fits, other) in [
        (
            "users = [\"jane\"]",
            "X-Authenticated-User: jane",
            "X-Authenticated-User: bob",
        ),
        (
            "users = [\"jane\"]",
            "X-Authenticated-User: TG9jYWw6Ly9qYW5l",
            "X-Authenticated-User: TG9jYWw6Ly9ib2I=",
        ),
        (
            "groups = [\"fraud\"]",
            "X-Authenticated-Groups: ops, fraud",
            "X-Authenticated-Groups: ops",
        ),
        (
            "groups = [\"fraud\"]",
            "X-Authenticated-Groups: TERBUDovL2ZyYXVkLExEQVA6Ly9vcHM=",
            "X-Authenticated-Groups: TERBUDovL29wcw==",
        ),
        (
            "not-groups = [\"guests\"]",
            "X-Authenticated-Groups: ops",
            "X-Authenticated-Groups: ops, guests",
        ),
        (
            "clients = [\"10.1.0.0/16\"]",
            "X-Client-IP: 10.1.2.3",
            "X-Client-IP: 10.2.2.3",
        ),
    ] {
        let toml = rule(condition);
        let server = Running::start(&toml);
        for (line, expected) in [(fits, true), (other, false)] {
            assert_eq!(
                chosen(&server, "/reqmod", &format!("{line}\r\n")),
                expected,
                "{condition}: {line}"
            );
            let text = explained(&toml, &["--header", line]);
            let told = text.contains("1. \"the rule\": fits")
                && text.contains("profile lenient (rule \"the rule\")");
            assert_eq!(told, expected, "{condition}: {line}\n{text}");
        }
    }
}

#[test]
fn the_service_the_direction_and_the_order_of_rules_count() {
    let toml = rule("services = [\"/avscan\"]");
    let server = Running::start(&toml);
    for (path, expected) in [("/avscan", true), ("/virus_scan", true), ("/reqmod", false)] {
        assert_eq!(chosen(&server, path, ""), expected, "{path}");
        let text = explained(&toml, &["--service", path]);
        assert_eq!(text.contains("profile lenient"), expected, "{path}\n{text}");
    }
    let toml = rule("direction = \"response\"");
    assert!(!chosen(&Running::start(&toml), "/reqmod", ""));
    assert!(explained(&toml, &[]).contains("1. \"the rule\": other direction"));
    // The first rule that fits wins, however well a later one does.
    let toml = format!(
        "{}[[routes]]\nname = \"later\"\nprofile = \"request\"\npaths = [\"/up/7\"]\nmethods = [\"POST\"]\n",
        rule("paths = [\"/up/{id}\"]")
    );
    assert!(chosen(&Running::start(&toml), "/reqmod", ""));
    let text = explained(&toml, &[]);
    assert!(!text.contains("later"), "{text}");
}

#[test]
fn the_name_in_the_certificate_chooses_a_rule() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    house.issue("inner", &["a.inner.example"], |_| {});
    house.issue("outer", &["a.outer.example"], |_| {});
    let toml = rule("tls-identities = [\"*.inner.example\"]");
    let listener = house.listener(&format!("client-ca = {:?}\n", house.path("ca.pem")));
    let server = Running::start(&format!("{toml}{listener}"));
    for (shows, expected) in [("inner", true), ("outer", false)] {
        let bad = reqmod("/reqmod", "Allow: 204\r\n", HEAD, Some(eicar().as_bytes()));
        let reply = house.connect(server.listener(), Some(shows)).ask(bad);
        assert_eq!(reply.status == 204, expected, "{shows}: {}", reply.head);
        let text = explained(&toml, &["--tls-identity", &format!("a.{shows}.example")]);
        assert_eq!(text.contains("profile lenient"), expected, "{text}");
    }
    assert!(!chosen(&server, "/reqmod", ""), "who shows none");
}

#[test]
fn a_profile_is_for_those_it_was_given_to_whichever_way_a_message_came_to_it() {
    let toml = "[profiles.inner]\nallow = [\"127.0.0.2\"]\n\
        [[routes]]\nprofile = \"inner\"\npaths = [\"/inner\"]\n\
        [[services]]\npath = \"/reqmod\"\nrequest-profile = \"request\"\n\
        [[services]]\npath = \"/inner\"\nrequest-profile = \"inner\"\n";
    let server = Running::start(toml);
    let asked = |from: u8, service: &str, path: &str| {
        let stream = connected_from(Ipv4Addr::new(127, 0, 0, from), server.icap());
        let head = format!("POST {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        let request = reqmod(service, "Allow: 204\r\n", &head, Some(b"x"));
        Client::over(stream).ask(request).status
    };
    assert_eq!(asked(1, "/reqmod", "/outer"), 204);
    assert_eq!(asked(1, "/reqmod", "/inner"), 403, "by a rule");
    assert_eq!(asked(1, "/inner", "/outer"), 403, "by its service");
    assert_eq!(asked(2, "/reqmod", "/inner"), 204);
    assert_eq!(asked(2, "/inner", "/outer"), 204);
    assert!(server.metric_reaches("sluice_errors_total{kind=\"forbidden\"}", 2.0));
    let text = explained(toml, &["--service", "/inner", "--client", "127.0.0.1"]);
    assert!(
        text.contains("the profile inner is not for this ICAP client"),
        "{text}"
    );
    let text = explained(toml, &["--service", "/inner", "--client", "127.0.0.2"]);
    assert!(!text.contains("403"), "{text}");
}
