//! Entity rules: what sensitive values look like and what the fields that hold them are called.
//!
//! `signatures/entity/*.toml` holds `[[detector]]` tables (by content) and `[[field]]` tables (by name). This room reads
//! them into plain structs; [`crate::inspect::sensitive`] compiles them. A new rule needs no code unless it needs a new
//! validator.

use std::collections::BTreeSet;

use serde::Deserialize;

/// Why the rules could not be read.
#[derive(Debug, thiserror::Error)]
pub enum EntityError {
    /// Not TOML, or a key that no rule has.
    #[error("expected entity rules in TOML")]
    Syntax(#[from] toml::de::Error),
    /// Two rules share an id.
    #[error("an id is used by two entity rules")]
    DuplicateId,
}

/// All entity rules, in order of file and place.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EntityRules {
    /// Rules by content.
    #[serde(default)]
    pub detector: Vec<DetectorRule>,
    /// Rules by name.
    #[serde(default)]
    pub field: Vec<FieldRule>,
}

/// A value that is recognised by its content, wherever it stands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DetectorRule {
    /// Stable id, unique among all entity rules.
    pub id: String,
    /// The label of the mask and the key of profiles: `PAN`.
    pub entity: String,
    /// Literals, compared without regard to ASCII case; matching begins where one of them begins.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Bytes, as a pattern of one byte, over which to walk back from a keyword to where matching begins.
    #[serde(default)]
    pub back: String,
    /// Shapes of the first bytes of a word at which matching begins: `9` a digit, `A` a letter, `x` a hexadecimal
    /// digit, `w` a letter or digit, any other character itself.
    #[serde(default)]
    pub start: Vec<String>,
    /// What stands before the value and stays.
    #[serde(default)]
    pub prefix: String,
    /// The value.
    pub pattern: String,
    /// What must follow the value and stays.
    #[serde(default)]
    pub suffix: String,
    /// What may stand around the value.
    #[serde(default)]
    pub boundary: Boundary,
    /// Name of a validator.
    #[serde(default)]
    pub check: Option<String>,
    /// Words one of which must stand before the value, or in the field's name. Empty: none is needed.
    #[serde(default)]
    pub context: Vec<String>,
    /// Words that, right before the value or in the field's name, say that it is something else.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Which of two overlapping values is masked: the higher one.
    #[serde(default)]
    pub priority: u8,
    /// Texts that must match; [`Example`] says how they are written.
    #[serde(default)]
    pub matches: Vec<String>,
    /// Texts that must not match.
    #[serde(default)]
    pub refuses: Vec<String>,
}

/// What may stand around a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// No letter, digit or `_` on either side.
    #[default]
    Word,
    /// As [`Word`](Self::Word), nor `.` or `-` with a letter or digit behind it: not a piece of a longer code.
    Number,
    /// As [`Number`](Self::Number), nor a `/` with a digit behind it, nor a `+` before: telephone numbers.
    Phone,
    /// As [`Word`](Self::Word), nor a `-`.
    Token,
    /// As [`Word`](Self::Word), nor a `:`; nor a `.` with a letter or digit behind it.
    Address,
    /// No `//` before (the user of a URL), no `:path/` after (the user of an scp location).
    Mailbox,
    /// Anything.
    None,
}

/// A value that is recognised by the name of its field, or by words just before it in running text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FieldRule {
    /// Stable id, unique among all entity rules.
    pub id: String,
    /// The label of the mask and the key of profiles: `PASSWORD`.
    pub entity: String,
    /// Names, as words in lower case; a field matches when the last words of its path are these.
    pub names: Vec<String>,
    /// Words that, right before the name, make it something else (`next` before `token`).
    #[serde(default)]
    pub unless: Vec<String>,
    /// What stands before the value and stays.
    #[serde(default)]
    pub prefix: String,
    /// The whole value of a field, as a pattern; empty: anything.
    #[serde(default)]
    pub whole: String,
    /// The value in running text.
    #[serde(default)]
    pub pattern: String,
    /// Name of a validator.
    #[serde(default)]
    pub check: Option<String>,
    /// How closely name and value must be linked in running text.
    #[serde(default)]
    pub link: Link,
    /// Which of two overlapping values is masked: the higher one.
    #[serde(default)]
    pub priority: u8,
    /// Texts that must match; [`Example`] says how they are written.
    #[serde(default)]
    pub matches: Vec<String>,
    /// Texts that must not match.
    #[serde(default)]
    pub refuses: Vec<String>,
}

/// How a name is tied to a value in running text, from the tightest to the loosest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// Never: fields only.
    None,
    /// `name: value`, `name=value`, `name => value`.
    #[default]
    Colon,
    /// Also `name is value`.
    Copula,
    /// Also `name value`.
    Bare,
}

/// An example of a rule, read: its values stand between `«` and `»`, and `¦` stands for nothing. That keeps keys which
/// were made up for an example from looking like leaked ones to who searches the source tree for those.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Example {
    /// The text itself.
    pub text: String,
    /// Where its values lie in `text`, in bytes.
    pub values: Vec<std::ops::Range<usize>>,
}

impl Example {
    /// Reads an example as the files have it.
    pub fn read(written: &str) -> Self {
        let (mut example, mut open) = (Self::default(), 0);
        for char in written.chars() {
            match char {
                '«' => open = example.text.len(),
                '»' => example.values.push(open..example.text.len()),
                '¦' => {}
                other => example.text.push(other),
            }
        }
        example
    }
}

impl EntityRules {
    /// The rules that ship with the program.
    ///
    /// # Errors
    /// [`EntityError`] when a file of the source tree is broken; a test keeps that from happening.
    pub fn builtin() -> Result<Self, EntityError> {
        Self::read(BUILTIN.iter().map(|(_, text)| *text))
    }

    /// Reads files in order.
    ///
    /// # Errors
    /// [`EntityError`] for a file that is not TOML of this shape, or an id that is used twice.
    pub fn read<'a>(files: impl IntoIterator<Item = &'a str>) -> Result<Self, EntityError> {
        let mut all = Self::default();
        for text in files {
            let file: Self = toml::from_str(text)?;
            all.detector.extend(file.detector);
            all.field.extend(file.field);
        }
        let mut ids = BTreeSet::new();
        let detectors = all.detector.iter().map(|rule| rule.id.as_str());
        let fields = all.field.iter().map(|rule| rule.id.as_str());
        if !detectors.chain(fields).all(|id| ids.insert(id)) {
            return Err(EntityError::DuplicateId);
        }
        Ok(all)
    }
}

/// The files of `signatures/entity/`, by name.
pub const BUILTIN: &[(&str, &str)] = &[
    (
        "credentials.toml",
        include_str!("../../signatures/entity/credentials.toml"),
    ),
    (
        "fields.toml",
        include_str!("../../signatures/entity/fields.toml"),
    ),
    (
        "network.toml",
        include_str!("../../signatures/entity/network.toml"),
    ),
    (
        "payment.toml",
        include_str!("../../signatures/entity/payment.toml"),
    ),
    (
        "person.toml",
        include_str!("../../signatures/entity/person.toml"),
    ),
];
