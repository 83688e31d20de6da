//! The layer test: a module imports only from lower rows of the map in `src/lib.rs`.

use std::fs;
use std::path::{Path, PathBuf};

/// The rows, lowest first. Within a row nothing may import a neighbour, except where [`NEIGHBOURS`] says so.
const ROWS: &[&[&str]] = &[
    &["span", "paced", "shelf", "budget", "anomaly"],
    &["wire"],
    &["icap", "http1", "rules"],
    &["content"],
    &["inspect"],
    &["policy", "redact"],
    &["scan"],
    &["service"],
    &["outgoing"],
    &["server", "config", "telemetry", "probe"],
    &["cli"],
];

/// Arrows inside a row: (from, to).
const NEIGHBOURS: &[(&str, &str)] = &[
    ("budget", "anomaly"),
    ("icap", "http1"),
    ("policy", "redact"),
    ("server", "config"),
    ("server", "telemetry"),
    ("config", "telemetry"),
];

#[test]
fn no_module_imports_from_a_higher_row() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).expect("below src");
        let room = room_of(relative);
        let Some(from) = row_of(&room) else {
            continue;
        };
        let text = fs::read_to_string(&file).expect("a readable source file");
        for (number, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                break;
            }
            let code = line.split("//").next().unwrap_or_default();
            for target in imports(code) {
                let Some(to) = row_of(target) else { continue };
                let neighbour = NEIGHBOURS.contains(&(room.as_str(), target));
                if target != room && to >= from && !neighbour {
                    wrong.push(format!(
                        "{}:{}: {room} -> {target}",
                        relative.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "upward arrows:\n{}", wrong.join("\n"));
}

#[test]
fn every_room_is_in_the_map() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let map = fs::read_to_string(source.join("lib.rs")).expect("src/lib.rs");
    for entry in fs::read_dir(&source).expect("src") {
        let room = room_of(Path::new(&entry.expect("an entry").file_name()));
        if room == "lib" || room == "main" {
            continue;
        }
        assert!(row_of(&room).is_some(), "{room} has no row in this test");
        assert!(
            map.contains(&room),
            "{room} is not in the map of src/lib.rs"
        );
    }
}

#[test]
fn nothing_is_unsafe() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("Cargo.toml")).expect("the manifest");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for file in rust_files(&root.join("src")) {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let lifted = text.contains("unsafe_code") || text.contains("unsafe {");
        assert!(!lifted, "{}", file.display());
    }
}

/// Who reads the wall clock, which can jump: for stamps, and for the dates of certificates and bundles. All that waits,
/// limits or measures time uses the monotonic one.
const STAMPS: &[&str] = &[
    "cli/rules.rs",
    "server/admin/ledger.rs",
    "server/http/exchange.rs",
    "server/reload.rs",
    "server/rules/load.rs",
    "server/rules/update.rs",
    "server/snapshot.rs",
    "server/tls.rs",
    "telemetry/log.rs",
    "telemetry/mod.rs",
];

#[test]
fn the_wall_clock_is_read_for_stamps_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut readers = Vec::new();
    for file in rust_files(&source) {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        if code.contains("SystemTime::now") || code.contains("Timestamp::now") {
            let relative = file.strip_prefix(&source).expect("below src");
            readers.push(relative.display().to_string());
        }
    }
    readers.sort();
    assert_eq!(readers, STAMPS);
}

fn imports(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("crate::").map(|(at, found)| {
        let rest = &code[at + found.len()..];
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        &rest[..end]
    })
}

fn row_of(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

fn room_of(relative: &Path) -> String {
    let first = relative.components().next().expect("a file below src");
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    found
}
