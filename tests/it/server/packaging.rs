//! What ships beside the program: alert rules and dashboard fit the real metrics, pages and completions come out.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::harness::{Client, POST, Running, eicar, reqmod};
use super::tls::House;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

/// The text of `/metrics` after some traffic of all kinds.
fn metrics() -> String {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let server = Running::start(&format!(
        "[quotas.client]\nrequests-per-second = 1\nrequests-burst = 8\n{}",
        house.listener("")
    ));
    let mut secured = house.connect(server.listener(), None);
    let mut client = Client::connect(server.icap());
    let bad = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()));
    let card = reqmod(
        "/redact",
        "Allow: 204\r\n",
        POST,
        Some(b"pay 4111111111111111"),
    );
    for request in [&bad, &card, &bad, &reqmod("/none", "", POST, Some(b"x"))] {
        let _ = secured.ask(request);
    }
    for _ in 0..12 {
        let _ = client.ask(reqmod("/echo", "Allow: 204\r\n", POST, Some(b"some bytes")));
    }
    assert!(server.metric_reaches("sluice_shed_total", 1.0));
    server.admin("/metrics").1
}

#[test]
fn metrics_pass_promtool_and_alerts_and_dashboard_ask_for_what_is_there() {
    let text = metrics();
    let there: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let source = include_str!("../../../src/telemetry/metrics.rs");
    for file in ["prometheus/alerts.yml", "grafana/sluice.json"] {
        let asked = std::fs::read_to_string(deploy(file)).expect("a file");
        for (at, _) in asked.match_indices("sluice_") {
            let name: String = asked[at..]
                .chars()
                .take_while(|character| character.is_ascii_alphanumeric() || *character == '_')
                .collect();
            let short = name.trim_start_matches("sluice_");
            let short = short.strip_suffix("_total").unwrap_or(short);
            // A family without a member yet is not shown: then it must at least be declared.
            let declared = source.contains(&format!("\"{short}\""));
            assert!(there.contains(name.as_str()) || declared, "{file}: {name}");
        }
    }
    let promtool = |arguments: &[&str], input: &str| {
        let mut child = Command::new("promtool")
            .args(arguments)
            .current_dir(deploy("prometheus"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(input.as_bytes()).ok()?;
        let output = child.wait_with_output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        Some((
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        ))
    };
    for (arguments, input) in [
        (&["check", "metrics"][..], text.as_str()),
        (&["check", "rules", "alerts.yml"], ""),
        (&["test", "rules", "alerts_test.yml"], ""),
    ] {
        match promtool(arguments, input) {
            Some((good, said)) => assert!(good, "{arguments:?}: {said}"),
            None => println!("skipped: no promtool here"),
        }
    }
}

#[test]
fn the_example_file_explains_each_key_of_a_listener() {
    let example = std::fs::read_to_string(deploy("sluice.toml")).expect("a file");
    for key in [
        "address",
        "name",
        "allow",
        "services",
        "mode",
        "proxies",
        "strangers",
        "certificate",
        "key",
        "min-version",
        "client-ca",
        "client-names",
    ] {
        assert!(example.contains(&format!("# {key} = ")), "{key}");
    }
}

#[test]
fn manual_pages_and_completions_come_out() {
    let sluice = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(arguments)
            .output()
            .expect("it runs");
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    for shell in ["bash", "zsh", "fish"] {
        assert!(sluice(&["completions", shell]).contains("sluice"));
    }
    assert!(sluice(&["man"]).contains(".TH sluice"));
    let folder = tempfile::tempdir().expect("a folder");
    sluice(&["man", folder.path().to_str().expect("text")]);
    let page = std::fs::read_to_string(folder.path().join("sluice-serve.1")).expect("a page");
    assert!(page.contains("SIGHUP"), "{page}");
}
