//! The client's side of ICAP, small and strict: what an honest client would trip over is a [`Failure`].

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::{Failure, ProbeError};

/// Where to talk to, and how long to wait.
pub(super) struct Target {
    /// The whole URL.
    pub(super) url: String,
    /// `host[:port]`
    pub(super) authority: String,
    patience: Duration,
}

impl Target {
    pub(super) fn parse(url: &str, patience: Duration) -> Result<Self, ProbeError> {
        let rest = url.strip_prefix("icap://").ok_or(ProbeError::BadUrl)?;
        let (authority, _) = rest.split_once('/').ok_or(ProbeError::BadUrl)?;
        if authority.is_empty() || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProbeError::BadUrl);
        }
        Ok(Self {
            url: url.to_owned(),
            authority: authority.to_owned(),
            patience,
        })
    }

    /// The same server, another path.
    pub(super) fn at(&self, path: &str) -> Self {
        Self {
            url: format!("icap://{}{path}", self.authority),
            authority: self.authority.clone(),
            patience: self.patience,
        }
    }

    pub(super) fn connect(&self) -> Result<Wire, Failure> {
        let after_host = self.authority.rsplit(']').next().unwrap_or_default();
        let place = match after_host.contains(':') {
            true => self.authority.clone(),
            false => format!("{}:1344", self.authority),
        };
        let mut addresses = place.to_socket_addrs().map_err(|_| Failure::NoConnection)?;
        let stream = addresses
            .find_map(|address| TcpStream::connect_timeout(&address, self.patience).ok())
            .ok_or(Failure::NoConnection)?;
        let _ = stream.set_nodelay(true);
        let _ = stream.set_write_timeout(Some(self.patience));
        Ok(Wire {
            stream,
            received: Vec::new(),
            patience: self.patience,
        })
    }
}

/// One connection.
pub(super) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
    patience: Duration,
}

/// One answer, taken apart.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    fields: Vec<(String, String)>,
    /// The encapsulated heads, in order.
    pub(super) heads: Vec<u8>,
    /// The body without its chunks; `None` when there is none.
    pub(super) body: Option<Vec<u8>>,
}

impl Answer {
    /// The value of a field; `None` when it is missing or stands twice.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut values = self
            .fields
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

impl Wire {
    /// Sends bytes. A server that has closed already is found out when its answer is read.
    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Reads the next answer, 100 included, and checks everything that holds for every answer.
    pub(super) fn answer(&mut self) -> Result<Answer, Failure> {
        let deadline = Instant::now() + self.patience;
        let head_len = loop {
            if !b"ICAP/1.0 ".starts_with(self.received.get(..9).unwrap_or(self.received.as_slice()))
            {
                return Err(Failure::NotIcap);
            }
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at + 4;
            }
            self.more(deadline)?;
        };
        let mut answer = head(self.received.get(..head_len).unwrap_or_default())?;
        self.received.drain(..head_len);
        if answer.status == 100 {
            return Ok(answer);
        }
        let tag = answer.field("ISTag").ok_or(Failure::BadIsTag)?;
        let inner = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        if inner.is_none_or(|inner| inner.is_empty() || inner.len() > 32 || inner.contains('"')) {
            return Err(Failure::BadIsTag);
        }
        if let Some(list) = answer.field("Encapsulated") {
            let (heads_len, has_body) = sections(list)?;
            answer.heads = self.take(heads_len, deadline)?;
            if heads_len > 0 && !answer.heads.ends_with(b"\r\n\r\n") {
                return Err(Failure::BadSections);
            }
            if has_body {
                answer.body = Some(self.body(deadline)?);
            }
        }
        Ok(answer)
    }

    /// Waits for the end of the connection.
    pub(super) fn ends(&mut self) -> Result<(), Failure> {
        if !self.received.is_empty() {
            return Err(Failure::ExtraBytes);
        }
        match self.more(Instant::now() + self.patience) {
            Err(Failure::Closed) => Ok(()),
            Err(_) => Err(Failure::StillOpen),
            Ok(()) => Err(Failure::ExtraBytes),
        }
    }

    fn body(&mut self, deadline: Instant) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            let line = self.line(deadline)?;
            let digits = line.split(';').next().unwrap_or_default().trim_end();
            let size = usize::from_str_radix(digits, 16).map_err(|_| Failure::BadChunks)?;
            if size == 0 {
                break;
            }
            body.extend(self.take(size, deadline)?);
            if !self.line(deadline)?.is_empty() || body.len() > MAX_BODY_BYTES {
                return Err(Failure::BadChunks);
            }
        }
        while !self.line(deadline)?.is_empty() {}
        Ok(body)
    }

    fn line(&mut self, deadline: Instant) -> Result<String, Failure> {
        loop {
            if let Some(at) = find(&self.received, b"\r\n") {
                let line = self.take(at + 2, deadline)?;
                let text = line.get(..at).unwrap_or_default().to_vec();
                return String::from_utf8(text).map_err(|_| Failure::BadChunks);
            }
            self.more(deadline)?;
        }
    }

    fn take(&mut self, len: usize, deadline: Instant) -> Result<Vec<u8>, Failure> {
        if len > MAX_BODY_BYTES {
            return Err(Failure::BadSections);
        }
        while self.received.len() < len {
            self.more(deadline)?;
        }
        Ok(self.received.drain(..len).collect())
    }

    fn more(&mut self, deadline: Instant) -> Result<(), Failure> {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.received.len() > MAX_BODY_BYTES {
            return Err(Failure::NotIcap);
        }
        if left.is_zero() {
            return Err(Failure::NoAnswer);
        }
        let _ = self.stream.set_read_timeout(Some(left));
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Failure::Closed),
            Ok(len) => {
                self.received.extend(buffer.iter().take(len));
                Ok(())
            }
            Err(error) => Err(match error.kind() {
                std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => Failure::NoAnswer,
                _ => Failure::Closed,
            }),
        }
    }
}

fn head(bytes: &[u8]) -> Result<Answer, Failure> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or_default();
    let status = line.get(9..12).and_then(|digits| digits.parse().ok());
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        if line.starts_with([' ', '\t']) {
            let (_, value) = fields.last_mut().ok_or(Failure::NotIcap)?;
            value.push_str(line);
            continue;
        }
        let (name, value) = line.split_once(':').ok_or(Failure::NotIcap)?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Answer {
        status: status.ok_or(Failure::NotIcap)?,
        fields,
        heads: Vec::new(),
        body: None,
    })
}

/// Length of the heads, and whether a body follows.
fn sections(list: &str) -> Result<(usize, bool), Failure> {
    let mut last = None;
    for item in list.split(',') {
        let (name, offset) = item.trim().split_once('=').ok_or(Failure::BadSections)?;
        let offset: usize = offset.parse().map_err(|_| Failure::BadSections)?;
        let in_order = match last {
            None => offset == 0,
            Some((before, at)) => offset > at && matches!(before, "req-hdr" | "res-hdr"),
        };
        if !in_order {
            return Err(Failure::BadSections);
        }
        last = Some((name, offset));
    }
    match last {
        Some(("null-body", offset)) => Ok((offset, false)),
        Some(("req-body" | "res-body" | "opt-body", offset)) => Ok((offset, true)),
        _ => Err(Failure::BadSections),
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

/// No answer to what the probe sends is longer.
const MAX_BODY_BYTES: usize = 1 << 20;
