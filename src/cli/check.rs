//! `sluice check`.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;

use crate::config::Config;
use crate::http1::{RequestHead, ResponseHead};
use crate::inspect::Direction;
use crate::policy::allow::Allow;
use crate::policy::facts::Facts;
use crate::policy::profile::Profile;
use crate::server::{self, snapshot::Snapshot};
use crate::service::facts::{self, Peer};
use crate::service::respond::Heads;
use crate::service::services::Service;
use crate::wire::Fields;

use super::{Check, Kind};

pub(super) fn run(arguments: &Check) -> anyhow::Result<ExitCode> {
    let config = arguments.file.load()?;
    if let Some(request) = &arguments.explain {
        print!("{}", explain(&config, arguments, request)?);
        return Ok(ExitCode::SUCCESS);
    }
    for doubt in config.doubts() {
        eprintln!("warning: {doubt}");
    }
    // A configuration is also checked where it is written, which need not be where it runs.
    for lack in server::lacks(&config) {
        eprintln!(
            "warning: here the server would not start: {:#}",
            anyhow::Error::from(lack)
        );
    }
    let snapshot = Snapshot::load(Arc::new(config)).context("rules")?;
    for service in snapshot.config.services.list() {
        let name = |profile: &Option<Arc<Profile>>| {
            profile
                .as_ref()
                .map_or("-".to_owned(), |profile| profile.name.to_string())
        };
        println!(
            "{:<24} request: {:<12} response: {}",
            service.path,
            name(&service.request),
            name(&service.response)
        );
    }
    println!(
        "configuration and rules are good, ISTag {}",
        snapshot.house.istag
    );
    Ok(ExitCode::SUCCESS)
}

/// What is known of the message, each rule up to the first that fits, and the profile.
fn explain(config: &Config, arguments: &Check, request: &str) -> anyhow::Result<String> {
    let direction = match arguments.kind {
        Kind::Request => Direction::Request,
        Kind::Response => Direction::Response,
    };
    let service = service(config, arguments, direction)?;
    let own = service
        .profile(direction)
        .with_context(|| format!("{} does not take such messages", service.path))?;
    let known = Facts {
        service: (&*service.path).into(),
        ..message(arguments, request, direction)?
    };
    let mut lines = shown(&known);
    let mut chosen = None;
    for (at, (rule, miss)) in config
        .routes
        .explain(direction, &known)
        .into_iter()
        .enumerate()
    {
        let why = miss.map_or("fits", |miss| miss.text());
        lines += &format!("{:>3}. {:?}: {why}\n", at + 1, rule.name);
        if miss.is_none() {
            chosen = Some(rule);
        }
    }
    let (by, profile) = match chosen {
        Some(rule) => (format!("rule {:?}", rule.name), &rule.profile),
        None => (format!("no rule fits, service {}", service.path), own),
    };
    let redact = profile
        .redact
        .as_ref()
        .map_or("nothing", |redact| redact.name());
    lines += &format!(
        "profile {} ({by}): mode {:?}, redacts {redact}\n",
        profile.name, profile.mode
    );
    let (client, name) = (arguments.client, arguments.tls_identity.as_deref());
    let refuses =
        |allow: &Allow| (client.is_some() || name.is_some()) && !allow.admits(client, name);
    for (what, name, allow) in [
        ("service", &*service.path, &service.allow),
        ("profile", &profile.name, &profile.allow),
    ] {
        if refuses(allow) {
            lines += &format!("refused with 403: the {what} {name} is not for this ICAP client\n");
        }
    }
    Ok(lines)
}

fn service<'a>(
    config: &'a Config,
    arguments: &Check,
    direction: Direction,
) -> anyhow::Result<&'a Arc<Service>> {
    let path = match (&arguments.service, direction) {
        (Some(path), _) => path.as_str(),
        (None, Direction::Request) => "/reqmod",
        (None, Direction::Response) => "/respmod",
    };
    config.services.find(path).with_context(|| {
        let known: Vec<_> = config
            .services
            .list()
            .iter()
            .map(|one| &*one.path)
            .collect();
        format!(
            "no service {path}, there are {}; --service says which",
            known.join(", ")
        )
    })
}

/// The facts of `GET https://host/path`, read by the code that reads them off the wire.
fn message(arguments: &Check, request: &str, direction: Direction) -> anyhow::Result<Facts> {
    let Some((method, url)) = request.trim().split_once(' ') else {
        bail!("expected a method and a URL, as in 'GET https://host/path', found {request:?}");
    };
    let content_type = arguments.content_type.as_deref().unwrap_or_default();
    if [request, content_type]
        .iter()
        .chain(
            &arguments
                .headers
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        )
        .any(|text| text.contains(['\r', '\n']))
    {
        bail!("expected no line break in a header or a URL");
    }
    let type_line = match content_type {
        "" => String::new(),
        given => format!("Content-Type: {given}\r\n"),
    };
    let request = format!("{method} {} HTTP/1.1\r\n{type_line}\r\n", url.trim());
    let response = format!("HTTP/1.1 200 OK\r\n{type_line}\r\n");
    let heads = Heads {
        request: Some(RequestHead::parse(request.into())),
        response: Some(ResponseHead::parse(response.into())),
    };
    let mut icap = String::new();
    for header in &arguments.headers {
        if !header.contains(':') {
            bail!("expected 'Name: value', found {header:?}");
        }
        icap += header;
        icap += "\r\n";
    }
    let (icap, _) = Fields::parse(Bytes::from(icap));
    let peer = Peer {
        address: arguments.client,
        tls_identity: arguments.tls_identity.as_deref().map(Arc::from),
    };
    Ok(facts::policy(&icap, &heads, direction, &peer))
}

fn shown(facts: &Facts) -> String {
    let mut lines = String::new();
    let client = facts.client.map(|client| client.to_string());
    for (name, value) in [
        ("service", &*facts.service),
        ("method", &facts.method),
        ("host", &facts.host),
        ("path", &facts.route),
        ("content type", &facts.content_type),
        ("client", client.as_deref().unwrap_or_default()),
        ("user", facts.user.as_deref().unwrap_or_default()),
        ("groups", &facts.groups.join(", ")),
        (
            "certificate",
            facts.tls_identity.as_deref().unwrap_or_default(),
        ),
    ] {
        if !value.is_empty() {
            lines += &format!("{name:<14}{value}\n");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    const ROUTES: &str = r#"
[[routes]]
name = "the fraud team sees cards"
paths = ["/customers/**"]
groups = ["fraud"]
direction = "response"
profile = "response"

[[routes]]
name = "everybody else does not"
paths = ["/customers/**"]
profile = "redact-response"
"#;

    fn explained(arguments: &[&str]) -> String {
        let config = Config::parse(ROUTES, None, &[]).expect("good");
        let line = ["sluice", "check"].iter().chain(arguments);
        let cli = super::super::Cli::try_parse_from(line).expect("arguments");
        let super::super::Command::Check(check) = cli.command else {
            panic!("check was given");
        };
        let request = check.explain.clone().expect("given");
        explain(&config, &check, &request).expect("explained")
    }

    #[test]
    fn the_rule_that_fits_is_named_and_why_the_others_do_not() {
        let asked = [
            "--explain",
            "GET https://h:8443/x/../customers/7?a=b",
            "--as",
            "response",
        ];
        let text = explained(&asked);
        assert!(text.contains("path          /customers/7\n"), "{text}");
        assert!(text.contains("host          h\n"), "{text}");
        assert!(
            text.contains("1. \"the fraud team sees cards\": groups do not fit\n"),
            "{text}"
        );
        assert!(
            text.contains("2. \"everybody else does not\": fits\n"),
            "{text}"
        );
        assert!(text.contains("redacts all"), "{text}");
        let mut asked = asked.to_vec();
        asked.extend(["--header", "X-Authenticated-Groups: ops, fraud"]);
        let text = explained(&asked);
        assert!(
            text.contains("profile response (rule \"the fraud team sees cards\")"),
            "{text}"
        );
        let text = explained(&["--explain", "GET /health"]);
        assert!(
            text.contains("profile request (no rule fits, service /reqmod)"),
            "{text}"
        );
    }
}
