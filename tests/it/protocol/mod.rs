//! ICAP as it is on the wire: transcripts over a fake wire, no sockets. Every transcript is played whole, cut in two at
//! every place, byte by byte and at random: events and answers must be the same each time.

mod answers;
mod body;
mod encapsulated;
mod heads;
mod order;
mod preview;
mod wire;

use wire::{Play, play};

/// A GET as it is embedded in most REQMOD requests.
const GET: &str = "GET /a?b=c HTTP/1.1\r\nHost: origin\r\n\r\n";

/// A POST.
const POST: &str = "POST /a HTTP/1.1\r\nHost: origin\r\nContent-Length: 9\r\n\r\n";

/// A response.
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";

/// A REQMOD of [`POST`] with more ICAP header lines and a body as given.
fn reqmod(lines: &str, body: &str) -> String {
    format!(
        "REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\n{lines}Encapsulated: req-hdr=0, req-body={}\r\n\r\n{POST}{body}",
        POST.len()
    )
}

/// A REQMOD of [`GET`] without a body.
fn bodiless(lines: &str) -> String {
    format!(
        "REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\n{lines}Encapsulated: req-hdr=0, null-body={}\r\n\r\n{GET}",
        GET.len()
    )
}

/// A RESPMOD of [`GET`] and [`OK`].
fn respmod(lines: &str, body: &str) -> String {
    format!(
        "RESPMOD icap://h/respmod ICAP/1.0\r\nHost: h\r\n{lines}Encapsulated: req-hdr=0, res-hdr={}, res-body={}\r\n\r\n{GET}{OK}{body}",
        GET.len(),
        GET.len() + OK.len()
    )
}

/// The head alone, with these lines after `Host`.
fn with_lines(lines: &str) -> String {
    format!("OPTIONS icap://h/x ICAP/1.0\r\nHost: h\r\n{lines}\r\n")
}

/// Asserts what a conversation comes to, one line an event or an action.
#[track_caller]
fn expect(what: &str, input: impl AsRef<[u8]>, plays: Play, expected: &[&str]) {
    let log = play(input.as_ref(), plays).log;
    assert_eq!(log, expected, "{what}");
}

/// Asserts that a request is refused with `status` and for the reason `code`, before anything of it is acted upon, and
/// that the connection is closed.
#[track_caller]
fn refused(what: &str, input: impl AsRef<[u8]>, status: u16, code: &str) {
    let heard = play(input.as_ref(), Play::Clean);
    let error = format!("error {status} {code}");
    assert_eq!(
        heard.log.last().map(String::as_str),
        Some(error.as_str()),
        "{what}: {:?}",
        heard.log
    );
    let answer = String::from_utf8_lossy(&heard.output).into_owned();
    let last = answer
        .rfind("ICAP/1.0")
        .map(|at| &answer[at..])
        .unwrap_or_default();
    assert!(
        last.starts_with(&format!("ICAP/1.0 {status} ")),
        "{what}: {answer}"
    );
    // RFC 3507 §4.7: early 400s carry the ISTag too.
    assert!(last.contains("ISTag: \"TAG-1\"\r\n"), "{what}: {answer}");
    assert!(last.contains("Connection: close\r\n"), "{what}: {answer}");
    assert!(heard.closed, "{what}");
}
