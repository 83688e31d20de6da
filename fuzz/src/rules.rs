//! Packs and the configuration: whatever the bytes are, a clear answer.

use std::path::Path;

use sluice::config::Config;
use sluice::rules::raw::Raw;

/// Panics when the property does not hold for `data`, a pack: it is refused, or it is the same bundle each time, with a
/// name and as many rules.
pub fn bundle(data: &[u8]) {
    let raw = Raw::pack(Path::new("p"), data.to_vec());
    let mut written = Vec::new();
    raw.write_to(&mut written).expect("a vector takes all");
    let again = Raw::read_from(&mut written.as_slice())
        .expect("what was written is read")
        .expect("one");
    match (raw.parse(), again.parse()) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.digest(), other.digest());
            assert_eq!(one.literals.len(), other.literals.len());
            assert!(!one.manifest.name.is_empty());
        }
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (one, other) => panic!("{} {}", one.is_ok(), other.is_ok()),
    }
}

/// Panics when the property does not hold for `data`, a configuration: it is refused with its place, or it is the same
/// policy each time.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Config::parse(text, Some(Path::new("c.toml")), &[]) {
        Err(mistake) => assert!(mistake.to_string().starts_with("c.toml:"), "{mistake}"),
        Ok(config) => {
            let again = Config::parse(text, None, &[]).expect("it was good before");
            assert_eq!(config.policy_digest, again.policy_digest);
        }
    }
}
