//! The table of demands.

use super::message::{CHUNK, Method, TEXT, embedded, options, request, with_body, without_body};
use super::wire::{Answer, Target, Wire};
use super::{Failure, Level};

/// One demand on a server.
pub(super) struct Demand {
    pub(super) id: &'static str,
    pub(super) section: &'static str,
    pub(super) what: &'static str,
    pub(super) level: Level,
    pub(super) holds: fn(&Target, &Offer) -> Result<Verdict, Failure>,
}

/// What became of a demand that was not missed.
pub(super) enum Verdict {
    Held,
    NotOffered,
}

/// What the service says it can do; without an OPTIONS answer, nothing.
#[derive(Default)]
pub(super) struct Offer {
    methods: Vec<Method>,
    previews: bool,
}

impl Offer {
    pub(super) fn of(target: &Target) -> Self {
        let answer = target.connect().and_then(|mut wire| {
            wire.send(options(target, ""));
            wire.answer()
        });
        let Ok(answer) = answer else {
            return Self::default();
        };
        let listed = answer.field("Methods").unwrap_or_default();
        let known = [(Method::Reqmod, "REQMOD"), (Method::Respmod, "RESPMOD")];
        Self {
            methods: known
                .iter()
                .filter(|(_, name)| listed.split(',').any(|item| item.trim() == *name))
                .map(|(method, _)| *method)
                .collect(),
            previews: answer.field("Preview").is_some(),
        }
    }
}

const HELD: Result<Verdict, Failure> = Ok(Verdict::Held);

macro_rules! demands {
    ($($level:ident $section:literal $id:literal $what:literal $holds:expr;)+) => {
        /// Every demand, by section.
        pub(super) const DEMANDS: &[Demand] = &[$(
            Demand { id: $id, section: $section, what: $what, level: Level::$level, holds: $holds },
        )+];
    };
}

demands! {
    Must "RFC 3507 §4.10" "options" "OPTIONS is answered with 200 and Methods" options_answer;
    Must "RFC 3507 §4.10.2" "options-fields" "Preview, Options-TTL and Max-Connections are numbers" options_numbers;
    Should "errata e1" "options-bare" "OPTIONS without Encapsulated is answered" options_answer;
    Must "RFC 3507 §4.10.2" "options-no-206" "206 is not offered to who does not offer it" no_unasked_206;
    Must "RFC 3507 §4.3.2" "unknown-method" "an unknown method is 501" |t, _| refused_with(t, &request(t, "FROB", "", ""), &[501]);
    Must "RFC 3507 §4.3.2" "method-case" "methods are compared with case" |t, _| refused_with(t, &request(t, "options", "", ""), &[501, 400]);
    Must "RFC 3507 §4.3.3" "version" "another version is 505" |t, _| refused_with(t, &options(t, "").replace("ICAP/1.0", "ICAP/3.0"), &[505]);
    Must "RFC 3507 §4.3.3" "unknown-service" "an unknown service is 404" |t, _| {
        let other = t.at("/no-such-service-probe");
        refused_with(&other, &without_body(&other, Method::Reqmod, ""), &[404])
    };
    Must "RFC 3507 §4.3.3" "method-not-offered" "a method that is not offered is 405" method_not_offered;
    Must "RFC 3507 §4.3.1" "host-missing" "a request without Host is 400" |t, _| {
        refused_with(t, &format!("OPTIONS {} ICAP/1.0\r\n\r\n", t.url), &[400])
    };
    Must "RFC 3507 §4.5" "preview-ieof" "after ieof the answer comes at once" preview_ieof;
    Must "RFC 3507 §4.5" "preview-continue" "a preview is answered with 100, 204 or a final answer" preview_continue;
    Must "RFC 3507 §4.5" "preview-zero" "a preview of nothing is answered" preview_zero;
    Should "squid" "preview-null-body" "Preview: 0 with null-body is answered without a last chunk" |t, o| {
        each(o, |method| answered(t, &without_body(t, method, "Preview: 0\r\nAllow: 204\r\n")))
    };
    Must "RFC 3507 §4.6" "no-204-unasked" "204 outside the preview needs Allow: 204" no_unasked_204;
    Must "RFC 3507 §4.6" "copy" "where 204 is not allowed the message comes back" copy;
    Must "RFC 3507 §4.6" "allow-204" "with Allow: 204 the answer is 204 or 200" |t, o| {
        each(o, |method| answered(t, &with_body(t, method, "Allow: 204\r\n", &format!("{CHUNK}0\r\n\r\n"))))
    };
    Must "draft 206" "no-206-unasked" "206 is not sent to who does not offer it" no_unasked_206_answer;
    Must "RFC 3507 §4.4.2" "chunk-extension" "chunk extensions are accepted" |t, o| {
        chunks_accepted(t, o, "13;a=b; c=\"d;e\"\r\na harmless sentence\r\n0;x\r\n\r\n")
    };
    Must "RFC 3507 §4.4.2" "small-chunks" "one chunk a byte is accepted" |t, o| {
        let chunks: String = TEXT.chars().map(|char| format!("1\r\n{char}\r\n")).collect();
        chunks_accepted(t, o, &format!("{chunks}0\r\n\r\n"))
    };
    Must "errata e2" "trailers" "HTTP trailers are accepted" |t, o| chunks_accepted(t, o, &format!("{CHUNK}0\r\nX-Probe: 1\r\n\r\n"));
    Must "RFC 3507 §4.4.1" "slow-bytes" "a request is read byte by byte" slow_bytes;
    Should "errata e4" "no-heads" "a body without heads is answered" |t, o| each(o, |method| {
        let (name, section) = match method {
            Method::Reqmod => ("REQMOD", "req-body"),
            Method::Respmod => ("RESPMOD", "res-body"),
        };
        let lines = format!("Allow: 204\r\nEncapsulated: {section}=0\r\n");
        any_answer(t, &request(t, name, &lines, &format!("{CHUNK}0\r\n\r\n")))
    });
    Must "RFC 3507 §4.3" "keep-alive" "a connection carries several requests" |t, o| in_order(t, o, "");
    Must "RFC 3507 §4.3" "pipelining" "pipelined requests are answered in order" pipelining;
    Must "RFC 3507 §4.3" "connection-close" "Connection: close ends the connection after the answer" connection_close;
    Should "axway" "stray-crlf" "a stray CRLF between requests is discarded" |t, o| in_order(t, o, "\r\n");
    Should "axway" "stray-last-chunk" "a stray last chunk between requests is discarded" |t, o| in_order(t, o, "0\r\n\r\n");
    Security "RFC 3507 §4.4.1" "encapsulated-twice" "a second Encapsulated ends the connection" |t, o| sections_refused(t, o, "req-hdr=0, req-body=100\r\nEncapsulated: req-hdr=0, req-body=100");
    Security "RFC 3507 §4.4.1" "encapsulated-first" "a first offset other than 0 ends the connection" |t, o| sections_refused(t, o, "req-hdr=1, req-body=101");
    Security "RFC 3507 §4.4.1" "encapsulated-order" "offsets that do not increase end the connection" |t, o| sections_refused(t, o, "req-hdr=0, req-body=0");
    Security "RFC 3507 §4.4.1" "encapsulated-sign" "a signed offset ends the connection" |t, o| sections_refused(t, o, "req-hdr=0, req-body=+100");
    Security "RFC 3507 §4.4.1" "encapsulated-unknown" "an unknown section ends the connection" |t, o| sections_refused(t, o, "req-hdr=0, frob-body=100");
    Security "RFC 3507 §4.4.1" "encapsulated-no-body" "a list without a body item ends the connection" |t, o| sections_refused(t, o, "req-hdr=0");
    Security "RFC 3507 §4.4.1" "encapsulated-beyond" "an offset beyond the heads ends the connection at once" |t, o| sections_refused(t, o, "req-hdr=0, req-body=9999");
    Security "RFC 9112 §7.1" "chunk-plus" "a chunk size with a sign ends the connection" |t, o| chunks_refused(t, o, "+13\r\na harmless sentence\r\n0\r\n\r\n");
    Security "RFC 9112 §7.1" "chunk-0x" "a chunk size with 0x ends the connection" |t, o| chunks_refused(t, o, "0x13\r\na harmless sentence\r\n0\r\n\r\n");
    Security "RFC 9112 §7.1" "chunk-space" "a chunk size after a space ends the connection" |t, o| chunks_refused(t, o, " 13\r\na harmless sentence\r\n0\r\n\r\n");
    Security "RFC 9112 §7.1" "chunk-wrap" "a chunk size past 64 bits ends the connection" |t, o| chunks_refused(t, o, "10000000000000013\r\na harmless sentence\r\n0\r\n\r\n");
    Security "RFC 9112 §7.1" "chunk-lf" "a bare LF in a chunk line ends the connection" |t, o| chunks_refused(t, o, "13\na harmless sentence\r\n0\r\n\r\n");
    Security "RFC 9112 §7.1" "chunk-data-end" "chunk data without CRLF ends the connection" |t, o| chunks_refused(t, o, "13\r\na harmless sentenceXX0\r\n\r\n");
    Security "RFC 9112 §5.1" "space-before-colon" "a space before the colon ends the connection" |t, _| broken(t, &options(t, "Encapsulated : null-body=0\r\n"));
    Security "RFC 9112 §2.2" "bare-lf" "bare LF in the head ends the connection" |t, _| broken(t, &options(t, "").replace("\r\n", "\n"));
    Security "RFC 9110 §5.5" "nul" "NUL in a field ends the connection" |t, _| broken(t, &options(t, "X: a\0b\r\n"));
    Security "RFC 3507 §4.3" "not-icap" "what is not ICAP ends the connection" |t, _| broken(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    Security "RFC 3507 §4.4.2" "null-body-chunks" "chunks after a null-body end the connection" null_body_with_chunks;
}

/// Does it for every method that is offered.
fn each(
    offer: &Offer,
    mut holds: impl FnMut(Method) -> Result<Verdict, Failure>,
) -> Result<Verdict, Failure> {
    for method in &offer.methods {
        holds(*method)?;
    }
    match offer.methods.is_empty() {
        true => Ok(Verdict::NotOffered),
        false => HELD,
    }
}

/// Sends a request on a connection of its own and reads its final answer.
fn exchange(target: &Target, bytes: &str) -> Result<(Wire, Answer), Failure> {
    let mut wire = target.connect()?;
    wire.send(bytes);
    let answer = wire.answer()?;
    Ok((wire, answer))
}

fn status(answer: &Answer, legal: &[u16]) -> Result<Verdict, Failure> {
    match legal.contains(&answer.status) {
        true => HELD,
        false => Err(Failure::Status {
            found: answer.status,
        }),
    }
}

/// 200 or 204, whole.
fn answered(target: &Target, bytes: &str) -> Result<Verdict, Failure> {
    let (_, answer) = exchange(target, bytes)?;
    status(&answer, &[200, 204])
}

/// Any well-formed final answer.
fn any_answer(target: &Target, bytes: &str) -> Result<Verdict, Failure> {
    let (_, answer) = exchange(target, bytes)?;
    match answer.status {
        100 => Err(Failure::Status { found: 100 }),
        _ => HELD,
    }
}

fn refused_with(target: &Target, bytes: &str, legal: &[u16]) -> Result<Verdict, Failure> {
    let (_, answer) = exchange(target, bytes)?;
    status(&answer, legal)
}

/// The position in the stream is lost: an error or nothing is answered, and the connection ends.
fn broken(target: &Target, bytes: &str) -> Result<Verdict, Failure> {
    let mut wire = target.connect()?;
    wire.send(bytes);
    match wire.answer() {
        Ok(answer) if answer.status >= 400 => wire.ends().map(|()| Verdict::Held),
        Ok(answer) => Err(Failure::Status {
            found: answer.status,
        }),
        Err(Failure::Closed) => HELD,
        Err(other) => Err(other),
    }
}

fn options_answer(target: &Target, _: &Offer) -> Result<Verdict, Failure> {
    let (_, answer) = exchange(target, &options(target, ""))?;
    status(&answer, &[200])?;
    match answer.field("Methods") {
        Some(methods) if !methods.contains("OPTIONS") => HELD,
        _ => Err(Failure::BadField { name: "Methods" }),
    }
}

fn options_numbers(target: &Target, _: &Offer) -> Result<Verdict, Failure> {
    let (_, answer) = exchange(target, &options(target, "Encapsulated: null-body=0\r\n"))?;
    for name in ["Preview", "Options-TTL", "Max-Connections"] {
        let number =
            |value: &str| !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        if answer.field(name).is_some_and(|value| !number(value)) {
            return Err(Failure::BadField { name });
        }
    }
    HELD
}

fn no_unasked_206(target: &Target, _: &Offer) -> Result<Verdict, Failure> {
    let (_, answer) = exchange(target, &options(target, "Allow: 204\r\n"))?;
    match answer.field("Allow") {
        Some(allow) if allow.contains("206") => Err(Failure::BadField { name: "Allow" }),
        _ => HELD,
    }
}

fn method_not_offered(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    let other = match offer.methods.as_slice() {
        [Method::Reqmod] => Method::Respmod,
        [Method::Respmod] => Method::Reqmod,
        _ => return Ok(Verdict::NotOffered),
    };
    refused_with(target, &without_body(target, other, ""), &[405])
}

fn preview_ieof(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        for last in ["0; ieof", "0;ieof"] {
            let chunks = format!("{CHUNK}{last}\r\n\r\n");
            answered(
                target,
                &with_body(target, method, "Preview: 1024\r\nAllow: 204\r\n", &chunks),
            )?;
        }
        HELD
    })
}

fn preview_continue(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    if !offer.previews {
        return Ok(Verdict::NotOffered);
    }
    each(offer, |method| {
        let first = "4\r\na ha\r\n0\r\n\r\n";
        let (mut wire, mut answer) = exchange(
            target,
            &with_body(target, method, "Preview: 4\r\nAllow: 204\r\n", first),
        )?;
        if answer.status == 100 {
            wire.send("f\r\nrmless sentence\r\n0\r\n\r\n");
            answer = wire.answer()?;
        }
        status(&answer, &[200, 204])
    })
}

fn preview_zero(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let (mut wire, mut answer) = exchange(
            target,
            &with_body(target, method, "Preview: 0\r\nAllow: 204\r\n", "0\r\n\r\n"),
        )?;
        if answer.status == 100 {
            wire.send(format!("{CHUNK}0\r\n\r\n"));
            answer = wire.answer()?;
        }
        status(&answer, &[200, 204])
    })
}

fn no_unasked_204(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let (_, answer) = exchange(
            target,
            &with_body(target, method, "", &format!("{CHUNK}0\r\n\r\n")),
        )?;
        status(&answer, &[200])
    })
}

/// The message as it was sent, unless the service puts its own response in its place.
fn copy(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let (_, answer) = exchange(
            target,
            &with_body(target, method, "", &format!("{CHUNK}0\r\n\r\n")),
        )?;
        status(&answer, &[200])?;
        let first_line = |head: &[u8]| head.split(|byte| *byte == b'\r').next().map(<[u8]>::to_vec);
        let same_head = first_line(&answer.heads) == first_line(embedded(method).as_bytes());
        match same_head && answer.body.as_deref() != Some(TEXT.as_bytes()) {
            true => Err(Failure::Changed),
            false => HELD,
        }
    })
}

fn no_unasked_206_answer(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let chunks = format!("{CHUNK}0; ieof\r\n\r\n");
        let (_, answer) = exchange(
            target,
            &with_body(target, method, "Preview: 1024\r\n", &chunks),
        )?;
        status(&answer, &[200, 204])
    })
}

fn chunks_accepted(target: &Target, offer: &Offer, chunks: &str) -> Result<Verdict, Failure> {
    each(offer, |method| {
        answered(target, &with_body(target, method, "Allow: 204\r\n", chunks))
    })
}

fn chunks_refused(target: &Target, offer: &Offer, chunks: &str) -> Result<Verdict, Failure> {
    each(offer, |method| {
        broken(target, &with_body(target, method, "Allow: 204\r\n", chunks))
    })
}

/// A request head with this section list; the head is 106 bytes long, so that no list in the table fits it.
fn sections_refused(target: &Target, offer: &Offer, list: &str) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let (name, list) = match method {
            Method::Reqmod => ("REQMOD", list.to_owned()),
            Method::Respmod => ("RESPMOD", list.replace("req-body", "res-body")),
        };
        let rest = format!("{}{CHUNK}0\r\n\r\n", embedded(Method::Reqmod));
        let lines = format!("Encapsulated: {list}\r\n");
        broken(target, &request(target, name, &lines, &rest))
    })
}

fn slow_bytes(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let mut wire = target.connect()?;
        for byte in with_body(
            target,
            method,
            "Allow: 204\r\n",
            &format!("{CHUNK}0\r\n\r\n"),
        )
        .bytes()
        {
            wire.send([byte]);
        }
        status(&wire.answer()?, &[200, 204])
    })
}

/// Three requests one after the other, with `stray` between them.
fn in_order(target: &Target, offer: &Offer, stray: &str) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let mut wire = target.connect()?;
        for _ in 0..3 {
            wire.send(without_body(target, method, "Allow: 204\r\n"));
            status(&wire.answer()?, &[200, 204])?;
            wire.send(stray);
        }
        HELD
    })
}

/// OPTIONS, a modification, OPTIONS: the middle answer is told from the others by its fields.
fn pipelining(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let mut wire = target.connect()?;
        let body = with_body(
            target,
            method,
            "Allow: 204\r\n",
            &format!("{CHUNK}0\r\n\r\n"),
        );
        wire.send([options(target, ""), body, options(target, "")].concat());
        for methods_expected in [true, false, true] {
            let answer = wire.answer()?;
            status(&answer, &[200, 204])?;
            if answer.field("Methods").is_some() != methods_expected {
                return Err(Failure::BadField { name: "Methods" });
            }
        }
        HELD
    })
}

fn connection_close(target: &Target, _: &Offer) -> Result<Verdict, Failure> {
    let (mut wire, answer) = exchange(target, &options(target, "Connection: close\r\n"))?;
    status(&answer, &[200])?;
    wire.ends().map(|()| Verdict::Held)
}

fn null_body_with_chunks(target: &Target, offer: &Offer) -> Result<Verdict, Failure> {
    each(offer, |method| {
        let mut wire = target.connect()?;
        wire.send(format!(
            "{}{CHUNK}0\r\n\r\n",
            without_body(target, method, "Allow: 204\r\n")
        ));
        status(&wire.answer()?, &[200, 204])?;
        match wire.answer() {
            Ok(answer) if answer.status >= 400 => wire.ends().map(|()| Verdict::Held),
            Ok(answer) => Err(Failure::Status {
                found: answer.status,
            }),
            Err(Failure::Closed) => HELD,
            Err(other) => Err(other),
        }
    })
}
