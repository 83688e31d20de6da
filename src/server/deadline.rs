//! Deadlines of one connection: which limit holds in which state. Time is an argument; nothing here sleeps.

use std::time::{Duration, Instant};

use crate::config::Deadlines;

/// What the connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The first byte of the first request.
    FirstByte,
    /// The next request.
    Idle,
    /// The rest of a head.
    Head,
    /// The rest of a preview.
    Preview,
    /// Body bytes.
    Body,
    /// The first body bytes after `100 Continue`.
    AfterContinue,
    /// The peer to take our bytes.
    Write,
    /// The rest of a body that nobody needs any more.
    Drain,
    /// The peer's close after ours.
    Linger,
    /// Our own work; the scan limits its own time.
    Work,
}

impl Waiting {
    /// The name of the deadline in logs, metrics and configuration.
    pub fn code(self) -> &'static str {
        match self {
            Waiting::FirstByte => "first-byte-timeout",
            Waiting::Idle => "idle-timeout",
            Waiting::Head => "head-timeout",
            Waiting::Preview => "preview-timeout",
            Waiting::Body => "body-timeout",
            Waiting::AfterContinue => "after-continue-timeout",
            Waiting::Write => "write-stall-timeout",
            Waiting::Drain => "drain-timeout",
            Waiting::Linger => "linger-timeout",
            Waiting::Work => "work-timeout",
        }
    }
}

/// The clock of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    deadlines: Deadlines,
    waiting: Waiting,
    since: Instant,
    progress: Instant,
    body_began: Instant,
    body_bytes: u64,
    /// Time that the body could not flow because of us.
    held: Duration,
}

impl Clock {
    /// The clock of a connection that was accepted at `now`.
    pub fn new(deadlines: Deadlines, now: Instant) -> Self {
        Self {
            deadlines,
            waiting: Waiting::FirstByte,
            since: now,
            progress: now,
            body_began: now,
            body_bytes: 0,
            held: Duration::ZERO,
        }
    }

    /// What is waited for.
    pub fn waiting(&self) -> Waiting {
        self.waiting
    }

    /// Enters a state; to be in it already changes nothing.
    pub fn enter(&mut self, waiting: Waiting, now: Instant) {
        if self.waiting == waiting {
            return;
        }
        let left_work = matches!(self.waiting, Waiting::Work | Waiting::Write);
        if left_work && waiting == Waiting::Body {
            self.held += now.saturating_duration_since(self.since);
        }
        self.waiting = waiting;
        self.since = now;
        self.progress = now;
    }

    /// A body begins.
    pub fn body(&mut self, now: Instant) {
        self.body_began = now;
        self.body_bytes = 0;
        self.held = Duration::ZERO;
    }

    /// `bytes` of body came.
    pub fn received(&mut self, bytes: u64, now: Instant) {
        self.body_bytes = self.body_bytes.saturating_add(bytes);
        self.progress = now;
    }

    /// The peer took bytes of ours.
    pub fn sent(&mut self, now: Instant) {
        self.progress = now;
    }

    /// When the state must have ended; `None`: no limit.
    pub fn deadline(&self) -> Option<Instant> {
        let limits = &self.deadlines;
        match self.waiting {
            Waiting::FirstByte => Some(self.since + limits.first_byte),
            Waiting::Idle => Some(self.since + limits.idle),
            Waiting::Head => Some(self.since + limits.head),
            Waiting::Preview => Some((self.progress + limits.preview).min(self.rate_deadline())),
            Waiting::AfterContinue => Some(self.since + limits.after_continue),
            Waiting::Write => Some(self.progress + limits.write_stall),
            Waiting::Drain => Some(self.since + limits.drain),
            Waiting::Linger => Some(self.since + limits.linger),
            Waiting::Body => Some(
                (self.progress + limits.body_idle)
                    .min(self.rate_deadline())
                    .min(self.body_began + self.held + limits.body),
            ),
            Waiting::Work => None,
        }
    }

    /// When the bytes that have come will be fewer than the minimum rate asks for.
    fn rate_deadline(&self) -> Instant {
        let limits = &self.deadlines;
        let paid = self
            .body_bytes
            .checked_div(limits.rate_bytes)
            .map_or(limits.body, Duration::from_secs)
            .min(limits.body);
        self.body_began + self.held + limits.rate_grace.max(paid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> (Clock, Instant) {
        let now = Instant::now();
        (Clock::new(Deadlines::default(), now), now)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_head_deadline_is_absolute() {
        let (mut clock, start) = clock();
        clock.enter(Waiting::Head, start);
        for at in 1..10 {
            clock.enter(Waiting::Head, start + at * SECOND);
            clock.received(1, start + at * SECOND);
        }
        assert_eq!(clock.deadline(), Some(start + 15 * SECOND));
    }

    #[test]
    fn a_dripping_body_ends_when_the_grace_is_over() {
        let (mut clock, start) = clock();
        clock.body(start);
        clock.enter(Waiting::Body, start);
        let mut now = start;
        while clock.deadline().expect("a limit") > now && now < start + 100 * SECOND {
            now += SECOND;
            clock.received(10, now);
        }
        assert_eq!(now, start + 30 * SECOND);
    }

    #[test]
    fn a_body_at_a_fair_rate_goes_on_and_a_silent_one_ends() {
        let (mut clock, start) = clock();
        clock.body(start);
        clock.enter(Waiting::Body, start);
        let mut now = start;
        for _ in 0..600 {
            now += SECOND;
            assert!(clock.deadline().expect("a limit") >= now);
            clock.received(2048, now);
        }
        assert_eq!(clock.deadline(), Some(now + 30 * SECOND));
    }

    #[test]
    fn time_that_we_took_is_not_held_against_the_peer() {
        let (mut clock, start) = clock();
        clock.body(start);
        clock.enter(Waiting::Body, start);
        clock.enter(Waiting::Work, start + SECOND);
        assert_eq!(clock.deadline(), None);
        let back = start + 50 * SECOND;
        clock.enter(Waiting::Body, back);
        assert!(clock.deadline().expect("a limit") >= back + 29 * SECOND);
    }

    #[test]
    fn a_write_that_makes_progress_is_not_stalled() {
        let (mut clock, start) = clock();
        clock.enter(Waiting::Write, start);
        clock.sent(start + 20 * SECOND);
        assert_eq!(clock.deadline(), Some(start + 50 * SECOND));
    }
}
