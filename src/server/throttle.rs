//! Log lines that a flood must not multiply: one a second, with the count of those left out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Lets one line a second through.
#[derive(Debug)]
pub(super) struct Throttle {
    began: Instant,
    next_ms: AtomicU64,
    left_out: AtomicU64,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            next_ms: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }
    }

    /// How many lines were left out since the last one; `None`: this one is to be left out too.
    pub(super) fn take(&self) -> Option<u64> {
        self.take_at(self.began.elapsed())
    }

    fn take_at(&self, since: Duration) -> Option<u64> {
        let now = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let next = self.next_ms.load(Ordering::Relaxed);
        let taken = now >= next
            && self
                .next_ms
                .compare_exchange(
                    next,
                    now.saturating_add(PAUSE_MS),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok();
        if taken {
            return Some(self.left_out.swap(0, Ordering::Relaxed));
        }
        self.left_out.fetch_add(1, Ordering::Relaxed);
        None
    }
}

const PAUSE_MS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_leaves_and_says_how_many_did_not() {
        let throttle = Throttle::new();
        let at = |ms| throttle.take_at(Duration::from_millis(ms));
        assert_eq!(at(0), Some(0));
        assert_eq!((at(1), at(999)), (None, None));
        assert_eq!(at(1000), Some(2));
        assert_eq!(at(5000), Some(0));
    }
}
