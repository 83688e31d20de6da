//! From the configuration to compiled rules: at the start, and at each reload.
//!
//! A reload that finds the same bytes keeps the compiled set. Otherwise the set is tried aside, held against what is in
//! force, and compiled here on a thread of lower priority.

use std::path::{Path, PathBuf};

use rustix::process::nice;

use crate::config::Config;
use crate::config::file::{BrokenRules, Rules};
use crate::inspect::yara::YaraLimits;
use crate::rules::bundle::BundleDigest;
use crate::rules::raw::{self, Raw};
use crate::rules::store::{self, Store, UpdateError};
use crate::rules::{Bundle, RulesError, folder, signature};
use crate::scan::Ruleset;

use super::aside::{Aside, AsideError, Bounds, NICE};
use super::examination::{self, Examples, SetError, Within};

/// No rules can be put in force.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A signature file is wrong.
    #[error(transparent)]
    File(#[from] RulesError),
    /// The set is wrong.
    #[error(transparent)]
    Set(#[from] SetError),
    /// The store is wrong.
    #[error("rules.store {}", path.display())]
    Store {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: UpdateError,
    },
    /// A pack is not signed by a trusted key.
    #[error("{}: {source}; the keys of rules.trusted-keys must have signed it", path.display())]
    Signature {
        /// The pack.
        path: PathBuf,
        /// Why.
        source: signature::SignatureError,
    },
    /// The set was tried and is not good.
    #[error(transparent)]
    Aside(#[from] AsideError),
    /// The configuration names an engine that this program does not have.
    #[error(
        "rules.engine = {0:?} is not in this program: build it with --features {0}, or leave the key out"
    )]
    Engine(&'static str),
    /// The set compiles and cannot be in force all the same.
    #[error("{0}")]
    Objection(Box<str>),
    /// A bundle is older than the one in force.
    #[error(
        "{name}: version {found} is older than {current}, which is in force; set rules.allow-downgrade = true to take it"
    )]
    Downgrade {
        /// The bundle.
        name: Box<str>,
        /// Its version now.
        found: Box<str>,
        /// The version in force.
        current: Box<str>,
    },
    /// A bundle is past its date.
    #[error("{name}: {source}; get a newer one, or set rules.allow-expired = true")]
    Expired {
        /// The bundle.
        name: Box<str>,
        /// Its date.
        source: RulesError,
    },
}

/// The bytes of all bundles that the configuration names, in order.
///
/// # Errors
/// [`LoadError`] for files that cannot be read or are not signed as they must be.
pub fn gathered(rules: &Rules) -> Result<Vec<Raw>, LoadError> {
    let mut raws = Vec::new();
    if rules.embedded {
        raws.push(Raw::embedded());
    }
    for path in &rules.bundles {
        let raw = Raw::read(path)?;
        if raw::is_pack(path) && !rules.trusted_keys.is_empty() {
            signed(path, &raw, &rules.trusted_keys)?;
        }
        raws.push(raw);
    }
    if holds_files(&rules.imports) {
        raws.push(Raw::read(&rules.imports)?);
    }
    if !rules.store.as_os_str().is_empty() {
        let fail = |source| LoadError::Store {
            path: rules.store.clone(),
            source,
        };
        let store = Store::open(&rules.store).map_err(fail)?;
        raws.extend(store.in_force(&rules.trusted_keys).map_err(fail)?);
    }
    Ok(raws)
}

/// The folder of imports is there from the start, and empty until the first.
fn holds_files(path: &Path) -> bool {
    !path.as_os_str().is_empty() && folder::list(path).is_ok_and(|files| !files.is_empty())
}

fn signed(path: &Path, raw: &Raw, keys: &[String]) -> Result<(), LoadError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".minisig");
    let text = folder::read(Path::new(&beside), signature::SIGNATURE_BYTES)?;
    let bytes = raw.pack_bytes().unwrap_or_default();
    signature::verify_any(bytes, &String::from_utf8_lossy(&text), keys).map_err(|source| {
        LoadError::Signature {
            path: path.into(),
            source,
        }
    })
}

/// Compiles a set, here and now.
///
/// # Errors
/// [`LoadError`] when it cannot be in force.
pub fn compiled(raws: &[Raw], config: &Config) -> Result<Ruleset, LoadError> {
    let rules = &config.rules;
    let mut bundles = examination::parsed(raws)?;
    for bundle in &mut bundles {
        bundle.examples = Vec::new();
    }
    if !rules.engine.is_built_in() {
        return Err(LoadError::Engine(rules.engine.code()));
    }
    let ruleset = Ruleset::compile(bundles, limits(config)).map_err(SetError::from)?;
    for slow in ruleset.signatures().yara().slow() {
        let (rule, per_mib) = (&slow.about.id, slow.per_mib);
        let (file, line) = (&slow.file, slow.line);
        tracing::warn!(%rule, ?per_mib, %file, line, "a rule is slow on ordinary bytes");
    }
    for problem in ruleset.signatures().problems() {
        match rules.broken {
            BrokenRules::Fatal => {
                let text = format!("{problem}; mend the rule, or set rules.broken = \"skip\"");
                return Err(LoadError::Objection(text.into()));
            }
            BrokenRules::Skip => tracing::warn!(%problem, "a rule does not load and is left out"),
        }
    }
    match examination::doubles(&ruleset, Within::TwoBundles)
        .into_iter()
        .next()
    {
        Some(duplicate) => Err(LoadError::Objection(duplicate.into())),
        None => Ok(ruleset),
    }
}

/// What the configuration says of compiling and scanning.
pub fn limits(config: &Config) -> YaraLimits {
    YaraLimits {
        engine: config.rules.engine,
        scan_time: config.scan_time,
        scan_time_per_mib: config.scan_time_per_mib,
        ..YaraLimits::default()
    }
}

/// Tries a set aside, holds it against the set in force, and compiles it.
///
/// # Errors
/// [`LoadError`] when it cannot be in force; nothing is changed then.
pub fn replacing(
    in_force: &Ruleset,
    raws: &[Raw],
    config: &Config,
    program: &Path,
) -> Result<Ruleset, LoadError> {
    let rules = &config.rules;
    let seen = aside(program, rules).examine(raws, Examples::OfOperator)?;
    if let Some(objection) = seen.objection(rules.broken) {
        return Err(LoadError::Objection(objection.into()));
    }
    for (raw, bundle) in raws.iter().zip(examination::parsed(raws)?) {
        // The store has asked the same, and knows what the operator gave leave for: to go back is one such.
        let of_store = !rules.store.as_os_str().is_empty() && raw.shown().starts_with(&rules.store);
        if !of_store {
            follows(in_force, &bundle, rules)?;
        }
    }
    // On Linux this is the priority of the calling thread, which is the loader's own.
    let _ = nice(NICE);
    compiled(raws, config)
}

/// How the configuration wants sets to be tried.
pub fn aside(program: &Path, rules: &Rules) -> Aside {
    Aside {
        program: program.into(),
        bounds: Bounds {
            seconds: rules.compile_seconds,
            mib: rules.compile_mib,
        },
    }
}

/// What is in force stays so past its date; what is past its date, or older than what is in force, does not come in.
fn follows(in_force: &Ruleset, bundle: &Bundle, rules: &Rules) -> Result<(), LoadError> {
    let name = || Box::<str>::from(&**bundle.name());
    let known = |digest: BundleDigest| in_force.bundles().iter().any(|old| old.digest == digest);
    if known(bundle.digest()) {
        return Ok(());
    }
    if !rules.allow_expired {
        bundle
            .manifest
            .check(Path::new("bundle.toml"), Some(jiff::Timestamp::now()))
            .map_err(|source| LoadError::Expired {
                name: name(),
                source,
            })?;
    }
    let before = in_force
        .bundles()
        .iter()
        .find(|old| old.name == *bundle.name() && !old.version.is_empty());
    let found = &bundle.manifest.version;
    match before {
        Some(old) if !rules.allow_downgrade && store::is_older(found, &old.version) => {
            Err(LoadError::Downgrade {
                name: name(),
                found: found.clone(),
                current: old.version.clone(),
            })
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::rules::pack;
    use crate::rules::signature::{new_keys, sign};

    /// A folder with these files, which only their owner may write.
    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::write(&path, bytes).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("mode");
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        folder
    }

    fn config(bundle: &Path, keys: &[&str]) -> Config {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        let mut config = Config::parse("", None, &[]).expect("the defaults");
        config.rules.embedded = false;
        config.rules.bundles = vec![bundle.to_owned()];
        config.rules.trusted_keys = keys;
        config
    }

    #[test]
    fn a_pack_among_the_bundles_must_be_signed_by_a_trusted_key() {
        let (public, secret) = new_keys().expect("keys");
        let (other, _) = new_keys().expect("keys");
        let rules = folder(&[("a.yar", b"rule a { condition: filesize == 1 }")]);
        let bytes = pack::write(rules.path()).expect("packs");
        let signature = sign(&bytes, &secret, None).expect("signs");
        let home = folder(&[
            ("good.tar.zst", &bytes),
            ("good.tar.zst.minisig", signature.as_bytes()),
        ]);
        let path = home.path().join("good.tar.zst");
        let gathered = |keys: &[&str]| gathered(&config(&path, keys).rules);
        assert_eq!(gathered(&[&public]).expect("signed").len(), 1);
        let error = gathered(&[&other]).expect_err("another key");
        assert!(matches!(error, LoadError::Signature { .. }), "{error}");
        assert!(error.to_string().contains("rules.trusted-keys"), "{error}");
    }

    #[test]
    fn a_bundle_without_a_rule_is_refused() {
        let empty = folder(&[("bundle.toml", b"name = 'a'\n")]);
        let config = config(empty.path(), &[]);
        let raws = gathered(&config.rules).expect("reads");
        let error = compiled(&raws, &config).expect_err("nothing in it");
        assert!(
            matches!(error, LoadError::Set(SetError::Empty(_))),
            "{error}"
        );
    }

    #[test]
    fn a_rule_that_does_not_load_is_an_objection_or_left_out_as_the_configuration_says() {
        let text = b"rule a { condition: filesize == 1 }\nrule b { condition: oops oops }";
        let home = folder(&[("a.yar", text)]);
        let mut config = config(home.path(), &[]);
        let raws = gathered(&config.rules).expect("reads");
        config.rules.broken = BrokenRules::Fatal;
        let error = compiled(&raws, &config).expect_err("broken");
        assert!(matches!(error, LoadError::Objection(_)), "{error}");
        assert!(error.to_string().contains("a.yar:2"), "{error}");
        config.rules.broken = BrokenRules::Skip;
        let rules = compiled(&raws, &config).expect("the other rule");
        assert_eq!(rules.signatures().rules().count(), 1);
    }
}
