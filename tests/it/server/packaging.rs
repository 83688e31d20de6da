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

/// A server after some traffic of all kinds; whose certificates it has.
fn busy() -> (House, Running) {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let server = Running::start(&format!(
        "[quotas.client]\nrequests-per-second = 1\nrequests-burst = 12\n{}\
         [[listeners]]\naddress = \"127.0.0.1:0\"\nname = \"inner\"\nallow = [\"10.0.0.0/8\"]\n",
        house.listener("")
    ));
    traffic(&house, &server);
    (house, server)
}

fn traffic(house: &House, server: &Running) {
    let mut secured = house.connect(server.listener(), None);
    let mut client = Client::connect(server.icap());
    let bad = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()));
    let card = reqmod(
        "/redact",
        "Allow: 204\r\n",
        POST,
        Some(b"pay 4111111111111111"),
    );
    let torn = "POST / HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\n\r\n";
    let torn = reqmod("/reqmod", "Allow: 204\r\n", torn, Some(b"no gzip"));
    let unknown = reqmod("/none", "", POST, Some(b"x"));
    for request in [&bad, &card, &bad, &torn, &unknown] {
        let _ = secured.ask(request);
    }
    for _ in 0..16 {
        let _ = client.ask(reqmod("/echo", "Allow: 204\r\n", POST, Some(b"some bytes")));
    }
    let inner = server.addresses.icap[2];
    assert_eq!(Client::connect(inner).reply().status, 403);
    assert!(server.metric_reaches("sluice_shed_total", 1.0));
}

#[test]
fn metrics_pass_promtool_and_alerts_and_dashboard_ask_for_what_is_there() {
    let (_house, server) = busy();
    let text = server.admin("/metrics").1;
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

/// Label values that alerts ask for, by the name of the metric.
fn alerted() -> Vec<(String, String)> {
    let rules = std::fs::read_to_string(deploy("prometheus/alerts.yml")).expect("a file");
    let mut found = Vec::new();
    for line in rules.lines().filter(|line| line.contains("increase(")) {
        let (_, asked) = line.split_once("increase(").expect("it is there");
        let (name, labels) = asked.split_once('{').expect("labels");
        let values = labels.split('"').nth(1).expect("a value");
        found.extend(
            values
                .split('|')
                .map(|value| (name.to_owned(), value.to_owned())),
        );
    }
    found
}

#[test]
fn what_an_alert_waits_for_is_counted_from_zero_on() {
    let server = Running::start("");
    let text = server.admin("/metrics").1;
    let alerted = alerted();
    assert!(alerted.len() >= 4, "{alerted:?}");
    for (name, value) in alerted {
        let is_zero = |line: &str| {
            line.starts_with(&name)
                && line.contains(&format!("\"{value}\""))
                && line.ends_with(" 0")
        };
        assert!(text.lines().any(is_zero), "{name} {value}");
    }
}

#[test]
fn each_alert_is_tested() {
    let names = |file: &str, mark: &str| -> BTreeSet<String> {
        let text = std::fs::read_to_string(deploy(file)).expect("a file");
        let lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix(mark));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(
        names("prometheus/alerts.yml", "- alert: "),
        names("prometheus/alerts_test.yml", "alertname: ")
    );
}

/// Debian's Prometheus, which scrapes `server` twice a second.
struct Prometheus {
    child: std::process::Child,
    _folder: tempfile::TempDir,
    address: std::net::SocketAddr,
}

impl Prometheus {
    fn of(server: &Running) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("prometheus.yml");
        let admin = server.addresses.admin.expect("an admin listener");
        let text = format!(
            "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\n\
             scrape_configs: [{{job_name: sluice, static_configs: [{{targets: [\"{admin}\"]}}]}}]\n"
        );
        std::fs::write(&config, text).expect("a file");
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("it binds");
        let address = port.local_addr().expect("bound");
        drop(port);
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self {
            child,
            _folder: folder,
            address,
        })
    }

    /// What a query yields now; an empty list while it does not answer.
    fn query(&self, query: &str) -> Result<usize, String> {
        let Ok(mut stream) = std::net::TcpStream::connect(self.address) else {
            return Ok(0);
        };
        let text: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let request = format!("GET /api/v1/query?query={text} HTTP/1.0\r\nHost: h\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).expect("it answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
        let Ok(json) = serde_json::from_str::<serde_json::Value>(body) else {
            return Ok(0);
        };
        match json["status"] == "success" {
            true => Ok(json["data"]["result"].as_array().map_or(0, Vec::len)),
            false => Err(body.to_owned()),
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_panel_of_the_dashboard_shows_something_of_a_busy_server() {
    let (house, server) = busy();
    let Some(prometheus) = Prometheus::of(&server) else {
        println!("skipped: no prometheus here");
        return;
    };
    let text = std::fs::read_to_string(deploy("grafana/sluice.json")).expect("a file");
    let board: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let targets = board["panels"]
        .as_array()
        .expect("panels")
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut queries: Vec<String> = targets
        .map(|target| target["expr"].as_str().expect("a query"))
        .map(|query| {
            query
                .replace("$__rate_interval", "30s")
                .replace("$instance", ".*")
        })
        .collect();
    assert!(queries.len() > 10 && queries.iter().all(|query| !query.contains('$')));
    let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !queries.is_empty() {
        assert!(
            std::time::Instant::now() < end,
            "they show nothing: {queries:#?}"
        );
        // Rates need two samples, and a count that is there at both.
        std::thread::sleep(std::time::Duration::from_millis(700));
        traffic(&house, &server);
        queries.retain(|query| match prometheus.query(query) {
            Ok(series) => series == 0,
            Err(error) => panic!("{query}: {error}"),
        });
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
