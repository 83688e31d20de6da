//! How much one client may have: rates by ICAP client, HTTP client and user, and shares of what all have together.

use serde::{Deserialize, Serialize};

/// Shares and rates; 0 means no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Quotas {
    /// Transactions of all clients at once; one client may have as many as are left free.
    pub transactions: usize,
    /// Connections of one ICAP client at once.
    pub client_connections: usize,
    /// HTTP clients and users whose rates are kept, each.
    pub tracked: usize,
    /// Each ICAP client, by the name in its certificate, else by its address.
    pub client: Rates,
    /// Each HTTP client, by `X-Client-IP`.
    pub address: Rates,
    /// Each user, by `X-Authenticated-User`.
    pub user: Rates,
}

/// Rates of one kind of client; 0 means no limit.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rates {
    /// Requests a second, on average.
    pub requests_per_second: u64,
    /// Requests that may come at once; 0: one second's worth.
    pub requests_burst: u64,
    /// Body bytes a second, on average, in KiB.
    pub kib_per_second: u64,
    /// Body bytes that may come at once, in KiB; 0: one second's worth.
    pub kib_burst: u64,
}

impl Rates {
    /// True when nothing is limited.
    pub fn is_off(&self) -> bool {
        self.requests_per_second == 0 && self.kib_per_second == 0
    }
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            transactions: 8192,
            client_connections: 0,
            tracked: 65_536,
            client: Rates::default(),
            address: Rates::default(),
            user: Rates::default(),
        }
    }
}
