//! A folder of signatures as one thing: its manifest, its files in one order, its digest, no id twice.
//!
//! The digest covers the relative paths and the contents of all files, in bytewise order of the paths, and nothing
//! else: two nodes with the same bundle have the same digest, wherever it lies and whenever it was copied.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::rules::example::{self, Example, toml_error};
use crate::rules::hash::{self, HashList};
use crate::rules::literal::{self, LiteralRule, MAX_PATTERNS};
use crate::rules::raw::Raw;
use crate::rules::yara::{self, YaraFile};
use crate::rules::{Fault, Mode, RulesError, embedded, folder};

/// A loaded folder of signatures; nothing is compiled yet.
#[derive(Debug, Default)]
pub struct Bundle {
    /// What `bundle.toml` says; defaults when there is none.
    pub manifest: Manifest,
    /// Literal rules, in order of file and place.
    pub literals: Vec<LiteralRule>,
    /// YARA files.
    pub yara: Vec<YaraFile>,
    /// Digest lists.
    pub hashes: Vec<HashList>,
    /// Examples of all rules.
    pub examples: Vec<Example>,
    /// Text files of other rooms (`entity/`, `pattern/`), as they are.
    pub others: Vec<TextFile>,
    name: Arc<str>,
    digest: BundleDigest,
}

/// SHA-256 over a bundle's paths and contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct BundleDigest(pub [u8; 32]);

impl std::fmt::Display for BundleDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text file that another room reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// Its path in the bundle.
    pub path: Box<str>,
    /// Its text.
    pub text: Arc<str>,
}

/// `bundle.toml`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Manifest {
    /// Name of the bundle.
    pub name: Box<str>,
    /// Version; an update must not go back. Numbers with dots between them.
    pub version: Box<str>,
    /// When it was made, RFC 3339.
    pub created: Option<Box<str>>,
    /// When it stops being good, RFC 3339.
    pub expires: Option<Box<str>>,
    /// Oldest sluice that can read it.
    pub minimum_sluice: Option<Box<str>>,
    /// Licence of the rules that name none.
    pub licence: Box<str>,
    /// How matches count unless the operator says otherwise.
    pub mode: Mode,
    /// SHA-256 of each file by its path, in hex; when not empty, exactly these files make the bundle.
    pub files: std::collections::BTreeMap<String, String>,
}

impl Bundle {
    /// The bundle that is part of the program.
    pub fn embedded() -> Self {
        let files = embedded::FILES
            .iter()
            .map(|(path, bytes)| Source {
                path: PathBuf::from(path),
                bytes: bytes.to_vec(),
            })
            .collect();
        Self::from_sources(files, Path::new("signatures"))
            .expect("the tests load the shipped signatures with this very function")
    }

    /// Loads the folder `root`, or a single rule file.
    ///
    /// # Errors
    /// [`RulesError`] with file and line; nothing is half loaded.
    pub fn load(root: &Path) -> Result<Self, RulesError> {
        Raw::read(root)?.parse()
    }

    /// The same, with the files as they were read.
    pub(super) fn load_with_sources(root: &Path) -> Result<(Self, Vec<Source>), RulesError> {
        let sources = sources_of(root)?;
        Ok((Self::from_sources(sources.clone(), root)?, sources))
    }

    /// Its name: the manifest's, or that of the folder or file that it was read from.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The digest that the ISTag is made of.
    pub fn digest(&self) -> BundleDigest {
        self.digest
    }

    /// Files of another room, by their folder (`entity/`).
    pub fn others_under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a TextFile> {
        self.others
            .iter()
            .filter(move |file| file.path.starts_with(folder))
    }

    /// `root` is the folder of the files, or the one file itself.
    pub(super) fn from_sources(mut sources: Vec<Source>, root: &Path) -> Result<Self, RulesError> {
        let is_file =
            matches!(sources.as_slice(), [only] if root.file_name() == Some(only.path.as_os_str()));
        let base = match is_file {
            true => root.parent().unwrap_or(Path::new("")),
            false => root,
        };
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        let mut bundle = Self {
            digest: digest(&sources),
            ..Self::default()
        };
        if let Some(source) = sources
            .iter()
            .find(|source| Kind::of(&source.path) == Kind::Manifest)
        {
            let shown = base.join(&source.path);
            let text = utf8(&shown, &source.bytes)?;
            bundle.manifest =
                toml::from_str(text).map_err(|error| toml_error(&shown, text, &error))?;
            check_files(&bundle.manifest, &sources, base)?;
        }
        bundle.name = match &*bundle.manifest.name {
            "" => root
                .file_stem()
                .map_or("rules".into(), |name| name.to_string_lossy())
                .into(),
            name => name.into(),
        };
        for source in sources {
            bundle.add(source, base)?;
        }
        bundle.refuse_duplicates()?;
        Ok(bundle)
    }

    fn add(&mut self, source: Source, base: &Path) -> Result<(), RulesError> {
        let shown = base.join(&source.path);
        match Kind::of(&source.path) {
            Kind::Manifest | Kind::Ignored => {}
            Kind::Literal => {
                let mut file = literal::parse(&shown, utf8(&shown, &source.bytes)?)?;
                for rule in &mut file.rules {
                    rule.about.bundle = Arc::clone(&self.name);
                }
                self.literals.extend(file.rules);
                self.examples.extend(file.examples);
                let patterns: usize = self.literals.iter().map(|rule| rule.patterns.len()).sum();
                if patterns > MAX_PATTERNS {
                    let fault = Fault::TooManyRules {
                        limit: MAX_PATTERNS,
                    };
                    return Err(RulesError::new(&shown, None, fault));
                }
            }
            Kind::Yara => self.yara.push(YaraFile {
                namespace: source.path.with_extension("").to_string_lossy().into(),
                shown: shown.to_string_lossy().into(),
                text: yara::text(&source.bytes).into(),
                bundle: Arc::clone(&self.name),
            }),
            Kind::Hash => self.hashes.push(HashList {
                bundle: Arc::clone(&self.name),
                ..hash::parse(&shown, &source.bytes)?
            }),
            Kind::Example => self
                .examples
                .extend(example::parse(&shown, utf8(&shown, &source.bytes)?)?),
            Kind::Other => self.others.push(TextFile {
                path: source.path.to_string_lossy().into(),
                text: utf8(&shown, &source.bytes)?.into(),
            }),
        }
        Ok(())
    }

    fn refuse_duplicates(&self) -> Result<(), RulesError> {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        for rule in &self.literals {
            if let Some(first) = seen.insert(&rule.about.id, &rule.source) {
                return Err(RulesError::new(
                    Path::new(&*rule.source),
                    None,
                    Fault::DuplicateId {
                        id: (&*rule.about.id).into(),
                        first: first.into(),
                    },
                ));
            }
        }
        Ok(())
    }
}

/// A file of a bundle.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// Relative to the bundle's root.
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

/// The files of a folder, or a single file.
pub(super) fn sources_of(root: &Path) -> Result<Vec<Source>, RulesError> {
    let meta =
        std::fs::metadata(root).map_err(|error| RulesError::new(root, None, Fault::Io(error)))?;
    let (base, paths) = if meta.is_dir() {
        (root.to_owned(), folder::list(root)?)
    } else {
        let name = root.file_name().map(PathBuf::from).unwrap_or_default();
        (
            root.parent().unwrap_or(Path::new("")).to_owned(),
            vec![name],
        )
    };
    let mut sources = Vec::with_capacity(paths.len());
    for path in paths {
        if Kind::of(&path) == Kind::Ignored {
            continue;
        }
        let bytes = folder::read(&base.join(&path), folder::FILE_BYTES)?;
        sources.push(Source { path, bytes });
    }
    Ok(sources)
}

impl BundleDigest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl Manifest {
    /// Holds the bundle's date against `now` (`None`: any date will do) and its demands against this program.
    ///
    /// # Errors
    /// [`RulesError`] naming `shown`.
    pub fn check(&self, shown: &Path, now: Option<jiff::Timestamp>) -> Result<(), RulesError> {
        let fail = |fault| Err(RulesError::new(shown, None, fault));
        if let (Some(expires), Some(now)) = (&self.expires, now) {
            // A date that cannot be read is past: nobody can say that it is not.
            let past = expires
                .parse::<jiff::Timestamp>()
                .map_or(true, |date| date <= now);
            if past {
                let expires = expires.clone();
                return fail(Fault::Expired { expires });
            }
        }
        if let Some(minimum) = &self.minimum_sluice {
            let numbers = |text: &str| -> Vec<u64> {
                text.split('.')
                    .map(|part| part.parse().unwrap_or(0))
                    .collect()
            };
            if numbers(minimum) > numbers(env!("CARGO_PKG_VERSION")) {
                let minimum = minimum.clone();
                return fail(Fault::NeedsNewer { minimum });
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Manifest,
    Literal,
    Yara,
    Hash,
    Example,
    Other,
    Ignored,
}

impl Kind {
    /// By folder first, by extension where the folder says nothing: a plain folder of `.yar` files is a bundle as well,
    /// and so is a single file of literal rules.
    fn of(path: &Path) -> Self {
        let first = path
            .components()
            .next()
            .map(|first| first.as_os_str().to_string_lossy());
        let extension = path
            .extension()
            .map(|found| found.to_string_lossy().to_ascii_lowercase());
        match (first.as_deref(), extension.as_deref()) {
            (Some("bundle.toml"), _) => Self::Manifest,
            (Some("literal"), Some("toml")) => Self::Literal,
            (Some("examples"), Some("toml")) => Self::Example,
            (Some("entity" | "pattern"), Some("toml")) => Self::Other,
            (Some("hash"), Some("txt" | "csv" | "hdb" | "hsb")) => Self::Hash,
            (_, Some("toml")) if path.components().count() == 1 => Self::Literal,
            (_, Some("yar" | "yara")) => Self::Yara,
            (_, Some("hdb" | "hsb")) => Self::Hash,
            _ => Self::Ignored,
        }
    }
}

fn utf8<'a>(shown: &Path, bytes: &'a [u8]) -> Result<&'a str, RulesError> {
    std::str::from_utf8(bytes).map_err(|_| RulesError::new(shown, None, Fault::NotText))
}

fn digest(sources: &[Source]) -> BundleDigest {
    let mut hash = Sha256::new();
    for source in sources {
        let path = source.path.as_os_str().as_encoded_bytes();
        // Lengths first, so that no two different lists of files can give the same stream of bytes.
        hash.update((path.len() as u64).to_be_bytes());
        hash.update(path);
        hash.update((source.bytes.len() as u64).to_be_bytes());
        hash.update(&source.bytes);
    }
    BundleDigest(hash.finalize().into())
}

fn check_files(manifest: &Manifest, sources: &[Source], base: &Path) -> Result<(), RulesError> {
    if manifest.files.is_empty() {
        return Ok(());
    }
    let fail = |path: &Path, fault| Err(RulesError::new(&base.join(path), None, fault));
    let mut listed = 0;
    for source in sources {
        if Kind::of(&source.path) == Kind::Manifest {
            continue;
        }
        let Some(wanted) = manifest.files.get(&*source.path.to_string_lossy()) else {
            return fail(&source.path, Fault::ManifestMismatch);
        };
        let found = BundleDigest::of(&source.bytes).to_string();
        if !wanted.eq_ignore_ascii_case(&found) {
            return fail(&source.path, Fault::DigestMismatch);
        }
        listed += 1;
    }
    if listed != manifest.files.len() {
        let missing = manifest
            .files
            .keys()
            .find(|path| !sources.iter().any(|source| source.path == Path::new(path)));
        return fail(
            Path::new(missing.map_or("", String::as_str)),
            Fault::ManifestMismatch,
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: PathBuf::from(path),
            bytes: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn the_shipped_bundle_loads_and_lists_every_file() {
        let bundle = Bundle::embedded();
        assert!(!bundle.literals.is_empty());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("signatures");
        let on_disk: Vec<_> = folder::list(&root)
            .expect("the folder")
            .into_iter()
            .filter(|path| Kind::of(path) != Kind::Ignored)
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        let mut listed: Vec<_> = embedded::FILES
            .iter()
            .map(|(path, _)| (*path).to_owned())
            .collect();
        listed.sort();
        assert_eq!(
            on_disk, listed,
            "src/rules/embedded.rs lists what signatures/ holds"
        );
    }

    #[test]
    fn more_patterns_than_are_searched_for_are_refused() {
        let one = || source("literal/a.toml", "[[rule]]\nid = 'a/b'\ntext = 'needle'\n");
        let mut bundle = Bundle::from_sources(vec![one()], Path::new("/")).expect("one rule");
        let mut rule = bundle.literals.remove(0);
        let pattern = rule.patterns.remove(0);
        rule.patterns = vec![pattern; MAX_PATTERNS - 1];
        bundle.literals.push(rule);
        bundle.add(one(), Path::new("/")).expect("the last one");
        let error = bundle.add(one(), Path::new("/")).expect_err("one more");
        assert!(matches!(error.fault, Fault::TooManyRules { .. }), "{error}");
    }

    #[test]
    fn the_digest_depends_on_paths_and_contents_only() {
        let a = source("literal/a.toml", "");
        let b = source("literal/b.toml", "[defaults]\n");
        let one = digest(&[a, b]);
        let bundle = Bundle::from_sources(
            vec![
                source("literal/b.toml", "[defaults]\n"),
                source("literal/a.toml", ""),
            ],
            Path::new("/elsewhere"),
        )
        .expect("loads");
        assert_eq!(bundle.digest(), one);
    }

    #[test]
    fn refuses_the_same_id_in_two_files() {
        let rule = "[[rule]]\nid='a/b'\ntext='abc'\n";
        let error = Bundle::from_sources(
            vec![
                source("literal/a.toml", rule),
                source("literal/b.toml", rule),
            ],
            Path::new(""),
        )
        .expect_err("twice");
        assert!(matches!(error.fault, Fault::DuplicateId { .. }));
    }

    #[test]
    fn a_manifest_with_digests_refuses_missing_extra_and_changed_files() {
        let good = BundleDigest(Sha256::digest(b"").into()).to_string();
        let manifest = format!("name='x'\nversion='1'\n[files]\n'literal/a.toml'='{good}'\n");
        let load = |files: Vec<Source>| Bundle::from_sources(files, Path::new("")).map(|_| ());
        assert!(
            load(vec![
                source("bundle.toml", &manifest),
                source("literal/a.toml", "")
            ])
            .is_ok()
        );
        for files in [
            vec![source("bundle.toml", &manifest)],
            vec![
                source("bundle.toml", &manifest),
                source("literal/a.toml", "\n"),
            ],
            vec![
                source("bundle.toml", &manifest),
                source("literal/a.toml", ""),
                source("literal/b.toml", ""),
            ],
        ] {
            assert!(load(files).is_err());
        }
    }
}
