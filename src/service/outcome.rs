//! What became of one transaction. The wire answer, the metrics, the trace and the audit record are renderings of it.

use std::cell::RefCell;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::inspect::Direction;
use crate::policy::{Reason, Verdict};
use crate::scan::Report;

use super::trace::TraceContext;

/// Names one transaction in the block page, the ICAP answer and the audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionId {
    process: u32,
    count: u64,
}

static PROCESS: LazyLock<u32> = LazyLock::new(|| {
    let random = RandomState::new().build_hasher().finish();
    u32::try_from(random >> 32).unwrap_or_default()
});

impl TransactionId {
    /// A new one: a random number of the process and a count, so that two nodes do not say the same.
    pub fn next() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        Self {
            process: *PROCESS,
            count: COUNT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// The one of this process that [`number`](Self::number) gave that number.
    pub fn numbered(count: u64) -> Self {
        Self {
            process: *PROCESS,
            count,
        }
    }

    /// Its number in this process, from 1.
    pub fn number(self) -> u64 {
        self.count
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count >> 40 != 0 {
            return write!(f, "{:08x}{:x}", self.process, self.count);
        }
        // Each line of the log has one, and padding costs more than the digits.
        let mut digits = [0; 18];
        let (front, back) = digits.split_at_mut(8);
        hex(u64::from(self.process), front);
        hex(self.count, back);
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

/// The last digits of `number`, as many as there is room for.
fn hex(number: u64, room: &mut [u8]) {
    let mut rest = number;
    for digit in room.iter_mut().rev() {
        *digit = match u8::try_from(rest & 15).unwrap_or_default() {
            small @ 0..10 => b'0' + small,
            large => b'a' - 10 + large,
        };
        rest >>= 4;
    }
}

/// What became of one transaction.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub id: TransactionId,
    /// The address of the ICAP client.
    pub peer: Option<IpAddr>,
    /// The ICAP method, when one was read.
    pub method: Method,
    /// The path of the service that was asked for, as configured.
    pub service: Option<Arc<str>>,
    /// The profile that judged.
    pub profile: Option<Arc<str>>,
    /// The rule by route that chose it; `None` when the service did.
    pub route: Option<Arc<str>>,
    /// What is known of the message that was carried.
    pub message: Facts,
    /// What the scan found.
    pub report: Report,
    /// The final ICAP status that was sent, 0 when none was.
    pub status: u16,
    /// How it ended.
    pub ending: Ending,
    /// Encapsulated body bytes received.
    pub bytes_in: u64,
    /// Encapsulated body bytes sent.
    pub bytes_out: u64,
    /// How long it took.
    pub timing: Timing,
}

/// The ICAP method of a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// OPTIONS.
    Options,
    /// REQMOD.
    Reqmod,
    /// RESPMOD.
    Respmod,
    /// The request never got so far, or the method is none of ours.
    #[default]
    Unknown,
}

impl Method {
    /// Its name in logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Method::Options => "options",
            Method::Reqmod => "reqmod",
            Method::Respmod => "respmod",
            Method::Unknown => "unknown",
        }
    }

    /// The way the carried message goes.
    pub fn direction(self) -> Option<Direction> {
        match self {
            Method::Reqmod => Some(Direction::Request),
            Method::Respmod => Some(Direction::Response),
            Method::Options | Method::Unknown => None,
        }
    }
}

/// Facts about the carried message that may be logged: no query, no field values but these. Escaped and capped when
/// they are rendered.
#[derive(Debug, Default)]
pub struct Facts {
    /// The HTTP method.
    pub http_method: String,
    /// The host asked for.
    pub host: String,
    /// The path asked for, without its query.
    pub path: String,
    /// The HTTP status of a response.
    pub http_status: u16,
    /// The declared media type.
    pub media_type: String,
    /// `X-Client-IP` or `X-Forwarded-For` as the ICAP client gave it.
    pub client: String,
    /// `X-Authenticated-User` or `X-Client-Username` as the ICAP client gave it.
    pub user: String,
    /// The trace that the carried request belongs to, when traces are on.
    pub trace: Option<TraceContext>,
    /// Names of header fields and query parameters, a line each, when baselines are on.
    pub names: Option<Box<str>>,
    /// Names of JSON members, a line each, when baselines are on.
    pub members: Option<Box<str>>,
}

impl Facts {
    /// Nothing is known yet; the memory is that of a message before, where there was one.
    pub(super) fn unknown() -> Self {
        SHELF.with_borrow_mut(Vec::pop).unwrap_or_default()
    }

    /// Leaves the memory to a message to come.
    pub fn give_back(self) {
        let texts = [
            self.http_method,
            self.host,
            self.path,
            self.media_type,
            self.client,
            self.user,
        ];
        let [http_method, host, path, media_type, client, user] = texts.map(|mut text| {
            text.clear();
            text
        });
        let cleared = Self {
            http_method,
            host,
            path,
            media_type,
            client,
            user,
            ..Self::default()
        };
        SHELF.with_borrow_mut(|shelf| {
            if shelf.len() < FACTS_KEPT {
                shelf.push(cleared);
            }
        });
    }
}

thread_local! {
    static SHELF: RefCell<Vec<Facts>> = const { RefCell::new(Vec::new()) };
}

/// Facts whose memory a thread keeps: of as many transactions as it may have at a busy moment, some 2 KiB each at most.
const FACTS_KEPT: usize = 16;

/// How a transaction ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// With the answer that the verdict calls for.
    #[default]
    Answered,
    /// Otherwise.
    Failed(Failure),
}

/// Why a transaction or connection did not end as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client broke the protocol; the code names how.
    Protocol(&'static str),
    /// No such service.
    NotFound,
    /// The service is not for this client.
    Forbidden,
    /// The service does not do this method.
    MethodNotAllowed,
    /// The request lacks the sections that the service needs.
    BadComposition,
    /// The client was too slow.
    Timeout(&'static str),
    /// The client went away.
    PeerGone,
    /// Over a limit of load.
    Overload(&'static str),
    /// The spool failed or is full, and the message could not be judged or returned.
    Spool,
    /// A bug of ours was contained.
    Panic,
    /// The answer had begun when a block was decided, and was cut off.
    CutOff,
    /// The server was stopped before the transaction was done.
    Shutdown,
}

impl Failure {
    /// Its stable name in logs and metrics.
    pub fn code(self) -> &'static str {
        match self {
            Failure::Protocol(code) | Failure::Timeout(code) | Failure::Overload(code) => code,
            Failure::NotFound => "service-not-found",
            Failure::Forbidden => "forbidden",
            Failure::MethodNotAllowed => "method-not-allowed",
            Failure::BadComposition => "bad-composition",
            Failure::PeerGone => "peer-gone",
            Failure::Spool => "spool",
            Failure::Panic => "panic",
            Failure::CutOff => "cut-off",
            Failure::Shutdown => "shutdown",
        }
    }
}

/// How long a transaction took, from the first byte of its request on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Until the first byte of the answer was written.
    pub first_byte: Option<Duration>,
    /// Until all was done.
    pub total: Duration,
}

impl Outcome {
    /// The mode label of metrics: `reqmod`, `respmod`, `options`, `unknown`.
    pub fn mode(&self) -> &'static str {
        self.method.code()
    }

    /// One word for what was decided: `allow`, `block`, `redact`, `error`.
    pub fn verdict_code(&self) -> &'static str {
        match (&self.ending, &self.report.verdict) {
            (Ending::Answered | Ending::Failed(Failure::CutOff), Verdict::Block(_)) => "block",
            (Ending::Failed(_), _) => "error",
            (Ending::Answered, Verdict::Allow) => "allow",
            (Ending::Answered, Verdict::Redact { .. }) => "redact",
        }
    }

    /// The reason code of a block or failure.
    pub fn reason_code(&self) -> Option<&'static str> {
        match (&self.ending, &self.report.verdict) {
            (Ending::Answered | Ending::Failed(Failure::CutOff), Verdict::Block(reason)) => {
                Some(reason.code())
            }
            (Ending::Failed(failure), _) => Some(failure.code()),
            (Ending::Answered, _) => None,
        }
    }

    /// The rule that caused a block.
    pub fn blocking_rule(&self) -> Option<&str> {
        match &self.report.verdict {
            Verdict::Block(Reason::Finding { rule, .. }) => Some(rule),
            Verdict::Block(Reason::Anomaly(_) | Reason::Redaction { .. })
            | Verdict::Allow
            | Verdict::Redact { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_transactions_have_one_name() {
        let (one, two) = (TransactionId::next(), TransactionId::next());
        assert_ne!(one.to_string(), two.to_string());
        assert_eq!(one.to_string().len(), 18);
        for count in [0, 1, 0xfedc_ba98, (1 << 40) - 1, 1 << 40, u64::MAX] {
            let id = TransactionId {
                process: 0xab,
                count,
            };
            assert_eq!(id.to_string(), format!("000000ab{count:010x}"));
        }
    }
}
