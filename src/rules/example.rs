//! Examples: samples that a rule must match and samples that it must not, in `examples/*.toml` or beside the rule.
//!
//! A sample is plain text, or a table that assembles bytes from pieces, so that no scanner of the tree (nor our own)
//! finds a signature in the tree itself.

use std::path::Path;

use base64::Engine as _;
use serde::Deserialize;

use crate::rules::{Fault, RulesError, line_of};

/// A sample for one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The rule's id.
    pub rule: Box<str>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether the rule must match it.
    pub expect: Expect,
    /// Content-Type of the sample, when the rule asks for one.
    pub content_type: Option<Box<str>>,
    /// File name of the sample, when the rule asks for one.
    pub filename: Option<Box<str>>,
    /// File and line.
    pub source: Box<str>,
}

/// What an example is an example of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The rule matches.
    Match,
    /// It does not.
    Clean,
}

/// Bytes as rule files write them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Sample {
    /// Text, as it is.
    Text(String),
    /// Anything else.
    Table(SampleTable),
}

/// A sample that is not plain text; exactly one of the fields, but for `then`, which appends another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SampleTable {
    /// Text.
    text: Option<String>,
    /// Hex pairs; blanks are skipped.
    hex: Option<String>,
    /// Standard base64.
    base64: Option<String>,
    /// Texts that are joined.
    pieces: Option<Vec<String>>,
    /// Repeats what was said before this many times (at most [`MAX_REPEAT`]).
    repeat: Option<usize>,
    /// Another sample that follows.
    then: Option<Box<Sample>>,
}

/// A sample is a test, not a load: 1 Mi repetitions.
const MAX_REPEAT: usize = 1 << 20;

/// Samples that follow one another.
const MAX_LINKS: usize = 64;

/// Largest assembled sample.
const SAMPLE_BYTES: usize = 16 * 1024 * 1024;

impl Sample {
    /// The bytes that it stands for.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut out = Vec::new();
        let mut next = Some(self);
        for _ in 0..MAX_LINKS {
            match next {
                None => return Ok(out),
                Some(Sample::Text(text)) => {
                    out.extend_from_slice(text.as_bytes());
                    next = None;
                }
                Some(Sample::Table(table)) => {
                    let piece = table.own()?;
                    let repeat = table.repeat.unwrap_or(1).min(MAX_REPEAT);
                    let total = piece.len().saturating_mul(repeat).saturating_add(out.len());
                    if total > SAMPLE_BYTES {
                        return Err(Fault::TooLarge {
                            bytes: total as u64,
                            limit: SAMPLE_BYTES as u64,
                        });
                    }
                    for _ in 0..repeat {
                        out.extend_from_slice(&piece);
                    }
                    next = table.then.as_deref();
                }
            }
        }
        Ok(out)
    }
}

impl SampleTable {
    fn own(&self) -> Result<Vec<u8>, Fault> {
        if let Some(text) = &self.text {
            return Ok(text.clone().into_bytes());
        }
        if let Some(hex) = &self.hex {
            return unhex(hex);
        }
        if let Some(base64) = &self.base64 {
            return base64::engine::general_purpose::STANDARD
                .decode(base64)
                .map_err(|_| Fault::BadEncoding { encoding: "base64" });
        }
        Ok(self
            .pieces
            .iter()
            .flatten()
            .flat_map(|piece| piece.bytes())
            .collect())
    }
}

/// Bytes of hex pairs with blanks between them.
pub(crate) fn unhex(text: &str) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut half: Option<u32> = None;
    for char in text.chars().filter(|char| !char.is_ascii_whitespace()) {
        let digit = char
            .to_digit(16)
            .ok_or(Fault::BadEncoding { encoding: "hex" })?;
        match half.take() {
            None => half = Some(digit),
            Some(high) => out.push(u8::try_from(high * 16 + digit).expect("two hex digits fit")),
        }
    }
    match half {
        Some(_) => Err(Fault::BadEncoding { encoding: "hex" }),
        None => Ok(out),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawFile {
    #[serde(default)]
    example: Vec<toml::Spanned<RawExample>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawExample {
    rule: String,
    #[serde(default, rename = "match")]
    matches: Vec<Sample>,
    #[serde(default)]
    clean: Vec<Sample>,
    content_type: Option<Box<str>>,
    filename: Option<Box<str>>,
}

/// Reads an `examples/*.toml` file.
///
/// # Errors
/// [`RulesError`] with the line to blame.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Example>, RulesError> {
    let raw: RawFile = toml::from_str(text).map_err(|error| toml_error(file, text, &error))?;
    let mut examples = Vec::new();
    for spanned in raw.example {
        let line = line_of(text, spanned.span().start);
        let raw = spanned.into_inner();
        let sets = [(Expect::Match, &raw.matches), (Expect::Clean, &raw.clean)];
        for (expect, samples) in sets {
            for sample in samples {
                examples.push(Example {
                    rule: raw.rule.as_str().into(),
                    bytes: sample
                        .bytes()
                        .map_err(|fault| RulesError::new(file, Some(line), fault))?,
                    expect,
                    content_type: raw.content_type.clone(),
                    filename: raw.filename.clone(),
                    source: format!("{}:{line}", file.display()).into(),
                });
            }
        }
    }
    Ok(examples)
}

/// A TOML parser's complaint, with its line.
pub(crate) fn toml_error(file: &Path, text: &str, error: &toml::de::Error) -> RulesError {
    RulesError::new(
        file,
        error.span().map(|span| line_of(text, span.start)),
        Fault::Syntax {
            reason: error.message().into(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_assembled_from_pieces() {
        let text = r#"
            [[example]]
            rule = "a/b"
            match = ["x", { pieces = ["ab", "cd"] }, { hex = "00 ff", then = { text = "z", repeat = 3 } }]
            clean = [{ base64 = "AAE=" }]
        "#;
        let examples = parse(Path::new("e.toml"), text).expect("parses");
        let bytes: Vec<_> = examples.iter().map(|e| e.bytes.as_slice()).collect();
        assert_eq!(
            bytes,
            [b"x".as_slice(), b"abcd", b"\x00\xffzzz", b"\x00\x01"]
        );
        assert_eq!(examples.last().map(|e| e.expect), Some(Expect::Clean));
    }

    #[test]
    fn errors_name_the_line() {
        let error =
            parse(Path::new("e.toml"), "\n\n[[example]]\nrule = 1\n").expect_err("a number");
        assert_eq!(error.line, Some(4));
    }
}
