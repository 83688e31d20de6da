//! Middle and spread of a stream of numbers in two numbers each, moved by a bounded step a time: what one wild value, or a
//! few of them, say changes little.

/// The running median and median absolute deviation (Ma, Muthukrishnan and Sandler 2013, "frugal streaming", with steps
/// that follow the spread).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Middle {
    seen: u32,
    median: f64,
    spread: f64,
}

impl Middle {
    /// Learns `value`.
    pub(super) fn learn(&mut self, value: f64) {
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 {
            (self.median, self.spread) = (value, FIRST_SPREAD);
            return;
        }
        // Fast at first, then slow but never at a standstill: what is usual changes.
        let rate = (1.0 / f64::from(self.seen).sqrt()).max(SLOWEST);
        let away = value - self.median;
        let step = (self.spread * rate).max(SMALLEST_STEP);
        self.median += away.clamp(-step, step);
        self.spread += (away.abs() - self.spread).clamp(-step, step);
    }

    /// Values seen.
    pub(super) fn seen(&self) -> u32 {
        self.seen
    }

    /// The middle.
    pub(super) fn median(&self) -> f64 {
        self.median
    }

    /// Above which a value is further from the middle than `deviations` of a normal distribution with this spread, which
    /// is taken to be `floor` at least.
    pub(super) fn above(&self, deviations: f64, floor: f64) -> f64 {
        self.median + deviations * (NORMAL * self.spread).max(floor)
    }
}

/// The part of the times that something happened, by window.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    windows: u32,
    share: f64,
}

impl Share {
    /// Learns a window in which it happened `times` of `all`.
    pub(super) fn learn(&mut self, times: u32, all: u32) {
        if all < FEWEST {
            return;
        }
        self.windows = self.windows.saturating_add(1);
        let share = f64::from(times) / f64::from(all);
        if self.windows == 1 {
            self.share = share;
            return;
        }
        // A bad window moves it by no more than a normal one could.
        let most = self.limit(all);
        let rate = (1.0 / f64::from(self.windows)).max(0.1);
        self.share += (share.min(most) - self.share) * rate;
    }

    /// True when `times` of `all` is more than chance and habit explain.
    pub(super) fn is_exceeded(&self, times: u32, all: u32) -> bool {
        self.windows >= FEWEST_WINDOWS
            && all >= FEWEST
            && f64::from(times) / f64::from(all) > self.limit(all)
    }

    /// The usual share.
    pub(super) fn usual(&self) -> f64 {
        self.share
    }

    /// Six standard deviations of a binomial share, and a tenth.
    fn limit(&self, all: u32) -> f64 {
        let variance = self.share * (1.0 - self.share) / f64::from(all.max(1));
        self.share + 6.0 * variance.max(0.0).sqrt() + 0.1
    }
}

/// The median absolute deviation of a normal distribution, as its standard deviation.
const NORMAL: f64 = 1.4826;

const FIRST_SPREAD: f64 = 0.5;
const SLOWEST: f64 = 0.02;
const SMALLEST_STEP: f64 = 0.001;

/// Messages of a window from which its shares mean something.
const FEWEST: u32 = 20;

/// Windows before a share is held against others.
const FEWEST_WINDOWS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(mut state: u64) -> impl FnMut() -> f64 {
        move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        }
    }

    #[test]
    fn middle_and_spread_are_found_and_wild_values_hardly_move_them() {
        let (mut middle, mut random) = (Middle::default(), seeded(7));
        for n in 0..5000 {
            // One in fifty is wild.
            middle.learn(if n % 50 == 0 {
                1e6
            } else {
                10.0 + 4.0 * random()
            });
        }
        assert!((11.5..12.7).contains(&middle.median), "{middle:?}");
        assert!((0.5..1.8).contains(&middle.spread), "{middle:?}");
    }

    #[test]
    fn it_follows_what_changes_for_good() {
        let (mut middle, mut random) = (Middle::default(), seeded(9));
        for n in 0..20_000 {
            middle.learn(if n < 2000 { 5.0 } else { 9.0 } + random());
        }
        assert!((9.0..10.0).contains(&middle.median), "{middle:?}");
    }

    #[test]
    fn a_share_is_exceeded_by_much_more_and_not_by_chance() {
        let mut share = Share::default();
        for n in 0..50 {
            assert!(!share.is_exceeded(2 + n % 5, 100));
            share.learn(2 + n % 5, 100);
        }
        assert!(share.is_exceeded(60, 100));
        assert!(!share.is_exceeded(10, 10), "ten are too few");
    }
}
