//! One ICAP transaction over a pipe in memory.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf};

use crate::http1::{RequestHead, ResponseHead};
use crate::icap::Limits;
use crate::icap::chunked::{Chunk, ChunkDecoder};
use crate::inspect::Direction;
use crate::service::outcome::Outcome;
use crate::telemetry::audit;
use crate::wire::Fields;

use super::super::client::Client;
use super::super::{Shared, driver};
use super::heads::Call;

/// The transaction ended without a whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer was cut off")]
pub(super) struct Lost;

/// A transaction under way.
pub(super) struct Exchange {
    reader: Reader,
    record: Arc<Mutex<Vec<u8>>>,
    driver: tokio::task::JoinHandle<()>,
    upload: tokio::task::JoinHandle<()>,
}

/// The head of an answer, and its body as it comes.
pub(super) struct Answer {
    /// The ICAP status.
    pub(super) icap: u16,
    /// The status of the HTTP answer to give.
    pub(super) status: u16,
    /// Its fields.
    pub(super) fields: Vec<(HeaderName, HeaderValue)>,
    /// Its body.
    pub(super) body: Option<Channel<Bytes, Lost>>,
}

struct Reader {
    stream: ReadHalf<DuplexStream>,
    unread: BytesMut,
}

/// The sections of an answer.
struct Sections {
    icap: u16,
    /// The embedded head: of a response, or of a request.
    head: Option<(Direction, Bytes)>,
    has_body: bool,
}

impl Exchange {
    /// Begins to send.
    pub(super) fn begin(client: &Client, shared: &Arc<Shared>, call: Call, body: Incoming) -> Self {
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let (read, write) = tokio::io::split(near);
        let record = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&record);
        let client = client.clone().observed(Arc::new(move |outcome: &Outcome| {
            if let Ok(mut record) = kept.lock() {
                record.clear();
                audit::render(outcome, std::time::SystemTime::now(), &mut record);
                record.push(b'\n');
            }
        }));
        // The pipe ends with the call; nothing else has to stop it.
        let serving = driver::serve(
            far,
            client,
            Arc::clone(shared),
            std::future::pending::<()>(),
        );
        Self {
            reader: Reader {
                stream: read,
                unread: BytesMut::new(),
            },
            record,
            driver: tokio::spawn(serving),
            upload: tokio::spawn(upload(write, call.head, body)),
        }
    }

    /// Waits for the end: the ICAP status and the record of the transaction.
    pub(super) async fn verdict(mut self) -> Result<(u16, Vec<u8>), Lost> {
        let sections = self.reader.sections().await?;
        if sections.has_body {
            let mut decoder = ChunkDecoder::new();
            while self.reader.chunk(&mut decoder).await?.is_some() {}
        }
        // Both halves gone: the driver sees the end, and records.
        self.upload.abort();
        let _ = self.upload.await;
        drop(self.reader);
        self.driver.await.map_err(|_| Lost)?;
        let record = std::mem::take(&mut *self.record.lock().map_err(|_| Lost)?);
        match record.is_empty() {
            true => Err(Lost),
            false => Ok((sections.icap, record)),
        }
    }

    /// The answer's head, and its body as it comes.
    pub(super) async fn answer(mut self) -> Result<Answer, Lost> {
        let sections = self.reader.sections().await?;
        let (status, fields) = match sections.head {
            // The request to pass on: what counts is its body and what describes it.
            Some((Direction::Request, head)) => (200, passed(&RequestHead::parse(head).fields)),
            Some((Direction::Response, head)) => {
                // Ours says 200, so that every other one is a block page.
                let head = ResponseHead::parse(head);
                (head.status().ok_or(Lost)?, passed(&head.fields))
            }
            None => (200, Vec::new()),
        };
        let body = sections.has_body.then(|| {
            let (sender, body) = Channel::new(FRAMES);
            tokio::spawn(download(self, sender));
            body
        });
        Ok(Answer {
            icap: sections.icap,
            status,
            fields,
            body,
        })
    }
}

/// Sends the head and the body in chunks. A caller who breaks off leaves a body without end, which is never clean.
async fn upload(mut pipe: WriteHalf<DuplexStream>, head: Vec<u8>, mut body: Incoming) {
    let sent = async {
        pipe.write_all(&head).await?;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return pipe.shutdown().await;
            };
            if let Some(data) = frame.data_ref().filter(|data| !data.is_empty()) {
                pipe.write_all(format!("{:x}\r\n", data.len()).as_bytes())
                    .await?;
                pipe.write_all(data).await?;
                pipe.write_all(b"\r\n").await?;
            }
        }
        pipe.write_all(b"0\r\n\r\n").await
    };
    // An error means that the server has answered and closed: the answer says why.
    let _: std::io::Result<()> = sent.await;
    // Closing this side before the answer is read would look like a client who is gone.
    std::future::pending().await
}

async fn download(exchange: Exchange, mut sender: Sender<Bytes, Lost>) {
    let Exchange {
        mut reader, upload, ..
    } = exchange;
    let mut decoder = ChunkDecoder::new();
    loop {
        match reader.chunk(&mut decoder).await {
            Ok(Some(data)) => {
                if sender.send_data(data).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            // The caller must not take a body that was cut off for a whole one.
            Err(Lost) => {
                sender.abort(Lost);
                break;
            }
        }
    }
    upload.abort();
}

impl Reader {
    async fn sections(&mut self) -> Result<Sections, Lost> {
        let head = self.head().await?;
        let text = std::str::from_utf8(&head).map_err(|_| Lost)?;
        let icap = text
            .get(9..12)
            .and_then(|digits| digits.parse().ok())
            .ok_or(Lost)?;
        let list = text
            .lines()
            .find_map(|line| line.strip_prefix("Encapsulated: "));
        let mut heads = None;
        let mut has_body = false;
        let mut len = 0;
        for item in list
            .unwrap_or_default()
            .split(", ")
            .filter(|item| !item.is_empty())
        {
            let (name, at) = item.split_once('=').ok_or(Lost)?;
            len = at.trim().parse().map_err(|_| Lost)?;
            match name {
                "req-hdr" => heads = Some(Direction::Request),
                "res-hdr" => heads = Some(Direction::Response),
                "null-body" => {}
                _ => has_body = true,
            }
        }
        let bytes = self.exactly(len).await?;
        Ok(Sections {
            icap,
            head: heads.map(|direction| (direction, bytes)),
            has_body,
        })
    }

    async fn head(&mut self) -> Result<Bytes, Lost> {
        loop {
            if let Some(at) = memchr::memmem::find(&self.unread, b"\r\n\r\n") {
                return Ok(self.unread.split_to(at + 4).freeze());
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, len: usize) -> Result<Bytes, Lost> {
        while self.unread.len() < len {
            self.more().await?;
        }
        Ok(self.unread.split_to(len).freeze())
    }

    /// The next piece of the body; `None` after the last.
    async fn chunk(&mut self, decoder: &mut ChunkDecoder) -> Result<Option<Bytes>, Lost> {
        let limits = Limits::default();
        loop {
            match decoder.decode(&mut self.unread, &limits) {
                Ok(Some(Chunk::Data(data))) => return Ok(Some(data)),
                Ok(Some(Chunk::Last { .. })) => return Ok(None),
                Ok(None) => self.more().await?,
                Err(_) => return Err(Lost),
            }
        }
    }

    async fn more(&mut self) -> Result<(), Lost> {
        self.unread.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.unread).await {
            Ok(0) | Err(_) => Err(Lost),
            Ok(_) => Ok(()),
        }
    }
}

/// The fields that go back to the caller: what describes the body. Its framing is this connection's own.
fn passed(fields: &Fields) -> Vec<(HeaderName, HeaderValue)> {
    fields
        .iter()
        .filter_map(|field| {
            let name = HeaderName::from_bytes(field.name).ok()?;
            let text = name.as_str();
            let describes = text.starts_with("content-") && text != "content-length";
            let keep = describes
                || matches!(
                    text,
                    "etag" | "cache-control" | "digest" | "repr-digest" | "x-content-type-options"
                );
            Some((name, HeaderValue::from_bytes(field.value).ok()?)).filter(|_| keep)
        })
        .collect()
}

/// Bytes under way in each direction.
const PIPE_BYTES: usize = 64 << 10;

/// One read from the pipe.
const READ_BYTES: usize = 16 << 10;

/// Pieces of a body that wait for the caller.
const FRAMES: usize = 4;
