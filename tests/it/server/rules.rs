//! The life of an update against a running server: store, signatures, refusals, observe mode, watch, in-flight
//! transactions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::Engine as _;
use serde_json::Value;
use sluice::rules::{pack, signature};
use sluice::server::admin::token;

use super::harness::{Client, POST, Running, reqmod};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// A folder for packs, keys, store and imports, and who may use the server.
pub(super) struct Desk {
    folder: tempfile::TempDir,
    public: String,
    secret: String,
    /// Header lines of an admin's requests.
    pub(super) lines: String,
    token: String,
}

impl Desk {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (public, secret) = signature::new_keys().expect("keys");
        let (text, hash) = token::make("chief").expect("a token");
        fs::write(folder.path().join("rules.pub"), &public).expect("written");
        let imports = folder.path().join("imports");
        made(&imports);
        Self {
            folder,
            public: public.lines().last().expect("a key").to_owned(),
            secret,
            lines: format!("Host: localhost\r\nAuthorization: Bearer {text}\r\n"),
            token: format!(
                "[admin]\n[[admin.tokens]]\nname = \"chief\"\nrole = \"admin\"\nhash = \"{hash}\"\n"
            ),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> PathBuf {
        self.path("store")
    }

    pub(super) fn config(&self, more: &str) -> String {
        format!(
            "{}[rules]\nstore = {:?}\nimports = {:?}\ntrusted-keys = [{:?}]\n{more}",
            self.token,
            self.store().display().to_string(),
            self.path("imports").display().to_string(),
            self.public
        )
    }

    fn start(&self) -> Running {
        Running::start(&self.config(""))
    }

    pub(super) fn signed(&self, pack: &[u8]) -> String {
        signature::sign(pack, &self.secret, None).expect("signs")
    }

    fn post(&self, server: &Running, what: &str, body: &[u8], signature: &str) -> (u16, String) {
        let text = base64::engine::general_purpose::STANDARD.encode(signature);
        let sign = match signature.is_empty() {
            true => String::new(),
            false => format!("X-Minisign: {text}\r\n"),
        };
        server.call(
            &format!("POST {what}"),
            &format!("{}{sign}", self.lines),
            body,
        )
    }

    /// Updates with a signed pack.
    pub(super) fn update(&self, server: &Running, pack: &[u8]) -> (u16, String) {
        self.post(server, "/v1/rules/update", pack, &self.signed(pack))
    }

    fn get(&self, server: &Running, path: &str) -> Value {
        let answer = server.call(&format!("GET {path}"), &self.lines, b"");
        assert_eq!(answer.0, 200, "{answer:?}");
        serde_json::from_str(&answer.1).expect("JSON")
    }
}

fn made(folder: &Path) {
    fs::create_dir_all(folder).expect("made");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("mode");
}

fn file(path: &Path, text: &str) {
    made(path.parent().expect("a folder"));
    fs::write(path, text).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).expect("mode");
}

/// A rule for the marker of a version, with its examples.
fn rule(marker: &str) -> String {
    format!(
        "[[rule]]\nid = \"feed/marker\"\ncategory = \"malware\"\nseverity = \"high\"\ndescription = \"a marker\"\n\
         text = \"{marker}\"\nmatch = [\"a {marker} b\"]\nclean = [\"nothing\"]\n"
    )
}

/// A folder of the bundle `feed`.
fn bundle(folder: &Path, version: &str, more: &str) {
    made(folder);
    let manifest = format!("name = \"feed\"\nversion = \"{version}\"\n{more}");
    file(&folder.join("bundle.toml"), &manifest);
    file(&folder.join("literal/feed.toml"), &rule(&marker(version)));
}

pub(super) fn marker(version: &str) -> String {
    format!("marker-of-{}", version.replace('.', "-"))
}

pub(super) fn packed(version: &str, more: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("feed");
    bundle(&root, version, more);
    pack::write(&root).expect("packs")
}

fn sends(server: &Running, text: &str) -> super::harness::Reply {
    let mut client = Client::connect(server.icap());
    client.ask(reqmod(
        "/reqmod",
        "Allow: 204\r\n",
        POST,
        Some(text.as_bytes()),
    ))
}

pub(super) fn blocks(server: &Running, version: &str) -> bool {
    sends(server, &format!("a {} b", marker(version))).is_block()
}

pub(super) fn istag(server: &Running) -> String {
    let reply = sends(server, "harmless");
    reply.field("ISTag").expect("a tag").to_owned()
}

fn cli(arguments: &[&str]) -> Output {
    Command::new(SLUICE)
        .args(arguments)
        .output()
        .expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn an_update_comes_in_goes_back_and_survives_a_restart_with_the_same_tag_everywhere() {
    let desk = Desk::new();
    let server = desk.start();
    let empty = istag(&server);
    let mut tags = Vec::new();
    for version in ["1.0", "1.1", "1.2", "1.10"] {
        let answer = desk.update(&server, &packed(version, ""));
        assert_eq!(answer.0, 200, "{answer:?}");
        assert!(blocks(&server, version));
        tags.push(istag(&server));
    }
    assert!(!blocks(&server, "1.2"), "the version before is out");
    let bundles = desk.get(&server, "/v1/rules/bundles");
    assert_eq!(
        bundles["store"].as_array().map(Vec::len),
        Some(3),
        "three are kept"
    );
    assert_eq!(bundles["store"][0]["version"], "1.10");
    for (back, version) in [(2, "1.2"), (1, "1.1")] {
        assert_eq!(desk.post(&server, "/v1/rules/rollback", b"", "").0, 200);
        assert!(blocks(&server, version));
        assert_eq!(
            istag(&server),
            tags[back],
            "the tag of the same set is the same"
        );
    }
    assert_eq!(desk.post(&server, "/v1/rules/rollback", b"", "").0, 422);
    drop(server);
    let again = desk.start();
    assert!(blocks(&again, "1.1"));
    assert_eq!(istag(&again), tags[1]);
    // Another node with the same pack and policy.
    let other = Desk::new();
    let node = other.start();
    assert_eq!(istag(&node), empty);
    assert_eq!(other.update(&node, &packed("1.1", "")).0, 200);
    assert_eq!(istag(&node), tags[1]);
}

/// What is wrong with an update, how it is made, and a word of the message that says what to do.
type Case = (&'static str, Vec<u8>, Option<String>, &'static str);

fn bad_packs(desk: &Desk) -> Vec<Case> {
    let good = packed("3.0", "");
    let signed = |pack: Vec<u8>| {
        let signature = desk.signed(&pack);
        (pack, Some(signature))
    };
    let (_, other_secret) = signature::new_keys().expect("keys");
    let foreign = signature::sign(&good, &other_secret, None).expect("signs");
    let of_folder = |change: &dyn Fn(&Path)| {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().join("feed");
        bundle(&root, "3.0", "");
        change(&root);
        pack::write(&root).expect("packs")
    };
    let mut cases: Vec<Case> = vec![
        ("unsigned", good.clone(), None, "trusted key"),
        (
            "signed by another",
            good.clone(),
            Some(foreign),
            "another key made it",
        ),
        (
            "changed after signing",
            [&good[..good.len() - 1], b"x"].concat(),
            Some(desk.signed(&good)),
            "the pack was changed",
        ),
        (
            "not a signature",
            good.clone(),
            Some("nonsense".into()),
            "four lines",
        ),
    ];
    let mut add = |what, pack, word| {
        let (pack, signature) = signed(pack);
        cases.push((what, pack, signature, word));
    };
    add("empty", b"\0".to_vec(), "damaged");
    add("malformed", b"nonsense".to_vec(), "damaged");
    add("truncated", good[..good.len() / 2].to_vec(), "damaged");
    add("older", packed("1.9", ""), "allow downgrades");
    add("the same version", packed("2.0", ""), "allow downgrades");
    add(
        "expired",
        packed("3.0", "expires = \"2020-01-01T00:00:00Z\"\n"),
        "get a newer bundle",
    );
    add(
        "for a newer program",
        packed("3.0", "minimum-sluice = \"99.0\"\n"),
        "needs sluice 99.0",
    );
    add(
        "example that fails",
        of_folder(&|root| {
            file(
                &root.join("literal/feed.toml"),
                &rule("new").replace("a new b", "old"),
            )
        }),
        "mend the rule or the example",
    );
    add(
        "rule that does not compile",
        of_folder(&|root| file(&root.join("yara/x.yar"), "rule x { condition: nothing }")),
        "x.yar:1",
    );
    add(
        "id of another bundle",
        of_folder(&|root| {
            file(
                &root.join("literal/feed.toml"),
                &rule("new").replace("feed/marker", "malware/eicar"),
            )
        }),
        "rename one",
    );
    add(
        "no rules",
        {
            let folder = tempfile::tempdir().expect("a folder");
            let root = folder.path().join("feed");
            file(
                &root.join("bundle.toml"),
                "name = \"feed\"\nversion = \"3.0\"\n",
            );
            file(&root.join("examples/none.toml"), "");
            pack::write(&root).expect("packs")
        },
        "holds no rule files",
    );
    add(
        "another bundle",
        {
            let folder = tempfile::tempdir().expect("a folder");
            let root = folder.path().join("feed");
            bundle(&root, "3.0", "");
            file(
                &root.join("bundle.toml"),
                "name = \"other\"\nversion = \"3.0\"\n",
            );
            pack::write(&root).expect("packs")
        },
        "is in force",
    );
    add(
        "path that goes up",
        archive("../../etc/evil.toml", b'0'),
        "goes up",
    );
    add("absolute path", archive("/etc/evil.toml", b'0'), "absolute");
    add(
        "symbolic link",
        archive("literal/a.toml", b'2'),
        "not a regular file",
    );
    add(
        "hard link",
        archive("literal/a.toml", b'1'),
        "not a regular file",
    );
    add(
        "device",
        archive("literal/a.toml", b'3'),
        "not a regular file",
    );
    add(
        "file missing from the manifest",
        archive("literal/a.toml", b'0'),
        "sluice rules pack",
    );
    add("oversized", bomb(), "over the limit");
    cases
}

/// A pack of one entry of that name and kind, whatever they are.
fn archive(path: &str, kind: u8) -> Vec<u8> {
    let mut header = [0u8; 512];
    header[..path.len()].copy_from_slice(path.as_bytes());
    for (at, text) in [
        (100, "0000644\0"),
        (108, "0000000\0"),
        (116, "0000000\0"),
        (124, "00000000000\0"),
        (136, "00000000000\0"),
        (148, "        "),
        (257, "ustar\x0000"),
    ] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    header[156] = kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = header.to_vec();
    tar.extend_from_slice(&[0; 1024]);
    zstd::encode_all(tar.as_slice(), 1).expect("compresses")
}

/// A few KiB that unpack to more than a pack may hold.
fn bomb() -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("an encoder");
    let zeros = vec![0; 1 << 20];
    for _ in 0..513 {
        std::io::Write::write_all(&mut encoder, &zeros).expect("compresses");
    }
    encoder.finish().expect("compresses")
}

#[test]
fn every_bad_update_is_refused_by_the_api_and_by_the_command_line_and_changes_nothing() {
    let desk = Desk::new();
    let server = desk.start();
    assert_eq!(desk.update(&server, &packed("2.0", "")).0, 200);
    let (tag, files) = (istag(&server), listing(&desk.store()));
    let mut refused = 0.0;
    for (what, pack, signature, word) in bad_packs(&desk) {
        let answer = desk.post(
            &server,
            "/v1/rules/update",
            &pack,
            signature.as_deref().unwrap_or_default(),
        );
        assert_eq!(answer.0, 422, "{what}: {answer:?}");
        let problem: Value = serde_json::from_str(&answer.1).expect("JSON");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains(word), "{what}: {detail}");
        refused += 1.0;
        let ready = server.admin("/readyz?verbose");
        assert_eq!(ready.0, 200);
        assert!(
            ready.1.contains("[!]rules: the update was refused"),
            "{what}: {}",
            ready.1
        );
        assert_eq!(istag(&server), tag, "{what}");
        assert_eq!(listing(&desk.store()), files, "{what}");

        let path = desk.path("bad.tar.zst");
        fs::write(&path, &pack).expect("written");
        let beside = desk.path("bad.tar.zst.minisig");
        let _ = fs::remove_file(&beside);
        if let Some(signature) = &signature {
            fs::write(&beside, signature).expect("written");
        }
        // By itself the pack clashes with no other bundle.
        if what != "id of another bundle" {
            let store = desk.store().display().to_string();
            let key = desk.path("rules.pub").display().to_string();
            let path = path.display().to_string();
            let output = cli(&["rules", "update", "--store", &store, "--key", &key, &path]);
            assert_eq!(output.status.code(), Some(2), "{what}: {}", said(&output));
            let missing = signature.is_none() && said(&output).contains(".minisig");
            assert!(
                missing || said(&output).contains(word),
                "{what}: {}",
                said(&output)
            );
            assert_eq!(listing(&desk.store()), files, "{what}");
        }
    }
    assert!(blocks(&server, "2.0"));
    assert_eq!(
        metric(&desk, &server, "sluice_reload_total{result=\"refused\"}"),
        refused
    );
    // Told so, the old and the expired come in.
    let leave = "/v1/rules/update?allow-downgrade=true&allow-expired=true";
    let old = packed("1.0", "expires = \"2020-01-01T00:00:00Z\"\n");
    assert_eq!(desk.post(&server, leave, &old, &desk.signed(&old)).0, 200);
    assert!(blocks(&server, "1.0") && !blocks(&server, "2.0"));
    assert!(server.admin("/readyz?verbose").1.contains("[+]rules"));
}

fn metric(desk: &Desk, server: &Running, name: &str) -> f64 {
    let text = server.call("GET /metrics", &desk.lines, b"").1;
    text.lines()
        .filter(|line| line.starts_with(name))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn listing(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let entry = entry.expect("an entry");
            (
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path()).expect("bytes"),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_transaction_in_flight_finishes_on_the_set_it_began_with() {
    let desk = Desk::new();
    let server = desk.start();
    assert_eq!(desk.update(&server, &packed("1.0", "")).0, 200);
    let (old, new) = (marker("1.0"), marker("1.1"));
    let begun = |text: &str| {
        let mut client = Client::connect(server.icap());
        let mut request = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b""));
        request.truncate(request.len() - b"0\r\n\r\n".len());
        request.extend_from_slice(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
        client.send(&request);
        client
    };
    // Half of each marker is sent before the set changes.
    let (mut with_old, mut with_new) = (begun(&old[..6]), begun(&new[..6]));
    while server
        .call("GET /metrics", &desk.lines, b"")
        .1
        .lines()
        .all(|line| line != "sluice_inflight 2")
    {
        std::thread::yield_now();
    }
    assert_eq!(desk.update(&server, &packed("1.1", "")).0, 200);
    assert!(blocks(&server, "1.1") && !blocks(&server, "1.0"));
    for (client, text, blocked) in [(&mut with_old, &old, true), (&mut with_new, &new, false)] {
        let rest = &text[6..];
        let reply = client.ask(format!("{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len()));
        assert_eq!(reply.is_block(), blocked, "{text}");
    }
}

#[test]
fn a_bundle_is_observed_first_and_then_promoted() {
    let desk = Desk::new();
    let server = desk.start();
    let before = istag(&server);
    assert_eq!(
        desk.update(&server, &packed("1.0", "mode = \"observe\"\n"))
            .0,
        200
    );
    let on_trial = istag(&server);
    assert_ne!(before, on_trial);
    assert!(!blocks(&server, "1.0"));
    let observed =
        "sluice_findings_total{rule=\"feed/marker\",severity=\"high\",action=\"observe\"}";
    while metric(&desk, &server, observed) < 1.0 {
        std::thread::yield_now();
    }
    let listed = desk.get(&server, "/v1/rules?bundle=feed");
    assert_eq!(listed["rules"][0]["mode"], "observe");
    assert_eq!(listed["rules"][0]["hits"], 1);
    let set = |body: &str| {
        let lines = format!("{}Content-Type: application/json\r\n", desk.lines);
        server.call("POST /v1/rules/mode", &lines, body.as_bytes())
    };
    let answer = set("{\"bundle\":\"feed\",\"mode\":\"enforce\"}");
    assert_eq!(answer.0, 200, "{answer:?}");
    assert!(answer.1.contains("in-store"));
    assert!(blocks(&server, "1.0"));
    let promoted = istag(&server);
    assert_ne!(promoted, on_trial);
    // By rule and by category as well; each word changes the tag, and taking it back changes it back.
    for (word, back) in [
        (
            "{\"rule\":\"feed/marker\",\"mode\":\"observe\"}",
            "{\"rule\":\"feed/marker\",\"mode\":\"default\"}",
        ),
        (
            "{\"category\":\"malware\",\"mode\":\"observe\"}",
            "{\"category\":\"malware\",\"mode\":\"default\"}",
        ),
    ] {
        assert_eq!(set(word).0, 200);
        assert!(!blocks(&server, "1.0"), "{word}");
        assert_ne!(istag(&server), promoted);
        assert_eq!(set(back).0, 200);
        assert!(blocks(&server, "1.0"));
        assert_eq!(istag(&server), promoted);
    }
    // What is so already is no change.
    for word in [
        "{\"bundle\":\"feed\",\"mode\":\"enforce\"}",
        "{\"rule\":\"feed/marker\",\"mode\":\"enforce\"}",
        "{\"rule\":\"feed/marker\",\"mode\":\"default\"}",
        "{\"category\":\"malware\",\"mode\":\"enforce\"}",
        "{\"category\":\"malware\",\"mode\":\"default\"}",
    ] {
        assert_eq!(set(word).0, 200);
        assert_eq!(istag(&server), promoted, "{word}");
    }
    for bad in [
        "{}",
        "{\"rule\":\"a b\",\"mode\":\"observe\"}",
        "{\"bundle\":\"none\",\"mode\":\"observe\"}",
    ] {
        assert_eq!(set(bad).0, 422, "{bad}");
    }
    drop(server);
    // The word outlives a restart; another node that has it in its configuration has the same tag.
    assert_eq!(istag(&desk.start()), promoted);
    let other = Desk::new();
    let node = Running::start(&other.config("[rules.modes.bundles]\nfeed = \"enforce\"\n"));
    assert_eq!(
        other
            .update(&node, &packed("1.0", "mode = \"observe\"\n"))
            .0,
        200
    );
    assert_eq!(istag(&node), promoted);
}

#[test]
fn a_watched_folder_comes_in_by_itself_and_a_broken_one_does_not() {
    let desk = Desk::new();
    let folder = desk.path("own");
    bundle(&folder, "1.0", "");
    let more = format!(
        "watch = true\nbundles = [{:?}]\n",
        folder.display().to_string()
    );
    let server = Running::start(&desk.config(&more));
    assert!(blocks(&server, "1.0"));
    let tag = istag(&server);
    let amber = || {
        server
            .admin("/readyz?verbose")
            .1
            .contains("[!]rules: the reload was refused")
    };
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !done() {
            assert!(std::time::Instant::now() < end, "{what}");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    };
    file(&folder.join("literal/feed.toml"), "[[rule]]\nid = ");
    until("refused", &amber);
    assert!(blocks(&server, "1.0"), "the old set is in force");
    assert_eq!(istag(&server), tag);
    bundle(&folder, "0.9", "");
    until("an older version is refused", &|| {
        server
            .admin("/readyz?verbose")
            .1
            .contains("allow-downgrade")
    });
    bundle(&folder, "1.1", "expires = \"2020-01-01T00:00:00Z\"\n");
    until("an expired one is refused", &|| {
        server.admin("/readyz?verbose").1.contains("allow-expired")
    });
    assert_eq!(istag(&server), tag);
    bundle(&folder, "1.1", "");
    until("taken", &|| blocks(&server, "1.1"));
    assert!(!amber());
}

#[test]
fn lists_are_imported_into_force_and_a_bad_one_leaves_nothing() {
    let desk = Desk::new();
    let server = desk.start();
    let tag = istag(&server);
    let body = b"a harmless body that a list says is bad";
    let digest = {
        use sha2::Digest as _;
        let digest = sha2::Sha256::digest(body);
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let stix = format!(
        "{{\"type\":\"bundle\",\"objects\":[{{\"type\":\"indicator\",\"pattern\":\"[file:hashes.'SHA-256' = '{digest}']\"}}]}}"
    );
    let misp =
        format!("{{\"Event\":{{\"Attribute\":[{{\"type\":\"sha256\",\"value\":\"{digest}\"}}]}}}}");
    let hsb = format!("{digest}:{}:Bad.Thing:73\n", body.len());
    for (what, list) in [("stix", &stix), ("misp", &misp), ("hashes", &hsb)] {
        let answer = desk.post(
            &server,
            &format!("/v1/rules/import?name=feed&format={what}"),
            list.as_bytes(),
            "",
        );
        assert_eq!(answer.0, 200, "{what}: {answer:?}");
        assert!(
            sends(&server, std::str::from_utf8(body).expect("text")).is_block(),
            "{what}"
        );
        let lines = desk.post(
            &server,
            "/v1/rules/import?name=feed&format=lines",
            b"bad-host.example\n",
            "",
        );
        assert_eq!(lines.0, 200, "{lines:?}");
        assert!(
            !sends(&server, std::str::from_utf8(body).expect("text")).is_block(),
            "replaced"
        );
        assert_eq!(
            sends(&server, "see bad-host.example").status,
            204,
            "observed first"
        );
    }
    let in_force = istag(&server);
    assert_ne!(in_force, tag);
    for (what, list) in [
        ("name=../../x", "abcdef"),
        ("name=feed&format=hashes", "no digest"),
        ("name=feed&format=stix", "{"),
    ] {
        assert_eq!(
            desk.post(
                &server,
                &format!("/v1/rules/import?{what}"),
                list.as_bytes(),
                ""
            )
            .0,
            422,
            "{what}"
        );
        assert_eq!(istag(&server), in_force);
    }
}

#[test]
fn check_test_and_verify_change_nothing() {
    let desk = Desk::new();
    let server = desk.start();
    let (good, tag) = (packed("1.0", ""), istag(&server));
    let seen = desk.post(&server, "/v1/rules/check", &good, "");
    assert_eq!(seen.0, 200, "{seen:?}");
    let seen: Value = serde_json::from_str(&seen.1).expect("JSON");
    assert_eq!(seen["bundles"][1]["name"], "feed");
    let junit = desk.post(&server, "/v1/rules/test?format=junit", &good, "");
    assert!(
        junit.0 == 200 && junit.1.contains("failures=\"0\""),
        "{junit:?}"
    );
    let verified = desk.post(&server, "/v1/rules/verify", &good, &desk.signed(&good));
    assert!(
        verified.0 == 200 && verified.1.contains("feed"),
        "{verified:?}"
    );
    assert_eq!(
        desk.post(&server, "/v1/rules/verify", &good, &desk.signed(b"other"))
            .0,
        422
    );
    assert_eq!(istag(&server), tag);
    assert!(server.admin("/readyz?verbose").1.contains("[+]rules"));
}

#[test]
fn a_store_that_a_kill_left_half_written_is_whole() {
    let desk = Desk::new();
    let pack = packed("1.0", "");
    {
        let server = desk.start();
        assert_eq!(desk.update(&server, &pack).0, 200);
    }
    // What a kill can leave: files that were being written, and a pack that nothing names yet.
    for name in [
        "state.toml.new",
        "0123.tar.zst",
        "0123.tar.zst.new",
        "modes.toml.new",
    ] {
        fs::write(desk.store().join(name), &pack[..pack.len() / 3]).expect("written");
    }
    let server = desk.start();
    assert!(blocks(&server, "1.0"));
    assert_eq!(desk.update(&server, &packed("1.1", "")).0, 200);
    assert!(blocks(&server, "1.1"));
    let packs = listing(&desk.store())
        .into_iter()
        .filter(|(name, _)| name.contains(".tar.zst"))
        .count();
    assert_eq!(packs, 2, "what nothing names is gone");
}
