//! TLS: certificates that can be changed while connections go on, and whose certificates are taken.
//!
//! Each change builds a whole new `rustls` configuration beside the old one. A connection keeps the one that it began
//! with; so do its session tickets, whose keys are made anew with each configuration and every six hours (no key is
//! shared for ever, and no ticket outlives the CA that it was issued under).

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;

use crate::config::listeners::{Asking, TlsEntry, TlsVersion};
use crate::policy::allow::is_name;

/// The TLS of one listener.
#[derive(Debug)]
pub(super) struct Tls {
    current: ArcSwap<Loaded>,
    seen: Mutex<Vec<Stamp>>,
}

/// One set of certificates, ready for handshakes.
#[derive(Debug)]
pub(super) struct Loaded {
    config: Arc<ServerConfig>,
    certificate: CertificateDer<'static>,
    names: Vec<String>,
    /// When our certificate expires, in seconds since 1970.
    pub(super) expires: i64,
}

/// The certificates of a listener cannot be used. Each message holds its cause: it is also logged alone.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read as PEM.
    #[error("cannot read {} as PEM: {why}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        why: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{} holds no certificate", .0.display())]
    Empty(PathBuf),
    /// A certificate is no X.509 certificate.
    #[error("{} holds what is no certificate", .0.display())]
    Malformed(PathBuf),
    /// It has expired.
    #[error("the certificate in {} has expired", .0.display())]
    Expired(PathBuf),
    /// Certificate and key do not fit, or cannot be used.
    #[error("cannot use {} with its key: {why}", path.display())]
    Unusable {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        why: rustls::Error,
    },
    /// The clients' CA cannot be used.
    #[error("cannot use the certificates in {}: {why}", path.display())]
    ClientCa {
        /// The file.
        path: PathBuf,
        /// Why.
        why: VerifierBuilderError,
    },
}

impl Tls {
    /// Loads what `entry` names.
    pub(super) fn load(entry: &TlsEntry) -> Result<Self, TlsError> {
        let seen = stamps(entry);
        Ok(Self {
            current: ArcSwap::from_pointee(Loaded::read(entry, None)?),
            seen: Mutex::new(seen),
        })
    }

    /// What is in force.
    pub(super) fn current(&self) -> Arc<Loaded> {
        self.current.load_full()
    }

    /// Puts `loaded` in force for the handshakes to come.
    pub(super) fn replace(&self, loaded: Loaded) {
        self.current.store(Arc::new(loaded));
    }

    /// True once after the files of `entry` have changed.
    pub(super) fn has_changed(&self, entry: &TlsEntry) -> bool {
        let now = stamps(entry);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *seen != now;
        *seen = now;
        changed
    }
}

impl Loaded {
    /// Reads the files of `entry` and puts them together. A certificate that has expired does not replace the other one
    /// that is in force, `before`. At the start it is taken and warned of: clients that do not look are better served
    /// than none; and once in force, it must not stand in the way of a reload of all else.
    pub(super) fn read(entry: &TlsEntry, before: Option<&Self>) -> Result<Self, TlsError> {
        let path = &entry.certificate;
        let chain = certificates(path)?;
        let first = chain.first().ok_or_else(|| TlsError::Empty(path.clone()))?;
        let expires = expiry(first).ok_or_else(|| TlsError::Malformed(path.clone()))?;
        let replaces = before.is_some_and(|before| before.certificate != *first);
        if replaces && expires <= now() {
            return Err(TlsError::Expired(path.clone()));
        }
        let key = PrivateKeyDer::from_pem_file(&entry.key).map_err(|why| TlsError::Pem {
            path: entry.key.clone(),
            why,
        })?;
        let unusable = |why| TlsError::Unusable {
            path: path.clone(),
            why,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = match entry.min_version {
            TlsVersion::V1_2 => &[&rustls::version::TLS13, &rustls::version::TLS12],
            TlsVersion::V1_3 => &[&rustls::version::TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .map_err(unusable)?;
        let builder = match &entry.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let wrong = |why| TlsError::ClientCa {
                    path: path.clone(),
                    why,
                };
                let roots = Arc::new(roots(path)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                let verifier = match entry.asking {
                    Asking::Insists => verifier,
                    Asking::Asks => verifier.allow_unauthenticated(),
                };
                builder.with_client_cert_verifier(verifier.build().map_err(wrong)?)
            }
        };
        let certificate = first.clone();
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(unusable)?;
        Ok(Self {
            config: Arc::new(config),
            certificate,
            names: entry.client_names.clone(),
            expires,
        })
    }

    /// Shakes hands; yields the stream and the names in the client's certificate.
    pub(super) async fn accept<S>(&self, stream: S) -> std::io::Result<(TlsStream<S>, Names)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let stream = acceptor.accept(stream).await?;
        let names = names(stream.get_ref().1);
        Ok((stream, names))
    }

    /// Which of the `names` in a client's certificate he goes by: the first that was listed, or the first of all where
    /// there is no list.
    ///
    /// # Errors
    /// [`Unlisted`] when there is a list, and none of them is in it.
    pub(super) fn identity(&self, names: &[Box<str>]) -> Result<Option<Arc<str>>, Unlisted> {
        if self.names.is_empty() {
            return Ok(names.first().map(|name| Arc::from(&**name)));
        }
        let listed = |name: &&str| self.names.iter().any(|pattern| is_name(pattern, name));
        let mut names = names.iter().map(|name| &**name);
        names
            .find(listed)
            .map(|name| Some(name.into()))
            .ok_or(Unlisted)
    }

    /// Seconds until our certificate expires; negative when it has.
    pub(super) fn seconds_left(&self) -> i64 {
        self.expires.saturating_sub(now())
    }
}

/// No name in the client's certificate is one of those that were listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unlisted;

/// The subject alternative names of a client's certificate.
pub(super) type Names = Vec<Box<str>>;

fn names(connection: &ServerConnection) -> Names {
    let Some([first, ..]) = connection.peer_certificates() else {
        return Names::default();
    };
    let Ok((_, certificate)) = parse_x509_certificate(first) else {
        return Names::default();
    };
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Names::default();
    };
    let texts = names.value.general_names.iter().filter_map(text);
    texts.take(NAMES).collect()
}

fn text(name: &GeneralName<'_>) -> Option<Box<str>> {
    match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) | GeneralName::RFC822Name(name) => {
            Some((*name).into())
        }
        GeneralName::IPAddress(bytes) => {
            let address = match *bytes {
                &[a, b, c, d] => IpAddr::from([a, b, c, d]),
                bytes => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
            };
            Some(address.to_string().into())
        }
        _ => None,
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |why| TlsError::Pem {
        path: path.into(),
        why,
    };
    CertificateDer::pem_file_iter(path)
        .map_err(wrong)?
        .collect::<Result<_, _>>()
        .map_err(wrong)
}

fn roots(path: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|why| TlsError::Unusable {
            path: path.into(),
            why,
        })?;
    }
    Ok(roots)
}

fn expiry(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = parse_x509_certificate(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

/// What tells one state of a file from another: modified when, how long, and which file it is (a rename in its place, as
/// Kubernetes and ACME clients do it).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

fn stamps(entry: &TlsEntry) -> Vec<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let files = [&entry.certificate, &entry.key].into_iter();
    files
        .chain(&entry.client_ca)
        .map(|path| match std::fs::metadata(path) {
            Ok(metadata) => Stamp {
                modified: metadata.modified().ok(),
                length: metadata.len(),
                inode: metadata.ino(),
            },
            Err(_) => Stamp {
                modified: None,
                length: 0,
                inode: 0,
            },
        })
        .collect()
}

fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Names of one certificate that are looked at: gateways have a few, and a certificate must not cost more.
const NAMES: usize = 64;
