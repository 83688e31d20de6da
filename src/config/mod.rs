//! The configuration: one TOML file, overrides from the environment, resolved into the structs of the other rooms.
//!
//! ```text
//! file         what may be written, with the defaults
//! listeners    where the server listens, and for whom
//! quotas       how much one client may have
//! environment  SLUICE__SECTION__KEY
//! doubt        what may be so, and is hardly meant
//! streams      where lines and spans go, for resolve
//! resolve      file ─► Config; nothing downstream validates again
//! ```

mod deadlines;
mod doubt;
mod environment;
pub mod file;
pub mod listeners;
mod profile;
pub mod quotas;
pub mod redaction;
mod resolve;
pub mod route;
mod streams;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Table;

use crate::policy::profile::Profile;

pub use deadlines::Deadlines;
pub use doubt::Doubt;
pub use environment::of_process;
pub use resolve::Config;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Mistake(#[from] Mistake),
}

/// What is wrong, and where: `sluice.toml:3:7: unknown key "max-conections"; did you mean "max-connections"?`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What.
    pub what: String,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line and column of the file, both from 1; 0 where the file as a whole is meant.
    File {
        /// The file, empty when it has no name.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        name: String,
    },
    /// The defaults.
    Defaults,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File {
                path,
                line: 0,
                column: _,
            } => write!(f, "{}: {}", path.display(), self.what),
            Place::File { path, line, column } => {
                write!(f, "{}:{line}:{column}: {}", path.display(), self.what)
            }
            Place::Environment { name } => write!(f, "environment {name}: {}", self.what),
            Place::Defaults => f.write_str(&self.what),
        }
    }
}

impl Mistake {
    fn at(self, place: Place) -> Self {
        Self { place, ..self }
    }

    fn environment(name: &str, what: String) -> Self {
        Self {
            place: Place::Environment { name: name.into() },
            what,
        }
    }
}

impl Config {
    /// Reads the file at `path`, or the defaults without one, and applies the environment's overrides.
    ///
    /// # Errors
    /// [`ConfigError`] with the place of the first mistake.
    pub fn load(
        path: Option<&Path>,
        overrides: &[(String, String)],
    ) -> Result<Config, ConfigError> {
        let text = match path {
            Some(path) => {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                    path: path.into(),
                    source,
                })?
            }
            None => String::new(),
        };
        Ok(Self::parse(&text, path, overrides)?)
    }

    /// The same from text; `path` only names the place of a mistake.
    ///
    /// # Errors
    /// The first [`Mistake`].
    pub fn parse(
        text: &str,
        path: Option<&Path>,
        overrides: &[(String, String)],
    ) -> Result<Config, Mistake> {
        let source = Source { text, path };
        let file: file::File =
            toml::from_str(text).map_err(|error| source.mistake(error.span(), error.message()))?;
        let mut file = file.completed();
        if overrides.is_empty() {
            return resolve::resolve(&file, &source);
        }
        file = overridden(&file, &source, overrides)?;
        // Its places are those of a text that nobody has seen.
        resolve::resolve(&file, &Source { text: "", path })
    }
}

/// Applies the overrides one after the other, so that a refusal names the one that caused it. The file's own values go
/// in with every default filled in, so that each key is there to be overridden.
fn overridden(
    file: &file::File,
    source: &Source<'_>,
    overrides: &[(String, String)],
) -> Result<file::File, Mistake> {
    let table = Table::try_from(file);
    let mut table = table.map_err(|error| source.mistake(None, &error.to_string()))?;
    let mut file = file.clone();
    for (name, value) in overrides {
        environment::apply(&mut table, name, value)?;
        // Through text, because places (`Spanned`) exist in text only; they are not shown for the environment.
        let text = toml::to_string(&table).unwrap_or_default();
        file = toml::from_str(&text)
            .map_err(|error| Mistake::environment(name, with_nearest(error.message())))?;
    }
    Ok(file)
}

/// The text that a mistake is shown in.
struct Source<'a> {
    text: &'a str,
    path: Option<&'a Path>,
}

impl Source<'_> {
    fn mistake(&self, span: Option<Range<usize>>, what: &str) -> Mistake {
        Mistake {
            place: self.place(span),
            what: with_nearest(what),
        }
    }

    /// A name that is none of those known.
    fn unknown<'n>(
        &self,
        kind: &str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> Mistake {
        let what = match nearest(name, known.clone()) {
            Some(nearest) => format!("unknown {kind} \"{name}\"; did you mean \"{nearest}\"?"),
            None => {
                let known: Vec<_> = known.collect();
                format!("unknown {kind} \"{name}\"; known: {}", known.join(", "))
            }
        };
        Mistake {
            place: self.place(None),
            what,
        }
    }

    /// Where `value` stands.
    fn place_of<T>(&self, value: &toml::Spanned<T>) -> Place {
        self.place(Some(value.span()).filter(|span| *span != (0..0)))
    }

    /// The profile that `name` names.
    fn profile(
        &self,
        name: &toml::Spanned<String>,
        profiles: &BTreeMap<&str, Arc<Profile>>,
    ) -> Result<Arc<Profile>, Mistake> {
        match profiles.get(name.get_ref().as_str()) {
            Some(profile) => Ok(Arc::clone(profile)),
            None => Err(self
                .unknown("profile", name.get_ref(), profiles.keys().copied())
                .at(self.place_of(name))),
        }
    }

    fn place(&self, span: Option<Range<usize>>) -> Place {
        match (self.path, span) {
            (None, None) => Place::Defaults,
            (path, span) => {
                let span = span.filter(|span| span.start < self.text.len());
                let (line, column) = span.map_or((0, 0), |span| self.line_and_column(span.start));
                Place::File {
                    path: path.unwrap_or(Path::new("")).into(),
                    line,
                    column,
                }
            }
        }
    }

    fn line_and_column(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .map_or(0, |line| line.chars().count())
            + 1;
        (line, column)
    }
}

/// Serde's "unknown field `x`, expected one of `y`, `z`" with the name that was probably meant.
fn with_nearest(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let Some(name) = quoted.next().filter(|_| unknown) else {
        return message.trim_end().to_owned();
    };
    let kind = if message.starts_with("unknown field") {
        "key"
    } else {
        "value"
    };
    match nearest(name, quoted) {
        Some(known) => format!("unknown {kind} \"{name}\"; did you mean \"{known}\"?"),
        None => message.trim_end().replacen("field", "key", 1),
    }
}

/// The name that was probably meant.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (distance(name, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().max(3) / 2)
        .map(|(_, known)| known)
}

fn mib(mib: u64) -> u64 {
    mib.saturating_mul(1 << 20)
}

/// How many characters have to be put in, taken out or changed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, character) in one.chars().enumerate() {
        let mut diagonal = at;
        let mut left = at + 1;
        for (cell, their) in row.iter_mut().skip(1).zip(&other) {
            let change = diagonal + usize::from(character != *their);
            diagonal = *cell;
            left = change.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = at + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../deploy/sluice.toml");

    #[test]
    fn the_example_file_states_every_default() {
        let example: file::File = toml::from_str(EXAMPLE).expect("the example parses");
        let shown = Table::try_from(example.completed()).expect("a table");
        let defaults = Table::try_from(file::File::default().completed()).expect("a table");
        assert_eq!(shown, defaults);
    }

    #[test]
    fn the_example_file_leaves_no_key_out() {
        let written: Table = toml::from_str(EXAMPLE).expect("the example parses");
        let defaults = Table::try_from(file::File::default().completed()).expect("a table");
        for (section, keys) in &defaults {
            let (Some(keys), Some(written)) = (keys.as_table(), written.get(section)) else {
                assert!(written.contains_key(section), "{section}");
                continue;
            };
            for key in keys.keys() {
                assert!(written.get(key).is_some(), "{section}.{key}");
            }
        }
        let profile = &defaults["profiles"]["request"];
        for (key, value) in profile.as_table().expect("a table") {
            let known = &written["profiles"]["request"];
            let exceptions = key == "exceptions";
            assert!(
                exceptions || known.get(key).is_some(),
                "profiles.request.{key}"
            );
            for inner in value.as_table().into_iter().flat_map(Table::keys) {
                assert!(
                    known[key].get(inner).is_some(),
                    "profiles.request.{key}.{inner}"
                );
            }
        }
    }

    #[test]
    fn the_defaults_resolve_and_equal_files_give_equal_digests() {
        let one = Config::parse("", None, &[]).expect("the defaults are good");
        let two = Config::parse(EXAMPLE, None, &[]).expect("the example is good");
        assert_eq!(one.policy_digest, two.policy_digest);
        let three = Config::parse("[profiles.request]\nmode = \"observe\"\n", None, &[]);
        assert_ne!(three.expect("good").policy_digest, one.policy_digest);
    }

    #[test]
    fn a_built_in_profile_keeps_what_the_file_does_not_change() {
        use crate::inspect::{Category, Direction};
        use crate::policy::profile::{Action, Mode};
        let text = "[profiles.response]\nmode = \"observe\"\n[profiles.off.limits]\nratio = 3\n[profiles.mine]\n";
        let config = Config::parse(text, None, &[]).expect("good");
        let of = |path: &str, direction| {
            let service = config.services.find(path).expect("a default service");
            std::sync::Arc::clone(service.profile(direction).expect("offered"))
        };
        let response = of("/respmod", Direction::Response);
        assert_eq!(response.mode, Mode::Observe);
        assert_eq!(response.classes.of(Category::Sqli).action, Action::Off);
        assert_eq!(of("/echo", Direction::Request).mode, Mode::Off);
        assert_eq!(of("/reqmod", Direction::Request).mode, Mode::Enforce);
    }

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        assert_eq!(distance("max-conections", "max-connections"), 1);
        assert_eq!(distance("", "abc"), 3);
        let known = ["listen", "admin", "threads"];
        assert_eq!(nearest("lisen", known.into_iter()), Some("listen"));
        assert_eq!(nearest("completely-else", known.into_iter()), None);
    }
}
