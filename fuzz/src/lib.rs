//! The properties that the fuzz targets assert: `holds(data)` panics when one does not.
//!
//! The crate's own tests include this file too, so that `cargo test` runs every property over its seeds and near them.

pub mod chunked;
pub mod connection;
pub mod content;
pub mod embedded_head;
pub mod encapsulated;
pub mod form;
pub mod json;
pub mod leaves;
pub mod redact;
pub mod request_head;
pub mod rules;
pub mod signatures;
pub mod xml;

/// Panics when it does not hold for these bytes.
pub type Property = fn(&[u8]);

/// Every target by its name; `fuzz_targets/` says the same once more, a file each, for cargo-fuzz.
pub const TARGETS: &[(&str, Property)] = &[
    ("archive", content::archive),
    ("bundle", rules::bundle),
    ("charset", content::charset),
    ("chunked", chunked::holds),
    ("coding", content::coding),
    ("config", rules::config),
    ("connection", connection::holds),
    ("embedded_head", embedded_head::holds),
    ("encapsulated", encapsulated::holds),
    ("form", form::holds),
    ("gate", signatures::gate),
    ("json", json::holds),
    ("literal", signatures::literal),
    ("multipart", content::multipart),
    ("redact_csv", redact::csv),
    ("redact_form", redact::form),
    ("redact_head", redact::head),
    ("redact_html", redact::html),
    ("redact_json", redact::json),
    ("redact_multipart", redact::multipart),
    ("redact_ndjson", redact::ndjson),
    ("redact_text", redact::text),
    ("redact_xml", redact::xml),
    ("request_head", request_head::holds),
    ("stack", content::stack),
    ("verdict", signatures::verdict),
    ("xml", xml::holds),
];

/// Cuts `data` at places that `choices` picks; 0 means that the rest stays whole.
pub fn cut<'a>(data: &'a [u8], choices: &[u8]) -> Vec<&'a [u8]> {
    let mut rest = data;
    let mut pieces = Vec::new();
    for choice in choices.iter().cycle().take(data.len()) {
        let len = match *choice {
            0 => rest.len(),
            len => usize::from(len).min(rest.len()),
        };
        let (piece, tail) = rest.split_at(len);
        if !piece.is_empty() {
            pieces.push(piece);
        }
        rest = tail;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    /// Every seed, and small mutations of it, so that the properties are exercised without the fuzzer.
    fn over_seeds(target: &str, holds: super::Property) {
        let folder = fuzz_folder().join("seeds").join(target);
        let mut seeds = 0;
        for entry in std::fs::read_dir(&folder).expect("the seeds are in the tree") {
            let path = entry.expect("a readable folder").path();
            let seed = std::fs::read(&path).expect("a readable seed");
            seeds += 1;
            holds(&seed);
            let mut state = 0x9e37_79b9_7f4a_7c15u64;
            for _ in 0..MUTANTS {
                let mut mutant = seed.clone();
                for _ in 0..1 + state % 3 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    mutate(&mut mutant, state);
                }
                holds(&mutant);
            }
        }
        assert!(seeds > 0, "no seed for {target}");
    }

    const MUTANTS: usize = 150;

    fn mutate(data: &mut Vec<u8>, choice: u64) {
        const BYTES: &[u8] = b"\r\n\0 :;=,0179afx+-\"\\\t";
        let at = (choice >> 8) as usize % (data.len() + 1);
        let byte = BYTES[(choice >> 40) as usize % BYTES.len()];
        match choice % 4 {
            0 if at < data.len() => data[at] = byte,
            1 if at < data.len() => {
                data.remove(at);
            }
            2 => data.truncate(at),
            _ => data.insert(at, byte),
        }
    }

    #[test]
    fn all_properties_hold_on_the_seeds_and_near_them() {
        for (target, holds) in super::TARGETS {
            over_seeds(target, *holds);
        }
    }

    #[test]
    fn each_target_of_cargo_fuzz_runs_the_property_of_its_row() {
        let table = include_str!("lib.rs");
        let manifest = include_str!("../Cargo.toml");
        let bins = manifest.matches("path = \"fuzz_targets/").count();
        assert_eq!(bins, super::TARGETS.len() + 1, "and one for the short run");
        for (target, _) in super::TARGETS {
            let file = fuzz_folder().join(format!("fuzz_targets/{target}.rs"));
            let source = std::fs::read_to_string(file).expect("a file of the target's name");
            let call = source.split("sluice_fuzz::").nth(1).expect("a call");
            let property = call.split('(').next().expect("a name");
            let row = format!("(\"{target}\", {property}),");
            assert!(table.contains(&row), "{row}");
            let bin = format!("path = \"fuzz_targets/{target}.rs\"");
            assert!(manifest.contains(&bin), "{bin}");
        }
    }

    /// This crate's folder, from here and from the tests of the server, which include this file.
    fn fuzz_folder() -> std::path::PathBuf {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        match root.ends_with("fuzz") {
            true => root.to_path_buf(),
            false => root.join("fuzz"),
        }
    }
}
