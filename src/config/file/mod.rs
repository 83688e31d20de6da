//! The configuration file as it is written: kebab-case keys, units in their names, unknown keys refused.
//!
//! Every default stands here and, explained, in `deploy/sluice.toml`; a test compares the two.
//!
//! | file | sections |
//! |---|---|
//! | `streams` | `log`, `audit`, `findings`, `traces`, `baselines` |
//! | `profile` | `profiles` |
//! | `admin` | `admin` |

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::inspect::yara::Engine;
use crate::policy::profile::Mode;
use crate::policy::standing::Modes;

use super::redaction::RedactionSetting;
use super::route::RouteSetting;

mod admin;
mod profile;
mod streams;

pub use admin::{Admin, Certificate, Role, Token, is_token_name};
pub use profile::{Base, ClassSetting, ExceptionSetting, Preset, Profile, ProfileLimits};
pub use streams::{Audit, Baselines, Findings, Log, Traces};

/// The whole file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct File {
    /// Listeners and load.
    pub server: Server,
    /// Listeners with TLS, services or rules of their own, or on a Unix socket.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<super::listeners::Entry>,
    /// The process among others.
    pub process: Process,
    /// How much one client may have.
    pub quotas: super::quotas::Quotas,
    /// What is offered to ICAP clients.
    pub icap: Icap,
    /// Sizes on the wire.
    pub limits: Limits,
    /// How long each state may last.
    pub timeouts: Timeouts,
    /// The signature files.
    pub rules: Rules,
    /// Where bodies are kept that may have to be returned.
    pub spool: Spool,
    /// The application stream.
    pub log: Log,
    /// The access stream.
    pub audit: Audit,
    /// The finding stream.
    pub findings: Findings,
    /// Traces.
    pub traces: Traces,
    /// What is usual on each route.
    pub baselines: Baselines,
    /// Who may use the admin listener.
    pub admin: Admin,
    /// The answer in the place of a blocked message.
    pub block_page: BlockPage,
    /// Names of the ICAP headers that carry a verdict.
    pub verdict_headers: VerdictHeaders,
    /// How messages are inspected and judged, by name.
    pub profiles: BTreeMap<String, Profile>,
    /// What is redacted and how, by name; the built-in ones are there without being written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub redactions: BTreeMap<String, RedactionSetting>,
    /// Which path does what. Given at all, the list replaces the default one.
    pub services: Vec<Service>,
    /// Which messages get another profile than their service's, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteSetting>,
}

/// Listeners and load.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Server {
    /// Addresses of plain ICAP listeners.
    pub listen: Vec<SocketAddr>,
    /// Networks of the ICAP clients that may use them; empty: loopback only.
    pub allow: Vec<ipnet::IpNet>,
    /// Address of the admin listener; empty: none.
    pub admin: Option<SocketAddr>,
    /// Threads of the reactor, at most 1024; 0: one a core.
    pub threads: usize,
    /// Connections at once; above it they are answered 503.
    pub max_connections: usize,
    /// Connections that OPTIONS tells one client to use at most.
    pub announced_max_connections: usize,
    /// TLS handshakes and PROXY protocol headers under way at once; above it connections are closed.
    pub max_handshakes: usize,
    /// Age of a connection at which its next answer is its last; a tenth more or less, so that fleets do not reconnect all
    /// at once. 0: none.
    pub connection_seconds: u64,
    /// Requests on one connection before it is closed, announced.
    pub requests_per_connection: u64,
    /// Memory that all connections together may fill before reading pauses.
    pub in_flight_mib: u64,
    /// Threads for heavy inspections, at most 1024; 0: one a core.
    pub heavy_workers: usize,
    /// Heavy inspections that may wait for a thread; above it they are refused.
    pub heavy_queue: usize,
    /// After SIGTERM, how long requests in flight may take.
    pub shutdown_seconds: u64,
}

/// The process among others.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Process {
    /// Whether the kernel (Landlock) is to refuse file writes anywhere but where this file says that the server writes.
    pub confine_writes: Switch,
    /// Whether the kernel (seccomp) is to refuse system calls that a server never makes.
    pub confine_calls: Switch,
    /// Whether the process may leave core dumps and be looked into by its own user (debuggers, `/proc/PID/mem`): both
    /// show bodies, and the keys of tokens.
    pub dumps: Switch,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            confine_writes: Switch::Off,
            confine_calls: Switch::Off,
            dumps: Switch::Off,
        }
    }
}

/// What is offered to ICAP clients.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Icap {
    /// The `Service` header.
    pub service_name: String,
    /// `Options-TTL`; 0: not sent.
    pub options_ttl_seconds: u64,
    /// `Preview`.
    pub preview_bytes: u64,
    /// Whether 206 is offered to clients that ask for it.
    pub partial_content: Switch,
    /// Hosts that a request URI may name; empty: any.
    pub hosts: Vec<String>,
    /// `Transfer-Ignore`: file extensions that clients need not send.
    pub transfer_ignore: Vec<String>,
}

/// On or off.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

/// Sizes on the wire.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Limits {
    /// The ICAP request line.
    pub request_line_bytes: usize,
    /// The ICAP header block.
    pub icap_head_bytes: usize,
    /// Lines of the ICAP header block.
    pub icap_head_lines: usize,
    /// A line of the ICAP header block.
    pub icap_line_bytes: usize,
    /// The encapsulated HTTP heads, each.
    pub http_head_bytes: usize,
    /// Lines of an encapsulated HTTP head.
    pub http_head_lines: usize,
    /// A line of an encapsulated HTTP head.
    pub http_line_bytes: usize,
    /// A chunk-size line with its extensions.
    pub chunk_line_bytes: usize,
    /// Trailers.
    pub trailer_bytes: usize,
    /// Lines of trailers.
    pub trailer_lines: usize,
    /// The largest preview that is accepted.
    pub preview_accepted_bytes: u64,
    /// Bytes that are drained after an early answer.
    pub drain_mib: u64,
}

/// How long each state may last.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Timeouts {
    /// From accept to the end of the TLS handshake, a PROXY protocol header included.
    pub handshake_ms: u64,
    /// From accept to the first byte.
    pub first_byte_ms: u64,
    /// From the first byte of a request to the end of its heads.
    pub head_ms: u64,
    /// Between two pieces of a preview.
    pub preview_ms: u64,
    /// Between two pieces of a body.
    pub body_idle_ms: u64,
    /// Before the minimum rate is asked for.
    pub body_rate_grace_ms: u64,
    /// Bytes of body a second, averaged; 0: no minimum.
    pub body_rate_bytes: u64,
    /// A whole body.
    pub body_seconds: u64,
    /// From `100 Continue` to the next piece.
    pub after_continue_ms: u64,
    /// While the client takes none of our bytes.
    pub write_stall_ms: u64,
    /// Between two requests.
    pub idle_ms: u64,
    /// Draining after an early answer.
    pub drain_ms: u64,
    /// Waiting for the client's close after ours.
    pub linger_ms: u64,
    /// Processor time of one message's inspection, whatever its size …
    pub scan_ms: u64,
    /// … and for each MiB of its body on top.
    pub scan_per_mib_ms: u64,
}

/// Where bodies are kept that may have to be returned.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Spool {
    /// The folder; empty: the system's temporary folder.
    pub directory: PathBuf,
    /// Memory for one body before a file is begun.
    pub memory_kib: u64,
    /// One body.
    pub body_mib: u64,
    /// All bodies together.
    pub total_mib: u64,
}

/// The answer in the place of a blocked message.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct BlockPage {
    /// The HTTP status.
    pub status: u16,
    /// A template for HTML; empty: the embedded one.
    pub html: PathBuf,
    /// A template for `application/problem+json`; empty: the embedded one.
    pub json: PathBuf,
    /// A template for plain text; empty: the embedded one.
    pub text: PathBuf,
}

/// Names of the ICAP headers that carry a verdict; empty: not sent.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct VerdictHeaders {
    /// `Type=…; Resolution=…; Threat=…;`.
    pub infection_found: String,
    /// The rule's name.
    pub virus_id: String,
    /// `Blocked`.
    pub response_info: String,
    /// The reason code.
    pub blocked_reason: String,
    /// The count and four folded lines for each finding.
    pub violations_found: String,
    /// The transaction's name.
    pub transaction: String,
    /// How many values of which kind were masked.
    pub redactions: String,
}

/// One path and what it does.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// The path in the request URI.
    pub path: String,
    /// Other paths for the same.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The profile of REQMOD; absent: REQMOD is not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_profile: Option<Spanned<String>>,
    /// The profile of RESPMOD; absent: RESPMOD is not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_profile: Option<Spanned<String>>,
    /// Who may use it: networks, or names in certificates; empty: every ICAP client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            server: Server::default(),
            listeners: Vec::new(),
            process: Process::default(),
            quotas: super::quotas::Quotas::default(),
            icap: Icap::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            rules: Rules::default(),
            spool: Spool::default(),
            log: Log::default(),
            audit: Audit::default(),
            findings: Findings::default(),
            traces: Traces::default(),
            baselines: Baselines::default(),
            admin: Admin::default(),
            block_page: BlockPage::default(),
            verdict_headers: VerdictHeaders::default(),
            profiles: BTreeMap::new(),
            redactions: BTreeMap::new(),
            services: default_services(),
            routes: Vec::new(),
        }
    }
}

impl File {
    /// The same with the built-in profiles: they are there without being written, and keep what makes them what they are
    /// when a file changes another key of them.
    #[must_use]
    pub fn completed(mut self) -> Self {
        for (name, base, mode, redact) in BUILT_IN_PROFILES {
            let profile = self.profiles.entry(name.into()).or_default();
            profile.base.get_or_insert(base);
            profile.mode.get_or_insert(match profile.preset {
                Some(Preset::Observe) if mode == Mode::Enforce => Mode::Observe,
                Some(_) | None => mode,
            });
            profile.redact.get_or_insert_with(|| redact.into());
        }
        for profile in self.profiles.values_mut() {
            profile.base.get_or_insert_default();
            profile.mode.get_or_insert(match profile.preset {
                Some(Preset::Observe) => Mode::Observe,
                Some(_) | None => Mode::Enforce,
            });
            profile.redact.get_or_insert_default();
        }
        self
    }
}

/// Name, base, mode and redaction profile.
const BUILT_IN_PROFILES: [(&str, Base, Mode, &str); 5] = [
    ("request", Base::Request, Mode::Enforce, ""),
    ("response", Base::Response, Mode::Enforce, ""),
    ("redact-request", Base::Request, Mode::Enforce, "all"),
    ("redact-response", Base::Response, Mode::Enforce, "all"),
    ("off", Base::Request, Mode::Off, ""),
];

/// The paths that real gateways use by default.
fn default_services() -> Vec<Service> {
    let both = [
        "/virus_scan",
        "/srv_clamav",
        "/squidclamav",
        "/OMSScanReq-AV",
        "/OMSScanResp-AV",
        "/options",
    ];
    vec![
        service(
            "/reqmod",
            &["/request", "/req", "/reqmod/default"],
            Some("request"),
            None,
        ),
        service(
            "/respmod",
            &["/response", "/resp", "/respmod/default"],
            None,
            Some("response"),
        ),
        service("/avscan", &both, Some("request"), Some("response")),
        service("/echo", &[], Some("off"), Some("off")),
        service(
            "/redact",
            &[],
            Some("redact-request"),
            Some("redact-response"),
        ),
    ]
}

fn service(path: &str, aliases: &[&str], request: Option<&str>, response: Option<&str>) -> Service {
    let named = |name: Option<&str>| name.map(|name| Spanned::new(0..0, name.to_owned()));
    Service {
        path: path.into(),
        aliases: aliases.iter().map(|&alias| alias.to_owned()).collect(),
        request_profile: named(request),
        response_profile: named(response),
        allow: Vec::new(),
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 1344))],
            allow: Vec::new(),
            admin: Some(SocketAddr::from(([127, 0, 0, 1], 9380))),
            threads: 0,
            max_connections: 4096,
            announced_max_connections: 1000,
            max_handshakes: 256,
            connection_seconds: 3600,
            requests_per_connection: 10_000,
            in_flight_mib: 512,
            heavy_workers: 0,
            heavy_queue: 64,
            shutdown_seconds: 30,
        }
    }
}

impl Default for Icap {
    fn default() -> Self {
        Self {
            service_name: "sluice".into(),
            options_ttl_seconds: 3600,
            preview_bytes: 4096,
            partial_content: Switch::On,
            hosts: Vec::new(),
            transfer_ignore: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line_bytes: 8 << 10,
            icap_head_bytes: 32 << 10,
            icap_head_lines: 100,
            icap_line_bytes: 8 << 10,
            http_head_bytes: 128 << 10,
            http_head_lines: 500,
            http_line_bytes: 64 << 10,
            chunk_line_bytes: 4 << 10,
            trailer_bytes: 8 << 10,
            trailer_lines: 32,
            preview_accepted_bytes: 1 << 20,
            drain_mib: 256,
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake_ms: 10_000,
            first_byte_ms: 15_000,
            head_ms: 15_000,
            preview_ms: 10_000,
            body_idle_ms: 30_000,
            body_rate_grace_ms: 30_000,
            body_rate_bytes: 1024,
            body_seconds: 3600,
            after_continue_ms: 30_000,
            write_stall_ms: 30_000,
            idle_ms: 60_000,
            drain_ms: 30_000,
            linger_ms: 1_000,
            scan_ms: 2_000,
            scan_per_mib_ms: 50,
        }
    }
}

/// The signature files. They are read anew at each reload.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Rules {
    /// Whether the rules that come with the program are in force.
    pub embedded: bool,
    /// More of them: folders, single rule files, packs.
    pub bundles: Vec<PathBuf>,
    /// A folder that `sluice rules update` and the admin API put packs into; empty: none.
    pub store: PathBuf,
    /// minisign public keys (base64 lines); packs must be signed with one of them.
    pub trusted_keys: Vec<String>,
    /// A plain folder that the admin API imports lists into; empty: none.
    pub imports: PathBuf,
    /// Certificate authorities for downloads, PEM.
    pub authorities: PathBuf,
    /// Whether the files are watched, and a change reloads them.
    pub watch: bool,
    /// What a YARA rule that does not load means.
    pub broken: BrokenRules,
    /// Which engine runs YARA rules; `libyara` only in a program that was built with it.
    pub engine: Engine,
    /// Whether a bundle may be replaced by an older version of it.
    pub allow_downgrade: bool,
    /// Whether a bundle past its date may come in.
    pub allow_expired: bool,
    /// How long a set may take to compile.
    pub compile_seconds: u64,
    /// How much memory it may take.
    pub compile_mib: u64,
    /// What is enforced and what observed, by rule, category and bundle.
    pub modes: Modes,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            embedded: true,
            bundles: Vec::new(),
            store: PathBuf::new(),
            trusted_keys: Vec::new(),
            imports: PathBuf::new(),
            authorities: AUTHORITIES.into(),
            watch: false,
            allow_downgrade: false,
            allow_expired: false,
            compile_seconds: 120,
            compile_mib: 4096,
            broken: BrokenRules::default(),
            engine: Engine::default(),
            modes: Modes::default(),
        }
    }
}

/// What a YARA rule that does not load means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BrokenRules {
    /// The server does not start, a reload is refused.
    #[default]
    Fatal,
    /// It is left out, with a warning; the others are in force.
    Skip,
}

impl Default for Spool {
    fn default() -> Self {
        Self {
            directory: PathBuf::new(),
            memory_kib: 256,
            body_mib: 2048,
            total_mib: 8192,
        }
    }
}

impl Default for BlockPage {
    fn default() -> Self {
        Self {
            status: 403,
            html: PathBuf::new(),
            json: PathBuf::new(),
            text: PathBuf::new(),
        }
    }
}

impl Default for VerdictHeaders {
    fn default() -> Self {
        Self {
            infection_found: "X-Infection-Found".into(),
            virus_id: "X-Virus-ID".into(),
            response_info: "X-Response-Info".into(),
            blocked_reason: "X-Blocked-Reason".into(),
            violations_found: String::new(),
            transaction: "X-Sluice-Transaction".into(),
            redactions: "X-Sluice-Redactions".into(),
        }
    }
}

/// Where Debian and most others keep the certificate authorities that the machine trusts.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
