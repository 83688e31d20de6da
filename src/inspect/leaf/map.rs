//! From offsets in a decoded value to the raw bytes that they were decoded from.

use crate::span::Span;

/// From decoded offsets to raw places: runs that are copied verbatim, and units (an escape, a reference) that decode as
/// a whole and must not be cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetMap {
    start: u64,
    units: Vec<Run>,
}

/// `count` neighbouring escapes of one size: each has `raw_len` raw bytes and decodes to `decoded_len` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    decoded: u32,
    decoded_len: u32,
    raw: u64,
    raw_len: u32,
    count: u32,
}

impl Run {
    fn decoded_end(&self) -> u64 {
        u64::from(self.decoded) + u64::from(self.decoded_len) * u64::from(self.count)
    }

    fn raw_end(&self) -> u64 {
        self.raw + u64::from(self.raw_len) * u64::from(self.count)
    }

    /// Which unit of the run the decoded byte at `decoded` belongs to.
    fn unit(&self, decoded: u64) -> u64 {
        (decoded - u64::from(self.decoded)) / u64::from(self.decoded_len.max(1))
    }
}

impl OffsetMap {
    /// The map of a value without escapes whose raw bytes begin at `start`.
    pub fn verbatim(start: u64) -> Self {
        Self {
            start,
            units: Vec::new(),
        }
    }

    /// Forgets all units and begins anew at raw offset `start`; keeps its memory.
    #[inline]
    pub fn reset(&mut self, start: u64) {
        self.start = start;
        self.units.clear();
    }

    /// Adds an escape: `raw` (of `raw_len` bytes) decodes to `decoded_len` bytes at decoded offset `decoded`. Units come
    /// in order. Nothing needs to be added for bytes that stand for themselves.
    pub fn push_unit(&mut self, decoded: usize, decoded_len: usize, raw: u64, raw_len: usize) {
        let (Ok(decoded), Ok(decoded_len), Ok(raw_len)) = (
            u32::try_from(decoded),
            u32::try_from(decoded_len),
            u32::try_from(raw_len),
        ) else {
            return;
        };
        if let Some(run) = self.units.last_mut()
            && decoded_len > 0
            && run.decoded_len == decoded_len
            && run.raw_len == raw_len
            && run.decoded_end() == u64::from(decoded)
            && run.raw_end() == raw
        {
            run.count += 1;
            return;
        }
        self.units.push(Run {
            decoded,
            decoded_len,
            raw,
            raw_len,
            count: 1,
        });
    }

    /// Where the raw bytes begin.
    #[inline]
    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// True when decoded and raw bytes are the same, one for one.
    #[inline]
    pub fn is_verbatim(&self) -> bool {
        self.units.is_empty()
    }

    /// The raw bytes that decode to `decoded_start..decoded_end`, whole escapes only.
    pub fn raw(&self, decoded_start: usize, decoded_end: usize) -> Span {
        if decoded_end <= decoded_start {
            let at = self.locate(decoded_start as u64).0;
            return Span::new(at, at);
        }
        let start = self.locate(decoded_start as u64).0;
        let end = self.locate(decoded_end as u64 - 1).1;
        Span::new(start, end)
    }

    /// The largest decoded offset, at most `decoded`, that does not lie inside an escape.
    pub fn floor(&self, decoded: usize) -> usize {
        match self.run_before(decoded as u64) {
            Some(run) if (decoded as u64) < run.decoded_end() => {
                let unit = run.unit(decoded as u64) * u64::from(run.decoded_len);
                let back = decoded as u64 - u64::from(run.decoded) - unit;
                decoded.saturating_sub(usize::try_from(back).unwrap_or(0))
            }
            _ => decoded,
        }
    }

    /// Forgets the first `decoded` bytes, so that the byte behind them has decoded offset 0. `decoded` must not lie
    /// inside an escape (see [`floor`](Self::floor)).
    pub fn drop_front(&mut self, decoded: usize) {
        let start = self.locate(decoded as u64).0;
        let gone = decoded as u64;
        self.units
            .retain(|run| run.decoded_end() > gone || u64::from(run.decoded) >= gone);
        for run in &mut self.units {
            let cut = gone.saturating_sub(u64::from(run.decoded));
            let units = cut / u64::from(run.decoded_len.max(1));
            run.count -= u32::try_from(units).unwrap_or(0).min(run.count);
            run.raw += units * u64::from(run.raw_len);
            let decoded = u64::from(run.decoded) + units * u64::from(run.decoded_len) - gone;
            run.decoded = u32::try_from(decoded).unwrap_or(u32::MAX);
        }
        self.start = start;
    }

    fn run_before(&self, decoded: u64) -> Option<&Run> {
        let after = self
            .units
            .partition_point(|run| u64::from(run.decoded) <= decoded);
        after.checked_sub(1).and_then(|index| self.units.get(index))
    }

    /// First and one-past-last raw offset of what yields the decoded byte at `decoded`.
    fn locate(&self, decoded: u64) -> (u64, u64) {
        let Some(run) = self.run_before(decoded) else {
            return (self.start + decoded, self.start + decoded + 1);
        };
        if decoded < run.decoded_end() {
            let raw = run.raw + run.unit(decoded) * u64::from(run.raw_len);
            (raw, raw + u64::from(run.raw_len))
        } else {
            let at = run.raw_end() + (decoded - run.decoded_end());
            (at, at + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_never_cuts_an_escape() {
        // raw: `a\u0041b` at 10; decoded: `aAb`.
        let mut map = OffsetMap::verbatim(10);
        map.push_unit(1, 1, 11, 6);
        assert_eq!(map.raw(0, 1), Span::new(10, 11));
        assert_eq!(map.raw(1, 2), Span::new(11, 17));
        assert_eq!(map.raw(0, 3), Span::new(10, 18));
        assert_eq!(map.raw(2, 3), Span::new(17, 18));
    }

    #[test]
    fn neighbouring_escapes_of_one_size_share_a_run_and_can_be_dropped_in_part() {
        // raw: four escapes of 6 bytes at 100, then `x` at 124.
        let mut map = OffsetMap::verbatim(100);
        for unit in 0..4 {
            map.push_unit(unit, 1, 100 + 6 * unit as u64, 6);
        }
        assert_eq!(map.units.len(), 1);
        assert_eq!(map.raw(1, 3), Span::new(106, 118));
        assert_eq!(map.raw(4, 5), Span::new(124, 125));
        map.drop_front(2);
        assert_eq!(map.raw(0, 1), Span::new(112, 118));
        assert_eq!(map.raw(2, 3), Span::new(124, 125));
        map.drop_front(2);
        assert!(map.is_verbatim());
        assert_eq!(map.raw(0, 1), Span::new(124, 125));
    }
}
