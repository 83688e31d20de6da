//! One route: which messages belong to it, and what is usual there.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::time::Duration;

use crate::policy::Verdict;
use crate::service::outcome::{Ending, Method, Outcome};

use super::robust::{Middle, Share};
use super::{Deviation, Habits, Signal};

/// The route of a message: way, method, host and the template of its path. `None`: it has no path.
pub(super) fn key(random: &RandomState, outcome: &Outcome) -> Option<u64> {
    let facts = &outcome.message;
    let carried = matches!(outcome.method, Method::Reqmod | Method::Respmod);
    if !carried || facts.path.is_empty() {
        return None;
    }
    let mut hasher = random.build_hasher();
    (outcome.method, &facts.http_method).hash(&mut hasher);
    for piece in facts.host.as_bytes().chunks(PIECE_BYTES) {
        let mut lower = [0; PIECE_BYTES];
        for (lower, byte) in lower.iter_mut().zip(piece) {
            *lower = byte.to_ascii_lowercase();
        }
        hasher.write(lower.get(..piece.len()).unwrap_or_default());
    }
    for segment in facts.path.split('/').take(SEGMENTS) {
        hasher.write_u8(b'/');
        match is_variable(segment) {
            true => hasher.write(b"{}"),
            false => hasher.write(segment.as_bytes()),
        }
    }
    Some(hasher.finish())
}

/// True when a segment of a path looks like a name of one thing (a number, a UUID, a hash, a token), not of a kind of
/// things.
fn is_variable(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = segment
        .bytes()
        .all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let length = segment.len();
    length > LONGEST_NAME
        || (digits > 0 && digits == length)
        || (length >= 8 && digits > 0 && hexadecimal)
        || (length >= 4 && 2 * digits > length)
        || segment.contains(['%', '@', '='])
}

/// What is usual on one route.
#[derive(Debug)]
pub(super) struct Route {
    /// When the last message came.
    pub(super) last: Duration,
    began: Duration,
    seen: u64,
    sizes: Middle,
    rates: Middle,
    errors: Share,
    blocks: Share,
    window: Window,
    names: Names,
    /// Of JSON members.
    members: Names,
    /// Until when each signal is silent.
    quiet: [Duration; 6],
}

/// Names that were seen.
#[derive(Debug, Default)]
struct Names {
    /// Their digests, sorted.
    known: Vec<u32>,
    /// The digest of those of the last message, all together.
    last: u64,
}

/// The window that runs.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Duration,
    messages: u32,
    errors: u32,
    blocks: u32,
}

impl Route {
    pub(super) fn new(now: Duration) -> Self {
        Self {
            last: now,
            began: now,
            seen: 0,
            sizes: Middle::default(),
            rates: Middle::default(),
            errors: Share::default(),
            blocks: Share::default(),
            window: Window {
                began: now,
                ..Window::default()
            },
            names: Names::default(),
            members: Names::default(),
            quiet: [Duration::ZERO; 6],
        }
    }

    /// Learns from a message, and says what about it is unusual.
    pub(super) fn observe(
        &mut self,
        outcome: &Outcome,
        (habits, random): (&Habits, &RandomState),
        now: Duration,
        deviations: &mut Vec<Deviation>,
    ) {
        self.last = now;
        self.seen += 1;
        let knows = self.seen > habits.learn_messages
            && now.saturating_sub(self.began) >= habits.learn_time;
        self.turn_window(habits, now);
        self.count(outcome);
        let mut told = |signal: Signal, reason: Option<String>| {
            let Some(until) = self.quiet.get_mut(signal as usize) else {
                return;
            };
            if let Some(reason) = reason.filter(|_| knows && *until <= now) {
                *until = now + habits.quiet;
                deviations.push(Deviation { signal, reason });
            }
        };
        told(
            Signal::Size,
            unusual_size(&mut self.sizes, outcome.bytes_in),
        );
        told(
            Signal::Rate,
            unusual_rate(&self.rates, self.window.messages),
        );
        let all = self.window.messages;
        for (signal, share, times) in [
            (Signal::Errors, &self.errors, self.window.errors),
            (Signal::Verdicts, &self.blocks, self.window.blocks),
        ] {
            let reason = share.is_exceeded(times, all).then(|| {
                let usual = 100.0 * share.usual();
                format!("{times} of the last {all} messages, where {usual:.1} % are usual")
            });
            told(signal, reason);
        }
        let facts = &outcome.message;
        for (signal, what, known, names) in [
            (
                Signal::Names,
                "a field or parameter",
                &mut self.names,
                &facts.names,
            ),
            (
                Signal::Members,
                "a JSON member",
                &mut self.members,
                &facts.members,
            ),
        ] {
            let names = names.as_deref().unwrap_or_default();
            if let Some(name) = known.unknown(random, names) {
                let end = name.floor_char_boundary(NAME_BYTES);
                let name = name.get(..end).unwrap_or(name);
                let reason = format!("{what} that was never here: {name}");
                told(signal, Some(reason));
            }
        }
    }

    /// Learns from the window that is over. One without a message says nothing: it is night.
    fn turn_window(&mut self, habits: &Habits, now: Duration) {
        let window = self.window;
        if now.saturating_sub(window.began) < habits.window {
            return;
        }
        if window.messages > 0 {
            self.rates.learn(f64::from(window.messages).sqrt());
            self.errors.learn(window.errors, window.messages);
            self.blocks.learn(window.blocks, window.messages);
        }
        self.window = Window {
            began: now,
            ..Window::default()
        };
    }

    fn count(&mut self, outcome: &Outcome) {
        let window = &mut self.window;
        window.messages = window.messages.saturating_add(1);
        let failed = matches!(outcome.ending, Ending::Failed(_));
        if failed || outcome.message.http_status >= 400 {
            window.errors = window.errors.saturating_add(1);
        }
        if matches!(outcome.report.verdict, Verdict::Block(_)) {
            window.blocks = window.blocks.saturating_add(1);
        }
    }
}

/// Sizes are compared by their logarithm: twice as large is as far everywhere.
fn unusual_size(sizes: &mut Middle, bytes: u64) -> Option<String> {
    if bytes == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "its logarithm is wanted")]
    let size = (bytes as f64).ln();
    let unusual = sizes.seen() > 20
        && size > sizes.above(6.0, 0.25)
        && size - sizes.median() > LEAST_RATIO.ln();
    let usual = sizes.median().exp();
    sizes.learn(size);
    unusual.then(|| format!("a body of {bytes} bytes, where {usual:.0} are usual"))
}

/// Counts are compared by their root, which spreads alike at all sizes.
fn unusual_rate(rates: &Middle, messages: u32) -> Option<String> {
    let usual = rates.median() * rates.median();
    let count = f64::from(messages);
    let unusual = rates.seen() >= 5
        && count.sqrt() > rates.above(6.0, 0.5)
        && count > LEAST_RATIO / 2.0 * usual + 20.0;
    unusual.then(|| format!("{messages} messages in a window, where {usual:.0} are usual"))
}

impl Names {
    /// The first of `names`, a line each, that was not known; all are known afterwards, while there is room.
    fn unknown<'a>(&mut self, random: &RandomState, names: &'a str) -> Option<&'a str> {
        if names.is_empty() {
            return None;
        }
        // Mostly they are the same from message to message.
        let all = random.hash_one(names);
        if all == std::mem::replace(&mut self.last, all) {
            return None;
        }
        let mut unknown = None;
        for name in names.lines().filter(|name| !is_variable(name)) {
            let digest = u32::try_from(random.hash_one(name) >> 32).unwrap_or_default();
            let Err(at) = self.known.binary_search(&digest) else {
                continue;
            };
            // A route that takes any name has no usual ones.
            if self.known.len() < NAMES {
                self.known.insert(at, digest);
                unknown.get_or_insert(name);
            }
        }
        unknown
    }
}

/// Segments of a path that tell routes apart.
const SEGMENTS: usize = 12;

/// Of a host, made lower case at once.
const PIECE_BYTES: usize = 64;

/// Names of kinds of things are shorter.
const LONGEST_NAME: usize = 40;

/// Names that a route may have before they mean nothing.
const NAMES: usize = 128;

/// What is shown of a name.
const NAME_BYTES: usize = 64;

/// How many times the usual size is unusual at the least.
const LEAST_RATIO: f64 = 4.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_things_are_told_from_names_of_kinds() {
        for variable in [
            "17",
            "2026-11-22",
            "550e8400-e29b-41d4-a716-446655440000",
            "d41d8cd98f00b204e9800998ecf8427e",
            "ann@example.com",
            "a%20b",
            "INV-20261122",
        ] {
            assert!(is_variable(variable), "{variable}");
        }
        for fixed in [
            "", "orders", "v1", "v2.1", "facade", "x86", "oauth2", "feedback",
        ] {
            assert!(!is_variable(fixed), "{fixed}");
        }
    }
}
