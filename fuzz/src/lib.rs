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
    fn over_seeds(target: &str, holds: fn(&[u8])) {
        let root = env!("CARGO_MANIFEST_DIR");
        let folder = match std::path::Path::new(root).ends_with("fuzz") {
            true => format!("{root}/seeds/{target}"),
            false => format!("{root}/fuzz/seeds/{target}"),
        };
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
        assert!(seeds > 0, "no seed in {folder}");
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
        over_seeds("request_head", super::request_head::holds);
        over_seeds("encapsulated", super::encapsulated::holds);
        over_seeds("chunked", super::chunked::holds);
        over_seeds("connection", super::connection::holds);
        over_seeds("embedded_head", super::embedded_head::holds);
        over_seeds("coding", super::content::coding);
        over_seeds("charset", super::content::charset);
        over_seeds("multipart", super::content::multipart);
        over_seeds("archive", super::content::archive);
        over_seeds("stack", super::content::stack);
        over_seeds("bundle", super::rules::bundle);
        over_seeds("config", super::rules::config);
        over_seeds("json", super::json::holds);
        over_seeds("xml", super::xml::holds);
        over_seeds("form", super::form::holds);
        over_seeds("redact_json", super::redact::json);
        over_seeds("redact_ndjson", super::redact::ndjson);
        over_seeds("redact_xml", super::redact::xml);
        over_seeds("redact_html", super::redact::html);
        over_seeds("redact_form", super::redact::form);
        over_seeds("redact_csv", super::redact::csv);
        over_seeds("redact_text", super::redact::text);
        over_seeds("redact_multipart", super::redact::multipart);
        over_seeds("literal", super::signatures::literal);
        over_seeds("gate", super::signatures::gate);
        over_seeds("verdict", super::signatures::verdict);
    }
}
