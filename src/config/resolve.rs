//! From the file to the structs of the other rooms. What passes here is valid; nothing downstream checks it again.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::config::Deadlines;
use crate::icap::options::{Options, PartialContent, Transfer};
use crate::icap::{self, Method};
use crate::policy::allow::Allow;
use crate::policy::profile::Profile;
use crate::policy::route::Routes;
use crate::redact;
use crate::rules::signature::is_public_key;
use crate::service::block_page::{BlockPages, Format};
use crate::service::facts::{Taken, Watch};
use crate::service::respond::{Style, VerdictHeaders};
use crate::service::services::{Service, Services};
use crate::telemetry::audit::Records;
use crate::telemetry::baseline::Habits;
use crate::telemetry::detection::Form;
use crate::telemetry::lines::Outlet;
use crate::telemetry::log;
use crate::telemetry::traces::Collector;
use crate::wire::framing::HeadLimits;

use super::file::{self, File, Switch};
use super::listeners::{self, Listener};
use super::quotas::Quotas;
use super::{Mistake, Source, mib, streams};

/// Everything that can be set, ready for use.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses of plain ICAP listeners.
    pub listen: Vec<SocketAddr>,
    /// Networks of the ICAP clients that may use those; empty: loopback.
    pub allow: Vec<ipnet::IpNet>,
    /// The other listeners; see [`all_listeners`](Config::all_listeners).
    pub listeners: Vec<Listener>,
    /// Address of the admin listener.
    pub admin: Option<SocketAddr>,
    /// Threads of the reactor.
    pub threads: usize,
    /// Connections at once.
    pub max_connections: usize,
    /// Whether file writes are confined.
    pub confine_writes: Switch,
    /// Whether the kernel is to refuse system calls that a server never makes.
    pub confine_calls: Switch,
    /// Whether the process may leave core dumps and be looked into by its user.
    pub dumps: Switch,
    /// How much one client may have.
    pub quotas: Quotas,
    /// Age of a connection at which its next answer is its last.
    pub connection_age: Option<Duration>,
    /// TLS handshakes and PROXY protocol headers under way at once.
    pub max_handshakes: usize,
    /// Memory that all connections together may fill before reading pauses.
    pub in_flight_bytes: u64,
    /// Threads for heavy inspections.
    pub heavy_workers: usize,
    /// Heavy inspections that may wait.
    pub heavy_queue: usize,
    /// After SIGTERM, how long requests in flight may take.
    pub shutdown: Duration,
    /// Sizes on the wire.
    pub protocol: Arc<icap::Limits>,
    /// Bytes that are drained after an early answer.
    pub drain_bytes: u64,
    /// How long each state may last.
    pub deadlines: Deadlines,
    /// Processor time of one message's inspection, whatever its size.
    pub scan_time: Duration,
    /// Processor time for each MiB on top.
    pub scan_time_per_mib: Duration,
    /// The signature files.
    pub rules: file::Rules,
    /// The folder of the spool files.
    pub spool_directory: PathBuf,
    /// Memory for one body before a file is begun.
    pub spool_memory_bytes: u64,
    /// One body in the spool.
    pub spool_body_bytes: u64,
    /// All bodies in the spool.
    pub spool_total_bytes: u64,
    /// How log lines look.
    pub log_format: log::Format,
    /// From which level on they are written.
    pub log_level: log::Threshold,
    /// Where they go.
    pub log_to: Outlet,
    /// Which transactions leave an access line.
    pub audit: Records,
    /// Where access lines go.
    pub audit_to: Outlet,
    /// How detections are written and where they go; `None`: nowhere.
    pub findings: Option<(Form, Outlet)>,
    /// Where spans go, and how many of a hundred transactions begin a trace; `None`: no traces.
    pub traces: Option<(Collector, u8)>,
    /// How baselines are learned; `None`: they are not.
    pub baselines: Option<Habits>,
    /// Which path does what.
    pub services: Services,
    /// Which messages get another profile than their service's.
    pub routes: Routes,
    /// How answers look.
    pub style: Style,
    /// Redaction profiles of the file.
    pub redactions: BTreeMap<String, Arc<redact::Profile>>,
    /// Hosts that a request URI may name.
    pub hosts: Vec<Box<str>>,
    /// Who may use the admin listener.
    pub access: file::Admin,
    /// The configuration as a file would state it, every default filled in.
    pub effective: Arc<File>,
    /// A digest of everything that can change a verdict.
    pub policy_digest: [u8; 32],
}

impl Config {
    /// Takes note that no more than `most` connections can be carried: OPTIONS must not promise them.
    pub fn lower_max_connections(&mut self, most: usize) {
        self.max_connections = self.max_connections.min(most);
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        self.services.lower_max_connections(most);
    }

    /// What transactions take from heads for traces and baselines.
    pub fn watch(&self) -> Watch {
        let taken = |wanted| match wanted {
            true => Taken::Yes,
            false => Taken::No,
        };
        Watch {
            traces: taken(self.traces.is_some()),
            names: taken(self.baselines.is_some()),
        }
    }

    /// Every ICAP listener: those of `listen`, then the others.
    pub fn all_listeners(&self) -> Vec<Listener> {
        let plain = self.listen.iter();
        plain
            .map(|address| Listener::plain(*address, &self.allow))
            .chain(self.listeners.iter().cloned())
            .collect()
    }

    /// The admin listener, if it speaks TLS.
    pub fn admin_listener(&self) -> Option<Listener> {
        Some(Listener::admin(self.admin?, self.access.tls.as_ref()?))
    }
}

pub(super) fn resolve(file: &File, source: &Source<'_>) -> Result<Config, Mistake> {
    at_least_one(
        source,
        "server.max-connections",
        file.server.max_connections,
    )?;
    at_least_one(source, "server.in-flight-mib", file.server.in_flight_mib)?;
    let times = &file.timeouts;
    // A deadline that is over when it begins would refuse everything, one by one and hard to explain.
    for (key, time) in [
        ("handshake-ms", times.handshake_ms),
        ("first-byte-ms", times.first_byte_ms),
        ("head-ms", times.head_ms),
        ("preview-ms", times.preview_ms),
        ("body-idle-ms", times.body_idle_ms),
        ("body-seconds", times.body_seconds),
        ("after-continue-ms", times.after_continue_ms),
        ("write-stall-ms", times.write_stall_ms),
        ("idle-ms", times.idle_ms),
        ("scan-ms", times.scan_ms),
    ] {
        at_least_one(source, &format!("timeouts.{key}"), time)?;
    }
    let server = &file.server;
    let redactions = super::redaction::resolve_all(&file.redactions, source)?;
    let profiles = profiles(file, &redactions, source)?;
    let paths: Vec<&str> = file.services.iter().map(|one| one.path.as_str()).collect();
    let services = services(file, &profiles, source)?;
    Ok(Config {
        listen: server.listen.clone(),
        allow: server.allow.clone(),
        listeners: listeners::resolve(&file.listeners, source, |path| {
            Some(Arc::clone(&services.find(path)?.path))
        })?,
        admin: server.admin,
        threads: or_cores(source, "server.threads", server.threads)?,
        max_connections: server.max_connections,
        max_handshakes: server.max_handshakes,
        confine_writes: file.process.confine_writes,
        confine_calls: file.process.confine_calls,
        dumps: file.process.dumps,
        quotas: file.quotas.clone(),
        connection_age: match server.connection_seconds {
            0 => None,
            age => Some(seconds(age)),
        },
        in_flight_bytes: mib(server.in_flight_mib),
        heavy_workers: or_cores(source, "server.heavy-workers", server.heavy_workers)?,
        heavy_queue: server.heavy_queue,
        shutdown: seconds(server.shutdown_seconds),
        protocol: Arc::new(protocol(file)),
        drain_bytes: mib(file.limits.drain_mib),
        deadlines: deadlines(&file.timeouts),
        scan_time: Duration::from_millis(file.timeouts.scan_ms),
        scan_time_per_mib: Duration::from_millis(file.timeouts.scan_per_mib_ms),
        rules: rules(file, source)?,
        spool_directory: match file.spool.directory.as_os_str().is_empty() {
            true => std::env::temp_dir(),
            false => file.spool.directory.clone(),
        },
        spool_memory_bytes: file.spool.memory_kib.saturating_mul(1 << 10),
        spool_body_bytes: mib(file.spool.body_mib),
        spool_total_bytes: mib(file.spool.total_mib),
        log_format: file.log.format,
        log_level: file.log.level,
        log_to: streams::outlet(
            source,
            "log.line-bytes",
            (&file.log.to, file.log.lines_per_second, file.log.line_bytes),
        )?,
        audit: file.audit.records,
        audit_to: streams::outlet(
            source,
            "audit.line-bytes",
            (
                &file.audit.to,
                file.audit.lines_per_second,
                file.audit.line_bytes,
            ),
        )?,
        findings: streams::findings(&file.findings, source)?,
        traces: streams::traces(&file.traces, source)?,
        baselines: streams::baselines(&file.baselines),
        services,
        routes: super::route::resolve(&file.routes, &profiles, &paths, source)?,
        style: style(file, source)?,
        hosts: file
            .icap
            .hosts
            .iter()
            .map(|host| host.to_ascii_lowercase().into())
            .collect(),
        access: access(file, source)?,
        effective: Arc::new(file.clone()),
        policy_digest: policy_digest(file, &redactions),
        redactions,
    })
}

fn protocol(file: &File) -> icap::Limits {
    let limits = &file.limits;
    icap::Limits {
        icap_head: HeadLimits {
            bytes: limits.icap_head_bytes,
            lines: limits.icap_head_lines,
            first_line_bytes: limits.request_line_bytes,
            line_bytes: limits.icap_line_bytes,
        },
        http_head: HeadLimits {
            bytes: limits.http_head_bytes,
            lines: limits.http_head_lines,
            first_line_bytes: limits.http_line_bytes,
            line_bytes: limits.http_line_bytes,
        },
        chunk_line_bytes: limits.chunk_line_bytes,
        trailers: HeadLimits {
            bytes: limits.trailer_bytes,
            lines: limits.trailer_lines,
            first_line_bytes: limits.trailer_bytes,
            line_bytes: limits.trailer_bytes,
        },
        preview_bytes: limits.preview_accepted_bytes,
        requests: file.server.requests_per_connection,
        ..icap::Limits::default()
    }
}

fn deadlines(timeouts: &file::Timeouts) -> Deadlines {
    let ms = Duration::from_millis;
    Deadlines {
        handshake: ms(timeouts.handshake_ms),
        first_byte: ms(timeouts.first_byte_ms),
        head: ms(timeouts.head_ms),
        preview: ms(timeouts.preview_ms),
        body_idle: ms(timeouts.body_idle_ms),
        rate_grace: ms(timeouts.body_rate_grace_ms),
        rate_bytes: timeouts.body_rate_bytes,
        body: seconds(timeouts.body_seconds),
        after_continue: ms(timeouts.after_continue_ms),
        write_stall: ms(timeouts.write_stall_ms),
        idle: ms(timeouts.idle_ms),
        drain: ms(timeouts.drain_ms),
        linger: ms(timeouts.linger_ms),
    }
}

fn profiles<'a>(
    file: &'a File,
    redactions: &BTreeMap<String, Arc<redact::Profile>>,
    source: &Source<'_>,
) -> Result<BTreeMap<&'a str, Arc<Profile>>, Mistake> {
    let mut profiles = BTreeMap::new();
    for (name, profile) in &file.profiles {
        let profile = super::profile::resolve(name, profile, redactions, source)?;
        profiles.insert(name.as_str(), Arc::new(profile));
    }
    Ok(profiles)
}

fn services(
    file: &File,
    profiles: &BTreeMap<&str, Arc<Profile>>,
    source: &Source<'_>,
) -> Result<Services, Mistake> {
    let mut services = Services::default();
    for service in &file.services {
        let find = |name: &Option<Spanned<String>>| {
            name.as_ref()
                .map(|name| source.profile(name, profiles))
                .transpose()
        };
        let resolved = Service {
            path: service.path.as_str().into(),
            request: find(&service.request_profile)?,
            response: find(&service.response_profile)?,
            options: options(file, service),
            allow: Allow::new(&service.allow),
        };
        for path in std::iter::once(&service.path).chain(&service.aliases) {
            if !path.starts_with('/') {
                return Err(source.mistake(
                    None,
                    &format!("the path \"{path}\" of a service does not begin with /"),
                ));
            }
        }
        if resolved.request.is_none() && resolved.response.is_none() {
            let what = format!(
                "the service {} has neither request-profile nor response-profile",
                service.path
            );
            return Err(source.mistake(None, &what));
        }
        if let Some(path) = services.add(resolved, &service.aliases) {
            return Err(source.mistake(None, &format!("the path {path} belongs to two services")));
        }
    }
    Ok(services)
}

fn options(file: &File, service: &file::Service) -> Options {
    let icap = &file.icap;
    let methods = [
        (Method::Reqmod, &service.request_profile),
        (Method::Respmod, &service.response_profile),
    ];
    Options {
        methods: methods
            .into_iter()
            .filter(|(_, profile)| profile.is_some())
            .map(|(method, _)| method)
            .collect(),
        service: icap.service_name.clone(),
        service_id: service
            .path
            .trim_start_matches('/')
            .replace(|character: char| !character.is_ascii_alphanumeric(), "-"),
        max_connections: u32::try_from(
            file.server
                .announced_max_connections
                .min(file.server.max_connections)
                .min(match file.quotas.client_connections {
                    0 => usize::MAX,
                    most => most,
                }),
        )
        .ok(),
        ttl_seconds: u32::try_from(icap.options_ttl_seconds)
            .ok()
            .filter(|seconds| *seconds > 0),
        preview_bytes: Some(icap.preview_bytes),
        partial_content: match icap.partial_content {
            Switch::On => PartialContent::Offered,
            Switch::Off => PartialContent::Off,
        },
        transfer: Transfer::Preview {
            ignore: icap.transfer_ignore.clone(),
            complete: Vec::new(),
        },
        include: INCLUDE.map(str::to_owned).into(),
    }
}

fn style(file: &File, source: &Source<'_>) -> Result<Style, Mistake> {
    let page = &file.block_page;
    let read = |path: &Path| -> Result<Option<String>, Mistake> {
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        std::fs::read_to_string(path).map(Some).map_err(|error| {
            source.mistake(
                None,
                &format!("cannot read the block page {}: {error}", path.display()),
            )
        })
    };
    let (html, json, text) = (read(&page.html)?, read(&page.json)?, read(&page.text)?);
    let pages = BlockPages::new(page.status, |format| match format {
        Format::Html => html.clone(),
        Format::Json => json.clone(),
        Format::Text => text.clone(),
    });
    let names = &file.verdict_headers;
    Ok(Style {
        pages: pages.map_err(|error| source.mistake(None, &error.to_string()))?,
        headers: VerdictHeaders {
            infection_found: header(source, &names.infection_found)?,
            virus_id: header(source, &names.virus_id)?,
            response_info: header(source, &names.response_info)?,
            blocked_reason: header(source, &names.blocked_reason)?,
            violations_found: header(source, &names.violations_found)?,
            transaction: header(source, &names.transaction)?,
            redactions: header(source, &names.redactions)?,
        },
    })
}

/// RFC 9110 §5.6.2: a field name is a token.
fn header(source: &Source<'_>, name: &str) -> Result<String, Mistake> {
    if name.bytes().all(crate::wire::grammar::is_tchar) {
        return Ok(name.to_owned());
    }
    Err(source.mistake(
        None,
        &format!("verdict-headers: {name:?} is not a header name"),
    ))
}

/// A key that cannot be read would refuse every pack without saying why.
fn rules(file: &File, source: &Source<'_>) -> Result<file::Rules, Mistake> {
    let rules = &file.rules;
    at_least_one(source, "rules.compile-seconds", rules.compile_seconds)?;
    at_least_one(source, "rules.compile-mib", rules.compile_mib)?;
    match rules.trusted_keys.iter().find(|key| !is_public_key(key)) {
        None => Ok(file::Rules {
            compile_seconds: rules.compile_seconds.min(LONGEST_SECONDS),
            ..rules.clone()
        }),
        Some(key) => Err(source.mistake(
            None,
            &format!("rules.trusted-keys: {key:?} is not a minisign public key; expected the base64 line of a .pub file"),
        )),
    }
}

/// Token names are told apart before the first `.` of a token, so they hold none; a hash that cannot be read would lock its
/// holder out without a word.
fn access(file: &File, source: &Source<'_>) -> Result<file::Admin, Mistake> {
    let admin = &file.admin;
    for (at, token) in admin.tokens.iter().enumerate() {
        let name = &token.name;
        let what = if !file::is_token_name(name) {
            format!("admin.tokens: the name {name:?} must be 1 to 64 letters, digits, '-' or '_'")
        } else if admin
            .tokens
            .iter()
            .take(at)
            .any(|other| other.name == *name)
        {
            format!("admin.tokens: two tokens are called {name}")
        } else if PasswordHash::new(&token.hash).is_err() || !token.hash.starts_with("$argon2id$") {
            format!(
                "admin.tokens: the hash of {name} is not an argon2id hash; make one with sluice token {name}"
            )
        } else {
            continue;
        };
        return Err(source.mistake(None, &what));
    }
    let authority = admin.tls.as_ref().map(|tls| tls.client_ca.is_some());
    if !admin.certificates.is_empty() && authority != Some(true) {
        return Err(source.mistake(None, "admin.certificates needs admin.tls with client-ca"));
    }
    if admin
        .tls
        .as_ref()
        .is_some_and(|tls| !tls.client_names.is_empty())
    {
        let what =
            "admin.tls: client-names says nothing here; name them under [[admin.certificates]]";
        return Err(source.mistake(None, what));
    }
    let mut access = admin.clone();
    for host in &mut access.hosts {
        host.make_ascii_lowercase();
    }
    Ok(access)
}

/// Profiles and services in a fixed order: equal files give equal digests on all nodes.
fn policy_digest(file: &File, redactions: &BTreeMap<String, Arc<redact::Profile>>) -> [u8; 32] {
    let policy = File {
        profiles: file.profiles.clone(),
        redactions: file.redactions.clone(),
        services: file.services.clone(),
        routes: file.routes.clone(),
        ..File::default()
    };
    let text = toml::to_string(&policy).unwrap_or_default();
    let mut digest = Sha256::new_with_prefix(text.as_bytes());
    for key in redactions
        .values()
        .flat_map(|redaction| redaction.key_fingerprints())
    {
        digest.update(key);
    }
    digest.finalize().into()
}

fn at_least_one<N: TryInto<u64>>(source: &Source<'_>, key: &str, value: N) -> Result<(), Mistake> {
    match value.try_into() {
        Ok(0) => Err(source.mistake(None, &format!("{key} must be at least 1"))),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn or_cores(source: &Source<'_>, key: &str, threads: usize) -> Result<usize, Mistake> {
    match threads {
        0 => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
        1..=MOST_THREADS => Ok(threads),
        _ => Err(source.mistake(None, &format!("{key} must be at most {MOST_THREADS}"))),
    }
}

/// Far more than the cores of any machine; a system that cannot start so many ends the process.
const MOST_THREADS: usize = 1024;

/// A time that can be added to any other: the largest number that a file can hold would overflow a clock.
pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count.min(LONGEST_SECONDS))
}

/// A hundred years: for ever.
const LONGEST_SECONDS: u64 = 100 * 365 * 24 * 60 * 60;

/// Facts about the client that gateways are asked to add (draft-stecher-icap-subid-00).
const INCLUDE: [&str; 5] = [
    "X-Client-IP",
    "X-Server-IP",
    "X-Authenticated-User",
    "X-Authenticated-Groups",
    "X-Subscriber-ID",
];
