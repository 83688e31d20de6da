//! Where updates are kept: the version in force and the two before it, each as the pack that it came as.
//!
//! ```text
//! store/state.toml            which pack is in force, which came before, who signed them; replaced by renaming only
//! store/<digest>.tar.zst      packs
//! store/lock                  held by whoever changes something
//! ```
//!
//! An update is a pack that a trusted key signed and that passed the caller's trial; the swap is one rename, so that a crash
//! at any moment leaves the old set or the new one, whole. Signatures are kept and checked again whenever a pack is read: a
//! key that is trusted no longer takes its packs with it.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::rules::bundle::{Bundle, BundleDigest, Manifest};
use crate::rules::raw::Raw;
use crate::rules::signature::{self, SignatureError};
use crate::rules::{Fault, RulesError, folder, pack};

/// A folder of packs.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What the store remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct State {
    /// Packs, the one in force first.
    pub versions: Vec<Kept>,
    /// Where the last download came from.
    pub url: Option<Box<str>>,
    /// Its entity tag, so that an unchanged pack is not fetched again.
    pub etag: Option<Box<str>>,
}

/// A pack in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Kept {
    /// Name of the bundle.
    pub name: Box<str>,
    /// Its version.
    pub version: Box<str>,
    /// SHA-256 of the pack; its file is named after it.
    pub pack: Box<str>,
    /// The text of its signature; empty when nobody asked for one.
    #[serde(default)]
    pub signature: Box<str>,
}

/// Packs kept: the one in force and two to go back to.
pub const KEPT: usize = 3;

/// An update is refused.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// No trusted key signed it.
    #[error("{0}; a trusted key must have signed the pack")]
    Signature(#[from] SignatureError),
    /// The pack cannot be read.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// It is another bundle.
    #[error("the pack is the bundle {found}, but {wanted} is in force")]
    OtherBundle {
        /// Name in the pack.
        found: Box<str>,
        /// Name in force.
        wanted: Box<str>,
    },
    /// It is older than what is in force.
    #[error(
        "version {found} is not newer than {current}, which is in force; allow downgrades to install it"
    )]
    Downgrade {
        /// Version in the pack.
        found: Box<str>,
        /// Version in force.
        current: Box<str>,
    },
    /// The trial failed.
    #[error("the pack was tried aside and is not good: {0}")]
    Trial(Box<dyn std::error::Error + Send + Sync>),
    /// Nothing to go back to.
    #[error("the store holds no earlier version")]
    NoEarlier,
    /// The store cannot be written.
    #[error("the store cannot be written")]
    Io(#[from] std::io::Error),
}

/// Whether an older version may replace a newer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Downgrade {
    /// No: an attacker could bring back a set without the rule that stops him.
    #[default]
    Refuse,
    /// Yes, the operator asked for it.
    Allow,
}

/// A trial of a pack's bytes.
pub type Trial<'a> = dyn Fn(&[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> + 'a;

/// What the caller wants checked.
pub struct Terms<'a> {
    /// Whether older versions pass.
    pub downgrade: Downgrade,
    /// The time against which the bundle's date is held; `None`: expired ones pass.
    pub now: Option<jiff::Timestamp>,
    /// The public keys of which one must have signed the pack; empty: no signature is asked for.
    pub keys: &'a [String],
    /// The text of the pack's signature.
    pub signature: Option<&'a str>,
    /// Compiles the pack and runs its examples, before anything in it is read here.
    pub trial: &'a Trial<'a>,
}

impl Store {
    /// The store in `root`, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: &Path) -> Result<Self, UpdateError> {
        use std::os::unix::fs::DirBuilderExt as _;
        // Only what is made here gets a mode: a reader need not own the folder.
        if !root.is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(root)?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// What it remembers; nothing, when it is new.
    ///
    /// # Errors
    /// [`RulesError`] when the state cannot be read.
    pub fn state(&self) -> Result<State, RulesError> {
        let path = self.root.join(STATE);
        if !path.exists() {
            return Ok(State::default());
        }
        let bytes = folder::read(&path, STATE_BYTES)?;
        let text = String::from_utf8_lossy(&bytes);
        toml::from_str(&text)
            .map_err(|error| crate::rules::example::toml_error(&path, &text, &error))
    }

    /// The pack in force; `None` when the store is empty.
    ///
    /// # Errors
    /// [`UpdateError`] when the pack is missing, damaged, or not signed by one of `keys`.
    pub fn in_force(&self, keys: &[String]) -> Result<Option<Raw>, UpdateError> {
        let _lock = self.lock_shared();
        match self.state()?.versions.first() {
            Some(kept) => self.raw(kept, keys).map(Some),
            None => Ok(None),
        }
    }

    /// The bundle in force, read from its pack; `None` when the store is empty.
    ///
    /// # Errors
    /// [`UpdateError`] when the pack is missing or damaged.
    pub fn current(&self) -> Result<Option<Bundle>, UpdateError> {
        let raw = self.in_force(&[])?;
        Ok(raw.map(|raw| raw.parse()).transpose()?)
    }

    /// Puts a pack in force, if it may be. Nothing changes otherwise.
    ///
    /// # Errors
    /// [`UpdateError`] says why not.
    pub fn update(&self, pack_bytes: &[u8], terms: &Terms<'_>) -> Result<Manifest, UpdateError> {
        let _lock = self.lock()?;
        let signature = terms.signature.unwrap_or_default();
        if !terms.keys.is_empty() {
            signature::verify_any(pack_bytes, signature, terms.keys)?;
        }
        (terms.trial)(pack_bytes).map_err(UpdateError::Trial)?;
        let shown = Path::new("pack");
        let manifest = pack::read(shown, pack_bytes)?.manifest;
        manifest.check(shown, terms.now)?;
        let mut state = self.state()?;
        if let Some(current) = state.versions.first() {
            if current.name != manifest.name {
                return Err(UpdateError::OtherBundle {
                    found: manifest.name,
                    wanted: current.name.clone(),
                });
            }
            let newer = version(&manifest.version) > version(&current.version);
            if !newer && terms.downgrade == Downgrade::Refuse {
                return Err(UpdateError::Downgrade {
                    found: manifest.version,
                    current: current.version.clone(),
                });
            }
        }
        let kept = Kept {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            pack: BundleDigest::of(pack_bytes).to_string().into(),
            signature: signature.into(),
        };
        self.replace(&self.file(&kept), pack_bytes)?;
        state.versions.retain(|known| known.pack != kept.pack);
        state.versions.insert(0, kept);
        self.remember(state)?;
        Ok(manifest)
    }

    /// Goes back to the version before.
    ///
    /// # Errors
    /// [`UpdateError::NoEarlier`], or when the earlier pack is damaged.
    pub fn rollback(&self, keys: &[String]) -> Result<Manifest, UpdateError> {
        let _lock = self.lock()?;
        let mut state = self.state()?;
        let earlier = state
            .versions
            .get(1)
            .cloned()
            .ok_or(UpdateError::NoEarlier)?;
        let manifest = self.raw(&earlier, keys)?.parse()?.manifest;
        state.versions.remove(0);
        self.remember(state)?;
        Ok(manifest)
    }

    /// Takes the version in force out, whether or not there is one to go back to.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn withdraw(&self) -> Result<(), UpdateError> {
        let _lock = self.lock()?;
        let mut state = self.state()?;
        if !state.versions.is_empty() {
            state.versions.remove(0);
        }
        // The next download must not be taken for unchanged.
        state.etag = None;
        self.remember(state)
    }

    /// Remembers where the last download came from.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn remember_download(&self, url: &str, etag: Option<&str>) -> Result<(), UpdateError> {
        let _lock = self.lock()?;
        let mut state = self.state()?;
        state.url = Some(url.into());
        state.etag = etag.map(Into::into);
        self.remember(state)
    }

    fn raw(&self, kept: &Kept, keys: &[String]) -> Result<Raw, UpdateError> {
        let path = self.file(kept);
        let bytes = folder::read(&path, pack::PACK_BYTES)?;
        if BundleDigest::of(&bytes).to_string() != *kept.pack {
            return Err(RulesError::new(&path, None, Fault::DigestMismatch).into());
        }
        if !keys.is_empty() {
            signature::verify_any(&bytes, &kept.signature, keys)?;
        }
        Ok(Raw::pack(&path, bytes))
    }

    /// Kept while something is changed: two updates at once would each forget the other's.
    fn lock(&self) -> std::io::Result<fs::File> {
        let file = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o644)
            .open(self.root.join(LOCK))?;
        file.lock()?;
        Ok(file)
    }

    /// Kept while a pack is read, so that no update removes it meanwhile. A reader that may not even open the lock reads
    /// without: what it reads is held against its digest anyway.
    fn lock_shared(&self) -> Option<fs::File> {
        let file = fs::File::open(self.root.join(LOCK)).ok()?;
        file.lock_shared().ok()?;
        Some(file)
    }

    fn file(&self, kept: &Kept) -> PathBuf {
        // The name is 64 hex digits where it was made; whatever else a changed state file says stays in the folder.
        let name: String = kept.pack.chars().filter(char::is_ascii_hexdigit).collect();
        self.root.join(format!("{name}.tar.zst"))
    }

    /// Writes the state, then removes packs that nothing names any more.
    fn remember(&self, mut state: State) -> Result<(), UpdateError> {
        state.versions.truncate(KEPT);
        let text = toml::to_string(&state).expect("the state is plain strings");
        self.replace(&self.root.join(STATE), text.as_bytes())?;
        let named: Vec<PathBuf> = state.versions.iter().map(|kept| self.file(kept)).collect();
        for entry in fs::read_dir(&self.root)?.flatten() {
            let path = entry.path();
            let text = path.to_string_lossy();
            // What a kill left behind goes with the packs that nothing names.
            let ours = text.ends_with(".tar.zst") || text.ends_with(BESIDE);
            if ours && !named.contains(&path) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Writes beside, makes it durable, renames.
    fn replace(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(BESIDE);
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        fs::File::open(&self.root)?.sync_all()
    }
}

/// True when a version stands before another; what is no number counts as 0 and then by its text.
pub fn is_older(found: &str, current: &str) -> bool {
    version(found) < version(current)
}

const LOCK: &str = "lock";
const BESIDE: &str = ".new";
const STATE: &str = "state.toml";
const STATE_BYTES: u64 = 64 * 1024;

/// Numbers between dots, compared as numbers; what is no number counts as 0 and then by its text.
fn version(text: &str) -> (Vec<u64>, String) {
    let numbers = text
        .split(['.', '-', '+'])
        .map(|part| part.parse().unwrap_or(0))
        .collect();
    (numbers, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn pack_of(version: &str, extra: &str) -> Vec<u8> {
        let dir = tempfile::tempdir().expect("a folder");
        let literal = dir.path().join("literal");
        fs::create_dir(&literal).expect("made");
        let manifest = format!("name = 'test'\nversion = '{version}'\n{extra}");
        let rule = format!("[[rule]]\nid = 'a/b'\ntext = 'needle{version}'\n");
        for (path, text) in [("bundle.toml", manifest), ("literal/a.toml", rule)] {
            let path = dir.path().join(path);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("mode");
        }
        for folder in [dir.path(), &literal] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("mode");
        }
        pack::write(dir.path()).expect("packs")
    }

    fn terms<'a>() -> Terms<'a> {
        Terms {
            downgrade: Downgrade::Refuse,
            now: Some("2026-06-01T00:00:00Z".parse().expect("a time")),
            keys: &[],
            signature: None,
            trial: &|_| Ok(()),
        }
    }

    fn in_force(store: &Store) -> Option<String> {
        let current = store.current().expect("readable");
        current.map(|bundle| bundle.manifest.version.into_string())
    }

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("1.10") > version("1.9"));
        assert!(version("2") > version("1.99.9"));
        assert!(version("1.0.1") > version("1.0"));
    }

    #[test]
    fn three_versions_are_kept_and_one_can_go_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("opens");
        assert_eq!(in_force(&store), None);
        for number in ["1.0", "1.1", "1.2", "1.10"] {
            store.update(&pack_of(number, ""), &terms()).expect("newer");
            assert_eq!(in_force(&store).as_deref(), Some(number));
        }
        let packs = fs::read_dir(dir.path()).expect("a folder").count() - 2;
        assert_eq!(packs, KEPT);
        assert_eq!(&*store.rollback(&[]).expect("goes back").version, "1.2");
        assert_eq!(&*store.rollback(&[]).expect("goes back").version, "1.1");
        assert!(matches!(store.rollback(&[]), Err(UpdateError::NoEarlier)));
        assert_eq!(in_force(&store).as_deref(), Some("1.1"));
    }

    #[test]
    fn every_bad_update_is_refused_and_changes_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("opens");
        store.update(&pack_of("2.0", ""), &terms()).expect("first");
        let good = pack_of("3.0", "");
        let cut = good.get(..good.len() / 2).unwrap_or_default().to_vec();
        let table: Vec<(&str, Vec<u8>)> = vec![
            ("empty", Vec::new()),
            ("not a pack", b"nonsense".to_vec()),
            ("half", cut),
            ("the same", pack_of("2.0", "")),
            ("older", pack_of("1.9", "")),
            (
                "expired",
                pack_of("3.0", "expires = '2026-01-01T00:00:00Z'\n"),
            ),
            ("too new", pack_of("3.0", "minimum-sluice = '99.0'\n")),
        ];
        for (what, bytes) in table {
            assert!(store.update(&bytes, &terms()).is_err(), "{what}");
            assert_eq!(in_force(&store).as_deref(), Some("2.0"), "{what}");
        }
        let failing = Terms {
            trial: &|_| Err("an example fails".into()),
            ..terms()
        };
        assert!(matches!(
            store.update(&good, &failing),
            Err(UpdateError::Trial(_))
        ));
        assert_eq!(in_force(&store).as_deref(), Some("2.0"));
        let lenient = Terms {
            downgrade: Downgrade::Allow,
            now: None,
            ..terms()
        };
        store
            .update(
                &pack_of("1.0", "expires = '2026-01-01T00:00:00Z'\n"),
                &lenient,
            )
            .expect("as told");
        assert_eq!(in_force(&store).as_deref(), Some("1.0"));
    }

    #[test]
    fn a_damaged_pack_in_the_store_is_noticed() {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("opens");
        store.update(&pack_of("1.0", ""), &terms()).expect("first");
        let state = store.state().expect("state");
        let file = store.file(state.versions.first().expect("one"));
        fs::write(&file, pack_of("6.6", "")).expect("written");
        assert!(store.current().is_err());
    }
}
