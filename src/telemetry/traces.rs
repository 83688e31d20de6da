//! One span a transaction to an OpenTelemetry collector: OTLP over HTTP, in its JSON encoding.
//!
//! A span is a few dozen lines of JSON, which this program can write already; of the SDK nothing else would be used.
//! Spans are rendered where the transaction ends and wait in a bounded queue for a thread of their own, which sends them in
//! batches. A collector that is slow or gone costs spans, which are counted, and never time.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::outgoing::{Call, Client, Limits, OutgoingError, Url};
use crate::service::outcome::{Ending, Outcome};
use crate::service::trace::{Sampling, hexadecimal};

use super::object::Object;

/// The producers' end.
#[derive(Debug)]
pub struct Traces {
    queue: SyncSender<Message>,
    lost: Arc<AtomicU64>,
    /// Of those that begin here, how many of a hundred are recorded.
    percent: u8,
    random: RandomState,
}

/// Dropping it sends what is left.
#[derive(Debug)]
pub struct TracesGuard {
    queue: SyncSender<Message>,
    done: Receiver<()>,
}

#[derive(Debug)]
enum Message {
    Span(Vec<u8>),
    End,
}

/// Where spans go.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Its address.
    pub url: Url,
    /// Whom it trusts.
    pub client: Client,
}

impl Traces {
    /// Starts the thread that sends to `collector`; of the transactions that belong to no trace, `percent` of a hundred
    /// begin one.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn to(collector: Collector, percent: u8) -> io::Result<(Traces, TracesGuard)> {
        let (queue, spans) = sync_channel(QUEUED_SPANS);
        let (told, done) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let theirs = Arc::clone(&lost);
        thread::Builder::new()
            .name("sluice-traces".into())
            .spawn(move || {
                send_all(&collector, &spans, &theirs);
                let _ = told.send(());
            })?;
        let guard = TracesGuard {
            queue: queue.clone(),
            done,
        };
        let traces = Traces {
            queue,
            lost,
            percent,
            random: RandomState::new(),
        };
        Ok((traces, guard))
    }

    /// Records the span of `outcome`, which ended at `at`, if its trace is recorded.
    pub fn transaction(&self, outcome: &Outcome, at: SystemTime) {
        let number = outcome.id.number();
        let recorded = match outcome.message.trace.map(|context| context.sampling) {
            Some(Sampling::Recorded) => true,
            Some(Sampling::Left) => false,
            None => self.random.hash_one((number, 0)) % 100 < u64::from(self.percent),
        };
        if !recorded {
            return;
        }
        let mut line = Vec::with_capacity(1024);
        let ids = [1, 2, 3].map(|part| (self.random.hash_one((number, part)) | 1).to_be_bytes());
        span(outcome, at, ids, &mut line);
        match self.queue.try_send(Message::Span(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Spans that were not delivered, ever.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for TracesGuard {
    fn drop(&mut self) {
        // With a queue full of spans that nobody takes there is nothing to wait for.
        if self.queue.try_send(Message::End).is_ok() {
            let _ = self.done.recv_timeout(LAST_TIME);
        }
    }
}

/// Writes one span; `ids` are the random numbers that name it, and its trace, if it begins one.
fn span(outcome: &Outcome, at: SystemTime, ids: [[u8; 8]; 3], line: &mut Vec<u8>) {
    let [own, high, low] = ids;
    let end = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let start = end.saturating_sub(outcome.timing.total);
    let nanos = |time: Duration| time.as_nanos().to_string();
    let facts = &outcome.message;
    let mut span = Object::begin(line, SPAN_BYTES);
    match &facts.trace {
        Some(context) => {
            span.text("traceId", &context.trace_id());
            span.text("parentSpanId", &hexadecimal(&context.parent));
        }
        None => span.text("traceId", &hexadecimal(&[high, low].concat())),
    }
    span.text("spanId", &hexadecimal(&own));
    let service = outcome.service.as_deref().unwrap_or_default();
    span.text("name", &format!("{} {service}", outcome.mode()));
    // 2: a server's.
    span.number("kind", 2);
    span.text("startTimeUnixNano", &nanos(start));
    span.text("endTimeUnixNano", &nanos(end));
    let peer = outcome.peer.map(|peer| peer.to_string());
    let id = outcome.id.to_string();
    let texts = [
        ("sluice.transaction", Some(&*id)),
        ("sluice.verdict", Some(outcome.verdict_code())),
        ("sluice.reason", outcome.reason_code()),
        ("sluice.rule", outcome.blocking_rule()),
        ("sluice.profile", outcome.profile.as_deref()),
        ("client.address", peer.as_deref()),
        ("http.request.method", Some(&facts.http_method)),
        ("server.address", Some(&facts.host)),
        ("url.path", Some(&facts.path)),
    ];
    let numbers = [
        ("http.response.status_code", u64::from(facts.http_status)),
        ("sluice.icap_status", u64::from(outcome.status)),
        ("sluice.bytes_in", outcome.bytes_in),
        ("sluice.bytes_out", outcome.bytes_out),
        (
            "sluice.findings",
            u64::try_from(outcome.report.findings.len()).unwrap_or(u64::MAX),
        ),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| {
        Some((key, Attribute::Text(text.filter(|text| !text.is_empty())?)))
    });
    let numbers = numbers
        .into_iter()
        .map(|(key, number)| (key, Attribute::Number(number)));
    let attributes: Vec<_> = texts.chain(numbers).collect();
    span.list("attributes", &attributes, |object, (key, value)| {
        object.text("key", key);
        object.object("value", |object| match value {
            Attribute::Text(text) => object.text("stringValue", text),
            // 64-bit numbers are strings in the JSON of protocol buffers.
            Attribute::Number(number) => object.text("intValue", &number.to_string()),
        });
    });
    if let Some(first) = outcome.timing.first_byte {
        span.list("events", &[first], |event, first| {
            event.text("name", "first byte");
            event.text("timeUnixNano", &nanos(start.saturating_add(*first)));
        });
    }
    if let Ending::Failed(failure) = outcome.ending {
        span.object("status", |status| {
            status.number("code", 2);
            status.text("message", failure.code());
        });
    }
    span.end();
}

enum Attribute<'a> {
    Text(&'a str),
    Number(u64),
}

/// Sends batches until the end is told.
fn send_all(collector: &Collector, spans: &Receiver<Message>, lost: &AtomicU64) {
    let mut reached = true;
    loop {
        let mut batch = Vec::new();
        let mut ended = match spans.recv() {
            Ok(Message::Span(span)) => {
                batch.push(span);
                false
            }
            Ok(Message::End) | Err(_) => true,
        };
        let until = Instant::now() + GATHER_TIME;
        while !ended && batch.len() < BATCH_SPANS {
            match spans.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Message::Span(span)) => batch.push(span),
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => ended = true,
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
        if !batch.is_empty() {
            let sent = post(collector, &body(&batch));
            if let Err(error) = &sent {
                let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                lost.fetch_add(spans, Ordering::Relaxed);
                if reached {
                    tracing::warn!(%error, collector = collector.url.authority, "spans cannot be delivered");
                }
            } else if !reached {
                tracing::info!(
                    collector = collector.url.authority,
                    "spans are delivered again"
                );
            }
            reached = sent.is_ok();
        }
        if ended {
            return;
        }
    }
}

/// An `ExportTraceServiceRequest`.
fn body(spans: &[Vec<u8>]) -> Vec<u8> {
    let mut body = format!(
        "{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\"value\":{{\"stringValue\":\"sluice\"}}}},\
         {{\"key\":\"service.version\",\"value\":{{\"stringValue\":\"{version}\"}}}}]}},\
         \"scopeSpans\":[{{\"scope\":{{\"name\":\"sluice\",\"version\":\"{version}\"}},\"spans\":[",
        version = env!("CARGO_PKG_VERSION")
    )
    .into_bytes();
    body.extend(spans.join(&b','));
    body.extend_from_slice(b"]}]}]}");
    body
}

/// One request on a connection of its own: a batch a second needs no more.
fn post(collector: &Collector, body: &[u8]) -> Result<(), Undelivered> {
    let call = Call {
        url: &collector.url,
        fields: &[("content-type", "application/json")],
        body: Some(body),
    };
    let limits = Limits {
        patience: SEND_TIME,
        whole: 3 * SEND_TIME,
        body_bytes: ANSWER_BYTES,
    };
    match collector.client.ask(&call, &limits)?.status {
        200..300 => Ok(()),
        status => Err(Undelivered::Refused(status)),
    }
}

/// Why a batch is lost.
#[derive(Debug, thiserror::Error)]
enum Undelivered {
    #[error(transparent)]
    Failed(#[from] OutgoingError),
    #[error("the collector answers {0}")]
    Refused(u16),
}

/// What a collector has to say is read and forgotten.
const ANSWER_BYTES: u64 = 1 << 20;

/// Spans that may wait, some 2 MiB.
const QUEUED_SPANS: usize = 2048;

/// Spans of one request, and how long the first of them waits for the others.
const BATCH_SPANS: usize = 512;
const GATHER_TIME: Duration = Duration::from_secs(1);

/// Connecting, and each piece of the answer.
const SEND_TIME: Duration = Duration::from_secs(5);

/// How long the end of the process waits for the last spans.
const LAST_TIME: Duration = Duration::from_secs(2);

/// All fields of a span full.
const SPAN_BYTES: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_json_whatever_the_client_sent() {
        let mut one = Vec::new();
        let outcome = crate::telemetry::tests::hostile();
        span(
            &outcome,
            SystemTime::now(),
            [[1; 8], [2; 8], [3; 8]],
            &mut one,
        );
        let request: serde_json::Value =
            serde_json::from_slice(&body(&[one.clone(), one])).expect("JSON");
        let spans = &request["resourceSpans"][0]["scopeSpans"][0]["spans"];
        assert_eq!(spans.as_array().map(Vec::len), Some(2));
        assert_eq!(spans[1]["spanId"], "0101010101010101");
        assert_eq!(spans[1]["traceId"].as_str().map(str::len), Some(32));
    }
}
