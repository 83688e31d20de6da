//! The three streams of a real server, line by line against the schemas that are documented.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::binary::Process;
use super::harness::{Client, POST, eicar, reqmod, respmod};

/// A folder with a configuration whose streams go to files.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new(more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let text = format!(
            "[log]\nto = {:?}\nlevel = \"debug\"\n[audit]\nto = {:?}\n[timeouts]\nscan-ms = 600000\n[findings]\nto = {:?}\n{more}\n",
            file("application"),
            file("access"),
            file("finding")
        );
        std::fs::write(file("sluice.toml"), text).expect("a file");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the server over some transactions; yields what it wrote, by stream.
    fn run(&self) -> [Vec<String>; 3] {
        let port = std::net::TcpListener::bind("127.0.0.1:0").expect("it binds");
        let address = port.local_addr().expect("bound");
        drop(port);
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--admin", "127.0.0.1:0", "--listen"])
            .arg(address.to_string())
            .arg(format!("--config={}", self.path("sluice.toml").display()))
            .spawn()
            .expect("it starts");
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(std::time::Instant::now() < end, "it does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        traffic(&mut Client::connect(address));
        let pid = child.id().to_string();
        let killed = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status();
        assert!(killed.expect("kill").success());
        assert!(child.wait().expect("it ends").success());
        ["application", "access", "finding"].map(|name| {
            let text = std::fs::read_to_string(self.path(name)).expect("a file");
            assert!(
                text.bytes()
                    .all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\n')
            );
            text.lines().map(str::to_owned).collect()
        })
    }
}

/// Everything in them that must not be seen in a log.
const SECRET: &str = "hunter2-in-clear";

/// What passes, what is blocked, what fails; values that log formats mind.
fn traffic(client: &mut Client) {
    let lines = "Allow: 204\r\nX-Client-IP: 10.9.8.7\r\nX-Authenticated-User: a=b|c\\d\r\n";
    let good = reqmod("/reqmod", lines, POST, Some(b"x"));
    assert_eq!(client.ask(good).status, 204);
    let head = format!(
        "POST /a|b=c\\d%0aact=allow?password={SECRET} HTTP/1.1\r\nHost: h|i=j\r\nAuthorization: Bearer {SECRET}\r\n\
         Cookie: s={SECRET}\r\nContent-Type: text/plain\r\n\r\n"
    );
    let body = eicar();
    assert!(
        client
            .ask(reqmod("/reqmod", lines, &head, Some(body.as_bytes())))
            .is_block()
    );
    let sqli = "POST /orders HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n";
    let body = format!("q=1' UNION SELECT password FROM users WHERE '{SECRET}'='{SECRET}");
    assert!(
        client
            .ask(reqmod("/reqmod", "", sqli, Some(body.as_bytes())))
            .is_block()
    );
    let broken = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Encoding: gzip\r\n\r\n";
    let reply = client.ask(respmod("/respmod", lines, broken, SECRET.as_bytes()));
    assert!(reply.is_block(), "{}", reply.head);
    let card = r#"{"card":"4111111111111111"}"#;
    let json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    assert_eq!(
        client
            .ask(respmod("/redact", lines, json, card.as_bytes()))
            .status,
        200
    );
    assert_eq!(
        client.ask(reqmod("/nowhere", "", POST, Some(b"x"))).status,
        404
    );
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.reply().status, 400);
}

fn root(path: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{}", file.display()))
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&root(&format!("deploy/logs/{name}.schema.json"))).expect("JSON")
}

/// What of `value` breaks `schema`: as much of JSON Schema as the files use, and no keyword unknown.
fn breaks(value: &Value, schema: &Value, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{at}: {what}: {value}"));
        }
    };
    let size = |bound: &Value| usize::try_from(bound.as_u64().expect("a number")).expect("small");
    let mut inner = Vec::new();
    for (keyword, bound) in schema.as_object().expect("a schema") {
        match keyword.as_str() {
            "$schema" | "title" | "description" => {}
            "type" => {
                let is = |name: &str| match name {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_u64() || value.is_i64(),
                    "boolean" => value.is_boolean(),
                    _ => panic!("an unknown type {name}"),
                };
                let holds = match bound {
                    Value::Array(names) => {
                        names.iter().any(|name| is(name.as_str().expect("a name")))
                    }
                    name => is(name.as_str().expect("a name")),
                };
                must(holds, "type");
            }
            "const" => must(value == bound, "const"),
            "enum" => must(bound.as_array().expect("a list").contains(value), "enum"),
            "minimum" => must(value.as_i64() >= bound.as_i64(), "minimum"),
            "maximum" => must(value.as_i64() <= bound.as_i64(), "maximum"),
            "minLength" => must(
                value.as_str().is_none_or(|text| text.len() >= size(bound)),
                "minLength",
            ),
            "maxLength" => must(
                value.as_str().is_none_or(|text| text.len() <= size(bound)),
                "maxLength",
            ),
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                must(matches(bound.as_str().expect("a pattern"), text), "pattern");
            }
            "required" => {
                for name in bound.as_array().expect("a list") {
                    must(
                        value.get(name.as_str().expect("a name")).is_some(),
                        &format!("lacks {name}"),
                    );
                }
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    inner.extend(breaks(item, bound, at));
                }
            }
            "properties" | "patternProperties" | "additionalProperties" => {}
            _ => panic!("{at}: the schema uses {keyword}, which this test does not know"),
        }
    }
    if schema.get("properties").is_some() || schema.get("additionalProperties").is_some() {
        for (name, member) in value.as_object().into_iter().flatten() {
            let at = format!("{at}/{name}");
            let patterns = schema["patternProperties"]
                .as_object()
                .into_iter()
                .flatten();
            let mut fitting = patterns.filter(|(pattern, _)| matches(pattern, name));
            let bound = schema["properties"]
                .get(name)
                .or_else(|| Some(fitting.next()?.1));
            match bound.unwrap_or(&schema["additionalProperties"]) {
                Value::Bool(false) => inner.push(format!("{at}: not in the schema")),
                bound => inner.extend(breaks(member, bound, &at)),
            }
        }
    }
    found.extend(inner);
    found
}

fn matches(pattern: &str, text: &str) -> bool {
    regex_automata::meta::Regex::new(pattern)
        .expect("a pattern")
        .is_match(text)
}

fn validated(lines: &[String], schema: &Value) -> Vec<Value> {
    let read = |line: &String| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        assert_eq!(breaks(&value, schema, ""), Vec::<String>::new(), "{line}");
        value
    };
    assert!(
        lines
            .iter()
            .all(|line| !line.contains(SECRET) && !line.contains("4111111111111111"))
    );
    lines.iter().map(read).collect()
}

#[test]
fn every_line_of_every_stream_fits_the_schema_and_tells_no_secret() {
    let desk = Desk::new("");
    let [application, access, finding] = desk.run();
    assert!(validated(&application, &schema("application")).len() > 4);
    let access = validated(&access, &schema("access"));
    let actions: Vec<_> = access
        .iter()
        .map(|line| line["event.action"].as_str().expect("text"))
        .collect();
    assert_eq!(
        actions,
        [
            "allow", "block", "block", "block", "redact", "error", "error"
        ]
    );
    assert_eq!(access[1]["url.path"], "/a|b=c\\d%0aact=allow");
    assert_eq!(access[1]["client.address"], "10.9.8.7");
    assert_eq!(access[4]["sluice.redaction_counts"]["PAN"], 1);
    let finding = validated(&finding, &schema("finding"));
    let eicar = finding
        .iter()
        .find(|line| line["rule.name"] == "malware/eicar")
        .expect("a line");
    assert_eq!(eicar["event.action"], "block");
    assert_eq!(eicar["transaction.id"], access[1]["transaction.id"]);
    assert!(finding.iter().any(|line| line["rule.category"] == "sqli"));
    assert!(
        finding
            .iter()
            .any(|line| line["rule.category"] == "anomaly")
    );
    let ids: BTreeSet<_> = finding
        .iter()
        .map(|line| line["event.id"].to_string())
        .collect();
    assert_eq!(
        ids.len(),
        finding.len(),
        "each detection has a name of its own"
    );
}

#[test]
fn detections_are_ocsf_detection_findings_where_that_is_asked_for() {
    let [_, _, finding] = Desk::new("format = \"ocsf\"").run();
    let finding = validated(&finding, &schema("finding-ocsf"));
    let eicar = finding
        .iter()
        .find(|event| event["finding_info"]["title"] == "malware/eicar");
    let eicar = eicar.expect("an event");
    assert_eq!(
        (&eicar["severity_id"], &eicar["disposition_id"]),
        (&4.into(), &2.into())
    );
    assert_eq!(
        eicar["evidences"][0]["http_request"]["url"]["hostname"],
        "h|i=j"
    );
}

#[test]
fn detections_are_cef_where_that_is_asked_for_whatever_the_client_sent() {
    let [_, _, finding] = Desk::new("format = \"cef\"").run();
    assert!(
        finding
            .iter()
            .all(|line| line.starts_with("CEF:0|sluice|sluice|") && !line.contains(SECRET))
    );
    let eicar = finding
        .iter()
        .find(|line| line.contains("|malware/eicar|malware|8|rt="));
    let eicar = eicar.expect("a line");
    assert!(
        eicar.contains(r" act=block src=127.0.0.1 suser=a\=b|c\\d "),
        "{eicar}"
    );
    assert!(
        eicar.contains(r" dhost=h|i\=j request=/a|b\=c\\d%0aact\=allow outcome=block "),
        "{eicar}"
    );
}

#[test]
fn the_page_names_every_field_of_the_schemas() {
    let page = root("docs/logs.md");
    for name in ["application", "access", "finding"] {
        for field in schema(name)["properties"]
            .as_object()
            .expect("fields")
            .keys()
        {
            assert!(page.contains(&format!("| `{field}` |")), "{field}");
        }
    }
}

#[test]
fn lines_above_the_rate_are_counted_in_a_metric() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    std::fs::write(&config, "[audit]\nlines-per-second = 1\n").expect("a file");
    let mut process = Process::serve(Some(&config));
    let mut client = Client::connect(process.icap);
    for _ in 0..200 {
        assert_eq!(
            client
                .ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x")))
                .status,
            204
        );
    }
    let page = process.metrics();
    let line = page
        .lines()
        .find(|line| line.starts_with("sluice_log_dropped_lines_total{stream=\"access\"}"));
    let lost: u64 = line
        .and_then(|line| line.rsplit(' ').next()?.parse().ok())
        .expect("a metric");
    assert!(lost > 100, "{lost}");
}

#[test]
fn a_file_that_is_rotated_is_followed_even_by_one_who_is_confined() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let text = format!(
        "[audit]\nto = {:?}\n[process]\nconfine-writes = \"on\"\n",
        path("access")
    );
    std::fs::write(path("sluice.toml"), text).expect("a file");
    let process = Process::serve(Some(&path("sluice.toml")));
    let mut client = Client::connect(process.icap);
    for round in ["first", "second", "third"] {
        let fields = format!("Allow: 204\r\nX-Authenticated-User: {round}\r\n");
        let message = reqmod("/reqmod", &fields, POST, Some(b"x"));
        assert_eq!(client.ask(message).status, 204);
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while std::fs::read_to_string(path("access"))
            .unwrap_or_default()
            .lines()
            .count()
            == 0
        {
            assert!(std::time::Instant::now() < end, "no line of the {round}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        std::fs::rename(path("access"), path(round)).expect("rotated");
    }
    for round in ["first", "second", "third"] {
        let text = std::fs::read_to_string(path(round)).expect("a file");
        assert_eq!(text.lines().count(), 1, "{round}: {text}");
    }
}

#[test]
fn a_list_that_is_too_long_for_its_line_is_cut_and_the_line_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let text = format!("[audit]\nto = {:?}\nline-bytes = 8192\n", path("access"));
    std::fs::write(path("sluice.toml"), text).expect("a file");
    let process = Process::serve(Some(&path("sluice.toml")));
    let members: Vec<String> = (0..200)
        .map(|at| format!("\"{}{at}\":\"u{at}@example.org\"", "name".repeat(20)))
        .collect();
    let body = format!("{{{}}}", members.join(","));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
    let message = respmod("/redact", "", head, body.as_bytes());
    assert_eq!(Client::connect(process.icap).ask(message).status, 200);
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let line = loop {
        let text = std::fs::read_to_string(path("access")).unwrap_or_default();
        if let Some(line) = text.lines().next() {
            break line.to_owned();
        }
        assert!(std::time::Instant::now() < end, "no line");
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!((4096..8192).contains(&line.len()), "{} bytes", line.len());
    let record: Value = serde_json::from_str(&line).expect("a whole object");
    assert_eq!(record["sluice.edits"], 200);
    assert_eq!(record["sluice.truncated"], true, "{line}");
}
