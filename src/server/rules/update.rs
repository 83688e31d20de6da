//! A pack into a store: fetched or handed over, verified, tried aside together with the rest of the set, put in force.

use std::path::Path;

use crate::rules::bundle::Manifest;
use crate::rules::pack;
use crate::rules::raw::Raw;
use crate::rules::signature::SIGNATURE_BYTES;
use crate::rules::store::{Downgrade, Store, Terms, UpdateError};

use super::aside::Aside;
use super::examination::Examples;
use super::fetch::{Client, FetchError};
use crate::config::file::BrokenRules;

/// A pack and the text of its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Package {
    /// The pack.
    pub pack: Vec<u8>,
    /// The text of its `.minisig` file.
    pub signature: Option<String>,
}

/// What the operator wants to be taken all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leave {
    /// A version that is not newer.
    pub downgrade: Downgrade,
    /// A pack past its date.
    pub expired: Expired,
}

/// Whether a pack past its date may be installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expired {
    /// No.
    #[default]
    Refuse,
    /// Yes, the operator asked for it.
    Allow,
}

/// Fetches a pack and its signature; `None` when the store has it already.
///
/// # Errors
/// [`FetchError`].
pub fn fetched(
    store: &Store,
    url: &str,
    authorities: &Path,
) -> Result<Option<(Package, Option<String>)>, FetchError> {
    let known = store.state().unwrap_or_default();
    let etag = known.etag.filter(|_| known.url.as_deref() == Some(url));
    let client = Client::new(authorities)?;
    let Some(answer) = client.get(url, etag.as_deref(), pack::PACK_BYTES)? else {
        return Ok(None);
    };
    let beside = format!("{url}.minisig");
    // A pack that nobody signed is refused by whoever asks for a signature, not here.
    let signature = match client.get(&beside, None, SIGNATURE_BYTES) {
        Ok(answer) => answer.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()),
        Err(FetchError::Status(404)) => None,
        Err(error) => return Err(error),
    };
    let package = Package {
        pack: answer.body,
        signature,
    };
    Ok(Some((package, answer.etag)))
}

/// Puts a package in force in `store`, if it may be: signed by one of `keys` (none: unsigned), good together with
/// `others`, newer and in date unless there is leave.
///
/// # Errors
/// [`UpdateError`] says why not; nothing is changed then.
pub fn install(
    store: &Store,
    package: &Package,
    (keys, leave): (&[String], Leave),
    trial: &Trial<'_>,
) -> Result<Manifest, UpdateError> {
    let terms = Terms {
        downgrade: leave.downgrade,
        now: match leave.expired {
            Expired::Refuse => Some(jiff::Timestamp::now()),
            Expired::Allow => None,
        },
        keys,
        signature: package.signature.as_deref(),
        trial: &|bytes| trial.run(bytes),
    };
    store.update(&package.pack, &terms)
}

/// How a pack is tried.
#[derive(Debug)]
pub struct Trial<'a> {
    /// The process for it.
    pub aside: &'a Aside,
    /// What it will be in force together with.
    pub others: Vec<Raw>,
    /// What a rule that does not load means.
    pub broken: BrokenRules,
}

impl Trial<'_> {
    fn run(&self, bytes: &[u8]) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let mut raws = self.others.clone();
        raws.push(Raw::pack(Path::new("pack"), bytes.to_vec()));
        let seen = self.aside.examine(&raws, Examples::OfOperator)?;
        match seen.objection(self.broken) {
            None => Ok(()),
            Some(objection) => Err(objection.into()),
        }
    }
}
