//! Who may use the admin listener.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::listeners::TlsEntry;

/// Who may use the admin listener, and where changes are recorded.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Admin {
    /// Names that a `Host` header may give besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Who may do what; without any, and without `certificates`, only reads from loopback are answered.
    pub tokens: Vec<Token>,
    /// TLS on the admin listener; absent: plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsEntry>,
    /// What the holder of a client's certificate of `tls.client-ca` may do; the first that fits counts.
    pub certificates: Vec<Certificate>,
    /// The hash-chained record of changes; empty: the application log only.
    pub audit_log: PathBuf,
}

/// A bearer token: its holder, what he may do, and the hash that it is held against.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Token {
    /// Whose it is; the token begins with it.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// Its argon2 hash, as `sluice token` prints it.
    pub hash: String,
}

/// True when a token may be called so: 1 to 64 letters, digits, `-` or `_`. The name ends at the token's first `.`.
pub fn is_token_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&name.len()) && name.bytes().all(plain)
}

/// A client's certificate, and what its holder may do.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Certificate {
    /// A subject alternative name of it; `*.` stands for any one label.
    pub name: String,
    /// What it allows.
    pub role: Role,
}

/// What the holder of a token may do; each includes the one before.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Look at everything.
    Viewer,
    /// Reload, check and test rules, set observe and enforce, go back, change the log level.
    Operator,
    /// Bring in rules: update and import.
    Admin,
}

impl Role {
    /// Its name in the configuration and in records.
    pub fn code(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}
