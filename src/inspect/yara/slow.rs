//! Rules that take long on ordinary bytes, found by trying them: an operator should know them by name.

use std::time::{Duration, Instant};

use crate::inspect::yara::source::Source;
use crate::inspect::yara::unit::{Outcome, Unit};
use crate::inspect::yara::{Externals, Subject, YaraLimits, with_before};
use crate::rules::About;

/// A rule and what it takes.
#[derive(Clone, Debug)]
pub struct SlowRule {
    /// The rule.
    pub about: About,
    /// Time for a MiB, on the worst of three kinds of bytes.
    pub per_mib: Duration,
}

/// The rules of the packs that are slow. Packs are tried whole first, and only those that take long rule by rule.
pub(super) fn find(
    sources: &[Source],
    packs: &[(&Unit, Vec<usize>)],
    limits: &YaraLimits,
) -> Vec<SlowRule> {
    let samples = samples();
    let mut slow = Vec::new();
    for (unit, numbers) in packs {
        if worst(unit, &samples) < SUSPECT {
            continue;
        }
        for number in numbers {
            let alone = with_before(sources, &[*number]);
            let (unit, _) = Unit::compile(sources, &alone, limits);
            let per_mib = worst(&unit, &samples);
            if let Some(source) = sources.get(*number).filter(|_| per_mib >= SLOW) {
                let about = (*source.about).clone();
                slow.push(SlowRule { about, per_mib });
            }
        }
    }
    slow.sort_by_key(|rule| std::cmp::Reverse(rule.per_mib));
    slow
}

/// Time for a MiB of the kind of bytes that takes the longest.
fn worst(unit: &Unit, samples: &[Vec<u8>]) -> Duration {
    let times = samples.iter().map(|sample| {
        let begun = Instant::now();
        let mut outcome = Outcome::default();
        unit.scan(
            Subject::Bytes(sample),
            &Externals::default(),
            TRIAL_TIME,
            &mut outcome,
        );
        begun.elapsed().saturating_mul(A_MIB)
    });
    times.max().unwrap_or_default()
}

/// API JSON, a page with a script, and bytes of a program: enough of each to tell a rule that looks at every byte anew.
fn samples() -> Vec<Vec<u8>> {
    let json = b"{\"id\":18446744,\"name\":\"Some Person\",\"tags\":[\"alpha\",\"beta\"],\"total\":1234.50,\"note\":null},";
    let page = b"<div class=\"row\"><a href=\"/item?id=12&x=y\">text</a><script>var a = document.getElementById('b');</script></div>\r\n";
    let fill = |text: &[u8]| text.iter().copied().cycle().take(SAMPLE_BYTES).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let program = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Programs are full of zeros.
        match state & 0x300 {
            0 => 0,
            _ => state.to_le_bytes()[2],
        }
    });
    vec![fill(json), fill(page), program.take(SAMPLE_BYTES).collect()]
}

/// Bytes of a sample.
const SAMPLE_BYTES: usize = 32 * 1024;

/// Samples in a MiB.
const A_MIB: u32 = 32;

/// A sample takes no longer, whatever the rule.
const TRIAL_TIME: Duration = Duration::from_millis(100);

/// A pack of ordinary rules takes a few milliseconds a MiB; all of them together have 50.
const SUSPECT: Duration = Duration::from_millis(25);

/// One rule that takes a fifth of what a message has.
const SLOW: Duration = Duration::from_millis(10);
