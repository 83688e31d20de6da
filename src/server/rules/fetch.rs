//! Rule packs over HTTPS, and what a running server says of its rules. What comes is checked by signature afterwards; TLS
//! keeps it private and the address honest.

use std::path::Path;
use std::time::Duration;

use crate::outgoing::{self, Call, Limits, OutgoingError, Scheme, Url};

/// A download failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no answer.
    #[error("the download failed")]
    Failed(#[from] OutgoingError),
    /// Neither 200 nor 304.
    #[error("the server answered {0}")]
    Status(u16),
    /// Packs come over TLS.
    #[error("expected https://")]
    Plain,
}

/// A client with its certificate authorities.
#[derive(Debug)]
pub struct Client(outgoing::Client);

/// What was fetched.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The body.
    pub body: Vec<u8>,
    /// Its entity tag.
    pub etag: Option<String>,
}

impl Client {
    /// A client that trusts the authorities in this PEM file.
    ///
    /// # Errors
    /// [`FetchError`] when there are none.
    pub fn new(authorities: &Path) -> Result<Self, FetchError> {
        Ok(Self(outgoing::Client::new(authorities)?))
    }

    /// Fetches `url`; `None` when it still has the entity tag.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn get(
        &self,
        url: &str,
        etag: Option<&str>,
        limit: u64,
    ) -> Result<Option<Answer>, FetchError> {
        let url: Url = url.parse()?;
        match url.scheme() {
            Scheme::Https => {}
            Scheme::Http => return Err(FetchError::Plain),
        }
        let condition = etag.map(|etag| ("if-none-match", etag));
        let call = Call {
            url: &url,
            fields: condition.as_slice(),
            body: None,
        };
        let answer = self.0.ask(&call, &limits(limit))?;
        match answer.status {
            200 => Ok(Some(Answer {
                body: answer.body,
                etag: answer.etag,
            })),
            304 => Ok(None),
            other => Err(FetchError::Status(other)),
        }
    }
}

/// Asks the admin listener of a running server; over TLS it must show a certificate of one of `authorities`, a PEM file.
///
/// # Errors
/// [`FetchError`].
pub fn from_admin(
    url: &str,
    path: &str,
    token: Option<&str>,
    authorities: &Path,
) -> Result<Vec<u8>, FetchError> {
    let url: Url = format!("{}{path}", url.trim_end_matches('/')).parse()?;
    let client = match url.scheme() {
        Scheme::Https => outgoing::Client::new(authorities)?,
        Scheme::Http => outgoing::Client::default(),
    };
    let token = token.map(|token| format!("Bearer {token}"));
    let field = token.as_deref().map(|token| ("authorization", token));
    let call = Call {
        url: &url,
        fields: field.as_slice(),
        body: None,
    };
    let answer = client.ask(&call, &limits(ADMIN_BYTES))?;
    match answer.status {
        200 => Ok(answer.body),
        other => Err(FetchError::Status(other)),
    }
}

fn limits(body_bytes: u64) -> Limits {
    Limits {
        patience: PATIENCE,
        whole: WHOLE_TIME,
        body_bytes,
    }
}

/// Time to connect, and for each read.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time for all of it: 64 MiB at 2 Mbit/s.
const WHOLE_TIME: Duration = Duration::from_secs(270);

/// Half a million rules, 300 bytes each, and room.
const ADMIN_BYTES: u64 = 256 * 1024 * 1024;
