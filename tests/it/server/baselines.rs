//! What is usual on a route and what is not, as the finding stream and the metrics of a real server tell it.

use std::path::Path;

use serde_json::Value;

use super::binary::Process;
use super::harness::{Client, eicar, harmless, reqmod};

fn served(folder: &Path, mode: &str) -> Process {
    let config = folder.join("sluice.toml");
    let finding = folder.join("finding");
    let text = format!(
        "[findings]\nto = {finding:?}\n[timeouts]\nscan-ms = 600000\n\
         [baselines]\nmode = \"{mode}\"\nlearn-messages = 60\nlearn-seconds = 0\n"
    );
    std::fs::write(&config, text).expect("a file");
    Process::serve(Some(&config))
}

fn post(client: &mut Client, target: &str, bytes: usize) {
    let head = format!("POST {target} HTTP/1.1\r\nHost: shop\r\nContent-Type: text/plain\r\n\r\n");
    let body = harmless(bytes);
    let reply = client.ask(reqmod("/reqmod", "Allow: 204\r\n", &head, Some(&body)));
    assert_eq!(reply.status, 204, "a baseline never blocks");
}

/// The rules that the finding stream names, once the server has ended.
fn told(mut process: Process, folder: &Path) -> (Vec<Value>, String) {
    let page = process.metrics();
    process.signal("-TERM");
    assert!(process.child.wait().expect("it ends").success());
    let text = std::fs::read_to_string(folder.join("finding")).expect("a file");
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    (lines.collect(), page)
}

#[test]
fn what_is_unusual_on_a_route_is_observed_and_a_new_route_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = served(folder.path(), "on");
    let mut client = Client::connect(process.icap);
    // The beginning: every size, no baseline yet. Then what is usual, with identifiers that make one route of all.
    for n in 0..40usize {
        post(&mut client, &format!("/new{n}?a=1"), 1 << (n % 14));
    }
    for n in 0..120usize {
        post(
            &mut client,
            &format!("/orders/{n}?page={n}"),
            400 + n * 31 % 300,
        );
    }
    post(&mut client, "/orders/7?page=1", 200_000);
    post(&mut client, "/orders/8?page=1", 200_000);
    post(&mut client, "/orders/9?page=1&debug=hunter2", 500);
    let (lines, page) = told(process, folder.path());
    let rules: Vec<_> = lines
        .iter()
        .map(|line| line["rule.name"].as_str().expect("a rule"))
        .collect();
    assert_eq!(rules, ["baseline/size", "baseline/names"], "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| line["event.action"] == "observe" && line["rule.category"] == "baseline")
    );
    assert_eq!(lines[0]["url.path"], "/orders/7");
    let why = lines[1]["event.reason"].as_str().expect("a reason");
    assert!(
        why.ends_with("?debug") && !lines[1].to_string().contains("hunter2"),
        "{why}"
    );
    assert!(
        page.contains("sluice_baseline_deviations_total{signal=\"size\"} 1"),
        "{page}"
    );
    assert!(page.contains("sluice_baseline_routes 41"), "{page}");
}

#[test]
fn a_new_member_of_a_json_body_is_observed() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = served(folder.path(), "on");
    let mut client = Client::connect(process.icap);
    let mut post = |body: String| {
        let head =
            "POST /accounts HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\n\r\n";
        let request = reqmod("/reqmod", "Allow: 204\r\n", head, Some(body.as_bytes()));
        assert_eq!(client.ask(request).status, 204);
    };
    for n in 0..120 {
        post(format!(
            "{{\"name\":\"ann{n}\",\"address\":{{\"city\":\"Cork\"}},\"{n}\":[1,2]}}"
        ));
    }
    post("{\"name\":\"hunter2\",\"address\":{\"city\":\"Cork\"},\"isAdmin\":true}".into());
    let (lines, page) = told(process, folder.path());
    let rules: Vec<_> = lines.iter().map(|line| line["rule.name"].clone()).collect();
    assert_eq!(rules, ["baseline/members"], "{lines:?}");
    let why = lines[0]["event.reason"].as_str().expect("a reason");
    assert!(why.ends_with(": isAdmin") && !lines[0].to_string().contains("hunter2"));
    assert!(page.contains("sluice_baseline_deviations_total{signal=\"members\"} 1"));
}

#[test]
fn switched_off_nothing_is_learned() {
    let folder = tempfile::tempdir().expect("a folder");
    let process = served(folder.path(), "off");
    let mut client = Client::connect(process.icap);
    for _ in 0..100 {
        post(&mut client, "/orders", 500);
    }
    post(&mut client, "/orders?debug=1", 200_000);
    let (lines, page) = told(process, folder.path());
    assert!(lines.is_empty() && !page.contains("sluice_baseline_routes 1"));
}

/// One RESPMOD answer of this status.
fn answered(client: &mut Client, status: &str) {
    let request = "GET /answers HTTP/1.1\r\nHost: shop\r\n\r\n";
    let response = format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\n\r\n");
    let head = format!(
        "RESPMOD icap://h/respmod ICAP/1.0\r\nHost: h\r\nAllow: 204\r\n\
         Encapsulated: req-hdr=0, res-hdr={}, null-body={}\r\n\r\n{request}{response}",
        request.len(),
        request.len() + response.len()
    );
    assert_eq!(client.ask(head).status, 204);
}

#[test]
fn a_burst_errors_and_blocks_above_the_usual_are_observed() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    let finding = folder.path().join("finding");
    let text = format!(
        "[findings]\nto = {finding:?}\n[timeouts]\nscan-ms = 600000\n\
         [baselines]\nmode = \"on\"\nlearn-messages = 30\nlearn-seconds = 0\nwindow-seconds = 1\n"
    );
    std::fs::write(&config, text).expect("a file");
    let process = Process::serve(Some(&config));
    let mut client = Client::connect(process.icap);
    let upload = |client: &mut Client, body: &[u8]| {
        let head = "POST /uploads HTTP/1.1\r\nHost: shop\r\nContent-Type: text/plain\r\n\r\n";
        client.ask(reqmod("/reqmod", "Allow: 204\r\n", head, Some(body)))
    };
    // Seven windows of what is usual on three routes.
    let began = std::time::Instant::now();
    while began.elapsed() < std::time::Duration::from_secs(8) {
        post(&mut client, "/calls", 500);
        answered(&mut client, "200 OK");
        assert_eq!(upload(&mut client, b"harmless").status, 204);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    for _ in 0..400 {
        post(&mut client, "/calls", 500);
    }
    for _ in 0..120 {
        answered(&mut client, "500 Internal Server Error");
        assert!(upload(&mut client, eicar().as_bytes()).is_block());
    }
    let (lines, page) = told(process, folder.path());
    let lines: Vec<_> = lines
        .iter()
        .filter(|line| line["rule.category"] == "baseline")
        .collect();
    for (rule, path) in [
        ("baseline/rate", "/calls"),
        ("baseline/errors", "/answers"),
        ("baseline/verdicts", "/uploads"),
    ] {
        let found = lines
            .iter()
            .find(|line| line["rule.name"] == rule && line["url.path"] == path);
        let found = found.unwrap_or_else(|| panic!("{rule}: {lines:?}"));
        assert_eq!(found["event.action"], "observe");
        let signal = rule.trim_start_matches("baseline/");
        assert!(page.contains(&format!(
            "sluice_baseline_deviations_total{{signal=\"{signal}\"}}"
        )));
    }
}
