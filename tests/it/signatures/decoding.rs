//! What is decoded before signatures look: each container, nested ones, the limits, and what contradicts itself.

use super::literals::{message, ruleset, watching};
use super::*;
use base64::Engine as _;
use sluice::scan::{Report, Ruleset};
use std::io::Write as _;
use std::sync::LazyLock;

static RULES: LazyLock<Arc<Ruleset>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("needle.toml");
    std::fs::write(
        &file,
        "[[rule]]\nid = \"t/needle\"\ntext = \"the needle in it\"\n",
    )
    .expect("written");
    ruleset(Bundle::load(&file).expect("loads"))
});

const TEXT: &[u8] = b"Somewhere in this text is the needle in it, and then some more.";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// A zip of stored members, which `change` may spoil: name, local header and data of each.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut central) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let mut crc = flate2::Crc::new();
        crc.update(data);
        let size = (data.len() as u32).to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let begin = (file.len() as u32).to_le_bytes();
        file.extend([b"PK\x03\x04", &common[..], name.as_bytes(), data].concat());
        central.extend(
            [
                b"PK\x01\x02\x14\0",
                &common[..],
                &[0; 10],
                &begin,
                name.as_bytes(),
            ]
            .concat(),
        );
    }
    let count = (members.len() as u16).to_le_bytes();
    let (size, begin) = (
        (central.len() as u32).to_le_bytes(),
        (file.len() as u32).to_le_bytes(),
    );
    [
        &file[..],
        &central,
        b"PK\x05\x06\0\0\0\0",
        &count,
        &count,
        &size,
        &begin,
        &[0, 0],
    ]
    .concat()
}

fn tar(name: &str, data: &[u8]) -> Vec<u8> {
    let mut head = vec![0u8; 512];
    head[..name.len()].copy_from_slice(name.as_bytes());
    head[100..108].copy_from_slice(b"0000644\0");
    head[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    head[148..156].copy_from_slice(b"        ");
    head[156] = b'0';
    head[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
    head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut out = [&head, data].concat();
    out.resize(out.len().next_multiple_of(512) + 1024, 0);
    out
}

fn post(kind: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\n\r\n")
}

fn scanned(kind: &str, body: &[u8]) -> Report {
    let whole = message(&RULES, watching(), &post(kind), (body, body.len()));
    for size in [1, 97] {
        let cut = message(&RULES, watching(), &post(kind), (body, size));
        assert_eq!(places(&cut), places(&whole), "pieces of {size}");
        assert_eq!(codes(&cut), codes(&whole), "pieces of {size}");
    }
    whole
}

/// Where the needle is.
fn places(report: &Report) -> Vec<String> {
    let found = report.findings.iter().map(|judged| &judged.fact);
    let needles = found.filter(|finding| finding.rule == "t/needle");
    let mut places: Vec<String> = needles
        .map(|finding| report.path_of(finding.part).to_owned())
        .collect();
    places.sort();
    places.dedup();
    places
}

fn codes(report: &Report) -> Vec<&'static str> {
    let mut codes: Vec<_> = report
        .anomalies
        .iter()
        .map(|judged| judged.fact.anomaly.code())
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

const BIN: &str = "application/octet-stream";
const JSON: &str = "application/json";

#[test]
fn the_needle_is_found_in_each_container_and_named_by_its_path() {
    let in_json = |value: &str| format!(r#"{{"file":{{"data":["x","{value}"]}}}}"#).into_bytes();
    let in_xml = |value: &str| format!("<r><f n=\"1\">{value}</f></r>").into_bytes();
    let docx = zip(&[
        ("[Content_Types].xml", b"<?xml version=\"1.0\"?><Types/>"),
        (
            "word/document.xml",
            b"<?xml version=\"1.0\"?><w>the needle in it</w>",
        ),
    ]);
    let percent: String = TEXT.iter().map(|byte| format!("%{byte:02X}")).collect();
    let quoted = "Somewhere the nee=\r\ndle=20in it";
    let mime = |coding: &str, body: &str| {
        format!(
            "--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: {coding}\r\n\r\n{body}\r\n--X--\r\n"
        )
        .into_bytes()
    };
    let multipart = "multipart/form-data; boundary=X";
    let table: Vec<(&str, &str, Vec<u8>, &str)> = vec![
        ("gzip", BIN, gzip(TEXT), "body/gzip"),
        ("docx", BIN, docx.clone(), "body/zip:word/document.xml"),
        (
            "jar",
            "application/java-archive",
            zip(&[("META-INF/MANIFEST.MF", b"x"), ("a/B.class", TEXT)]),
            "body/zip:a/B.class",
        ),
        ("tar", BIN, tar("dir/a.txt", TEXT), "body/tar:dir/a.txt"),
        (
            "tar.gz",
            BIN,
            gzip(&tar("dir/a.txt", TEXT)),
            "body/gzip/tar:dir/a.txt",
        ),
        (
            "zip in zip",
            BIN,
            zip(&[("inner.zip", &zip(&[("a.txt", TEXT)]))]),
            "body/zip:inner.zip/zip:a.txt",
        ),
        (
            "base64 part",
            multipart,
            mime("base64", &base64(TEXT)),
            "base64",
        ),
        (
            "quoted-printable part",
            multipart,
            mime("quoted-printable", quoted),
            "quoted-printable",
        ),
        (
            "zip in a base64 part",
            multipart,
            mime("base64", &base64(&docx)),
            "zip:word/document.xml",
        ),
        (
            "base64 in JSON",
            JSON,
            in_json(&base64(TEXT)),
            "$.file.data",
        ),
        (
            "gzip in base64 in JSON",
            JSON,
            in_json(&base64(&gzip(TEXT))),
            "/gzip",
        ),
        (
            "docx in base64 in JSON",
            JSON,
            in_json(&base64(&docx)),
            "/zip:word/document.xml",
        ),
        (
            "data URI in JSON",
            JSON,
            in_json(&format!("data:text/plain;base64,{}", base64(TEXT))),
            "$.file.data",
        ),
        (
            "escaped data URI in JSON",
            JSON,
            in_json(&format!("data:text/plain,{percent}")),
            "$.file.data",
        ),
        (
            "base64 of base64 in JSON",
            JSON,
            in_json(&base64(base64(TEXT).as_bytes())),
            "$.file.data",
        ),
        (
            "base64 in XML",
            "application/xml",
            in_xml(&base64(TEXT)),
            "body/",
        ),
        (
            "zip in base64 in XML",
            "application/xml",
            in_xml(&base64(&docx)),
            "/zip:word/document.xml",
        ),
        (
            "zip in a data URI in XML",
            "text/xml",
            in_xml(&format!("data:application/zip;base64,{}", base64(&docx))),
            "/zip:word/document.xml",
        ),
        (
            "base64 in JSON in zip",
            BIN,
            zip(&[("a.json", &in_json(&base64(TEXT)))]),
            "body/zip:a.json/",
        ),
    ];
    let mut missing = Vec::new();
    for (name, kind, body, place) in &table {
        let report = scanned(kind, body);
        if !places(&report).iter().any(|path| path.contains(place)) {
            missing.push(format!(
                "{name}: wanted {place}, got {:?} {:?}",
                places(&report),
                codes(&report)
            ));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn a_long_value_is_decoded_like_a_short_one() {
    let text = [vec![b'.'; 100_000], TEXT.to_vec(), vec![b'.'; 50_000]].concat();
    for value in [
        base64(&gzip(&text)),
        base64(&text),
        format!("data:text/plain,{}", String::from_utf8_lossy(&text)),
    ] {
        let body = format!("{{\"a\":\"{value}\"}}").into_bytes();
        for size in [997, 16 * 1024, body.len()] {
            let report = message(&RULES, watching(), &post(JSON), (&body, size));
            let found = places(&report);
            assert!(
                found.iter().any(|path| path.contains("$.a")),
                "{} in pieces of {size}: {found:?} {:?}",
                value.get(..20).unwrap_or_default(),
                report.anomalies
            );
        }
    }
}

#[test]
fn archives_that_lie_are_anomalies() {
    let good = zip(&[("a.txt", b"first"), ("b.txt", TEXT)]);
    let spoil = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] ^= byte;
        bytes
    };
    let central = good.len() - 22 - 2 * (46 + 5);
    let overlapping = {
        let mut bytes = good.clone();
        // The second entry points at the first member.
        let offset = central + 51 + 42;
        bytes[offset..offset + 4].fill(0);
        bytes
    };
    let table = [
        ("encrypted", spoil(6, 1), "encrypted-archive"),
        (
            "another name in the directory",
            spoil(central + 46, 1),
            "broken-archive",
        ),
        (
            "another size in the directory",
            spoil(central + 24, 1),
            "broken-archive",
        ),
        ("another digest in front", spoil(14, 1), "broken-archive"),
        ("overlapping", overlapping, "broken-archive"),
        ("trailing", [&good[..], b"more"].concat(), "trailing-data"),
        ("cut", good[..good.len() - 30].to_vec(), "broken-archive"),
        ("no directory", good[..central].to_vec(), "broken-archive"),
        ("unknown method", spoil(8, 98), "unsupported-archive"),
        (
            "leaves its folder",
            zip(&[("../../a", b"x")]),
            "broken-archive",
        ),
    ];
    for (name, body, wanted) in table {
        let report = scanned(BIN, &body);
        assert!(
            codes(&report).contains(&wanted),
            "{name}: {:?}",
            codes(&report)
        );
    }
    assert_eq!(codes(&scanned(BIN, &good)), Vec::<&str>::new());
    let tail = [&gzip(TEXT)[..], b"trailing"].concat();
    assert!(codes(&scanned(BIN, &tail)).contains(&"trailing-data"));
}

#[test]
fn limits_hold_over_the_whole_tree() {
    let limited = |change: fn(&mut sluice::content::Limits), body: &[u8]| {
        let mut profile = watching();
        change(&mut profile.limits.content);
        codes(&message(&RULES, profile, &post(BIN), (body, 4096)))
    };
    let leaf = zip(&[("a", b"x"), ("b", b"y")]);
    let nested = zip(&[("1.zip", &leaf), ("2.zip", &leaf)]);
    assert!(limited(|_| {}, &nested).is_empty());
    assert_eq!(
        limited(|limits| limits.archive_entries = 5, &nested),
        ["too-many-parts"]
    );
    assert!(limited(|limits| limits.archive_entries = 6, &nested).is_empty());
    assert!(limited(|limits| limits.archive_depth = 1, &nested).contains(&"too-deep"));
    assert!(limited(|limits| limits.depth = 1, &nested).contains(&"too-deep"));
    let zeros = gzip(&vec![0; 6 << 20]);
    assert!(limited(|_| {}, &zeros).contains(&"ratio-too-high"));
    let two = zip(&[
        ("1.gz", &gzip(&vec![b'a'; 70_000])),
        ("2.gz", &gzip(&vec![b'b'; 70_000])),
    ]);
    assert!(limited(|limits| limits.decoded_bytes = 100_000, &two).contains(&"decoded-too-large"));
    assert!(limited(|limits| limits.decoded_bytes = 400_000, &two).is_empty());
}

#[test]
fn a_library_of_thousands_of_classes_is_read() {
    let names: Vec<String> = (0..3000)
        .map(|number| format!("com/a/C{number}.class"))
        .collect();
    let mut members: Vec<(&str, &[u8])> = names
        .iter()
        .map(|name| (name.as_str(), &b"\xca\xfe\xba\xbe"[..]))
        .collect();
    members.push(("last.txt", TEXT));
    let report = message(&RULES, watching(), &post(BIN), (&zip(&members), 16 * 1024));
    assert_eq!(codes(&report), Vec::<&str>::new());
    // The archive does not pack its members.
    assert_eq!(places(&report), ["body", "body/zip:last.txt"]);
}

#[test]
fn digests_of_members_and_of_the_body_are_looked_up() {
    use sha2::Digest as _;
    let hex = |bytes: &[u8]| -> String {
        sha2::Sha256::digest(bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    let body = zip(&[("a.bin", TEXT), ("good.bin", b"known to be good")]);
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("hash")).expect("a folder");
    let lists = [
        (
            "members.csv",
            format!("\"2024-01-01\",\"{}\",\"x\"\n", hex(TEXT)),
        ),
        (
            "bodies.hsb",
            format!("{}:{}:Test.Body:73\n", hex(&body), body.len()),
        ),
        (
            "bad.txt",
            format!("{}  good.bin\n", hex(b"known to be good")),
        ),
        ("allow.txt", hex(b"known to be good")),
    ];
    for (name, text) in lists {
        std::fs::write(folder.path().join("hash").join(name), text).expect("written");
    }
    let rules = ruleset(Bundle::load(folder.path()).expect("loads"));
    let report = message(&rules, watching(), &post(BIN), (&body, 100));
    let found: Vec<(String, &str)> = report
        .findings
        .iter()
        .map(|judged| {
            (
                judged.fact.rule.to_string(),
                report.path_of(judged.fact.part),
            )
        })
        .collect();
    let wanted = [
        ("hash/members".to_owned(), "body/zip:a.bin"),
        ("hash/bodies".to_owned(), "body"),
    ];
    assert!(wanted.iter().all(|one| found.contains(one)), "{found:?}");
    assert!(
        !found.iter().any(|(rule, _)| rule == "hash/bad"),
        "{found:?}"
    );
}
