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

/// What a message carries.
pub(super) struct Body<'a> {
    pub(super) content_type: &'a str,
    pub(super) len: usize,
}

/// The heads of a message with a body of one's own; its chunks follow.
pub(super) fn head_of(target: &Target, method: Method, lines: &str, body: &Body<'_>) -> String {
    let fields = format!(
        "Content-Type: {}\r\nContent-Length: {}\r\n\r\n",
        body.content_type, body.len
    );
    let (name, heads, sections) = match method {
        Method::Reqmod => {
            let head =
                format!("POST http://probe.example/ HTTP/1.1\r\nHost: probe.example\r\n{fields}");
            let sections = format!("req-hdr=0, req-body={}", head.len());
            ("REQMOD", head, sections)
        }
        Method::Respmod => {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}");
            let body = GET.len() + head.len();
            let sections = format!("req-hdr=0, res-hdr={}, res-body={body}", GET.len());
            ("RESPMOD", format!("{GET}{head}"), sections)
        }
    };
    let lines = format!("{lines}Encapsulated: {sections}\r\n");
    request(target, name, &lines, &heads)
}

/// Appends `bytes` in chunks of up to 16 KiB, without the last one.
pub(super) fn chunks(bytes: &[u8], out: &mut Vec<u8>) {
    for piece in bytes.chunks(16 << 10) {
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
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
