//! The requests that the probe sends.

use super::wire::Target;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Reqmod,
    Respmod,
}

/// An HTTP request that nobody blocks.
pub(super) const GET: &str = "GET http://probe.example/ HTTP/1.1\r\nHost: probe.example\r\n\r\n";

/// An HTTP response that nobody blocks.
pub(super) const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 19\r\n\r\n";

/// Its body.
pub(super) const TEXT: &str = "a harmless sentence";

/// The head of an HTTP request with that body.
pub(super) const POST: &str = "POST http://probe.example/ HTTP/1.1\r\nHost: probe.example\r\n\
    Content-Type: text/plain\r\nContent-Length: 19\r\n\r\n";

/// [`TEXT`] as one chunk.
pub(super) const CHUNK: &str = "13\r\na harmless sentence\r\n";

/// The embedded head whose body the probe sends by this method.
pub(super) fn embedded(method: Method) -> &'static str {
    match method {
        Method::Reqmod => POST,
        Method::Respmod => OK,
    }
}

/// A request with a body: header `lines` (each with its line end) and `chunks` as given.
pub(super) fn with_body(target: &Target, method: Method, lines: &str, chunks: &str) -> String {
    let (name, head, sections) = match method {
        Method::Reqmod => (
            "REQMOD",
            POST.to_owned(),
            format!("req-hdr=0, req-body={}", POST.len()),
        ),
        Method::Respmod => (
            "RESPMOD",
            format!("{GET}{OK}"),
            format!(
                "req-hdr=0, res-hdr={}, res-body={}",
                GET.len(),
                GET.len() + OK.len()
            ),
        ),
    };
    request(
        target,
        name,
        &format!("{lines}Encapsulated: {sections}\r\n"),
        &format!("{head}{chunks}"),
    )
}

/// A request without a body.
pub(super) fn without_body(target: &Target, method: Method, lines: &str) -> String {
    let (name, head, sections) = match method {
        Method::Reqmod => (
            "REQMOD",
            GET.to_owned(),
            format!("req-hdr=0, null-body={}", GET.len()),
        ),
        Method::Respmod => (
            "RESPMOD",
            format!("{GET}HTTP/1.1 304 Not Modified\r\n\r\n"),
            format!(
                "req-hdr=0, res-hdr={}, null-body={}",
                GET.len(),
                GET.len() + 29
            ),
        ),
    };
    request(
        target,
        name,
        &format!("{lines}Encapsulated: {sections}\r\n"),
        &head,
    )
}

/// An OPTIONS request with header `lines`.
pub(super) fn options(target: &Target, lines: &str) -> String {
    request(target, "OPTIONS", lines, "")
}

/// Any request: method, header lines after `Host`, what follows the head.
pub(super) fn request(target: &Target, method: &str, lines: &str, rest: &str) -> String {
    format!(
        "{method} {} ICAP/1.0\r\nHost: {}\r\n{lines}\r\n{rest}",
        target.url, target.authority
    )
}
