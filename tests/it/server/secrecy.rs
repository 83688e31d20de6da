//! What the program leaves behind after a run over labelled values: none of them, in no log, record, metric, span or file.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::harness::{Client, chunked};
use super::traces::collector;
use crate::redactor::documents::{FORMATS, document};

/// The program, with all that it writes in one folder.
struct Watched {
    child: Child,
    folder: PathBuf,
    icap: SocketAddr,
    admin: SocketAddr,
}

impl Watched {
    /// Sends its spans to that port.
    fn start(collector: u16) -> Self {
        let name = format!("sluice-secrecy-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let spool = folder.join("spool");
        fs::create_dir_all(&spool).expect("a folder");
        let config = folder.join("sluice.toml");
        let (spool, audit) = (spool.display(), folder.join("audit"));
        let toml = format!(
            "[log]\nformat = \"json\"\nlevel = \"trace\"\n[audit]\nto = {audit:?}\n[timeouts]\nscan-ms = 600000\n\
             [spool]\nmemory-kib = 0\ndirectory = \"{spool}\"\n\
             [traces]\nendpoint = \"http://127.0.0.1:{collector}/v1/traces\"\npercent = 100\n"
        );
        fs::write(&config, toml).expect("a file");
        let file = |name: &str| Stdio::from(File::create(folder.join(name)).expect("a file"));
        let child = Command::new(env!("CARGO_BIN_EXE_sluice"))
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .arg(format!("--config={}", config.display()))
            .stdout(file("stdout"))
            .stderr(file("stderr"))
            .env("RUST_BACKTRACE", "full")
            .spawn()
            .expect("it starts");
        let icap = address(&folder, "listening for ICAP");
        let admin = address(&folder, "listening for admin");
        Self {
            child,
            folder,
            icap,
            admin,
        }
    }

    fn spooled(&self) -> usize {
        let spool = fs::read_dir(self.folder.join("spool"));
        spool.expect("a folder").count()
    }

    /// All that was written, by file.
    fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = ["stdout", "stderr", "audit"].map(|name| self.folder.join(name));
        let read = |path: PathBuf| {
            let bytes = fs::read(&path).expect("a file");
            (path, bytes)
        };
        files.into_iter().map(read).collect()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The address that a line of the log tells.
fn address(folder: &Path, message: &str) -> SocketAddr {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let text = fs::read_to_string(folder.join("stderr")).unwrap_or_default();
        let told = text.lines().find(|line| line.contains(message));
        let told = told.and_then(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        if let Some(told) = told {
            return told["sluice.address"]
                .as_str()
                .expect("an address")
                .parse()
                .expect("an address");
        }
        assert!(Instant::now() < end, "it does not start:\n{text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A body, and what in it must not be seen anywhere.
struct Labelled {
    content_type: String,
    body: Vec<u8>,
    secrets: Vec<Vec<u8>>,
}

/// The seeded documents, and the shared set where that is here.
fn labelled() -> Vec<Labelled> {
    let mut list = Vec::new();
    for content_type in FORMATS {
        for seed in 1000..1004 {
            let document = document(content_type, seed);
            let secrets = document
                .values
                .iter()
                .map(|value| value.secret.as_bytes().to_vec());
            list.push(Labelled {
                content_type: content_type.to_owned(),
                secrets: secrets.collect(),
                body: document.body.into_bytes(),
            });
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/redaction/dev.jsonl");
    match fs::read_to_string(file) {
        Ok(text) => list.extend(text.lines().map(of_set)),
        Err(_) => println!("skipped in part: ../shared/redaction/dev.jsonl is not here"),
    }
    for labelled in &mut list {
        // Three digits are everywhere.
        labelled.secrets.retain(|secret| secret.len() >= 6);
    }
    list
}

fn of_set(line: &str) -> Labelled {
    let json: serde_json::Value = serde_json::from_str(line).expect("a JSON line");
    let body = STANDARD
        .decode(json["body_base64"].as_str().expect("a body"))
        .expect("base64");
    let offset = |value: &serde_json::Value| value.as_u64().expect("an offset") as usize;
    let spans = json["spans"].as_array().expect("spans").iter();
    Labelled {
        content_type: json["content_type"].as_str().expect("a type").to_owned(),
        secrets: spans
            .map(|span| body[offset(&span["start"])..offset(&span["end"])].to_vec())
            .collect(),
        body,
    }
}

/// The body as an answer to a request whose target, field and cookie hold a value too.
fn respmod(labelled: &Labelled) -> Vec<u8> {
    let secret = labelled.secrets.iter().find(|secret| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.@_".contains(byte);
        secret.iter().all(plain)
    });
    let secret = secret.map_or("none".into(), |secret| String::from_utf8_lossy(secret));
    let request = format!(
        "POST /login?password={secret} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {secret}\r\nCookie: s={secret}\r\n\r\n"
    );
    let response = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nSet-Cookie: token={secret}\r\n\r\n",
        labelled.content_type
    );
    let mut message = format!(
        "RESPMOD icap://h/redact ICAP/1.0\r\nHost: h\r\nEncapsulated: req-hdr=0, res-hdr={}, res-body={}\r\n\r\n{request}{response}",
        request.len(),
        request.len() + response.len()
    )
    .into_bytes();
    message.extend(chunked(&labelled.body));
    message
}

#[test]
fn no_labelled_value_is_found_in_anything_that_the_program_writes() {
    let (port, spans) = collector();
    let watched = Watched::start(port);
    let limits = fs::read_to_string(format!("/proc/{}/limits", watched.child.id()));
    let limits = limits.expect("a running process");
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<&str> = core.expect("a limit").split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");

    let documents = labelled();
    for labelled in &documents {
        let message = respmod(labelled);
        let mut client = Client::connect(watched.icap);
        // All but the end, so that the body is kept somewhere: in no file that has a name.
        let (most, rest) = message.split_at(message.len() - 5);
        client.send(most);
        assert_eq!(watched.spooled(), 0);
        let reply = client.ask(rest);
        assert!(matches!(reply.status, 200 | 204), "{}", reply.head);
    }
    let mut client = Client::connect(watched.admin);
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut metrics = Vec::new();
    let _ = std::io::Read::read_to_end(&mut client.stream, &mut metrics);
    let mut written = watched.written();
    written.push(("metrics".into(), metrics));
    let mut sent = Vec::new();
    while let Ok((_, request)) = spans.recv_timeout(QUIET_TIME) {
        sent.extend(request.to_string().into_bytes());
    }
    let told = memchr::memmem::find_iter(&sent, b"traceId").count();
    assert!(told >= documents.len(), "{told} spans");
    written.push(("spans".into(), sent));
    let secrets = documents.iter().flat_map(|labelled| &labelled.secrets);
    let secrets = aho_corasick::AhoCorasick::new(secrets).expect("some thousand values");
    for (path, bytes) in &written {
        assert!(
            !bytes.is_empty() || path.ends_with("stdout"),
            "{}",
            path.display()
        );
        // Not even the test tells what it found.
        let found = secrets.find_iter(bytes).next();
        let around = found.map(|found| (found.start(), found.len(), path.display().to_string()));
        assert_eq!(around, None, "a labelled value was written");
    }
}

/// After this the collector has all spans.
const QUIET_TIME: Duration = Duration::from_secs(8);

/// The program as a user that is not root, and who owns what of it only its owner may read.
fn owner_of_memory(dumps: &str) -> Option<(u32, u32)> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(folder.path(), open).expect("our folder");
    let config = folder.path().join("sluice.toml");
    let spool = folder.path();
    let toml = format!(
        "[log]\nformat = \"json\"\n[process]\ndumps = \"{dumps}\"\n[spool]\ndirectory = {spool:?}\n"
    );
    fs::write(&config, toml).expect("a file");
    let log = File::create(folder.path().join("stderr")).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .arg(format!("--config={}", config.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::from(log));
    if fs::metadata("/proc/self").expect("procfs").uid() == 0 {
        command.uid(NOBODY);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("skipped: another user cannot run the program: {error}");
            return None;
        }
    };
    address(folder.path(), "listening for ICAP");
    let owner = |name: &str| {
        let path = format!("/proc/{}/{name}", child.id());
        fs::metadata(path).expect("a running process").uid()
    };
    // proc_pid(5): files of a process that is not dumpable belong to root, the folder does not.
    let owners = (owner("environ"), owner(""));
    child.kill().expect("our child");
    child.wait().expect("our child");
    Some(owners)
}

#[test]
fn the_memory_of_the_process_is_shut_to_its_own_user() {
    if let Some((memory, user)) = owner_of_memory("off") {
        assert!(memory == 0 && user != 0, "{memory} {user}");
    }
    if let Some((memory, user)) = owner_of_memory("on") {
        assert_eq!(memory, user);
    }
}

/// The user that owns nothing, as most systems number it.
const NOBODY: u32 = 65534;
