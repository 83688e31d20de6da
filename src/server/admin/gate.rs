//! Before any endpoint: is the request meant for us, who asks, may he, and is the change on record?
//!
//! ```text
//! Host ─► token or certificate ─► role ─► ledger: begin ─► endpoint ─► ledger: end
//! ```

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use crate::config::file::{Admin as Access, Role};

use crate::policy::allow::is_name;

use super::Admin;
use super::door::Caller;
use super::problem::Problem;
use super::token::{Holder, Refused};

/// Who may use an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    /// Anybody: probes of a supervisor, which say no more than good or bad.
    Nothing,
    /// A token of at least this role; to look, loopback will do while there are no tokens.
    Role(Role),
}

/// An endpoint's view of the gate.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) admin: Arc<Admin>,
    pub(super) needs: Needs,
}

/// The middleware of every endpoint.
pub(super) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let config = Arc::clone(&gate.admin.shared.snapshot.load().config);
    if let Err(problem) = host(request.headers(), &config.access) {
        return problem.into_response();
    }
    let peer = request.extensions().get::<Caller>().cloned();
    let Needs::Role(role) = gate.needs else {
        return next.run(request).await;
    };
    let text = bearer(request.headers()).map(str::to_owned);
    let shown = peer
        .as_ref()
        .and_then(|caller| certified(&config.access, &caller.names));
    let peer = peer.map(|caller| caller.ip());
    let open = config.access.tokens.is_empty() && config.access.certificates.is_empty();
    let found = match (text, shown) {
        (None, Some(holder)) => allowed(holder, role),
        _ if open => without_tokens(role, peer),
        (text, _) => gate
            .holder(&config.access, text)
            .await
            .and_then(|holder| allowed(holder, role)),
    };
    let holder = match found {
        Ok(holder) => holder,
        Err(problem) => {
            gate.admin.shared.telemetry.metrics.error("admin-refused");
            return problem.into_response();
        }
    };
    if request.method() == Method::GET {
        return next.run(request).await;
    }
    gate.recorded(holder, peer, request, next).await
}

impl Gate {
    async fn holder(&self, access: &Access, text: Option<String>) -> Result<Holder, Problem> {
        let unknown = || {
            Problem::new(
                StatusCode::UNAUTHORIZED,
                "expected Authorization: Bearer and a token of [[admin.tokens]], or a certificate of [[admin.certificates]]",
            )
        };
        let text = text.ok_or_else(unknown)?;
        self.admin
            .tokens
            .holder(&access.tokens, &text)
            .await
            .map_err(|refused| match refused {
                Refused::Unknown => unknown(),
                Refused::Busy => Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "too many tokens are being checked; try again",
                ),
            })
    }

    /// Runs what changes something between two records. What cannot be recorded does not happen.
    async fn recorded(
        &self,
        holder: Holder,
        peer: Option<IpAddr>,
        request: Request,
        next: Next,
    ) -> Response {
        let mut fields = Map::new();
        let path = request.uri().path_and_query().map(ToString::to_string);
        for (key, value) in [
            ("who", holder.name.clone()),
            ("role", holder.role.code().to_owned()),
            (
                "peer",
                peer.map(|peer| peer.to_string()).unwrap_or_default(),
            ),
            ("method", request.method().to_string()),
            ("what", path.unwrap_or_default()),
        ] {
            fields.insert(key.into(), value.into());
        }
        if let Err(problem) = self.record("begin", fields.clone()).await {
            return problem.into_response();
        }
        let response = next.run(request).await;
        let status = response.status().as_u16();
        fields.insert("status".into(), status.into());
        if let Some(Told(result)) = response.extensions().get::<Told>() {
            fields.insert("result".into(), result.as_str().into());
        }
        tracing::info!(who = holder.name, what = %fields["what"], status, "a change by the admin listener");
        // It happened; a record that fails now is in the application log, and refuses the next change.
        let _ = self.record("end", fields).await;
        response
    }

    async fn record(&self, phase: &str, mut fields: Map<String, Value>) -> Result<(), Problem> {
        let Some(ledger) = self.admin.ledger.clone() else {
            return Ok(());
        };
        fields.insert("phase".into(), phase.into());
        let done = tokio::task::spawn_blocking(move || ledger.append(fields)).await;
        match done {
            Ok(Ok(head)) => {
                tracing::info!(head, "audit log of the admin listener");
                Ok(())
            }
            Ok(Err(_)) | Err(_) => {
                tracing::error!("the audit log of the admin listener cannot be written");
                Err(Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "the audit log cannot be written, so nothing is changed: make room or mend admin.audit-log",
                ))
            }
        }
    }
}

/// Whether `holder` may do what needs that role.
fn allowed(holder: Holder, needed: Role) -> Result<Holder, Problem> {
    if holder.role >= needed {
        return Ok(holder);
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        format!(
            "{} is a {}; this needs the role {}",
            holder.name,
            holder.role.code(),
            needed.code()
        ),
    ))
}

/// Whose certificate it is, by the names in it: the first of `[[admin.certificates]]` that one of them fits.
fn certified(access: &Access, names: &[Box<str>]) -> Option<Holder> {
    access.certificates.iter().find_map(|certificate| {
        let name = names.iter().find(|name| is_name(&certificate.name, name))?;
        Some(Holder {
            name: name.to_string(),
            role: certificate.role,
        })
    })
}

/// Loopback may look; nobody may change anything.
fn without_tokens(needed: Role, peer: Option<IpAddr>) -> Result<Holder, Problem> {
    let local = peer.is_some_and(|peer| peer.to_canonical().is_loopback());
    let what = match (needed, local) {
        (Role::Viewer, true) => {
            return Ok(Holder {
                name: "loopback".into(),
                role: Role::Viewer,
            });
        }
        (Role::Viewer, false) => "only loopback may look",
        (Role::Operator | Role::Admin, _) => "nothing may be changed",
    };
    let role = needed.code();
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        format!(
            "no token is configured, so {what}: run sluice token NAME --role {role} and put what it prints under [[admin.tokens]]"
        ),
    ))
}

/// What an endpoint tells the ledger about its result.
#[derive(Clone, Debug)]
pub(super) struct Told(pub(super) String);

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

/// A page in a browser can make any name point at loopback (DNS rebinding), but the request then carries that name. No
/// Host at all is no browser.
fn host(headers: &HeaderMap, access: &Access) -> Result<(), Problem> {
    let misdirected = |name: &str| {
        Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "the Host header says {name}, which is no name of this listener; add it to admin.hosts"
            ),
        )
    };
    let mut values = headers.get_all(header::HOST).iter();
    let Some(first) = values.next() else {
        return Ok(());
    };
    let text = first.to_str().unwrap_or_default().to_ascii_lowercase();
    let name = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => text.rsplit_once(':').map_or(&*text, |(name, _)| name),
    };
    let known = name == "localhost"
        || name.parse::<IpAddr>().is_ok()
        || access.hosts.iter().any(|host| host == name);
    match known && values.next().is_none() {
        true => Ok(()),
        false => Err(misdirected(&name.escape_debug().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_localhost_and_configured_names_are_hosts() {
        let access = Access {
            hosts: vec!["sluice.example".into()],
            ..Access::default()
        };
        for (text, good) in [
            ("127.0.0.1:9380", true),
            ("[::1]:9380", true),
            ("10.1.2.3", true),
            ("LocalHost:9380", true),
            ("sluice.example:9380", true),
            ("sluice.example", true),
            ("rebind.example:9380", false),
            ("localhost.rebind.example", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, text.parse().expect("a value"));
            assert_eq!(host(&headers, &access).is_ok(), good, "{text}");
        }
        assert!(host(&HeaderMap::new(), &access).is_ok());
        let mut twice = HeaderMap::new();
        for text in ["localhost", "rebind.example"] {
            twice.append(header::HOST, text.parse().expect("a value"));
        }
        assert!(host(&twice, &access).is_err());
    }
}
