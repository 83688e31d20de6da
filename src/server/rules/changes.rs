//! Changes of the rules in force by the admin API: each tries first, then changes, then reloads; one at a time.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::Config;
use crate::config::file::Rules;
use crate::inspect::Category;
use crate::policy::standing::Modes;
use crate::rules::Mode;
use crate::rules::bundle::Manifest;
use crate::rules::import::{self, Format, Imported};
use crate::rules::raw::Raw;
use crate::rules::store::Store;
use crate::server::reload::{Refusal, ReloadError, Reloader, beside};

use super::examination::{Examination, Examples};
use super::load;
use super::overlay::{self, Kept};
use super::update::{self, Leave, Package, Trial};

/// A change was not made.
#[derive(Debug)]
pub(in crate::server) enum Undone {
    /// A setting is missing.
    Unset(&'static str),
    /// It was refused; what was in force stays in force.
    Refused(Arc<Refusal>),
}

/// Where a pack comes from.
#[derive(Debug)]
pub(in crate::server) enum Origin {
    /// It was sent.
    Sent(Package),
    /// It is to be fetched.
    Url(String),
}

/// What a word of the operator is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server) enum Subject {
    Rule(Box<str>),
    Category(Category),
    Bundle(Box<str>),
}

type Boxed = Box<dyn std::error::Error + Send + Sync>;

impl Reloader {
    /// Puts a pack in force: fetch, verify, try aside, swap. `None`: the store has it already.
    pub(in crate::server) async fn update(
        &self,
        origin: Origin,
        leave: Leave,
    ) -> Result<Option<Manifest>, Undone> {
        let _turn = self.turn().await;
        let config = self.configured()?;
        stored(&config.rules)?;
        let what = match &origin {
            Origin::Sent(_) => "update".to_owned(),
            Origin::Url(url) => format!("update of {}", url.escape_debug()),
        };
        let (program, rules) = (self.program(), config.rules.clone());
        let installed = beside(move || installed(&rules, origin, leave, &program)).await;
        match self.taken(&what, installed)? {
            None => Ok(None),
            Some(manifest) => match self.reload_in_turn(&what).await {
                Ok(_) => Ok(Some(manifest)),
                Err(refusal) => {
                    // It was good aside and is not here: the store goes back to what is in force.
                    let withdrawn =
                        Store::open(&config.rules.store).and_then(|store| store.withdraw());
                    if let Err(error) = withdrawn {
                        tracing::error!(%error, "the refused pack stays in the store");
                    }
                    Err(Undone::Refused(refusal))
                }
            },
        }
    }

    /// Goes back to the version before.
    pub(in crate::server) async fn rollback(&self) -> Result<Manifest, Undone> {
        let _turn = self.turn().await;
        let config = self.configured()?;
        stored(&config.rules)?;
        let rules = config.rules.clone();
        let done = beside(move || -> Result<Manifest, Boxed> {
            Ok(Store::open(&rules.store)?.rollback(&rules.trusted_keys)?)
        })
        .await;
        let manifest = self.taken("rollback", done)?;
        self.reload_in_turn("rollback")
            .await
            .map_err(Undone::Refused)?;
        Ok(manifest)
    }

    /// Reads, compiles and tries aside: the set of the configuration, with `pack` in the place of the store's.
    pub(in crate::server) async fn examine(
        &self,
        pack: Option<Vec<u8>>,
        whose: Examples,
    ) -> Result<Examination, Undone> {
        let config = self.configured()?;
        let program = self.program();
        let seen = beside(move || -> Result<Examination, Boxed> {
            let rules = &config.rules;
            let raws = match pack {
                None => load::gathered(rules)?,
                Some(bytes) => {
                    let mut raws = load::gathered(&without_store(rules))?;
                    raws.push(Raw::pack(Path::new("pack"), bytes));
                    raws
                }
            };
            Ok(load::aside(&program, rules).examine(&raws, whose)?)
        })
        .await;
        // To ask is no update: a bad answer is no amber.
        seen.unwrap_or_else(|| Err(Box::new(ReloadError::Lost)))
            .map_err(|error| Undone::Refused(Arc::new(Refusal::new("set", &*error))))
    }

    /// Turns a list into rule files of the folder of imports, in the place of those of the same name.
    pub(in crate::server) async fn import(
        &self,
        name: String,
        format: Option<Format>,
        text: Vec<u8>,
    ) -> Result<Imported, Undone> {
        let _turn = self.turn().await;
        let config = self.configured()?;
        let folder = config.rules.imports.clone();
        if folder.as_os_str().is_empty() {
            return Err(Undone::Unset(
                "there is no folder to import into: set rules.imports",
            ));
        }
        let what = format!("import of {}", name.escape_debug());
        let done = beside(move || -> Result<(Imported, Vec<Replaced>), Boxed> {
            let format = format.unwrap_or_else(|| import::guess(&text));
            let imported = import::import(Path::new(&name), &text, format, &name)?;
            let replaced = written(&folder, &name, &imported)?;
            Ok((imported, replaced))
        })
        .await;
        let (imported, replaced) = self.taken(&what, done)?;
        match self.reload_in_turn(&what).await {
            Ok(_) => Ok(imported),
            Err(refusal) => {
                for file in replaced {
                    file.restore();
                }
                Err(Undone::Refused(refusal))
            }
        }
    }

    /// Sets, or takes back, the operator's word on a subject.
    pub(in crate::server) async fn set_mode(
        &self,
        subject: Subject,
        mode: Option<Mode>,
    ) -> Result<Kept, Undone> {
        let _turn = self.turn().await;
        let mut modes = self.modes();
        said(&mut modes, subject, mode);
        let snapshot = self.in_force();
        let store = snapshot.config.rules.store.clone();
        let (changed, kept) = (
            modes.clone(),
            beside(move || overlay::write(&store, &modes)).await,
        );
        let kept = kept.unwrap_or_else(|| Err(std::io::ErrorKind::Other.into()));
        let kept = self.taken("change of modes", Some(kept.map_err(Boxed::from)))?;
        self.set_modes(changed);
        Ok(kept)
    }

    fn configured(&self) -> Result<Config, Undone> {
        self.configuration()
            .map_err(|error| Undone::Refused(self.refuse(Refusal::new("configuration", &error))))
    }

    /// What was done, or its refusal on record.
    fn taken<T>(&self, what: &str, done: Option<Result<T, Boxed>>) -> Result<T, Undone> {
        done.unwrap_or_else(|| Err(Box::new(ReloadError::Lost)))
            .map_err(|error| Undone::Refused(self.refuse(Refusal::new(what, &*error))))
    }
}

fn stored(rules: &Rules) -> Result<(), Undone> {
    if rules.store.as_os_str().is_empty() {
        return Err(Undone::Unset("there is no store: set rules.store"));
    }
    if rules.trusted_keys.is_empty() {
        return Err(Undone::Unset(
            "no key is trusted: put the base64 line of a .pub file into rules.trusted-keys",
        ));
    }
    Ok(())
}

fn without_store(rules: &Rules) -> Rules {
    Rules {
        store: PathBuf::new(),
        ..rules.clone()
    }
}

fn installed(
    rules: &Rules,
    origin: Origin,
    leave: Leave,
    program: &Path,
) -> Result<Option<Manifest>, Boxed> {
    let store = Store::open(&rules.store)?;
    let (package, fetched) = match origin {
        Origin::Sent(package) => (package, None),
        Origin::Url(url) => match update::fetched(&store, &url, &rules.authorities)? {
            None => return Ok(None),
            Some((package, etag)) => (package, Some((url, etag))),
        },
    };
    let trial = Trial {
        aside: &load::aside(program, rules),
        others: load::gathered(&without_store(rules))?,
        broken: rules.broken,
    };
    let manifest = update::install(&store, &package, (&rules.trusted_keys, leave), &trial)?;
    if let Some((url, etag)) = fetched {
        store.remember_download(&url, etag.as_deref())?;
    }
    Ok(Some(manifest))
}

fn said(modes: &mut Modes, subject: Subject, mode: Option<Mode>) {
    match (subject, mode) {
        (Subject::Rule(id), Some(mode)) => drop(modes.rules.insert(id, mode)),
        (Subject::Rule(id), None) => drop(modes.rules.remove(&id)),
        (Subject::Category(category), Some(mode)) => drop(modes.categories.insert(category, mode)),
        (Subject::Category(category), None) => drop(modes.categories.remove(&category)),
        (Subject::Bundle(name), Some(mode)) => drop(modes.bundles.insert(name, mode)),
        (Subject::Bundle(name), None) => drop(modes.bundles.remove(&name)),
    }
}

/// A file of the folder of imports, and what it held before.
struct Replaced {
    path: PathBuf,
    before: Option<Vec<u8>>,
}

impl Replaced {
    fn restore(self) {
        let done = match self.before {
            Some(bytes) => placed(&self.path, &bytes),
            None => fs::remove_file(&self.path),
        };
        if let Err(error) = done {
            tracing::error!(%error, path = %self.path.display(), "a refused import stays");
        }
    }
}

/// The two files that an import of that name can consist of: what a newer one no longer has goes.
fn written(folder: &Path, name: &str, imported: &Imported) -> Result<Vec<Replaced>, Boxed> {
    let mut replaced = Vec::new();
    for relative in [format!("hash/{name}.txt"), format!("literal/{name}.toml")] {
        let path = folder.join(&relative);
        let before = fs::read(&path).ok();
        let text = imported.files.iter().find(|(path, _)| *path == relative);
        match text {
            Some((_, text)) => placed(&path, text.as_bytes())?,
            None if before.is_some() => fs::remove_file(&path)?,
            None => continue,
        }
        replaced.push(Replaced { path, before });
    }
    Ok(replaced)
}

/// Written beside and renamed, so that nobody reads half of it.
fn placed(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(folder)?;
    // The name begins with a dot, which readers of a bundle pass over.
    let mut file = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
