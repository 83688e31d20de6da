//! A whole conversation: the same events and answers under any segmentation, and answers that are ICAP.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use sluice::icap::{
    BodyEnding, BodySection, Connection, Event, IsTag, Limits, Request, Response, Status,
};
use sluice::shelf::Shelved;
use sluice::wire::Fields;

/// Panics when the property does not hold for `data`: a service, four cut points, a conversation.
pub fn holds(data: &[u8]) {
    let Some((choices, input)) = data.split_at_checked(5) else {
        return;
    };
    let (service, cuts) = choices.split_at(1);
    let whole = converse(&[input], service[0]);
    well_formed(&whole.output);
    for pieces in [super::cut(input, cuts), super::cut(input, &[1])] {
        let heard = converse(&pieces, service[0]);
        assert_eq!(whole.events, heard.events);
        assert!(
            whole.output == heard.output,
            "{}\ninstead of\n{}",
            show(&heard.output),
            show(&whole.output)
        );
        assert_eq!(whole.closed, heard.closed);
    }
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[derive(Default)]
struct Heard {
    events: Vec<String>,
    output: Vec<u8>,
    closed: bool,
}

struct Service {
    choice: u8,
    heard: Heard,
    request: Option<Shelved<Request>>,
    body: Vec<u8>,
}

fn tag() -> IsTag {
    IsTag::new("FUZZ-1").expect("a legal tag")
}

fn converse(pieces: &[&[u8]], choice: u8) -> Heard {
    let limits = Limits {
        requests: 5,
        error_drain_bytes: 16,
        ..Limits::default()
    };
    let mut connection = Connection::new(Arc::new(limits), tag());
    let mut service = Service {
        choice,
        heard: Heard::default(),
        request: None,
        body: Vec::new(),
    };
    for piece in pieces {
        if !connection.wants().read {
            break;
        }
        connection.receive(piece);
        service.serve(&mut connection);
    }
    service.heard.closed = connection.wants().close;
    if !service.heard.closed {
        connection.receive_eof();
        service.serve(&mut connection);
    }
    assert_eq!(connection.pending_transmit_bytes(), 0);
    service.heard
}

impl Service {
    fn serve(&mut self, connection: &mut Connection) {
        loop {
            match connection.poll_event() {
                Ok(Some(event)) => self.on_event(connection, event),
                Ok(None) => break,
                Err(error) => {
                    self.heard.events.push(format!("error {error:?}"));
                    connection.send_error(error);
                }
            }
        }
        while connection.pending_transmit_bytes() > 0 {
            let mut slices = [IoSlice::new(&[]); 2];
            let filled = connection.poll_transmit(&mut slices);
            assert!(filled > 0);
            let before = self.heard.output.len();
            for slice in &slices[..filled] {
                self.heard.output.extend_from_slice(slice);
            }
            connection.advance_transmit(self.heard.output.len() - before);
        }
    }

    fn on_event(&mut self, connection: &mut Connection, event: Event) {
        match event {
            Event::Request(request) => {
                self.heard.events.push(format!(
                    "{} {:?} {:?} {:?} {}",
                    request.method,
                    request.uri,
                    request.allow,
                    request.preview,
                    request.encapsulated
                ));
                self.body.clear();
                let has_body = request.has_body();
                self.request = Some(request);
                if self.choice & 4 != 0 {
                    connection.drain(u64::from(self.choice));
                    self.answer(connection, None);
                } else if !has_body {
                    self.answer(connection, None);
                }
            }
            Event::Body(data) => {
                assert!(!data.is_empty());
                self.body.extend_from_slice(&data);
                match self
                    .heard
                    .events
                    .last_mut()
                    .filter(|last| last.starts_with("body "))
                {
                    Some(last) => last.push_str(&show_exactly(&data)),
                    None => self
                        .heard
                        .events
                        .push(format!("body {}", show_exactly(&data))),
                }
            }
            Event::PreviewEnd { ieof } => {
                self.heard.events.push(format!("preview ieof={ieof}"));
                match self.choice & 1 {
                    0 => connection.send_continue(),
                    _ => self.answer(connection, None),
                }
            }
            Event::BodyEnd { trailers } => {
                self.heard.events.push(format!("end {}", trailers.len()));
                self.answer(connection, Some(&trailers));
            }
        }
    }

    fn answer(&mut self, connection: &mut Connection, trailers: Option<&Fields>) {
        let Some(request) = self.request.take() else {
            return;
        };
        if self.choice & 2 != 0 {
            connection.send_response(&Response::new(Status::NoContent, tag()));
            return;
        }
        let status = match self.choice & 8 {
            0 => Status::Ok,
            _ => Status::PartialContent,
        };
        let page = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
        let mut response = Response::new(status, tag()).http_response(page);
        if request.has_body() {
            response = response.with_body_section(BodySection::Response);
        }
        connection.send_response(&response);
        connection.send_body(Bytes::copy_from_slice(&self.body));
        connection.send_end(match trailers {
            Some(trailers) => BodyEnding::Trailers(trailers),
            None if status == Status::PartialContent => {
                BodyEnding::UseOriginalBody(u64::from(self.choice >> 4))
            }
            None => BodyEnding::Plain,
        });
    }
}

fn show_exactly(data: &[u8]) -> String {
    data.escape_ascii().to_string()
}

/// Reads our answers with nothing of the product: every one is an ICAP answer with a tag and exact sections.
fn well_formed(output: &[u8]) {
    let mut rest = output;
    while !rest.is_empty() {
        let end = find(rest, b"\r\n\r\n").expect("a head has an end") + 4;
        let head = std::str::from_utf8(&rest[..end]).expect("a head is ASCII");
        rest = &rest[end..];
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.strip_prefix("ICAP/1.0 "))
            .expect("a status line");
        let status: u16 = status[..3].parse().expect("three digits");
        if status == 100 {
            continue;
        }
        assert!(head.contains("\r\nISTag: \"FUZZ-1\"\r\n"));
        let Some(value) = lines.find_map(|line| line.strip_prefix("Encapsulated: ")) else {
            assert_eq!(status, 204);
            continue;
        };
        let mut body_at = 0;
        let mut has_body = false;
        for item in value.split(", ") {
            let (name, offset) = item.split_once('=').expect("name=offset");
            let offset: usize = offset.parse().expect("a number");
            assert!(offset == 0 || rest[..offset].ends_with(b"\r\n\r\n"));
            body_at = offset;
            has_body = name.ends_with("-body") && name != "null-body";
        }
        rest = &rest[body_at..];
        if has_body {
            match body_end(rest) {
                Some(len) => rest = &rest[len..],
                // Broken off: then nothing may follow.
                None => return,
            }
        }
    }
}

/// Length of a chunked body, or `None` when it is cut off.
fn body_end(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line_end = at + find(&body[at..], b"\r\n")?;
        let line = std::str::from_utf8(&body[at..line_end]).expect("a chunk line is ASCII");
        let digits = line.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(digits, 16).expect("a chunk size");
        at = line_end + 2;
        if size == 0 {
            break;
        }
        assert_eq!(&body[at + size..at + size + 2], b"\r\n");
        at += size + 2;
    }
    // Trailers, then the blank line.
    loop {
        let line_len = find(&body[at..], b"\r\n")?;
        at += line_len + 2;
        if line_len == 0 {
            return Some(at);
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}
