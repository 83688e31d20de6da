//! From an HTTP call to the heads of an ICAP request.
//!
//! What the caller may say of the message: `direction`, `profile` in the query; `X-Original-Method` and `X-Original-URI` as
//! NGINX's and other gateways' subrequests do; every other field is the message's own.

use std::sync::Arc;

use hyper::header::{ACCEPT, HOST, HeaderMap, HeaderName};
use hyper::http::request::Parts;

use crate::config::listeners::Listener;
use crate::inspect::Direction;
use crate::policy::profile::Mode;
use crate::service::services::Service;

use super::super::snapshot::Snapshot;

/// One call, as ICAP says it.
#[derive(Debug)]
pub(super) struct Call {
    /// The ICAP head with the embedded heads; chunks follow.
    pub(super) head: Vec<u8>,
}

/// The query names what there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unknown {
    #[error("direction is request or response")]
    Direction,
    #[error("no service of this listener inspects {direction} by that profile; there are: {known}")]
    Profile {
        direction: &'static str,
        known: String,
    },
}

impl Call {
    pub(super) fn of(
        parts: &Parts,
        listener: &Listener,
        snapshot: &Snapshot,
    ) -> Result<Self, Unknown> {
        let query = parts.uri.query().unwrap_or_default();
        let direction = match value(query, "direction") {
            None | Some("request") => Direction::Request,
            Some("response") => Direction::Response,
            Some(_) => return Err(Unknown::Direction),
        };
        let service = service(snapshot, listener, direction, value(query, "profile"))?;
        let house = &snapshot.house;
        let host = house.hosts.first().map_or("localhost", |host| host);
        let (method, heads, sections) = match direction {
            Direction::Request => {
                let head = request_head(parts);
                let sections = format!("req-hdr=0, req-body={}", head.len());
                ("REQMOD", head, sections)
            }
            Direction::Response => {
                let request = asking_head(parts);
                let response = response_head(&parts.headers);
                let (at, body) = (request.len(), request.len() + response.len());
                let sections = format!("req-hdr=0, res-hdr={at}, res-body={body}");
                ("RESPMOD", [request, response].concat(), sections)
            }
        };
        let mut head = format!(
            "{method} icap://{host}{} ICAP/1.0\r\nHost: {host}\r\nEncapsulated: {sections}\r\n\r\n",
            service.path
        )
        .into_bytes();
        head.extend_from_slice(&heads);
        Ok(Self { head })
    }
}

/// The service with that profile; without a name, the one that gateways use for the direction.
fn service(
    snapshot: &Snapshot,
    listener: &Listener,
    direction: Direction,
    profile: Option<&str>,
) -> Result<Arc<Service>, Unknown> {
    let services = snapshot.config.services.list();
    let mut offered = services
        .into_iter()
        .filter(|service| listener.offers(&service.path))
        .filter_map(|service| Some((service, service.profile(direction)?)))
        // A verdict without an inspection is none.
        .filter(|(_, profile)| profile.mode != Mode::Off);
    let usual = match direction {
        Direction::Request => "/reqmod",
        Direction::Response => "/respmod",
    };
    let wanted = |service: &Service, name: &str| match profile {
        Some(profile) => name == profile,
        None => &*service.path == usual,
    };
    let mut known: Vec<String> = Vec::new();
    let found = offered.find(|(service, profile)| {
        known.push(profile.name.to_string());
        wanted(service, &profile.name)
    });
    if let Some((service, _)) = found {
        return Ok(Arc::clone(service));
    }
    known.sort();
    known.dedup();
    Err(Unknown::Profile {
        direction: match direction {
            Direction::Request => "requests",
            Direction::Response => "responses",
        },
        known: known.join(", "),
    })
}

/// The head of the request that is inspected.
fn request_head(parts: &Parts) -> Vec<u8> {
    let mut head = line(parts, b"POST");
    fields(
        &parts.headers,
        |name| !OURS.contains(&name.as_str()),
        &mut head,
    );
    head.extend_from_slice(b"\r\n");
    head
}

/// The head of the request whose response is inspected: what it asked for, and how a block page is to look.
fn asking_head(parts: &Parts) -> Vec<u8> {
    let mut head = line(parts, b"GET");
    fields(
        &parts.headers,
        |name| *name == HOST || *name == ACCEPT,
        &mut head,
    );
    if !parts.headers.contains_key(ACCEPT) {
        head.extend_from_slice(b"Accept: application/problem+json\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// The head of the response that is inspected.
fn response_head(headers: &HeaderMap) -> Vec<u8> {
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let its = |name: &HeaderName| {
        name.as_str().starts_with("content-") || OF_RESPONSES.contains(&name.as_str())
    };
    fields(headers, its, &mut head);
    head.extend_from_slice(b"\r\n");
    head
}

/// `METHOD TARGET HTTP/1.1`. What the values hold beyond a method and a target is for the reader of heads to judge.
fn line(parts: &Parts, method: &[u8]) -> Vec<u8> {
    let said = |name: &str| parts.headers.get(name).map(|value| value.as_bytes());
    [
        said("x-original-method").unwrap_or(method),
        b" ",
        said("x-original-uri").unwrap_or(b"/"),
        b" HTTP/1.1\r\n",
    ]
    .concat()
}

fn fields(headers: &HeaderMap, wanted: impl Fn(&HeaderName) -> bool, out: &mut Vec<u8>) {
    for (name, value) in headers {
        if wanted(name) {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// The value of a query parameter; names and values of ours need no percent-escapes.
fn value<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Fields of the call itself.
const OURS: [&str; 10] = [
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "proxy-connection",
    "x-original-method",
    "x-original-uri",
];

/// Fields of a response beside `Content-*`.
const OF_RESPONSES: [&str; 8] = [
    "accept-ranges",
    "cache-control",
    "digest",
    "etag",
    "expires",
    "last-modified",
    "repr-digest",
    "set-cookie",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_found_by_their_whole_name() {
        assert_eq!(value("a=1&profile=strict", "profile"), Some("strict"));
        assert_eq!(value("myprofile=x", "profile"), None);
        assert_eq!(value("profile", "profile"), None);
    }
}
