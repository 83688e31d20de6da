//! A search for bodies that cost more than their size: the anchors of all detectors, alone and joined at random, repeated.
//!
//! `cargo bench --bench worst [-- JOINED]` prints the dearest, in milliseconds of processor time a MiB: observing, so that no
//! verdict ends a scan early, and enforcing, as out of the box. JOINED is how many units are joined at random (1,000 unless
//! told). What it finds belongs into `src/inspect/injection/linear.rs` and
//! `tests/linear/linear.py`, which count and do not jitter.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sluice::budget::Budget;
use sluice::http1::RequestHead;
use sluice::inspect::{Direction, injection};
use sluice::policy::profile::{Mode, Profile};
use sluice::scan::{Ended, Message, Ruleset, Scan, Step};

const ANCHORS: &[&[&str]] = &[
    injection::sqli::ANCHORS,
    injection::xss::ANCHORS,
    injection::nosqli::ANCHORS,
    injection::graphql::ANCHORS,
    injection::code_injection::ANCHORS,
    injection::cmdi::ANCHORS,
    injection::path_traversal::ANCHORS,
    injection::ssti::ANCHORS,
    injection::ldapi::ANCHORS,
    injection::jndi::ANCHORS,
    injection::ssrf::ANCHORS,
    injection::deser::ANCHORS,
    injection::crlf::ANCHORS,
];

/// What stands around an anchor, at `@`.
const FRAMES: &[&str] = &["@", "@ ", "@(", "@=1 ", "@;", "&@=", "{@", "<@", "'@", "@/"];

/// What stands between joined ones.
const GLUE: &[&str] = &[
    "", " ", "'", "(", "=", ";", "\n", "/", "|", "&", "\"", "<", ">", "{", "}", "$", "%", "\\",
    "--", ",", "`", "1", "a", "/*", "*/", "<!--", "${", "&#", "\\u00", "%25", "<a ", "[", "]",
    "::", "//", "0x", "?", "*", "+", "@", ":", "~",
];

/// Bytes of a body in the first round, which only sorts, and in the second, which measures.
const SIZES: [usize; 2] = [32 << 10, 256 << 10];
/// Units that are measured again, and shown.
const SHOWN: usize = 40;

fn main() {
    let joined = std::env::args().find_map(|word| word.parse().ok());
    let units = units(joined.unwrap_or(1000));
    for mode in [Mode::Observe, Mode::Enforce] {
        println!("{mode:?}:");
        for (cost, unit) in dearest(&Subject::new(mode), &units) {
            println!("{:7.1} ms a MiB  {unit:?}", cost.as_secs_f64() * 1000.0);
        }
    }
}

fn dearest<'a>(subject: &Subject, units: &'a [String]) -> Vec<(Duration, &'a str)> {
    let [small, large] = SIZES;
    let mut list: Vec<(Duration, &str)> = units
        .iter()
        .map(|unit| (subject.cost(unit, small), unit.as_str()))
        .collect();
    list.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    list.truncate(SHOWN);
    for (cost, unit) in &mut list {
        *cost = subject.cost(unit, large).min(subject.cost(unit, large));
    }
    list.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    list
}

fn units(joined: usize) -> Vec<String> {
    let mut anchors: Vec<&str> = ANCHORS.concat();
    anchors.sort_unstable();
    anchors.dedup();
    let framed = |anchor: &&str| {
        FRAMES
            .iter()
            .map(|frame| frame.replace('@', anchor))
            .collect()
    };
    let mut units: Vec<String> = anchors.iter().flat_map::<Vec<_>, _>(framed).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |end: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % end as u64) as usize
    };
    for _ in 0..joined {
        let mut unit = String::new();
        for _ in 0..=below(3) {
            unit += GLUE[below(GLUE.len())];
            unit += anchors[below(anchors.len())];
            unit += GLUE[below(GLUE.len())];
        }
        units.push(unit);
    }
    units
}

/// What reads the bodies: the shipped rules and the profile of requests.
struct Subject {
    rules: Arc<Ruleset>,
    profile: Arc<Profile>,
    budget: Budget,
    head: RequestHead,
}

impl Subject {
    fn new(mode: Mode) -> Self {
        let mut profile = Profile::built_in(Direction::Request);
        profile.mode = mode;
        Self {
            rules: Arc::new(Ruleset::embedded().expect("the shipped rules compile")),
            profile: Arc::new(profile),
            budget: Budget::new(1 << 30),
            head: RequestHead::parse(Bytes::from_static(
                b"POST /api/orders HTTP/1.1\r\nHost: shop.test\r\nContent-Type: text/plain\r\n\r\n",
            )),
        }
    }

    /// Processor time of a MiB of `unit`, from a body of `size` bytes.
    fn cost(&self, unit: &str, size: usize) -> Duration {
        let body = Bytes::from(unit.repeat(size / unit.len()));
        let message = Message {
            request: Some(&self.head),
            ..Message::new(Direction::Request)
        };
        let start = on_processor();
        let mut scan = Scan::new(&self.rules, &self.profile, &self.budget, &message);
        scan.push(body.clone());
        scan.end(Ended::Complete);
        while !matches!(scan.step_here(), Step::Decided | Step::Done) {}
        let spent = on_processor().saturating_sub(start);
        spent.mul_f64(f64::from(1 << 20) / body.len() as f64)
    }
}

fn on_processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}
