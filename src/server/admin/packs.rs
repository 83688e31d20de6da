//! Bringing in rules: check, test, verify, update, rollback, import. The work is done by `server::rules::changes`.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::rules::import::Format;
use crate::rules::store::Downgrade;
use crate::rules::{pack, signature};
use crate::server::rules::changes::{Origin, Undone};
use crate::server::rules::examination::Examples;
use crate::server::rules::report::{self, Style};
use crate::server::rules::update::{Expired, Leave, Package};

use super::Admin;
use super::problem::Problem;

/// Compiles the set of the configuration, or that set with the pack of the body, aside.
pub(super) async fn check(
    State(admin): State<Arc<Admin>>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let seen = admin.reloader.examine(given(body), Examples::None).await?;
    Ok(Json(serde_json::to_value(seen).unwrap_or_default()))
}

/// `?format=junit`
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Wanted {
    format: Option<Style>,
}

/// Runs every example of that set. 422 when one fails, with the same report.
pub(super) async fn test(
    State(admin): State<Arc<Admin>>,
    Query(wanted): Query<Wanted>,
    body: Bytes,
) -> Result<Response, Problem> {
    let seen = admin.reloader.examine(given(body), Examples::All).await?;
    let style = wanted.format.unwrap_or(Style::Json);
    let kind = match style {
        Style::Text => "text/plain; charset=utf-8",
        Style::Json => "application/x-ndjson",
        Style::Junit => "application/xml",
    };
    let status = match seen.failed().next() {
        None => axum::http::StatusCode::OK,
        Some(_) => axum::http::StatusCode::UNPROCESSABLE_ENTITY,
    };
    let text = report::render(&seen.examples, style);
    Ok((status, [(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Holds a pack against the trusted keys.
pub(super) async fn verify(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let keys = admin
        .shared
        .snapshot
        .load()
        .config
        .rules
        .trusted_keys
        .clone();
    if keys.is_empty() {
        return Err(Problem::unset("no key is trusted: set rules.trusted-keys"));
    }
    let text = minisign(&headers)?.ok_or_else(|| {
        Problem::refused("expected the .minisig file, in base64, in the header X-Minisign")
    })?;
    let checked = tokio::task::spawn_blocking(move || {
        signature::verify_any(&body, &text, &keys).map_err(|error| error.to_string())?;
        pack::read(std::path::Path::new("pack"), &body).map_err(|error| error.to_string())
    });
    match checked.await {
        Ok(Ok(bundle)) => Ok(Json(json!({
            "name": bundle.manifest.name,
            "version": bundle.manifest.version,
            "digest": bundle.digest().to_string(),
        }))),
        Ok(Err(why)) => Err(Problem::refused(why)),
        Err(_) => Err(Problem::refused("the pack could not be read")),
    }
}

/// What is taken all the same.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Allowed {
    allow_downgrade: bool,
    allow_expired: bool,
}

/// `{"url": "https://…"}`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Address {
    url: String,
}

/// Puts a pack in force: that of the body, or that of the address in it.
pub(super) async fn update(
    State(admin): State<Arc<Admin>>,
    Query(allowed): Query<Allowed>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let leave = Leave {
        downgrade: match allowed.allow_downgrade {
            true => Downgrade::Allow,
            false => Downgrade::Refuse,
        },
        expired: match allowed.allow_expired {
            true => Expired::Allow,
            false => Expired::Refuse,
        },
    };
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let origin = if is_json {
        let address: Address = serde_json::from_slice(&body)
            .map_err(|_| Problem::refused("expected {\"url\": \"https://…\"}"))?;
        Origin::Url(address.url)
    } else {
        Origin::Sent(Package {
            pack: body.into(),
            signature: minisign(&headers)?,
        })
    };
    match admin.reloader.update(origin, leave).await? {
        None => Ok(Json(json!({ "changed": false }))),
        Some(manifest) => Ok(Json(json!({
            "changed": true,
            "name": manifest.name,
            "version": manifest.version,
            "istag": admin.shared.snapshot.load().house.istag.as_str(),
        }))),
    }
}

/// Goes back to the version before.
pub(super) async fn rollback(State(admin): State<Arc<Admin>>) -> Result<Json<Value>, Problem> {
    let manifest = admin.reloader.rollback().await?;
    Ok(Json(json!({
        "name": manifest.name,
        "version": manifest.version,
        "istag": admin.shared.snapshot.load().house.istag.as_str(),
    })))
}

/// How a list is to be read, and what its rules are called.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Listed {
    name: String,
    format: Option<Format>,
}

/// Turns a list of others into rules, and puts them in force: strings observed first.
pub(super) async fn import(
    State(admin): State<Arc<Admin>>,
    Query(listed): Query<Listed>,
    body: Bytes,
) -> Result<Json<Value>, Problem> {
    let done = admin
        .reloader
        .import(listed.name, listed.format, body.into());
    let imported = done.await?;
    let files: Vec<&str> = imported.files.iter().map(|(path, _)| &**path).collect();
    Ok(Json(json!({
        "files": files,
        "digests": imported.digests,
        "strings": imported.strings,
        "left-out": imported.left_out,
        "istag": admin.shared.snapshot.load().house.istag.as_str(),
    })))
}

fn given(body: Bytes) -> Option<Vec<u8>> {
    (!body.is_empty()).then(|| body.into())
}

/// The text of a `.minisig` file: four lines, so it comes in base64.
fn minisign(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("x-minisign") else {
        return Ok(None);
    };
    base64::engine::general_purpose::STANDARD
        .decode(value.as_bytes())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(Some)
        .ok_or_else(|| Problem::refused("X-Minisign is not a .minisig file in base64"))
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Unset(what) => Problem::unset(what),
            Undone::Refused(refusal) => Problem::refused(refusal.to_string()),
        }
    }
}
