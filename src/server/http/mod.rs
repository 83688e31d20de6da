//! The HTTP scan API, for gateways and pipelines that do not speak ICAP, on a listener with `protocol = "http"`.
//!
//! ```text
//! POST /v1/scan    the body is inspected; the answer is the verdict with its findings, as JSON
//! POST /v1/adapt   the body is inspected and edited; the answer is the body to use, or 403 with a block page
//! ```
//!
//! Each call is one ICAP transaction over a pipe in memory, so that limits, deadlines, policy, metrics and audit are those
//! of ICAP and not a second set: [`heads`] writes the ICAP head, [`exchange`] carries the bytes.

mod exchange;
mod heads;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Shared;
use super::client::Client;
use super::web::{self, Terms};
use exchange::{Answer, Exchange, Lost};
use heads::{Call, Unknown};

type Body = BoxBody<Bytes, Lost>;

/// Carries one connection. `draining` ends when the server is to stop.
pub(super) async fn serve<S>(
    stream: S,
    client: Client,
    shared: Arc<Shared>,
    draining: impl Future<Output = ()>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let terms = Terms::of(&shared.snapshot.load().config);
    let api = Api { client, shared };
    let answer = |request| {
        let api = api.clone();
        async move { api.answer(request).await }
    };
    web::carry(stream, answer, terms, draining).await;
}

#[derive(Clone)]
struct Api {
    client: Client,
    shared: Arc<Shared>,
}

impl Api {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let adapt = match request.uri().path() {
            "/v1/scan" => false,
            "/v1/adapt" => true,
            _ => {
                return problem(
                    StatusCode::NOT_FOUND,
                    "no such path; there are /v1/scan and /v1/adapt",
                );
            }
        };
        if request.method() != Method::POST {
            let mut answer = problem(StatusCode::METHOD_NOT_ALLOWED, "POST the body to inspect");
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
            return answer;
        }
        let snapshot = self.shared.snapshot.load_full();
        let (parts, body) = request.into_parts();
        let call = Call::of(&parts, &self.client.listener, &snapshot);
        drop(snapshot);
        let call = match call {
            Ok(call) => call,
            Err(unknown) => return refused(unknown),
        };
        let exchange = Exchange::begin(&self.client, &self.shared, call, body);
        match adapt {
            true => adapted(exchange).await,
            false => scanned(exchange).await,
        }
    }
}

/// The verdict: the audit record of the transaction, which holds no payload.
async fn scanned(exchange: Exchange) -> Response<Body> {
    match exchange.verdict().await {
        Ok((status, _)) if status >= 400 => failed(status),
        Ok((_, record)) => {
            let mut answer = Response::new(full(record));
            set(&mut answer, "application/json");
            answer
        }
        Err(Lost) => failed(500),
    }
}

/// The body to use.
async fn adapted(exchange: Exchange) -> Response<Body> {
    let answer = match exchange.answer().await {
        Ok(answer) => answer,
        Err(Lost) => return failed(500),
    };
    let Answer {
        icap,
        status,
        fields,
        body,
    } = answer;
    if icap >= 400 {
        return failed(icap);
    }
    let mut adapted = Response::new(body.map_or_else(|| full(Vec::new()), BodyExt::boxed));
    *adapted.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    for (name, value) in fields {
        adapted.headers_mut().append(name, value);
    }
    adapted
}

fn refused(unknown: Unknown) -> Response<Body> {
    problem(StatusCode::BAD_REQUEST, &unknown.to_string())
}

/// What an ICAP failure is in HTTP.
fn failed(status: u16) -> Response<Body> {
    match status {
        400 | 418 => problem(StatusCode::BAD_REQUEST, "the message could not be read"),
        403 => problem(StatusCode::FORBIDDEN, "not for this client"),
        404 => problem(StatusCode::NOT_FOUND, "no such service"),
        408 => problem(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        413 => problem(StatusCode::PAYLOAD_TOO_LARGE, "the head is too large"),
        503 => problem(StatusCode::SERVICE_UNAVAILABLE, "too much is under way"),
        _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "the inspection failed"),
    }
}

/// RFC 9457.
fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let page = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut answer = Response::new(full(page.to_string().into_bytes()));
    *answer.status_mut() = status;
    set(&mut answer, "application/problem+json");
    answer
}

fn set(answer: &mut Response<Body>, content_type: &'static str) {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes))
        .map_err(|never| match never {})
        .boxed()
}
