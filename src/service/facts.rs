//! What the audit record and the scan need to know of a message besides its body.

use crate::http1::target::Target;
use crate::icap::Request;
use crate::inspect::Direction;
use crate::scan::Message;

use super::outcome::Facts;
use super::respond::Heads;

/// The loggable facts of `request`.
pub(super) fn of(request: &Request) -> Facts {
    let mut facts = Facts::default();
    if let Some(head) = &request.http_request {
        let target = Target::parse(head.target());
        facts.http_method = text(head.method());
        facts.path = text(target.path);
        facts.host = match target.authority {
            [] => text(head.fields.get("host").unwrap_or_default()),
            authority => text(after_userinfo(authority)),
        };
        facts.media_type = text(head.fields.get("content-type").unwrap_or_default());
    }
    if let Some(head) = &request.http_response {
        facts.http_status = head.status().unwrap_or_default();
        facts.media_type = text(head.fields.get("content-type").unwrap_or_default());
    }
    let field = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| request.fields.get(name))
            .map(text)
            .unwrap_or_default()
    };
    facts.client = field(&["x-client-ip"]);
    facts.user = field(&["x-authenticated-user", "x-client-username"]);
    facts
}

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

/// Userinfo is a credential.
fn after_userinfo(authority: &[u8]) -> &[u8] {
    authority
        .iter()
        .rposition(|byte| *byte == b'@')
        .and_then(|at| authority.get(at + 1..))
        .unwrap_or(authority)
}

/// A capped copy; what is not UTF-8 shows as U+FFFD. Escaping is the renderer's.
fn text(bytes: &[u8]) -> Box<str> {
    let capped = bytes.get(..KEPT_BYTES).unwrap_or(bytes);
    String::from_utf8_lossy(capped).into()
}

/// More than a record shows, less than a head may hold.
const KEPT_BYTES: usize = 512;
