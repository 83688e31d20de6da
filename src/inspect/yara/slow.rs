//! Rules that take long: found by trying them at load, timed while they run, and blamed when a scan's time is over. An
//! operator should know them by name.
//!
//! Slow rules are taken out of their groups and stand alone, so that their time is theirs and cuts no other rule short.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::inspect::yara::source::Source;
use crate::inspect::yara::unit::{Outcome, Unit};
use crate::inspect::yara::{Externals, YaraLimits, with_before};
use crate::rules::About;

/// A rule and what it takes.
#[derive(Clone, Debug)]
pub struct SlowRule {
    /// The rule.
    pub about: About,
    /// Its file, as it was named when it was read.
    pub file: Box<str>,
    /// The line of the file in which it begins.
    pub line: u32,
    /// Time for a MiB, on the worst of three kinds of bytes.
    pub per_mib: Duration,
}

/// The rules of the packs that are slow, the slowest first, with their numbers. Packs are tried whole first, and only
/// those that take long rule by rule: a tenth of a second for thousands of rules.
pub(super) fn find(
    sources: &[Source],
    units: &[Unit],
    packs: &[Vec<usize>],
    limits: &YaraLimits,
) -> Vec<(usize, SlowRule)> {
    let samples = samples();
    let mut slow = Vec::new();
    for (unit, numbers) in units.iter().zip(packs) {
        if worst(unit, &samples, SUSPECT) < SUSPECT {
            continue;
        }
        for number in numbers {
            let (unit, _) = Unit::compile(sources, &with_before(sources, &[*number]), limits);
            let per_mib = worst(&unit, &samples, SLOW);
            if let Some(source) = sources.get(*number).filter(|_| per_mib >= SLOW) {
                let rule = SlowRule {
                    about: (*source.about).clone(),
                    file: source.file.clone(),
                    line: source.line,
                    per_mib,
                };
                slow.push((*number, rule));
            }
        }
    }
    slow.sort_by_key(|(_, rule)| std::cmp::Reverse(rule.per_mib));
    slow
}

/// Takes the slowest rules out of their packs, and adds a pack for each.
pub(super) fn part(
    sources: &[Source],
    (units, packs): (&mut Vec<Unit>, &mut Vec<Vec<usize>>),
    slow: &[(usize, SlowRule)],
    limits: &YaraLimits,
) {
    let alone: Vec<usize> = slow.iter().take(ALONE).map(|(number, _)| *number).collect();
    for (unit, pack) in units.iter_mut().zip(packs.iter_mut()) {
        let before = pack.len();
        pack.retain(|number| !alone.contains(number));
        if pack.len() < before {
            // What does not compile was told the first time.
            (*unit, _) = Unit::compile(sources, &with_before(sources, pack), limits);
        }
    }
    for number in alone {
        units.push(Unit::compile(sources, &with_before(sources, &[number]), limits).0);
        packs.push(vec![number]);
    }
}

/// Which of the rules takes the longest on both ends of `body`, if one takes long. Ends after [`BLAME_TIME`].
pub(super) fn blame(
    sources: &[Source],
    numbers: impl Iterator<Item = usize>,
    body: &[u8],
    limits: &YaraLimits,
) -> Option<Arc<str>> {
    let begun = Instant::now();
    let (head, _) = body.split_at(SAMPLE_BYTES.min(body.len()));
    let (_, tail) = body.split_at(body.len().saturating_sub(SAMPLE_BYTES));
    let samples = [head, tail];
    let mut slowest: Option<(Duration, usize)> = None;
    for number in numbers {
        if begun.elapsed() > BLAME_TIME {
            break;
        }
        let (unit, _) = Unit::compile(sources, &with_before(sources, &[number]), limits);
        let time = worst(&unit, &samples, SLOW);
        if time >= SLOW && slowest.is_none_or(|(most, _)| time > most) {
            slowest = Some((time, number));
        }
    }
    let (_, number) = slowest?;
    let source = sources.get(number)?;
    Some(Arc::clone(&source.about.id))
}

/// What slow rules have taken, and who was blamed for groups that used up their time.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Nanoseconds of each rule that stands alone.
    nanos: Box<[AtomicU64]>,
    /// Groups that were due when time was over, and the rule found guilty: each such set is looked into once.
    blamed: Mutex<Vec<Blamed>>,
}

/// Groups, and the rule of theirs that took the time.
type Blamed = (Box<[usize]>, Option<Arc<str>>);

impl Ledger {
    /// For so many groups, of which so many are of ordinary rules.
    pub(super) fn new(groups: usize, ordinary: usize) -> Self {
        let alone = groups.saturating_sub(ordinary);
        Self {
            nanos: (0..alone).map(|_| AtomicU64::new(0)).collect(),
            blamed: Mutex::default(),
        }
    }

    /// Adds what the rule that stands alone under that number has taken.
    pub(super) fn add(&self, alone: usize, time: Duration) {
        if let Some(nanos) = self.nanos.get(alone) {
            let more = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            nanos.fetch_add(more, Ordering::Relaxed);
        }
    }

    /// What each rule that stands alone has taken.
    pub(super) fn spent(&self) -> impl Iterator<Item = Duration> {
        let nanos = self.nanos.iter();
        nanos.map(|nanos| Duration::from_nanos(nanos.load(Ordering::Relaxed)))
    }

    /// The rule that `look` blames for these groups; the answer is kept, since looking takes time and hostile bodies come
    /// again and again.
    pub(super) fn blame(
        &self,
        groups: &[usize],
        look: impl FnOnce() -> Option<Arc<str>>,
    ) -> Option<Arc<str>> {
        {
            let blamed = self.blamed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, rule)) = blamed.iter().find(|(known, _)| **known == *groups) {
                return rule.clone();
            }
            if blamed.len() >= BLAMED {
                return None;
            }
        }
        let rule = look();
        let mut blamed = self.blamed.lock().unwrap_or_else(PoisonError::into_inner);
        blamed.push((groups.into(), rule.clone()));
        rule
    }
}

/// Time for a MiB of the kind of bytes that takes the longest. What looks like `suspect` and more is tried again: the
/// machine may have done something else meanwhile.
fn worst(unit: &Unit, samples: &[impl AsRef<[u8]>], suspect: Duration) -> Duration {
    let times = samples.iter().map(|sample| {
        let sample = sample.as_ref();
        let per_mib = || {
            let begun = Instant::now();
            let mut outcome = Outcome::default();
            unit.scan(sample, &Externals::default(), TRIAL_TIME, &mut outcome);
            let share = (1 << 20) as f64 / sample.len().max(MIN_BYTES) as f64;
            begun.elapsed().mul_f64(share)
        };
        let mut time = per_mib();
        for _ in 0..RETRIES {
            if time >= suspect {
                time = time.min(per_mib());
            }
        }
        time
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

/// Below this a scan's fixed cost would look like the cost of bytes.
const MIN_BYTES: usize = 4 * 1024;

/// A sample takes no longer, whatever the rule.
const TRIAL_TIME: Duration = Duration::from_millis(100);

/// How often what seems slow is tried again.
const RETRIES: usize = 2;

/// A pack of ordinary rules takes a few milliseconds a MiB; all of them together have 50.
const SUSPECT: Duration = Duration::from_millis(25);

/// One rule that takes a fifth of what a message has.
const SLOW: Duration = Duration::from_millis(10);

/// Slow rules that stand alone; a set with more of them has other worries.
const ALONE: usize = 64;

/// For finding out which rule used up a scan's time: less than that time.
const BLAME_TIME: Duration = Duration::from_millis(500);

/// Sets of groups that are looked into.
const BLAMED: usize = 64;
