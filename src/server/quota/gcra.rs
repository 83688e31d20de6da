//! The generic cell rate algorithm, paid afterwards: a body's bytes are known when it is over.
//!
//! A level is a time: when all that was charged will have been paid off at the agreed rate. It may lie as far ahead of
//! now as the burst allows. (The `governor` crate charges before and refuses what is larger than the burst, so that a
//! body could only be paid for by cutting it into pieces; hence these few lines.)

use std::time::Duration;

use crate::config::quotas::Rates;

/// How far two rates are used, as times since the server began, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Levels {
    requests: u64,
    bytes: u64,
}

/// Which rate is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server) enum Exceeded {
    Requests,
    Bytes,
}

impl Levels {
    /// Charges one request, unless a rate is used up.
    pub(super) fn admit(&mut self, rates: &Rates, now: Duration) -> Result<(), Exceeded> {
        let now = nanos(now);
        if rates.kib_per_second > 0 {
            let burst = burst(rates.kib_burst, rates.kib_per_second);
            if self.bytes.saturating_sub(now) >= cost(burst, rates.kib_per_second) {
                return Err(Exceeded::Bytes);
            }
        }
        if rates.requests_per_second > 0 {
            let burst = burst(rates.requests_burst, rates.requests_per_second);
            let level = self.requests.max(now);
            let level = level.saturating_add(cost(1, rates.requests_per_second));
            if level - now > cost(burst, rates.requests_per_second) {
                return Err(Exceeded::Requests);
            }
            self.requests = level;
        }
        Ok(())
    }

    /// Charges a body.
    pub(super) fn charge(&mut self, rates: &Rates, bytes: u64, now: Duration) {
        if rates.kib_per_second > 0 {
            let rate = rates.kib_per_second.saturating_mul(1 << 10);
            let level = self.bytes.max(nanos(now));
            self.bytes = level.saturating_add(cost(bytes, rate));
        }
    }

    /// True when everything is paid off: to forget it changes nothing.
    pub(super) fn is_idle(&self, now: Duration) -> bool {
        self.requests.max(self.bytes) <= nanos(now)
    }
}

/// What `units` take at `rate` a second.
fn cost(units: u64, rate: u64) -> u64 {
    let nanos = u128::from(units) * 1_000_000_000 / u128::from(rate.max(1));
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

fn burst(burst: u64, rate: u64) -> u64 {
    match burst {
        0 => rate,
        some => some,
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates {
        requests_per_second: 10,
        requests_burst: 3,
        kib_per_second: 1,
        kib_burst: 0,
    };

    fn at(ms: u64) -> Duration {
        Duration::from_secs(1000) + Duration::from_millis(ms)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut levels = Levels::default();
        let mut passed = 0;
        for ms in 0..10_000 {
            passed += usize::from(levels.admit(&RATES, at(ms)).is_ok());
        }
        assert_eq!(passed, 3 + 99);
        assert_eq!(levels.admit(&RATES, at(9_999)), Err(Exceeded::Requests));
        assert_eq!(levels.admit(&RATES, at(20_000)), Ok(()));
    }

    #[test]
    fn a_body_larger_than_the_burst_is_paid_off_afterwards() {
        let mut levels = Levels::default();
        assert_eq!(levels.admit(&RATES, at(0)), Ok(()));
        levels.charge(&RATES, 10 << 10, at(0));
        assert_eq!(levels.admit(&RATES, at(8_999)), Err(Exceeded::Bytes));
        assert_eq!(levels.admit(&RATES, at(9_001)), Ok(()));
        assert!(!levels.is_idle(at(9_999)) && levels.is_idle(at(10_001)));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let rates = Rates {
            requests_per_second: u64::MAX,
            requests_burst: u64::MAX,
            kib_per_second: u64::MAX,
            kib_burst: u64::MAX,
        };
        let mut levels = Levels::default();
        for _ in 0..3 {
            let _ = levels.admit(&rates, Duration::MAX);
            levels.charge(&rates, u64::MAX, Duration::MAX);
        }
    }
}
