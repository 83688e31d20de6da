//! What the audit record, the rules by route and the scan need to know of a message besides its body.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::http1::target::Target;
use crate::icap::Request;
use crate::inspect::Direction;
use crate::policy::facts::{self, Facts as Policy};
use crate::scan::Message;
use crate::wire::Fields;

use super::outcome::Facts;
use super::respond::Heads;
use super::trace::TraceContext;

/// Who is on the other end of the ICAP connection; known to its driver, not from any byte that the peer sent in ICAP.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Its address.
    pub address: Option<IpAddr>,
    /// The name in its certificate, where it showed one that we trust.
    pub tls_identity: Option<Arc<str>>,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tls_identity, self.address) {
            (Some(name), Some(address)) => write!(f, "{name} ({address})"),
            (Some(name), None) => f.write_str(name),
            (None, Some(address)) => write!(f, "{address}"),
            (None, None) => f.write_str("local"),
        }
    }
}

/// What rules by route look at. Users and groups come from the ICAP head alone, which the gateway writes; the fields of
/// the same names in the HTTP message are its sender's and say nothing.
pub fn policy(icap: &Fields, heads: &Heads, direction: Direction, peer: &Peer) -> Policy {
    let fields = match direction {
        Direction::Request => heads.request.as_ref().map(|head| &head.fields),
        Direction::Response => heads.response.as_ref().map(|head| &head.fields),
    };
    let essence = fields
        .and_then(|fields| fields.get("content-type"))
        .and_then(|value| value.split(|byte| *byte == b';').next())
        .unwrap_or_default();
    let of_head = heads.request.as_ref().map(Policy::of_request);
    let client = match icap.contains("x-client-ip") {
        true => single(icap, "x-client-ip").and_then(|client| text(client).parse().ok()),
        false => peer.address,
    };
    Policy {
        content_type: text(essence.trim_ascii()).to_ascii_lowercase().into(),
        client,
        user: single(icap, "x-authenticated-user").map(|user| facts::identity(&text(user)).into()),
        groups: single(icap, "x-authenticated-groups")
            .map(|groups| facts::groups(&String::from_utf8_lossy(groups)))
            .unwrap_or_default(),
        tls_identity: peer.tls_identity.clone(),
        ..of_head.unwrap_or_default()
    }
}

/// The field of that name when there is just one: of two, one may be what a client made its gateway pass on.
fn single<'a>(fields: &'a Fields, name: &'a str) -> Option<&'a [u8]> {
    let mut all = fields.get_all(name);
    all.next().filter(|_| all.next().is_none())
}

/// What else is taken from heads, for those who look at more than one message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// The trace that it belongs to.
    pub traces: Taken,
    /// Names of fields and parameters.
    pub names: Taken,
}

/// Whether something is taken from a head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Taken {
    /// It is not looked for.
    #[default]
    No,
    /// It is.
    Yes,
}

/// The loggable facts of `request`.
pub(super) fn of(request: &Request, heads: &Heads, watch: Watch) -> Facts {
    let mut known = Facts::unknown();
    if let Some(head) = &heads.request {
        let target = Target::parse(head.target());
        known.http_method.push_str(&text(head.method()));
        known.path.push_str(&text(target.path));
        known.host.push_str(&text(match target.authority {
            [] => head.fields.get("host").unwrap_or_default(),
            authority => after_userinfo(authority),
        }));
    }
    if let Some(head) = &heads.response {
        known.http_status = head.status().unwrap_or_default();
    }
    let request_fields = heads.request.as_ref().map(|head| &head.fields);
    let response_fields = heads.response.as_ref().map(|head| &head.fields);
    let media_type = response_fields
        .or(request_fields)
        .and_then(|fields| fields.get("content-type"));
    known
        .media_type
        .push_str(&text(media_type.unwrap_or_default()));
    let field = |names: &[&str]| {
        let value = names.iter().find_map(|name| request.fields.get(name));
        value.map(text)
    };
    if let Some(client) = field(&["x-client-ip"]) {
        known.client.push_str(&client);
    }
    if let Some(user) = field(&["x-authenticated-user", "x-client-username"]) {
        known.user.push_str(&facts::identity(&user));
    }
    if let (Taken::Yes, Some(head)) = (watch.traces, &heads.request) {
        let value = head.fields.get("traceparent");
        known.trace = value.and_then(TraceContext::parse);
    }
    if watch.names == Taken::Yes && is_sampled() {
        known.names = Some(names(heads));
    }
    known
}

/// Whether the names of this message are taken: of a thread's first messages, and of one in eight of all others. A name
/// that is new on a route stands in more than one message, and taking them is a good part of what a small message costs.
fn is_sampled() -> bool {
    let number = MESSAGES.get();
    MESSAGES.set(number.wrapping_add(1));
    number < ALL_OF || number.is_multiple_of(ONE_IN)
}

thread_local! {
    static MESSAGES: Cell<u32> = const { Cell::new(0) };
}

/// Messages of which each is looked at.
const ALL_OF: u32 = 1000;
/// Of later ones.
const ONE_IN: u32 = 8;

/// What the scan is told.
pub(super) fn message<'a>(direction: Direction, heads: &'a Heads, facts: &'a Facts) -> Message<'a> {
    Message {
        direction,
        request: heads.request.as_ref(),
        response: heads.response.as_ref(),
        client: facts.client.parse().ok(),
        user: (!facts.user.is_empty()).then_some(&*facts.user),
    }
}

/// Names of the carried message's fields and of its query's parameters, in lower case, as written otherwise.
fn names(heads: &Heads) -> Box<str> {
    let mut text = String::with_capacity(256);
    let mut add = |mark: &str, name: &[u8]| {
        if text.len() < NAMES_BYTES && !name.is_empty() {
            text.push_str(mark);
            let name = name.get(..NAME_BYTES).unwrap_or(name);
            text.extend(name.iter().map(|byte| match byte {
                b'!'..=b'~' => char::from(byte.to_ascii_lowercase()),
                _ => '?',
            }));
            text.push('\n');
        }
    };
    let carried = heads.response.as_ref().map(|head| &head.fields);
    let carried = carried.or_else(|| heads.request.as_ref().map(|head| &head.fields));
    for field in carried.into_iter().flat_map(Fields::iter) {
        add("", field.name);
    }
    let query = heads
        .request
        .as_ref()
        .and_then(|head| Target::parse(head.target()).query);
    for pair in query.unwrap_or_default().split(|byte| *byte == b'&') {
        // A pair without "=" may be a value.
        if let Some(at) = memchr::memchr(b'=', pair) {
            add("?", pair.get(..at).unwrap_or_default());
        }
    }
    text.into()
}

/// Userinfo is a credential.
fn after_userinfo(authority: &[u8]) -> &[u8] {
    authority
        .iter()
        .rposition(|byte| *byte == b'@')
        .and_then(|at| authority.get(at + 1..))
        .unwrap_or(authority)
}

/// A capped text; what is not UTF-8 shows as U+FFFD. Escaping is the renderer's.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    let capped = bytes.get(..KEPT_BYTES).unwrap_or(bytes);
    // Mostly it is ASCII, which is seen faster than what is cut into characters.
    match std::str::from_utf8(capped) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(capped),
    }
}

/// A name, and all names of a message.
const NAME_BYTES: usize = 64;
const NAMES_BYTES: usize = 4096;

/// More than a record shows, less than a head may hold.
const KEPT_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_messages_of_a_thread_are_sampled_and_one_in_eight_of_the_others() {
        let sampled = std::thread::spawn(|| {
            let first = (0..ALL_OF).filter(|_| is_sampled()).count();
            let later = (0..8 * ALL_OF).filter(|_| is_sampled()).count();
            (first, later)
        });
        assert_eq!(sampled.join().expect("no panic"), (1000, 1000));
    }
}
