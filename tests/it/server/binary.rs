//! The program itself: signals, exit codes, messages.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use super::harness::{Client, POST, eicar, reqmod};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// What the log says of the admin listener.
const ADMIN: &str = "listening for admin";

/// A served process; killed when dropped.
pub(super) struct Process {
    pub(super) child: Child,
    log: BufReader<ChildStderr>,
    pub(super) icap: SocketAddr,
    admin: Option<SocketAddr>,
    pub(super) seen: String,
}

impl Process {
    pub(super) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let mut process = Self {
            child,
            log,
            icap: SocketAddr::from(([0, 0, 0, 0], 0)),
            admin: None,
            seen: String::new(),
        };
        process.icap = address(&process.wait_for("listening for ICAP"));
        process
    }

    pub(super) fn serve(config: Option<&Path>) -> Self {
        let mut command = Command::new(SLUICE);
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(config.map(|path| format!("--config={}", path.display())));
        Self::start(command)
    }

    /// The first log line from here on whose message begins so.
    pub(super) fn wait_for(&mut self, message: &str) -> serde_json::Value {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).expect("text");
            assert!(
                read > 0,
                "it ended before it said {message:?}:\n{}",
                self.seen
            );
            self.seen += &line;
            let value: serde_json::Value =
                serde_json::from_str(&line).expect("JSON lines on a pipe");
            let text = value["message"].as_str().unwrap_or_default();
            if text.starts_with(ADMIN) {
                self.admin = Some(address(&value));
            }
            if text.starts_with(message) {
                return value;
            }
        }
    }

    /// Where its admin listener is.
    pub(super) fn admin(&mut self) -> SocketAddr {
        match self.admin {
            Some(address) => address,
            None => address(&self.wait_for(ADMIN)),
        }
    }

    /// All metrics, as a scraper reads them.
    pub(super) fn metrics(&mut self) -> String {
        let mut stream = TcpStream::connect(self.admin()).expect("it accepts");
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut page = String::new();
        stream.read_to_string(&mut page).expect("it answers");
        page
    }

    /// All metrics once `wanted` is among them, or four seconds later: a transaction is counted when its answer is out.
    pub(super) fn metrics_with(&mut self, wanted: &str) -> String {
        for _ in 0..200 {
            let page = self.metrics();
            if page.contains(wanted) {
                return page;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        self.metrics()
    }

    /// Memory in use.
    pub(super) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.expect("its memory").trim().trim_end_matches(" kB");
        number.parse().expect("digits")
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill")
            .args([name, &id])
            .status()
            .expect("kill");
        assert!(status.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &serde_json::Value) -> SocketAddr {
    let text = line["sluice.address"].as_str().expect("an address");
    text.parse().expect("an address")
}

fn run(arguments: &[&str]) -> Output {
    Command::new(SLUICE)
        .args(arguments)
        .output()
        .expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn sigterm_answers_what_is_in_flight_and_ends_with_zero() {
    let mut process = Process::serve(None);
    let mut client = Client::connect(process.icap);
    let request = reqmod(
        "/reqmod",
        "Preview: 4\r\nAllow: 204\r\n",
        POST,
        Some(b"hell"),
    );
    assert_eq!(client.ask(request).status, 100);
    process.signal("-TERM");
    process.wait_for("draining");
    let reply = client.ask(b"1\r\no\r\n0\r\n\r\n");
    assert!(reply.status == 204 && reply.closes());
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_second_sigterm_ends_at_once() {
    let mut process = Process::serve(None);
    let mut client = Client::connect(process.icap);
    let request = reqmod("/reqmod", "Preview: 4\r\n", POST, Some(b"hell"));
    assert_eq!(client.ask(request).status, 100);
    process.signal("-TERM");
    process.wait_for("draining");
    process.signal("-TERM");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn sighup_takes_a_good_configuration_and_refuses_a_bad_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sluice.toml");
    std::fs::write(&path, "").expect("a file");
    let mut process = Process::serve(Some(&path));
    let mut client = Client::connect(process.icap);
    let bad = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()));
    let first = client.ask(&bad);
    assert!(first.is_block());
    std::fs::write(&path, "[server]\nmax-conections = 7\n").expect("a file");
    process.signal("-HUP");
    let refused = process.wait_for("reload refused");
    let why = refused["error.message"].as_str().expect("a reason");
    assert!(
        why.contains("sluice.toml:2:1") && why.contains("max-connections"),
        "{why}"
    );
    let same = client.ask(&bad);
    assert!(same.is_block() && same.field("ISTag") == first.field("ISTag"));
    std::fs::write(&path, "[profiles.request]\nmode = \"observe\"\n").expect("a file");
    process.signal("-HUP");
    process.wait_for("configuration and rules are in force");
    let observed = client.ask(&bad);
    assert_eq!(observed.status, 204, "the same connection, the new policy");
    assert_ne!(observed.field("ISTag"), first.field("ISTag"));
}

#[test]
fn sighup_takes_new_signature_files_and_refuses_broken_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("own.toml");
    let path = folder.path().join("sluice.toml");
    let rule = |text: &str| {
        format!(
            "[[rule]]\nid = \"own/marker\"\ncategory = \"malware\"\nseverity = \"high\"\n\
             description = \"a marker\"\ntext = \"{text}\"\nmatch = [\"{text}\"]\nclean = [\"nothing\"]\n"
        )
    };
    std::fs::write(&rules, rule("first-marker")).expect("a file");
    let bundles = format!("[rules]\nbundles = [{:?}]\n", rules.display().to_string());
    std::fs::write(&path, bundles).expect("a file");
    let mut process = Process::serve(Some(&path));
    let mut client = Client::connect(process.icap);
    let first = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"a first-marker"));
    let second = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"a second-marker"));
    let before = client.ask(&first);
    assert!(before.is_block());
    assert_eq!(client.ask(&second).status, 204);

    std::fs::write(&rules, "[[rule]]\nid = ").expect("a file");
    process.signal("-HUP");
    let refused = process.wait_for("reload refused");
    assert!(
        refused["error.message"]
            .as_str()
            .is_some_and(|why| why.contains("own.toml"))
    );
    let same = client.ask(&first);
    assert!(same.is_block() && same.field("ISTag") == before.field("ISTag"));

    std::fs::write(&rules, rule("second-marker")).expect("a file");
    process.signal("-HUP");
    process.wait_for("configuration and rules are in force");
    assert_eq!(client.ask(&first).status, 204);
    let after = client.ask(&second);
    assert!(after.is_block() && after.field("ISTag") != before.field("ISTag"));
}

#[test]
fn a_scan_that_takes_too_long_is_blocked_counted_and_logged_by_the_name_of_its_rule() {
    let folder = tempfile::tempdir().expect("a folder");
    let rules = folder.path().join("endless.yar");
    let rule = "rule endless { condition: for all i in (1..filesize) : ( for all j in (1..filesize) : ( uint8(j - 1) != 3 ) ) }";
    std::fs::write(&rules, rule).expect("written");
    let config = folder.path().join("sluice.toml");
    let text =
        format!("[timeouts]\nscan-ms = 400\n[rules]\nembedded = false\nbundles = [{rules:?}]\n");
    std::fs::write(&config, text).expect("written");
    let mut process = Process::serve(Some(&config));
    let loaded = process.seen.lines().find(|line| line.contains("slow on"));
    assert!(loaded.is_some_and(|line| line.contains("endless/endless")));
    let mut client = Client::connect(process.icap);
    let body = vec![b'.'; 20 * 1024];
    let reply = client.ask(reqmod("/reqmod", "Allow: 204\r\n", POST, Some(&body)));
    assert!(reply.is_block(), "{reply:?}");
    let page = process.metrics_with("reason=\"scan-timeout\"");
    let told = process.wait_for("a rule used up the time of a scan");
    assert_eq!(told["sluice.rule"], "endless/endless");
    for wanted in [
        "sluice_rule_timeouts_total{rule=\"endless/endless\"} 1",
        "sluice_anomalies_total{reason=\"scan-timeout\"} 1",
        "sluice_slow_rule_seconds_per_mib{rule=\"endless/endless\"}",
        "sluice_slow_rule_scan_seconds{rule=\"endless/endless\"}",
    ] {
        assert!(page.contains(wanted), "{wanted}\n{page}");
    }
}

#[test]
fn running_out_of_descriptors_does_not_end_the_accept_loop() {
    let mut command = Command::new("prlimit");
    command.args([
        "--nofile=24:24",
        SLUICE,
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    command.env("SLUICE__SERVER__THREADS", "1");
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: no prlimit here");
        return;
    }
    let mut process = Process::start(command);
    let flood: Vec<_> = (0..40)
        .filter_map(|_| std::net::TcpStream::connect(process.icap).ok())
        .collect();
    process.wait_for("no file descriptor is left");
    drop(flood);
    let request = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x"));
    let served = (0..200).any(|_| {
        let Ok(mut stream) = std::net::TcpStream::connect(process.icap) else {
            return false;
        };
        let mut start = [0; 12];
        stream.write_all(&request).is_ok()
            && std::io::Read::read_exact(&mut stream, &mut start).is_ok()
            && &start == b"ICAP/1.0 204"
    });
    assert!(served, "the server does not come back");
}

#[test]
fn a_start_that_fails_says_in_one_line_what_and_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sluice.toml");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("it binds");
    let port = taken.local_addr().expect("bound").to_string();
    let other = "[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"127.0.0.1:0\"\n";
    let tls = "[[listeners]]\naddress = \"127.0.0.1:0\"\nname = \"secured\"\n\
               [listeners.tls]\ncertificate = \"/nonexistent/a.pem\"\nkey = \"/nonexistent/a.key\"\n";
    for (toml, hints) in [
        (
            format!("[server]\nlisten = [\"{port}\"]\nadmin = \"127.0.0.1:0\"\n"),
            ["cannot listen on", port.as_str()],
        ),
        (
            format!("[server]\nlisten = [\"127.0.0.1:0\"]\nadmin = \"{port}\"\n"),
            ["cannot listen on", port.as_str()],
        ),
        (
            format!("{other}{tls}"),
            ["listener secured", "/nonexistent/a.pem"],
        ),
        (
            format!("{other}[spool]\ndirectory = \"/nonexistent/spool\"\n"),
            ["spool folder /nonexistent/spool", "No such file"],
        ),
        (
            format!("{other}[audit]\nto = \"/nonexistent/log\"\n"),
            ["access lines to /nonexistent/log", "No such file"],
        ),
        (
            format!("{other}[timeouts]\nhead-ms = 0\n"),
            ["timeouts.head-ms must be at least 1", "sluice.toml"],
        ),
        (
            "[server]\nthreads = 100000\n".to_owned(),
            ["server.threads must be at most 1024", "sluice.toml"],
        ),
        (
            "[server]\nheavy-workers = 100000\n".to_owned(),
            ["server.heavy-workers must be at most 1024", "sluice.toml"],
        ),
        (
            format!("{other}[rules]\nbundles = [\"/nonexistent/rules\"]\n"),
            ["cannot load the rules", "/nonexistent/rules"],
        ),
    ] {
        std::fs::write(&path, &toml).expect("a file");
        let failed = run(&["serve", "--config", path.to_str().expect("text")]);
        let said = text(&failed.stderr);
        assert_eq!(failed.status.code(), Some(2), "{toml}\n{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        for hint in hints {
            // Each cause once.
            assert_eq!(said.matches(hint).count(), 1, "{hint}: {said}");
        }
    }
    let named = run(&["serve", "--listen", "localhost:1344"]);
    assert!(text(&named.stderr).contains("as in 127.0.0.1:1344"));
    let token = run(&["token", "not a name"]);
    assert_eq!(token.status.code(), Some(2));
    assert!(text(&token.stderr).contains("letters, digits"));
}

#[test]
fn the_largest_times_that_a_file_can_hold_mean_for_ever_and_overflow_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sluice.toml");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/sluice.toml");
    let example = std::fs::read_to_string(example).expect("a file");
    let (mut toml, mut changed) = (String::new(), 0);
    for line in example.lines() {
        let key = line.split_once(" = ").map(|(key, _)| key);
        match key.filter(|key| {
            !key.starts_with('#') && (key.ends_with("-ms") || key.ends_with("-seconds"))
        }) {
            Some(key) => {
                toml += &format!("{key} = {}\n", i64::MAX);
                changed += 1;
            }
            None => toml += &format!("{line}\n"),
        }
    }
    assert!(changed > 15, "{changed}");
    std::fs::write(&path, toml).expect("a file");
    let mut process = Process::serve(Some(&path));
    let mut client = Client::connect(process.icap);
    let bad = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()));
    for _ in 0..3 {
        let preview = reqmod(
            "/reqmod",
            "Preview: 4\r\nAllow: 204\r\n",
            POST,
            Some(b"hell"),
        );
        assert_eq!(client.ask(preview).status, 100);
        assert_eq!(client.ask(b"1\r\no\r\n0\r\n\r\n").status, 204);
        assert!(client.ask(&bad).is_block());
    }
    process.signal("-HUP");
    process.wait_for("configuration and rules are in force");
    assert!(client.ask(&bad).is_block());
    drop(client);
    process.signal("-TERM");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
    for arguments in [
        &[
            "probe",
            "icap://127.0.0.1:1/x",
            "--timeout-seconds",
            "18446744073709551615",
        ][..],
        &["bench", "icap://127.0.0.1:1/x", "--seconds", "1e300"],
        &["bench", "icap://127.0.0.1:1/x", "--connections", "40000"],
    ] {
        let refused = run(arguments);
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn what_is_hardly_meant_is_warned_of_and_what_is_not_here_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sluice.toml");
    let toml = "[server]\nlisten = [\"0.0.0.0:0\"]\nadmin = \"127.0.0.1:0\"\n\
                [[listeners]]\naddress = \"127.0.0.1:0\"\n\
                [listeners.tls]\ncertificate = \"/nonexistent/a.pem\"\nkey = \"/nonexistent/a.key\"\n";
    std::fs::write(&path, toml).expect("a file");
    let checked = run(&["check", "--config", path.to_str().expect("text")]);
    let said = text(&checked.stderr);
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(
        said.contains("without an allow rule only this machine"),
        "{said}"
    );
    assert!(
        said.contains("here the server would not start: listener") && said.contains("a.pem"),
        "{said}"
    );
    let mut command = Command::new(SLUICE);
    command.args(["serve", "--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0"]);
    let process = Process::start(command);
    assert!(
        process.seen.contains("without an allow rule"),
        "{}",
        process.seen
    );
    let local = SocketAddr::from(([127, 0, 0, 1], process.icap.port()));
    let good = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x"));
    assert_eq!(Client::connect(local).ask(good).status, 204);
}

#[test]
fn options_promise_no_more_connections_than_the_limit_of_open_files_carries() {
    let mut command = Command::new("prlimit");
    command.args([
        "--nofile=256:256",
        SLUICE,
        "serve",
        "--listen",
        "127.0.0.1:0",
    ]);
    command.args(["--admin", "127.0.0.1:0"]);
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: no prlimit here");
        return;
    }
    let process = Process::start(command);
    assert!(
        process.seen.contains("lowers max-connections"),
        "{}",
        process.seen
    );
    let options = "OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\n\r\n";
    let mut first = Client::connect(process.icap);
    let reply = first.ask(options);
    let promised = reply
        .field("Max-Connections")
        .and_then(|text| text.parse::<usize>().ok());
    let promised = promised.expect("a number");
    assert!((2..=64).contains(&promised), "{promised}");
    let mut others: Vec<_> = (1..promised)
        .map(|_| Client::connect(process.icap))
        .collect();
    for client in others.iter_mut().chain([&mut first]) {
        assert_eq!(client.ask(options).status, 200, "each one finds room");
    }
    assert_eq!(Client::connect(process.icap).reply().status, 503);
}

#[test]
fn a_token_opens_the_admin_listener_and_its_record_is_verified_by_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = run(&["token", "ann", "--role", "operator"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let said = text(&made.stdout);
    let token = said
        .split_whitespace()
        .find(|word| word.starts_with("sluice_ann."))
        .expect("a token");
    let at = said
        .find("[[admin.tokens]]")
        .expect("what belongs into the configuration");
    let ledger = folder.path().join("admin.jsonl");
    let config = folder.path().join("sluice.toml");
    let toml = format!("[admin]\naudit-log = {ledger:?}\n{}", &said[at..]);
    std::fs::write(&config, toml).expect("a file");
    let mut process = Process::serve(Some(&config));
    let mut stream = TcpStream::connect(process.admin()).expect("it accepts");
    write!(
        stream,
        "POST /v1/rules/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )
    .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let path = ledger.to_str().expect("text");
    let checked = run(&["audit", path]);
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    let record = std::fs::read_to_string(&ledger).expect("a record");
    assert!(record.contains("\"who\":\"ann\"") && !record.contains(token));
    std::fs::write(&ledger, record.replacen("\"ann\"", "\"bob\"", 1)).expect("a file");
    let checked = run(&["audit", path]);
    assert!(!checked.status.success(), "{}", text(&checked.stdout));
}

#[test]
fn scan_says_what_it_found_by_its_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let (good, bad) = (
        folder.path().join("good.txt"),
        folder.path().join("bad.com"),
    );
    std::fs::write(&good, "hello").expect("a file");
    std::fs::write(&bad, eicar()).expect("a file");
    let (good, bad) = (good.to_str().expect("text"), bad.to_str().expect("text"));
    assert_eq!(run(&["scan", good]).status.code(), Some(0));
    let found = run(&["scan", good, bad]);
    assert_eq!(found.status.code(), Some(1));
    assert!(
        text(&found.stdout).contains("block (malware)"),
        "{}",
        text(&found.stdout)
    );
    let found = run(&[
        "scan",
        "--json",
        "--as",
        "request",
        "--content-type",
        "text/plain",
        bad,
    ]);
    let line: serde_json::Value = serde_json::from_slice(&found.stdout).expect("JSON");
    assert_eq!(line["findings"][0]["category"], "malware");
    let missing = run(&["scan", "/nonexistent/file"]);
    assert_eq!(missing.status.code(), Some(2));
    let said = text(&missing.stderr);
    assert!(
        said.lines().count() == 1 && said.contains("/nonexistent/file"),
        "{said}"
    );
    assert_eq!(run(&["scan"]).status.code(), Some(2));
}

#[test]
fn scan_explains_values_chains_tokens_and_scores() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let file = folder.path().join("order.json");
    let body =
        br#"{"note":"plain","q":"%27%20OR%20%271%27=%271","id":"1 or 2","x":{"__proto__":1}}"#;
    std::fs::write(&file, body).expect("the file is written");
    let path = file.to_str().expect("a path in UTF-8");
    let typed = ["--as", "request", "--content-type", "application/json"];
    let readable = text(&run(&[&["scan", path, "--explain"][..], &typed].concat()).stdout);
    for part in [
        "value $.q (JsonString",
        "as percent: \"' OR '1'='1\"",
        "over the threshold",
        "tokens: ",
        "prototype-pollution/key",
        "reads \"__proto__\"",
    ] {
        assert!(readable.contains(part), "{part} in {readable}");
    }
    let output = run(&[&["scan", path, "--explain", "--json"][..], &typed].concat());
    let object: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("one JSON object");
    let values = object["explanation"]["values"].as_array().expect("values");
    let query = values
        .iter()
        .find(|value| value["path"] == "$.q")
        .expect("the value with signs");
    let forms = query["forms"].as_array().expect("forms");
    let decoded = forms
        .iter()
        .find(|form| form["chain"] == serde_json::json!(["percent"]))
        .expect("the decoded form");
    let classes = decoded["classes"].as_array().expect("classes");
    let sqli = classes
        .iter()
        .find(|class| class["class"] == "sqli")
        .expect("a sign of SQL");
    assert!(sqli["score"].as_u64() >= Some(60));
    assert!(sqli["tokens"][0]["kind"].is_string());
    // Without the option nothing of the payload is printed.
    let quiet = text(&run(&[&["scan", path][..], &typed].concat()).stdout);
    assert!(!quiet.contains("OR '1'"), "{quiet}");
}

#[test]
fn check_names_line_and_column_of_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sluice.toml");
    for (file, place, hint) in [
        (
            "[server]\nmax-conections = 7\n",
            ":2:1: ",
            "did you mean \"max-connections\"",
        ),
        ("[sever]\n", ":1:2: ", "did you mean \"server\""),
        (
            "[server]\nmax-connections = \"many\"\n",
            ":2:19: ",
            "invalid type",
        ),
        (
            "[server]\nmax-connections = -1\n",
            ":2:19: ",
            "invalid value",
        ),
        (
            "[server]\nlisten = [\"here\"]\n",
            ":2:11: ",
            "invalid socket address",
        ),
        ("[log]\nlevel = \"loud\"\n", ":2:9: ", "loud"),
        (
            "[log]\nformat = \"jsn\"\n",
            ":2:10: ",
            "did you mean \"json\"",
        ),
        ("[timeouts]\nidle-seconds = 3\n", ":2:1: ", "idle-seconds"),
        ("not toml", ":1:5: ", ""),
        (
            "[profiles.request.classes.sqlli]\naction = \"off\"\n",
            ":1:",
            "did you mean \"sqli\"",
        ),
        (
            "[profiles.request.fail-modes]\ntruncatedbody = \"open\"\n",
            ": ",
            "did you mean \"truncated-body\"",
        ),
        (
            "[[services]]\npath = \"/a\"\nrequest-profile = \"reqest\"\n",
            ":3:19: ",
            "did you mean \"request\"",
        ),
        (
            "[[services]]\npath = \"a\"\nrequest-profile = \"request\"\n",
            ": ",
            "begin with /",
        ),
        (
            "[[services]]\npath = \"/a\"\naliases = [\"/a\"]\nrequest-profile = \"request\"\n",
            ": ",
            "two services",
        ),
        (
            "[block-page]\nhtml = \"/nonexistent\"\n",
            ": ",
            "cannot read the block page",
        ),
    ] {
        std::fs::write(&path, file).expect("a file");
        let checked = run(&["check", "--config", path.to_str().expect("text")]);
        let said = text(&checked.stderr);
        assert_eq!(checked.status.code(), Some(2), "{file}");
        assert!(
            said.contains(&format!("sluice.toml{place}")) && said.contains(hint),
            "{file}\n{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let good = run(&["check"]);
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert!(text(&good.stdout).contains("/reqmod"));
}

#[test]
fn the_environment_overrides_each_key_and_its_mistakes_are_named() {
    let check = |name: &str, value: &str| {
        Command::new(SLUICE)
            .arg("check")
            .env(name, value)
            .output()
            .expect("it runs")
    };
    for (name, value) in [
        ("SLUICE__SERVER__MAX_CONNECTIONS", "5"),
        ("SLUICE__SERVER__LISTEN", "[\"127.0.0.1:9\"]"),
        ("SLUICE__PROFILES__REQUEST__MODE", "observe"),
        (
            "SLUICE__PROFILES__REQUEST__CLASSES__SQLI__ACTION",
            "observe",
        ),
        ("SLUICE__SERVICES__0__PATH", "/mine"),
        ("SLUICE__VERDICT_HEADERS__VIRUS_ID", "X-Virus-Name"),
    ] {
        let checked = check(name, value);
        assert_eq!(
            checked.status.code(),
            Some(0),
            "{name} {}",
            text(&checked.stderr)
        );
    }
    let mine = check("SLUICE__SERVICES__0__PATH", "/mine");
    assert!(text(&mine.stdout).contains("/mine"));
    for (name, value, hint) in [
        (
            "SLUICE__SERVER__MAX_CONECTIONS",
            "5",
            "did you mean \"max-connections\"",
        ),
        ("SLUICE__SERVER__MAX_CONNECTIONS", "many", "invalid type"),
        ("SLUICE__SERVICES__99__PATH", "/x", "does not name a key"),
    ] {
        let checked = check(name, value);
        let said = text(&checked.stderr);
        assert_eq!(checked.status.code(), Some(2), "{name}");
        assert!(said.contains(name) && said.contains(hint), "{said}");
    }
}

#[test]
fn help_teaches() {
    for (arguments, word) in [
        (&["--help"][..], "icap://127.0.0.1:1344/reqmod"),
        (&["serve", "--help"], "SIGHUP"),
        (&["scan", "--help"], "Exit code"),
        (&["check", "--help"], "column"),
    ] {
        let help = run(arguments);
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).contains(word), "{arguments:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_a_command_without_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.txt");
    std::fs::write(&file, "harmless").expect("written");
    let mut command = Command::new(SLUICE);
    command.arg("scan").args(std::iter::repeat_n(&file, 5000));
    let pipes = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().expect("it starts");
    let mut first = [0];
    let mut out = child.stdout.take().expect("piped");
    out.read_exact(&mut first).expect("a byte");
    drop(out);
    let output = child.wait_with_output().expect("it ends");
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
