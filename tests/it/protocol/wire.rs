//! The fake wire: a small deterministic service on one end, scripted bytes on the other.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;
use sluice::icap::{
    BodyEnding, Connection, Event, IsTag, Limits, Phase, Request, Response, Status,
};
use sluice::shelf::Shelved;
use sluice::wire::Fields;

/// How the service answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Asks for everything, then 204.
    Clean,
    /// 204 at the end of the preview.
    CleanAtPreview,
    /// Asks for everything, then 200 with the whole message and its trailers.
    Copy,
    /// 200 with a 403 as soon as the request is there; drains up to so many bytes.
    Block { drain: u64 },
    /// The same, and does not care about the rest.
    BlockAndClose,
    /// 206 after the preview (or at the end): two bytes of our own, then the original from this offset on.
    Partial { from: u64 },
}

/// What came of a conversation.
#[derive(Debug, PartialEq, Eq)]
pub struct Heard {
    /// Events and actions, in order; neighbouring body pieces joined.
    pub log: Vec<String>,
    /// Everything that was sent.
    pub output: Vec<u8>,
    /// True when the connection wants to be closed.
    pub closed: bool,
    /// Where the connection stood before the peer closed.
    pub phase: Phase,
}

/// Plays `input` in all cuts and returns what all of them came to.
#[track_caller]
pub fn play(input: &[u8], plays: Play) -> Heard {
    play_with(input, plays, &Arc::new(Limits::default()))
}

/// [`play`] with other limits.
#[track_caller]
pub fn play_with(input: &[u8], plays: Play, limits: &Arc<Limits>) -> Heard {
    let whole = converse(&[input], plays, limits);
    let same = |pieces: &[&[u8]], how: &str| {
        let heard = converse(pieces, plays, limits);
        assert!(heard == whole, "{how}: {heard:#?}\ninstead of {whole:#?}");
    };
    // Long inputs are cut at fewer places, or the test would be quadratic.
    let step = match input.len() {
        0..=2048 => 1,
        long => long / 128,
    };
    for at in (1..input.len()).step_by(step) {
        let (head, tail) = input.split_at(at);
        same(&[head, tail], &format!("cut at {at}"));
    }
    same(&input.chunks(step).collect::<Vec<_>>(), "byte by byte");
    for seed in 1..=8 {
        same(&random_cuts(input, seed), &format!("seed {seed}"));
    }
    whole
}

fn random_cuts(input: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut rest = input;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let len = usize::try_from(state % 40).expect("below 40") + 1;
        let (piece, tail) = rest.split_at(len.min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

struct Service {
    plays: Play,
    log: Vec<String>,
    output: Vec<u8>,
    request: Option<Shelved<Request>>,
    body: Vec<u8>,
}

fn converse(pieces: &[&[u8]], plays: Play, limits: &Arc<Limits>) -> Heard {
    let mut connection = Connection::new(Arc::clone(limits), istag());
    let mut service = Service {
        plays,
        log: Vec::new(),
        output: Vec::new(),
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
    let phase = connection.phase();
    let closed = connection.wants().close;
    if !closed {
        connection.receive_eof();
        service.serve(&mut connection);
        assert!(
            connection.wants().close || connection.owes_answer(),
            "after end of file: {connection:?}"
        );
    }
    Heard {
        log: service.log,
        output: service.output,
        closed,
        phase,
    }
}

pub fn istag() -> IsTag {
    IsTag::new("TAG-1").expect("a legal tag")
}

impl Service {
    /// Takes all events and answers them.
    fn serve(&mut self, connection: &mut Connection) {
        loop {
            match connection.poll_event() {
                Ok(Some(event)) => self.on_event(connection, event),
                Ok(None) => break,
                Err(error) => {
                    self.note(format!("error {} {}", error.status().code(), error.code()));
                    connection.send_error(error);
                }
            }
            self.transmit(connection);
        }
        self.transmit(connection);
    }

    fn on_event(&mut self, connection: &mut Connection, event: Event) {
        match event {
            Event::Request(request) => {
                let head = |head: Option<&Bytes>| head.map_or(0, |head| head.len());
                self.note(format!(
                    "{} {} {}+{}{}",
                    request.method,
                    request.uri.path(),
                    head(request.http_request.as_ref().map(|http| http.raw())),
                    head(request.http_response.as_ref().map(|http| http.raw())),
                    if request.has_body() { " body" } else { "" },
                ));
                self.body.clear();
                let has_body = request.has_body();
                self.request = Some(request);
                match self.plays {
                    Play::Block { drain } => {
                        connection.drain(drain);
                        self.block(connection);
                    }
                    Play::BlockAndClose => {
                        connection.close_after_response();
                        self.block(connection);
                    }
                    _ if !has_body => self.answer(connection, None),
                    _ => {}
                }
            }
            Event::Body(data) => {
                assert!(!data.is_empty(), "an empty body event");
                self.body.extend_from_slice(&data);
                let text = String::from_utf8_lossy(&data).into_owned();
                match self.log.last_mut().filter(|last| last.starts_with("body ")) {
                    Some(last) => last.push_str(&text),
                    None => self.note(format!("body {text}")),
                }
            }
            Event::PreviewEnd { ieof: true } => self.note("ieof".into()),
            Event::PreviewEnd { ieof: false } => {
                self.note("preview".into());
                match self.plays {
                    Play::CleanAtPreview | Play::Partial { .. } => self.answer(connection, None),
                    _ => connection.send_continue(),
                }
            }
            Event::BodyEnd { trailers } => {
                self.note(match trailers.len() {
                    0 => "end".into(),
                    n => format!("end +{n}"),
                });
                self.answer(connection, Some(&trailers));
            }
        }
    }

    fn answer(&mut self, connection: &mut Connection, trailers: Option<&Fields>) {
        let Some(request) = self.request.take() else {
            return;
        };
        match self.plays {
            Play::Clean | Play::CleanAtPreview => {
                self.note("204".into());
                connection.send_response(&Response::new(Status::NoContent, istag()));
            }
            Play::Copy => {
                self.note("200".into());
                let mut response = Response::new(Status::Ok, istag());
                if let Some(head) = &request.http_response {
                    response = response.http_response(head.to_bytes());
                } else if let Some(head) = &request.http_request {
                    response = response.http_request(head.to_bytes());
                }
                if request.has_body() {
                    response = response.with_body_section(request.encapsulated.body());
                }
                connection.send_response(&response);
                connection.send_body(Bytes::copy_from_slice(&self.body));
                connection.send_end(match trailers {
                    Some(trailers) => BodyEnding::Trailers(trailers),
                    None => BodyEnding::Plain,
                });
            }
            Play::Partial { from } => {
                self.note("206".into());
                let head = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
                let response = Response::new(Status::PartialContent, istag());
                connection.send_response(&response.http_response(head).with_body());
                connection.send_body(Bytes::from_static(b"!!"));
                connection.send_end(BodyEnding::UseOriginalBody(from));
            }
            Play::Block { .. } | Play::BlockAndClose => {}
        }
    }

    fn block(&mut self, connection: &mut Connection) {
        self.note("block".into());
        self.request = None;
        let page = Bytes::from_static(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n");
        let response = Response::new(Status::Ok, istag()).http_response(page);
        connection.send_response(&response.with_body());
        connection.send_body(Bytes::from_static(b"no"));
        connection.send_end(BodyEnding::Plain);
    }

    fn note(&mut self, line: String) {
        self.log.push(line);
    }

    /// Takes everything that waits to be written.
    fn transmit(&mut self, connection: &mut Connection) {
        while connection.pending_transmit_bytes() > 0 {
            let before = self.output.len();
            let mut slices = [IoSlice::new(&[]); 4];
            let filled = connection.poll_transmit(&mut slices);
            for slice in slices.iter().take(filled) {
                self.output.extend_from_slice(slice);
            }
            connection.advance_transmit(self.output.len() - before);
        }
    }
}
