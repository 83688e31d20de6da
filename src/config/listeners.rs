//! The ICAP listeners: where each one listens, who may use it, and what stands between its socket and ICAP.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Mistake, Source};

/// One `[[listeners]]` as it is written.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// `address:port` or `unix:/path`.
    pub address: Spanned<String>,
    /// Its name in metrics and logs; empty: the address.
    #[serde(default)]
    pub name: String,
    /// What is spoken there.
    #[serde(default)]
    pub protocol: Protocol,
    /// Networks of the ICAP clients that may use it; empty: loopback, or whoever shows a certificate of `client-ca`.
    #[serde(default)]
    pub allow: Vec<IpNet>,
    /// Paths of the services that it offers; empty: all.
    #[serde(default)]
    pub services: Vec<String>,
    /// Permissions of a Unix socket, octal.
    #[serde(default = "default_mode")]
    pub mode: String,
    /// Networks of the proxies in front, which must begin each connection with a PROXY protocol header; empty: none.
    #[serde(default)]
    pub proxies: Vec<IpNet>,
    /// What becomes of a connection that comes from elsewhere, when there are proxies.
    #[serde(default)]
    pub strangers: Strangers,
    /// TLS; absent: plain ICAP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsEntry>,
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// RFC 3507.
    #[default]
    Icap,
    /// The HTTP scan API.
    Http,
}

/// What becomes of a connection that does not come from a trusted proxy.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Strangers {
    /// It is closed.
    #[default]
    Refuse,
    /// It speaks for itself: no header is expected, and one that comes is a broken request.
    Direct,
}

/// `[listeners.tls]` as it is written.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TlsEntry {
    /// PEM: our certificate, then its issuers.
    pub certificate: PathBuf,
    /// PEM: its key.
    pub key: PathBuf,
    /// The least version.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// PEM: whose certificates clients must show; absent: none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Subject alternative names of which a client's certificate must hold one; empty: any will do.
    #[serde(default)]
    pub client_names: Vec<String>,
    /// Whether a client may come without a certificate; no setting: the admin listener has other ways to know him.
    #[serde(skip)]
    pub(crate) asking: Asking,
}

/// What becomes of a client without a certificate where there is a `client-ca`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asking {
    /// He is refused.
    #[default]
    Insists,
    /// He goes on without a name.
    Asks,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum TlsVersion {
    /// 1.2 and 1.3.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// 1.3 only.
    #[serde(rename = "1.3")]
    V1_3,
}

/// A listener, ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name in metrics and logs.
    pub name: Arc<str>,
    /// Where.
    pub address: Address,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Who may use it.
    pub access: Access,
    /// Paths of the services that it offers; empty: all.
    pub services: Vec<Arc<str>>,
    /// The proxies in front.
    pub proxy: Option<Proxy>,
    /// Its certificate, and whose certificates it takes.
    pub tls: Option<TlsEntry>,
}

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix {
        /// Where.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

/// Who may use a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever comes as far as ICAP: the file permissions or a certificate were the test.
    Anyone,
    /// These networks.
    Networks(Vec<IpNet>),
    /// This machine: nothing else was said.
    Loopback,
}

/// The proxies in front of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where they are.
    pub trusted: Vec<IpNet>,
    /// What becomes of others.
    pub strangers: Strangers,
}

impl Listener {
    /// A plain one of `server.listen`.
    pub(super) fn plain(address: SocketAddr, allow: &[IpNet]) -> Self {
        Self {
            name: PLAIN_NAME.into(),
            address: Address::Tcp(address),
            protocol: Protocol::Icap,
            access: Access::of(allow, Access::Loopback),
            services: Vec::new(),
            proxy: None,
            tls: None,
        }
    }
}

impl Listener {
    /// The admin listener, as far as its TLS goes.
    pub(super) fn admin(address: SocketAddr, tls: &TlsEntry) -> Self {
        Self {
            name: ADMIN_NAME.into(),
            protocol: Protocol::Http,
            tls: Some(TlsEntry {
                asking: Asking::Asks,
                ..tls.clone()
            }),
            ..Self::plain(address, &[])
        }
    }

    /// True when it offers the service of that path.
    pub fn offers(&self, path: &str) -> bool {
        self.services.is_empty() || self.services.iter().any(|offered| **offered == *path)
    }
}

impl Access {
    fn of(allow: &[IpNet], otherwise: Self) -> Self {
        match allow {
            [] => otherwise,
            networks => Access::Networks(networks.to_vec()),
        }
    }

    /// True when a client of this address may go on; a Unix socket's client has none.
    pub fn admits(&self, client: Option<IpAddr>) -> bool {
        match (self, client) {
            (Access::Anyone, _) => true,
            (Access::Networks(networks), Some(client)) => contains(networks, client),
            (Access::Loopback, Some(client)) => client.to_canonical().is_loopback(),
            (Access::Networks(_) | Access::Loopback, None) => false,
        }
    }
}

impl Proxy {
    /// True when `peer` is a proxy whose word counts. Whoever comes over a Unix socket was let in by its permissions.
    pub fn trusts(&self, peer: Option<IpAddr>) -> bool {
        peer.is_none_or(|peer| contains(&self.trusted, peer))
    }
}

/// True when one of `networks` holds `address`; an IPv4 address inside an IPv6 one is itself.
pub fn contains(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix { path, .. } => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// The listeners of `[[listeners]]`; `find` yields the first name of a service by any of its names.
pub(super) fn resolve(
    entries: &[Entry],
    source: &Source<'_>,
    find: impl Fn(&str) -> Option<Arc<str>>,
) -> Result<Vec<Listener>, Mistake> {
    let mut names = HashSet::from([PLAIN_NAME.to_owned(), ADMIN_NAME.to_owned()]);
    entries
        .iter()
        .map(|entry| {
            let mut listener = one(entry, source)?;
            let wrong = |what: String| source.mistake(Some(entry.address.span()), &what);
            if !names.insert(listener.name.to_string()) {
                let what = format!("two listeners are named \"{}\"", listener.name);
                return Err(wrong(what));
            }
            for path in &entry.services {
                let service = find(path);
                let unknown = || wrong(format!("no service has the path \"{path}\""));
                listener.services.push(service.ok_or_else(unknown)?);
            }
            Ok(listener)
        })
        .collect()
}

fn one(entry: &Entry, source: &Source<'_>) -> Result<Listener, Mistake> {
    let wrong = |what: &str| source.mistake(Some(entry.address.span()), what);
    let written = entry.address.get_ref();
    let address = match written.strip_prefix(UNIX) {
        Some(path) => Address::Unix {
            path: path.into(),
            mode: u32::from_str_radix(&entry.mode, 8)
                .ok()
                .filter(|mode| *mode <= 0o777)
                .ok_or_else(|| wrong("mode is not an octal file mode, as in \"0660\""))?,
        },
        None => Address::Tcp(tcp(written, entry).ok_or_else(|| {
            wrong("a listener's address is \"address:port\" or \"unix:/path/of/socket\"")
        })?),
    };
    let on_unix = matches!(address, Address::Unix { .. });
    if on_unix && entry.tls.is_some() {
        return Err(wrong("a Unix socket does not speak TLS"));
    }
    if on_unix && entry.proxies.is_empty() && !entry.allow.is_empty() {
        return Err(wrong(
            "a Unix socket's clients have no address; its mode says who may use it",
        ));
    }
    let certified = entry
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_ca.is_some());
    if entry
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_ca.is_none() && !tls.client_names.is_empty())
    {
        return Err(wrong("client-names needs client-ca"));
    }
    let otherwise = match on_unix || certified {
        true => Access::Anyone,
        false => Access::Loopback,
    };
    Ok(Listener {
        name: match entry.name.as_str() {
            "" => written.as_str().into(),
            name => name.into(),
        },
        address,
        protocol: entry.protocol,
        access: Access::of(&entry.allow, otherwise),
        services: Vec::new(),
        proxy: (!entry.proxies.is_empty()).then(|| Proxy {
            trusted: entry.proxies.clone(),
            strangers: entry.strangers,
        }),
        tls: entry.tls.clone(),
    })
}

/// ICAP's port may be left out: 1344, and 11344 with TLS.
fn tcp(written: &str, entry: &Entry) -> Option<SocketAddr> {
    let port = match (entry.protocol, &entry.tls) {
        (Protocol::Icap, Some(_)) => Some(ICAPS_PORT),
        (Protocol::Icap, None) => Some(ICAP_PORT),
        (Protocol::Http, _) => None,
    };
    let unbracketed = written.trim_start_matches('[').trim_end_matches(']');
    written
        .parse()
        .ok()
        .or_else(|| Some(SocketAddr::new(unbracketed.parse().ok()?, port?)))
}

fn default_mode() -> String {
    "0660".into()
}

/// What an address in the file system begins with.
const UNIX: &str = "unix:";

/// The name of the listeners of `server.listen`.
const PLAIN_NAME: &str = "icap";

/// The name of the admin listener, where it has certificates.
const ADMIN_NAME: &str = "admin";

/// RFC 3507 §4.2.
const ICAP_PORT: u16 = 1344;

/// What Squid and other clients use for `icaps://`.
const ICAPS_PORT: u16 = 11344;

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn listener(text: &str) -> Result<Listener, String> {
        let text = format!("[[listeners]]\n{text}");
        Config::parse(&text, None, &[])
            .map(|config| config.listeners.into_iter().next().expect("one"))
            .map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn nobody_but_loopback_is_let_in_without_a_rule() {
        let plain = listener("address = \"0.0.0.0:1\"").expect("good");
        let admits =
            |listener: &Listener, address: &str| listener.access.admits(address.parse().ok());
        assert!(admits(&plain, "127.3.2.1") && admits(&plain, "::1"));
        assert!(admits(&plain, "::ffff:127.0.0.1"));
        assert!(!admits(&plain, "10.0.0.1") && !plain.access.admits(None));
        let ruled = listener("address = \"0.0.0.0:1\"\nallow = [\"10.0.0.0/8\"]").expect("good");
        assert!(admits(&ruled, "10.9.9.9") && admits(&ruled, "::ffff:10.0.0.1"));
        assert!(!admits(&ruled, "11.0.0.1") && !admits(&ruled, "127.0.0.1"));
        let tls = "address = \"0.0.0.0:1\"\n[listeners.tls]\ncertificate = \"c\"\nkey = \"k\"\n";
        assert_eq!(listener(tls).expect("good").access, Access::Loopback);
        let mutual = format!("{tls}client-ca = \"ca\"\n");
        assert_eq!(listener(&mutual).expect("good").access, Access::Anyone);
    }

    #[test]
    fn a_port_may_be_left_out() {
        let of = |text: &str| listener(text).expect("good").address.to_string();
        let tls = "\n[listeners.tls]\ncertificate = \"c\"\nkey = \"k\"\n";
        assert_eq!(of("address = \"127.0.0.1\""), "127.0.0.1:1344");
        assert_eq!(of(&format!("address = \"[::1]\"{tls}")), "[::1]:11344");
        assert_eq!(of("address = \"[::1]:7\""), "[::1]:7");
        assert_eq!(of("address = \"unix:/run/s\""), "unix:/run/s");
    }

    #[test]
    fn what_cannot_hold_together_is_refused() {
        for (text, why) in [
            ("address = \"here\"", "address:port"),
            (
                "address = \"unix:/s\"\nmode = \"rw\"",
                "not an octal file mode",
            ),
            (
                "address = \"unix:/s\"\nallow = [\"10.0.0.0/8\"]",
                "have no address",
            ),
            (
                "address = \"unix:/s\"\n[listeners.tls]\ncertificate = \"c\"\nkey = \"k\"",
                "does not speak TLS",
            ),
            (
                "address = \"::1\"\n[listeners.tls]\ncertificate = \"c\"\nkey = \"k\"\nclient-names = [\"a\"]",
                "needs client-ca",
            ),
            (
                "address = \"::1\"\nservices = [\"/nothing\"]",
                "no service has the path",
            ),
            (
                "address = \"::1\"\nname = \"a\"\n[[listeners]]\naddress = \"::1\"\nname = \"a\"",
                "two listeners",
            ),
        ] {
            let said = listener(text).expect_err(text);
            assert!(said.contains(why), "{text}\n{said}");
        }
    }
}
