//! Lists and indicators of others, turned into rule files of ours: ClamAV and abuse.ch digest lists, plain lists of
//! strings, MISP events and STIX 2 bundles.
//!
//! What an export says besides digests, names and addresses (behaviour, network flows) has no place in a payload rule
//! and is counted as left out.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::rules::literal::{MAX_BYTES, MIN_BYTES};
use crate::rules::{Fault, RulesError, hash, literal};

/// What an import is an import of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Digests, in any form that `hash/` takes.
    Hashes,
    /// One string a line; `#` begins a comment.
    Lines,
    /// A MISP event or an answer of its REST search, JSON.
    Misp,
    /// A STIX 2 bundle, JSON.
    Stix,
}

/// Files to write into a bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Path in the bundle and text.
    pub files: Vec<(String, String)>,
    /// Digests taken.
    pub digests: usize,
    /// Strings taken.
    pub strings: usize,
    /// Indicators left out: of a kind that no payload rule can express, too short, or too long.
    pub left_out: usize,
}

/// Reads `text` and makes rule files named after `name` (letters, digits, `-` and `_`).
///
/// # Errors
/// [`RulesError`] when the text is not of the format, or nothing in it can be used.
pub fn import(
    file: &Path,
    text: &[u8],
    format: Format,
    name: &str,
) -> Result<Imported, RulesError> {
    let fail = |fault| RulesError::new(file, None, fault);
    // The name becomes a file's: nothing in it may lead elsewhere.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        let reason = "the name of an import has 1 to 64 letters, digits, - and _ only".into();
        return Err(fail(Fault::Syntax { reason }));
    }
    let mut indicators = Indicators::default();
    match format {
        Format::Hashes => {
            // Read for its mistakes; the file itself is kept, since `hash/` takes it as it comes.
            let list = hash::parse(file, text)?;
            let text = String::from_utf8_lossy(text).into_owned();
            return Ok(Imported {
                files: vec![(format!("hash/{name}.txt"), text)],
                digests: list.sha256.len() + list.md5.len(),
                ..Imported::default()
            });
        }
        Format::Lines => {
            for line in String::from_utf8_lossy(text).lines() {
                if !line.trim().is_empty() && !line.starts_with('#') {
                    indicators.string(line.trim());
                }
            }
        }
        Format::Misp | Format::Stix => {
            let value: Value = serde_json::from_slice(text).map_err(|error| {
                let reason = format!(
                    "not JSON at line {}, column {}",
                    error.line(),
                    error.column()
                )
                .into();
                fail(Fault::Syntax { reason })
            })?;
            if format == Format::Misp {
                indicators.misp(&value);
            } else {
                indicators.stix(&value);
            }
        }
    }
    indicators.into_files(file, name)
}

#[derive(Default)]
struct Indicators {
    digests: Vec<String>,
    strings: Vec<String>,
    left_out: usize,
}

impl Indicators {
    fn string(&mut self, text: &str) {
        if (MIN_BYTES..=MAX_BYTES).contains(&text.len()) {
            self.strings.push(text.to_owned());
        } else {
            self.left_out += 1;
        }
    }

    fn digest(&mut self, text: &str) {
        let hex = text.len() == 32 || text.len() == 64;
        if hex && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            self.digests.push(text.to_ascii_lowercase());
        } else {
            self.left_out += 1;
        }
    }

    /// `Attribute` objects, wherever they stand: in an event, in its objects, in a search's answer. serde_json bounds the
    /// depth.
    fn misp(&mut self, value: &Value) {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::Object(fields) => {
                    let kind = fields.get("type").and_then(Value::as_str);
                    let text = fields.get("value").and_then(Value::as_str);
                    if let (Some(kind), Some(text)) = (kind, text) {
                        self.misp_attribute(kind, text);
                    }
                    open.extend(fields.values());
                }
                Value::Array(items) => open.extend(items),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }

    fn misp_attribute(&mut self, kind: &str, text: &str) {
        match kind {
            "md5" | "sha256" => self.digest(text),
            "filename|md5" | "filename|sha256" | "malware-sample" => {
                self.digest(text.rsplit('|').next().unwrap_or(text));
            }
            "url" | "uri" | "domain" | "hostname" | "pattern-in-file" | "user-agent" => {
                self.string(text)
            }
            "domain|ip" => self.string(text.split('|').next().unwrap_or(text)),
            _ => self.left_out += 1,
        }
    }

    /// Comparisons in the patterns of indicators: `[file:hashes.'SHA-256' = '…']`, `[url:value = '…']`.
    fn stix(&mut self, value: &Value) {
        let objects = value.get("objects").and_then(Value::as_array);
        for object in objects.into_iter().flatten() {
            if object.get("type").and_then(Value::as_str) != Some("indicator") {
                continue;
            }
            let Some(pattern) = object.get("pattern").and_then(Value::as_str) else {
                self.left_out += 1;
                continue;
            };
            let mut rest = pattern;
            while let Some((path, after)) = rest.split_once('=') {
                let after = after.trim_start();
                let Some((text, tail)) = after
                    .strip_prefix('\'')
                    .and_then(|text| text.split_once('\''))
                else {
                    rest = after;
                    continue;
                };
                rest = tail;
                let path = path.to_ascii_lowercase();
                if path.contains("file:hashes")
                    && (path.contains("sha-256") || path.contains("md5"))
                {
                    self.digest(text);
                } else if ["url:value", "domain-name:value", "http-request-ext"]
                    .iter()
                    .any(|known| path.contains(known))
                {
                    self.string(text);
                } else {
                    self.left_out += 1;
                }
            }
        }
    }

    fn into_files(mut self, file: &Path, name: &str) -> Result<Imported, RulesError> {
        for list in [&mut self.digests, &mut self.strings] {
            list.sort();
            list.dedup();
        }
        let mut files = Vec::new();
        if !self.digests.is_empty() {
            files.push((format!("hash/{name}.txt"), self.digests.join("\n") + "\n"));
        }
        if !self.strings.is_empty() {
            let path = format!("literal/{name}.toml");
            let text = literal_text(name, &self.strings);
            literal::parse(Path::new(&path), &text)?;
            files.push((path, text));
        }
        if files.is_empty() {
            let reason = "holds no digest or string that a rule can use".into();
            return Err(RulesError::new(file, None, Fault::Syntax { reason }));
        }
        Ok(Imported {
            files,
            digests: self.digests.len(),
            strings: self.strings.len(),
            left_out: self.left_out,
        })
    }
}

/// A literal file with one rule, to be observed first: imported lists are not tried ones.
fn literal_text(name: &str, strings: &[String]) -> String {
    let mut text = format!(
        "[[rule]]\nid = \"import/{name}\"\nseverity = \"high\"\ndescription = \"Imported list\"\nmode = \"observe\"\ncase = \"insensitive\"\nany = [\n"
    );
    for string in strings {
        let _ = writeln!(text, "    {},", Value::String(string.clone()));
    }
    text.push_str("]\n");
    text
}

/// A quick look at a file for which no format was given.
pub fn guess(text: &[u8]) -> Format {
    match serde_json::from_slice::<Value>(text) {
        Ok(value) if value.get("objects").is_some() => Format::Stix,
        Ok(_) => Format::Misp,
        Err(_) if hash::parse(Path::new("list"), text).is_ok() => Format::Hashes,
        Err(_) => Format::Lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn run(text: &str, format: Format) -> Result<Imported, RulesError> {
        import(Path::new("x"), text.as_bytes(), format, "feed")
    }

    #[test]
    fn takes_digests_and_strings_out_of_misp() {
        let text = format!(
            "{{\"response\":[{{\"Event\":{{\"Attribute\":[{{\"type\":\"sha256\",\"value\":\"{SHA}\"}},{{\"type\":\"url\",\"value\":\"http://bad.example/a\\\"b\"}},{{\"type\":\"ip-dst\",\"value\":\"198.51.100.1\"}}],\"Object\":[{{\"Attribute\":[{{\"type\":\"filename|md5\",\"value\":\"a.exe|d41d8cd98f00b204e9800998ecf8427e\"}}]}}]}}}}]}}"
        );
        let found = run(&text, Format::Misp).expect("imports");
        assert_eq!((found.digests, found.strings, found.left_out), (2, 1, 1));
        assert_eq!(guess(text.as_bytes()), Format::Misp);
    }

    #[test]
    fn takes_comparisons_out_of_stix() {
        let text = format!(
            "{{\"type\":\"bundle\",\"objects\":[{{\"type\":\"indicator\",\"pattern\":\"[file:hashes.'SHA-256' = '{SHA}' OR domain-name:value = 'bad.example']\"}},{{\"type\":\"malware\"}}]}}"
        );
        let found = run(&text, Format::Stix).expect("imports");
        assert_eq!((found.digests, found.strings), (1, 1));
        assert_eq!(guess(text.as_bytes()), Format::Stix);
    }

    #[test]
    fn lines_become_one_rule_that_is_observed_first() {
        let found = run(
            "# list\nbad.example\nno\nwith \"quotes\" and \\\n",
            Format::Lines,
        )
        .expect("imports");
        assert_eq!((found.strings, found.left_out), (2, 1));
        let (path, text) = found.files.first().expect("a file");
        let file = literal::parse(Path::new(path), text).expect("parses");
        let rule = file.rules.first().expect("a rule");
        assert_eq!(rule.about.mode, crate::rules::Mode::Observe);
        assert_eq!(rule.patterns.len(), 2);
    }

    #[test]
    fn a_name_cannot_lead_elsewhere() {
        for name in ["", "a/b", "../a", "a.b", ".", "a b", &"a".repeat(65)] {
            let found = import(Path::new("x"), b"bad.example\n", Format::Lines, name);
            assert!(found.is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_useful_is_an_error() {
        assert!(run("{\"objects\":[]}", Format::Stix).is_err());
        assert!(run("not json", Format::Misp).is_err());
        assert!(run("not a digest\n", Format::Hashes).is_err());
    }
}
