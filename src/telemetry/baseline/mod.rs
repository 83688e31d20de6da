//! What is usual on each route, learned online, and what is not: observed, never enforced.
//!
//! ```text
//! outcome ─► route (template of its path) ─► state of the route ─► deviations ─► finding stream, metrics
//! ```
//!
//! Memory is bounded by the number of routes. A transaction never waits here: where another thread holds the routes of the
//! same shard, this one is not learned from. Nothing is persisted: after a start it is learned anew.

mod robust;
mod route;

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::service::outcome::Outcome;

use route::Route;

/// How baselines are learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// Routes that are followed at once.
    pub routes: usize,
    /// Messages and time of a route from which nothing is reported.
    pub learn_messages: u64,
    /// See there.
    pub learn_time: Duration,
    /// Over how long rates and ratios are taken.
    pub window: Duration,
    /// How long a signal of a route is silent after it was reported.
    pub quiet: Duration,
}

/// What is usual on all routes.
#[derive(Debug)]
pub struct Baselines {
    habits: Habits,
    random: RandomState,
    shards: [Mutex<HashMap<u64, Route>>; SHARDS],
    untracked: AtomicU64,
}

/// What deviates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// A body much larger than others.
    Size,
    /// Many more messages than in other windows.
    Rate,
    /// Many more errors.
    Errors,
    /// Many more blocked messages.
    Verdicts,
    /// A header field or query parameter that never was there.
    Names,
    /// A member of a JSON body that never was there.
    Members,
}

impl Signal {
    /// The rule that findings name.
    pub fn rule(self) -> &'static str {
        match self {
            Signal::Size => "baseline/size",
            Signal::Rate => "baseline/rate",
            Signal::Errors => "baseline/errors",
            Signal::Verdicts => "baseline/verdicts",
            Signal::Names => "baseline/names",
            Signal::Members => "baseline/members",
        }
    }

    /// Its name in metrics.
    pub fn code(self) -> &'static str {
        self.rule().trim_start_matches("baseline/")
    }
}

/// One thing that is not usual.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// What.
    pub signal: Signal,
    /// How much, and what is usual.
    pub reason: String,
}

impl Baselines {
    /// Nothing learned yet.
    pub fn new(habits: Habits) -> Self {
        Self {
            habits,
            random: RandomState::new(),
            shards: Default::default(),
            untracked: AtomicU64::new(0),
        }
    }

    /// Learns from `outcome`, and says what about it is unusual; `now` is a time since some beginning.
    pub fn observe(&self, outcome: &Outcome, now: Duration) -> Vec<Deviation> {
        let mut deviations = Vec::new();
        let Some(key) = route::key(&self.random, outcome) else {
            return deviations;
        };
        let shard = usize::try_from(key % SHARDS as u64).unwrap_or_default();
        let Some(Ok(mut routes)) = self.shards.get(shard).map(Mutex::try_lock) else {
            return deviations;
        };
        let most = (self.habits.routes / SHARDS).max(1);
        if routes.len() >= most && !routes.contains_key(&key) {
            // A scan over paths that do not exist must not push out the routes that are in use.
            routes.retain(|_, route| now.saturating_sub(route.last) < IDLE_TIME);
            if routes.len() >= most {
                self.untracked.fetch_add(1, Ordering::Relaxed);
                return deviations;
            }
        }
        let route = routes.entry(key).or_insert_with(|| Route::new(now));
        route.observe(outcome, (&self.habits, &self.random), now, &mut deviations);
        deviations
    }

    /// Routes that are followed, and messages that belonged to none of them because there were too many.
    pub fn size(&self) -> (usize, u64) {
        let routes = self.shards.iter().map(|shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.len()
        });
        (routes.sum(), self.untracked.load(Ordering::Relaxed))
    }
}

/// Threads that meet at one lock pass each other by; many shards make that rare.
const SHARDS: usize = 32;

/// After so long without a message a route may make room for a new one.
const IDLE_TIME: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Reason, Verdict};
    use crate::service::outcome::Method;

    const HABITS: Habits = Habits {
        routes: 64,
        learn_messages: 100,
        learn_time: Duration::from_secs(60),
        window: Duration::from_secs(10),
        quiet: Duration::from_secs(30),
    };

    fn message(path: &str, bytes: u64) -> Outcome {
        let mut outcome = crate::telemetry::tests::hostile();
        outcome.method = Method::Reqmod;
        outcome.bytes_in = bytes;
        outcome.message.path = path.into();
        outcome.message.names = Some("host\ncontent-type\nq".into());
        outcome
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// A route that is usual: five minutes, ten messages a second of 500 to 1,500 bytes.
    fn learned() -> (Baselines, Duration) {
        let baselines = Baselines::new(HABITS);
        for n in 0..3000 {
            let path = format!("/orders/{n}");
            let found = baselines.observe(&message(&path, 500 + n * 7919 % 1000), ms(n * 100));
            assert_eq!(found, [], "message {n}");
        }
        (baselines, ms(300_000))
    }

    fn signals(deviations: &[Deviation]) -> Vec<Signal> {
        deviations.iter().map(|one| one.signal).collect()
    }

    #[test]
    fn a_large_body_is_told_once_and_then_for_a_while_not_again() {
        let (baselines, now) = learned();
        assert_eq!(
            baselines.observe(&message("/orders/1", 3000), now),
            [],
            "three times the usual is nothing"
        );
        let found = baselines.observe(&message("/orders/1", 1 << 20), now);
        assert_eq!(signals(&found), [Signal::Size]);
        assert!(found[0].reason.contains("1048576"), "{found:?}");
        let soon = now + ms(100);
        assert_eq!(baselines.observe(&message("/orders/2", 1 << 20), soon), []);
        let later = now + HABITS.quiet + ms(1000);
        let found = baselines.observe(&message("/orders/2", 1 << 20), later);
        assert_eq!(signals(&found), [Signal::Size]);
    }

    #[test]
    fn a_burst_is_told_while_it_lasts() {
        let (baselines, now) = learned();
        let found: Vec<_> = (0..2000)
            .flat_map(|n| baselines.observe(&message("/orders/1", 1000), now + ms(n)))
            .collect();
        assert_eq!(signals(&found), [Signal::Rate]);
    }

    #[test]
    fn errors_and_blocks_above_the_usual_are_told() {
        let (baselines, now) = learned();
        let found: Vec<_> = (0..90)
            .flat_map(|n| {
                let mut outcome = message("/orders/1", 1000);
                outcome.message.http_status = 500;
                if n % 2 == 0 {
                    outcome.report.verdict = Verdict::Block(Reason::Redaction {
                        entity: "PAN".into(),
                    });
                }
                baselines.observe(&outcome, now + ms(n * 100))
            })
            .collect();
        let mut found = signals(&found);
        found.sort_by_key(|signal| signal.code());
        assert_eq!(found, [Signal::Errors, Signal::Verdicts]);
    }

    #[test]
    fn a_name_that_never_was_there_is_told_once() {
        let (baselines, now) = learned();
        let mut outcome = message("/orders/1", 1000);
        outcome.message.names = Some("host\nq\ndebug".into());
        let found = baselines.observe(&outcome, now);
        assert_eq!(signals(&found), [Signal::Names]);
        assert!(found[0].reason.contains("debug"), "{found:?}");
        let later = now + HABITS.quiet + ms(1000);
        assert_eq!(baselines.observe(&outcome, later), [], "it is known now");
    }

    #[test]
    fn a_json_member_that_never_was_there_is_told_once_and_data_that_stands_for_names_never() {
        let baselines = Baselines::new(HABITS);
        let ask = |members: &str, now| {
            let mut outcome = message("/orders/1", 1000);
            outcome.message.members = Some(members.into());
            baselines.observe(&outcome, now)
        };
        for n in 0..3000u64 {
            // Data in the place of names does not use up the room for names.
            let members = format!("id\nname\n{n}\nann{n}@example.com\n");
            assert_eq!(ask(&members, ms(n * 100)), [], "message {n}");
        }
        let found = ask("id\nname\nisAdmin\n", ms(300_000));
        assert_eq!(signals(&found), [Signal::Members]);
        assert!(found[0].reason.ends_with("isAdmin"), "{found:?}");
        let later = ms(300_000) + HABITS.quiet + ms(1000);
        assert_eq!(ask("id\nisAdmin\n", later), [], "it is known now");
        // A route whose members are any words has no usual ones.
        for n in 0..1000u64 {
            let word: String = n
                .to_string()
                .bytes()
                .map(|digit| char::from(digit + 49))
                .collect();
            ask(&word, later + ms(n));
        }
        let much_later = later + HABITS.quiet * 3;
        assert_eq!(ask("another", much_later), []);
    }

    #[test]
    fn nothing_is_told_of_a_route_that_is_new_however_it_behaves() {
        let baselines = Baselines::new(HABITS);
        for n in 0..99u64 {
            let mut outcome = message("/new", 1 << (n % 30));
            outcome.message.names = Some(format!("host\nn{n}").into());
            outcome.message.http_status = 500;
            assert_eq!(baselines.observe(&outcome, ms(n * 10_000)), []);
        }
    }

    #[test]
    fn routes_are_bounded_and_those_in_use_stay() {
        let (baselines, now) = learned();
        for n in 0..10_000 {
            let digits = n.to_string();
            let letters: String = digits.bytes().map(|digit| char::from(digit + 49)).collect();
            let path = format!("/scan/{letters}");
            baselines.observe(&message(&path, 0), now);
        }
        let (routes, untracked) = baselines.size();
        assert!(
            routes <= HABITS.routes && untracked > 0,
            "{routes} {untracked}"
        );
        let found = baselines.observe(&message("/orders/1", 1 << 20), now);
        assert_eq!(signals(&found), [Signal::Size]);
    }
}
