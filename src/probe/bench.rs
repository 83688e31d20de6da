//! Load on any ICAP server: [`bench`] keeps some connections busy for some time and says how long answers took.
//!
//! A thread a connection, blocking sockets, the probe's own client: enough to load a server from the same machine, and
//! simple enough to trust its clock.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::message::{self, Method};
use super::wire::{Target, Wire};
use super::{Failure, ProbeError};

/// What to send, and how.
#[derive(Clone, Debug)]
pub struct Load {
    /// `icap://host[:port]/path`
    pub url: String,
    /// Which messages.
    pub kind: Kind,
    /// The body of each message.
    pub body: Vec<u8>,
    /// Its type.
    pub content_type: String,
    /// Length of the preview in bytes; `None`: no preview.
    pub preview: Option<usize>,
    /// Whether 204 is allowed outside a preview.
    pub allow: Allow,
    /// Connections at a time.
    pub connections: u32,
    /// Whether a connection carries one transaction or all.
    pub reuse: Reuse,
    /// Transactions a second in all; `None`: as fast as the answers come.
    pub rate: Option<f64>,
    /// How long.
    pub time: Duration,
    /// The longest wait for an answer.
    pub patience: Duration,
}

/// Which messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Requests.
    Reqmod,
    /// Responses.
    Respmod,
    /// Nothing but OPTIONS.
    Options,
}

/// Whether the client keeps a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allow {
    /// `Allow: 204`.
    NoContent,
    /// The message has to come back.
    Nothing,
}

/// Whether connections are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Each carries many transactions.
    Keep,
    /// Each carries one.
    Fresh,
}

/// What came of it.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Answers.
    pub answers: u64,
    /// Answers by ICAP status.
    pub statuses: BTreeMap<u16, u64>,
    /// Failures by kind.
    pub failures: BTreeMap<String, u64>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Answers a second.
    pub per_second: f64,
    /// Body bytes sent, in MiB a second.
    pub mib_per_second: f64,
    /// From the request's first byte (from when it was due, with a rate) to the answer's last, in microseconds.
    pub latency_us: Latency,
}

/// Percentiles.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latency {
    /// Half were faster.
    pub p50: u64,
    /// Nine of ten were faster.
    pub p90: u64,
    /// 99 of 100 were faster.
    pub p99: u64,
    /// 999 of 1,000 were faster.
    pub p999: u64,
    /// The slowest.
    pub max: u64,
}

/// One worker's share.
struct Tally {
    latency: Histogram<u64>,
    statuses: BTreeMap<u16, u64>,
    failures: BTreeMap<String, u64>,
    bytes: u64,
}

/// Sends `load` until its time is over; `progress` is called ten times a second with the answers so far.
///
/// # Errors
/// [`ProbeError`] when there is nothing to talk to; what goes wrong later is counted.
pub fn bench(load: &Load, mut progress: impl FnMut(u64)) -> Result<Measured, ProbeError> {
    let target = Target::parse(&load.url, load.patience)?;
    target.connect().map_err(|_| ProbeError::NoConnection)?;
    let request = Request::of(load, &target);
    let answers = AtomicU64::new(0);
    let began = Instant::now();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..load.connections.max(1))
            .map(|number| {
                let (target, request, answers) = (&target, &request, &answers);
                scope.spawn(move || work(load, target, request, (began, number), answers))
            })
            .collect();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(TICK);
            progress(answers.load(Ordering::Relaxed));
        }
        workers
            .into_iter()
            .filter_map(|worker| worker.join().ok())
            .collect()
    });
    Ok(Measured::of(&tallies, began.elapsed()))
}

fn work(
    load: &Load,
    target: &Target,
    request: &Request,
    (began, number): (Instant, u32),
    answers: &AtomicU64,
) -> Tally {
    let mut tally = Tally::new();
    let mut wire = None;
    // The rate is shared out: each worker's transactions lie evenly between the others'.
    let gap = load
        .rate
        .map(|rate| Duration::from_secs_f64(f64::from(load.connections.max(1)) / rate.max(0.001)));
    let mut due = began
        + gap.map_or(Duration::ZERO, |gap| {
            gap.mul_f64(f64::from(number) / f64::from(load.connections.max(1)))
        });
    while began.elapsed() < load.time {
        if gap.is_some() {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        // With a rate, time counts from when the request was due: a stalled server must not hide the wait.
        let start = if gap.is_some() { due } else { Instant::now() };
        match request.exchange(&mut wire, target) {
            Ok(status) => {
                let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                tally.latency.saturating_record(micros.max(1));
                *tally.statuses.entry(status).or_default() += 1;
                tally.bytes += load.body.len() as u64;
                answers.fetch_add(1, Ordering::Relaxed);
            }
            Err(failure) => {
                wire = None;
                *tally.failures.entry(failure.to_string()).or_default() += 1;
                // A server that is gone is not to be asked a million times.
                std::thread::sleep(FAILURE_PAUSE);
            }
        }
        if load.reuse == Reuse::Fresh {
            wire = None;
        }
        due += gap.unwrap_or_default();
    }
    tally
}

/// The bytes of one transaction, made once.
struct Request {
    /// All that is sent before an answer is waited for.
    first: Vec<u8>,
    /// What is sent after 100 Continue.
    rest: Vec<u8>,
}

impl Request {
    fn of(load: &Load, target: &Target) -> Self {
        let allow = match load.allow {
            Allow::NoContent => "Allow: 204\r\n",
            Allow::Nothing => "",
        };
        let method = match load.kind {
            Kind::Options => {
                return Self {
                    first: message::options(target, "").into_bytes(),
                    rest: Vec::new(),
                };
            }
            Kind::Reqmod => Method::Reqmod,
            Kind::Respmod => Method::Respmod,
        };
        let shown = load.preview.map(|most| most.min(load.body.len()));
        let preview = shown.map_or(String::new(), |_| {
            format!("Preview: {}\r\n", load.preview.unwrap_or_default())
        });
        let kind = message::Body {
            content_type: &load.content_type,
            len: load.body.len(),
        };
        let lines = format!("{allow}{preview}");
        let mut first = message::head_of(target, method, &lines, &kind).into_bytes();
        let (before, after) = load.body.split_at(shown.unwrap_or(load.body.len()));
        message::chunks(before, &mut first);
        let mut rest = Vec::new();
        match shown {
            Some(_) if after.is_empty() => first.extend_from_slice(b"0; ieof\r\n\r\n"),
            Some(_) => {
                first.extend_from_slice(b"0\r\n\r\n");
                message::chunks(after, &mut rest);
                rest.extend_from_slice(b"0\r\n\r\n");
            }
            None => first.extend_from_slice(b"0\r\n\r\n"),
        }
        Self { first, rest }
    }

    fn exchange(&self, wire: &mut Option<Wire>, target: &Target) -> Result<u16, Failure> {
        let connected = match wire.take() {
            Some(connected) => connected,
            None => target.connect()?,
        };
        let connected = wire.insert(connected);
        connected.send(&self.first);
        let mut answer = connected.answer()?;
        if answer.status == 100 {
            connected.send(&self.rest);
            answer = connected.answer()?;
        }
        let closes = answer
            .field("Connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if closes {
            *wire = None;
        }
        Ok(answer.status)
    }
}

impl Tally {
    fn new() -> Self {
        Self {
            latency: Histogram::new_with_bounds(1, MAX_MICROS, 3).expect("constant, legal bounds"),
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            bytes: 0,
        }
    }
}

impl Measured {
    fn of(tallies: &[Tally], time: Duration) -> Self {
        let mut all = Tally::new();
        for tally in tallies {
            // Equal bounds: they can always be added.
            let _ = all.latency.add(&tally.latency);
            for (status, count) in &tally.statuses {
                *all.statuses.entry(*status).or_default() += count;
            }
            for (failure, count) in &tally.failures {
                *all.failures.entry(failure.clone()).or_default() += count;
            }
            all.bytes += tally.bytes;
        }
        let seconds = time.as_secs_f64();
        let answers = all.latency.len();
        let at = |quantile| all.latency.value_at_quantile(quantile);
        Self {
            answers,
            statuses: all.statuses,
            failures: all.failures,
            seconds,
            per_second: answers as f64 / seconds,
            mib_per_second: all.bytes as f64 / f64::from(1 << 20) / seconds,
            latency_us: Latency {
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                max: all.latency.max(),
            },
        }
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} answers in {:.1} s: {:.0} a second, {:.1} MiB of bodies a second",
            self.answers, self.seconds, self.per_second, self.mib_per_second
        )?;
        for (status, count) in &self.statuses {
            writeln!(f, "  status {status}: {count}")?;
        }
        for (failure, count) in &self.failures {
            writeln!(f, "  failed, {failure}: {count}")?;
        }
        let ms = |micros: u64| micros as f64 / 1000.0;
        let Latency {
            p50,
            p90,
            p99,
            p999,
            max,
        } = self.latency_us;
        writeln!(
            f,
            "latency in ms: p50 {:.2}  p90 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2}",
            ms(p50),
            ms(p90),
            ms(p99),
            ms(p999),
            ms(max)
        )
    }
}

/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// The pause after a failure.
const FAILURE_PAUSE: Duration = Duration::from_millis(50);

/// Longer waits are counted as this one: ten minutes.
const MAX_MICROS: u64 = 600_000_000;
