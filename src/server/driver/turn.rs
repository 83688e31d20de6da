//! How long a connection goes on before others get their turn.

use std::time::{Duration, Instant};

use crate::content::Pace;
use crate::service::transaction::{Action, Transaction};

use super::Driver;

#[cfg(test)]
mod tests;

/// When this task has had its turn; it then lets others go first, even if its peer keeps it busy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) until: Instant,
    company: Company,
}

/// How many transactions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    Few,
    /// Too many to go on for longer than a window.
    Many,
}

impl Turn {
    pub(super) fn begin(now: Instant, transactions: i64) -> Self {
        let (company, time) = match transactions {
            ..=FEW => (Company::Few, LONG_TURN_TIME),
            _ => (Company::Many, TURN_TIME),
        };
        let until = now + time;
        Self { until, company }
    }

    /// Does the next pieces of work that belong to it, at least one: slices of a window where it is crowded by other
    /// clients.
    pub(super) fn work(self, transaction: &mut Transaction, crowded: bool) -> Action {
        let (pace, more) = match (crowded, self.company) {
            (true, _) => (Pace::Slices, true),
            (false, Company::Few) => (Pace::Windows, true),
            (false, Company::Many) => (Pace::Windows, false),
        };
        transaction.pace(pace);
        loop {
            match transaction.poll() {
                Action::Yield if more && Instant::now() < self.until => {}
                action => return action,
            }
        }
    }
}

impl<S> Driver<S> {
    /// Lets others go first.
    pub(super) async fn give_way(&mut self) {
        tokio::task::yield_now().await;
        self.begin_turn(Instant::now());
    }

    pub(super) fn begin_turn(&mut self, now: Instant) {
        self.turn = Turn::begin(now, self.shared.telemetry.metrics.inflight.get());
    }
}

/// How long a connection goes on before others get their turn: about as long as a small message takes as a whole.
const TURN_TIME: Duration = Duration::from_micros(50);

/// The same where few others are there.
const LONG_TURN_TIME: Duration = Duration::from_micros(200);

/// So many transactions are few: to give way costs more than they would wait.
const FEW: i64 = 2;
