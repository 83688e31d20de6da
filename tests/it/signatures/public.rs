//! Public collections and corpora beside the repository, where they are.

use std::path::{Path, PathBuf};

use sluice::rules::yara::YaraFile;

/// A path beside the repository, or `None` with a note.
pub fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(path);
    if found.exists() {
        return Some(found);
    }
    eprintln!("skipped: ../shared/{path} is absent");
    None
}

/// The files of a public set, whatever their permissions: tests trust them.
pub fn public_set(folder: &Path) -> Vec<YaraFile> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(&folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yar" || extension == "yara")
            {
                let bytes = std::fs::read(&path).expect("readable");
                files.push(YaraFile {
                    namespace: path
                        .file_stem()
                        .map(|stem| stem.to_string_lossy())
                        .unwrap_or_default()
                        .into(),
                    shown: path.to_string_lossy().into(),
                    text: sluice::rules::yara::text(&bytes).into(),
                    bundle: "public".into(),
                });
            }
        }
    }
    files
}

/// Bodies of a corpus file, every `step`th.
pub fn bodies(path: &Path, step: usize) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines()
        .step_by(step)
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).expect("a record");
            let body = record
                .get("body_base64")
                .and_then(|body| body.as_str())
                .expect("a body");
            base64::engine::general_purpose::STANDARD
                .decode(body)
                .expect("base64")
        })
        .collect()
}
