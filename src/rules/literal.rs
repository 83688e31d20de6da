//! `literal/*.toml`: fixed strings, text or hex, with conditions that need no code.
//!
//! ```toml
//! [defaults]
//! category = "exploit"
//! severity = "high"
//!
//! [[rule]]
//! id = "exploit/example"
//! description = "…"
//! text = "needle"                 # or hex = "6e65…", pieces = ["nee", "dle"], any = ["needle", { hex = "…" }]
//! case = "insensitive"            # ASCII letters only; default: sensitive
//! places = ["url", "header", "field", "file", "body"]   # default: everywhere
//! content-types = ["application/json", "text/*"]        # default: all
//! direction = "request"           # default: both
//! covers = "whole"                # the value is the pattern and nothing else; default: anywhere
//! match = ["a needle"]            # examples
//! clean = ["a noodle"]
//! ```

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::rules::class::{Category, Direction, Severity};
use crate::rules::example::{Example, Expect, Sample, toml_error, unhex};
use crate::rules::{About, Fault, Mode, RulesError, line_of};

/// One literal rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiteralRule {
    /// Id, severity and so on.
    pub about: About,
    /// Any of these bytes; [`MIN_BYTES`] to [`MAX_BYTES`] each.
    pub patterns: Vec<Pattern>,
    /// Where it applies.
    pub scope: Scope,
    /// File and line.
    pub source: Box<str>,
}

/// A fixed string.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pattern {
    /// Its bytes.
    pub bytes: Box<[u8]>,
    /// How letters compare.
    pub case: Case,
}

impl Pattern {
    /// True when `found` is an occurrence of it.
    #[inline]
    pub fn is(&self, found: &[u8]) -> bool {
        match self.case {
            Case::Sensitive => *found == *self.bytes,
            Case::Insensitive => found.eq_ignore_ascii_case(&self.bytes),
        }
    }
}

/// How ASCII letters compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// As they are.
    #[default]
    Sensitive,
    /// `A` and `a` are the same.
    Insensitive,
}

/// Conditions of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Kinds of part; empty: all.
    pub places: Places,
    /// Media types, lower case, `type/*` allowed; empty: all.
    pub content_types: Box<[Box<str>]>,
    /// `None`: both.
    pub direction: Option<Direction>,
    /// The whole value, or anywhere in it.
    pub covers: Covers,
}

/// How much of the value the pattern must cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covers {
    /// Any place in it.
    #[default]
    Anywhere,
    /// From its first to its last byte.
    Whole,
}

/// What kind of bytes a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Path and query of the request target.
    Url,
    /// A header field's value.
    Header,
    /// A form field or another value inside a document.
    Field,
    /// An uploaded file, an archive member, a MIME part.
    File,
    /// A body as a whole.
    Body,
}

/// A set of [`Place`]s; the default is all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(u8);

impl Places {
    /// The set of `places`; all, when there are none.
    pub fn new(places: &[Place]) -> Self {
        match places {
            [] => Self::default(),
            some => Self(some.iter().fold(0, |set, place| set | place.bit())),
        }
    }

    /// The empty set.
    pub fn none() -> Self {
        Self(0)
    }

    /// The set and `place`.
    pub fn with(self, place: Place) -> Self {
        Self(self.0 | place.bit())
    }

    /// True when `place` is in it.
    #[inline]
    pub fn has(self, place: Place) -> bool {
        self.0 & place.bit() != 0
    }
}

impl Default for Places {
    fn default() -> Self {
        Self(u8::MAX)
    }
}

impl Place {
    fn bit(self) -> u8 {
        match self {
            Place::Url => 1,
            Place::Header => 2,
            Place::Field => 4,
            Place::File => 8,
            Place::Body => 16,
        }
    }
}

impl Scope {
    /// True when the conditions that are known at the start of a part hold.
    pub fn admits(&self, place: Place, direction: Direction, content_type: Option<&str>) -> bool {
        self.places.has(place)
            && self.direction.is_none_or(|wanted| wanted == direction)
            && (self.content_types.is_empty()
                || content_type.is_some_and(|found| {
                    self.content_types
                        .iter()
                        .any(|wanted| is_type(wanted, found))
                }))
    }

    /// True when there is no condition at all.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// Compares a media type, without its parameters, with one of a rule.
fn is_type(wanted: &str, found: &str) -> bool {
    let essence = found.split(';').next().unwrap_or_default().trim();
    match wanted.strip_suffix('*') {
        Some(prefix) => essence
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
        None => essence.eq_ignore_ascii_case(wanted),
    }
}

/// Shorter patterns match by chance: a random MiB holds any given two bytes sixteen times.
pub const MIN_BYTES: usize = 3;

/// Longer patterns cost tail memory in each scan and say no more than a prefix of them.
pub const MAX_BYTES: usize = 1024;

/// Rules in all bundles together, as the house's table of limits says, and room for half a million list entries.
pub const MAX_PATTERNS: usize = 600_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawFile {
    #[serde(default)]
    defaults: RawDefaults,
    #[serde(default)]
    rule: Vec<toml::Spanned<RawRule>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawDefaults {
    severity: Option<Severity>,
    category: Option<Category>,
    licence: Option<Box<str>>,
    reference: Option<Box<str>>,
    #[serde(default)]
    mode: Mode,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawRule {
    id: String,
    severity: Option<Severity>,
    category: Option<Category>,
    #[serde(default)]
    description: Box<str>,
    reference: Option<Box<str>>,
    licence: Option<Box<str>>,
    mode: Option<Mode>,
    text: Option<String>,
    hex: Option<String>,
    pieces: Option<Vec<String>>,
    #[serde(default)]
    any: Vec<Sample>,
    #[serde(default)]
    case: Case,
    #[serde(default)]
    places: Vec<Place>,
    #[serde(default)]
    content_types: Vec<String>,
    direction: Option<Direction>,
    #[serde(default)]
    covers: Covers,
    #[serde(default, rename = "match")]
    matches: Vec<Sample>,
    #[serde(default)]
    clean: Vec<Sample>,
}

/// What a literal file holds.
#[derive(Debug, Default)]
pub struct LiteralFile {
    /// Its rules, in its order.
    pub rules: Vec<LiteralRule>,
    /// Examples beside the rules.
    pub examples: Vec<Example>,
}

/// Reads a `literal/*.toml` file.
///
/// # Errors
/// [`RulesError`] with the line to blame.
pub fn parse(file: &Path, text: &str) -> Result<LiteralFile, RulesError> {
    let raw: RawFile = toml::from_str(text).map_err(|error| toml_error(file, text, &error))?;
    let mut out = LiteralFile::default();
    for spanned in raw.rule {
        let line = line_of(text, spanned.span().start);
        let fail = |fault| RulesError::new(file, Some(line), fault);
        let raw_rule = spanned.into_inner();
        let source: Box<str> = format!("{}:{line}", file.display()).into();
        out.examples
            .extend(examples(&raw_rule, &source).map_err(fail)?);
        out.rules
            .push(rule(raw_rule, &raw.defaults, source).map_err(fail)?);
    }
    Ok(out)
}

fn rule(raw: RawRule, defaults: &RawDefaults, source: Box<str>) -> Result<LiteralRule, Fault> {
    check_id(&raw.id)?;
    let patterns = patterns(&raw)?;
    let content_types = raw
        .content_types
        .iter()
        .map(|kind| kind.to_ascii_lowercase().into_boxed_str())
        .collect();
    Ok(LiteralRule {
        about: About {
            id: Arc::from(raw.id),
            severity: raw.severity.or(defaults.severity).unwrap_or(Severity::High),
            category: raw
                .category
                .or(defaults.category)
                .unwrap_or(Category::Malware),
            description: raw.description,
            reference: raw
                .reference
                .or_else(|| defaults.reference.clone())
                .unwrap_or_default(),
            licence: raw
                .licence
                .or_else(|| defaults.licence.clone())
                .unwrap_or_default(),
            mode: raw.mode.unwrap_or(defaults.mode),
            bundle: Arc::default(),
        },
        patterns,
        scope: Scope {
            places: Places::new(&raw.places),
            content_types,
            direction: raw.direction,
            covers: raw.covers,
        },
        source,
    })
}

fn patterns(raw: &RawRule) -> Result<Vec<Pattern>, Fault> {
    let mut all = Vec::new();
    if let Some(text) = &raw.text {
        all.push(text.clone().into_bytes());
    }
    if let Some(hex) = &raw.hex {
        all.push(unhex(hex)?);
    }
    if let Some(pieces) = &raw.pieces {
        all.push(pieces.concat().into_bytes());
    }
    for sample in &raw.any {
        all.push(sample.bytes()?);
    }
    if all.is_empty() {
        return Err(Fault::NoPattern {
            id: raw.id.as_str().into(),
        });
    }
    all.into_iter()
        .map(|bytes| {
            if (MIN_BYTES..=MAX_BYTES).contains(&bytes.len()) {
                Ok(Pattern {
                    bytes: bytes.into(),
                    case: raw.case,
                })
            } else {
                Err(Fault::PatternLength {
                    id: raw.id.as_str().into(),
                    bytes: bytes.len(),
                    min: MIN_BYTES,
                    max: MAX_BYTES,
                })
            }
        })
        .collect()
}

fn examples(raw: &RawRule, source: &str) -> Result<Vec<Example>, Fault> {
    let sets = [(Expect::Match, &raw.matches), (Expect::Clean, &raw.clean)];
    let mut out = Vec::new();
    for (expect, samples) in sets {
        for sample in samples {
            out.push(Example {
                rule: raw.id.as_str().into(),
                bytes: sample.bytes()?,
                expect,
                content_type: raw.content_types.first().map(|kind| kind.as_str().into()),
                filename: None,
                source: source.into(),
            });
        }
    }
    Ok(out)
}

/// Ids go to logs, metrics and block pages: a small alphabet, a bounded length.
pub(crate) fn check_id(id: &str) -> Result<(), Fault> {
    let fits = (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-/".contains(&byte));
    if fits {
        Ok(())
    } else {
        Err(Fault::BadId {
            id: id.chars().take(128).collect::<String>().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(body: &str) -> Result<LiteralFile, RulesError> {
        parse(
            Path::new("l.toml"),
            &format!("[[rule]]\nid = \"a/b\"\n{body}"),
        )
    }

    #[test]
    fn reads_text_hex_pieces_and_any() {
        let file = one("text='abc'\nhex='64 65 66'\npieces=['gh','i']\nany=['jkl',{hex='6d6e6f'}]")
            .expect("parses");
        let rule = file.rules.first().expect("one rule");
        let bytes: Vec<&[u8]> = rule.patterns.iter().map(|p| &*p.bytes).collect();
        assert_eq!(bytes, [b"abc", b"def", b"ghi", b"jkl", b"mno"]);
    }

    #[test]
    fn refuses_what_cannot_be_meant() {
        assert!(matches!(
            one("").expect_err("empty").fault,
            Fault::NoPattern { .. }
        ));
        assert!(matches!(
            one("text='ab'").expect_err("short").fault,
            Fault::PatternLength { bytes: 2, .. }
        ));
        assert!(matches!(
            one("hex='abc'").expect_err("odd").fault,
            Fault::BadEncoding { .. }
        ));
        let error = one("text='abc'\ncolour='red'").expect_err("unknown key");
        assert_eq!(error.line, Some(4));
    }

    #[test]
    fn scope_compares_media_types_without_parameters() {
        let file = one("text='abc'\ncontent-types=['text/*','Application/JSON']\nplaces=['body']")
            .expect("parses");
        let scope = &file.rules.first().expect("one rule").scope;
        let admits = |kind| scope.admits(Place::Body, Direction::Request, kind);
        assert!(admits(Some("text/html; charset=utf-8")));
        assert!(admits(Some("application/json")));
        assert!(!admits(Some("application/xml")));
        assert!(!admits(None));
        assert!(!scope.admits(Place::Url, Direction::Request, Some("text/html")));
    }
}
