//! The levels of many keys, in bounded memory.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::quotas::Rates;

use super::gcra::{Exceeded, Levels};

/// Levels by key. Keys are kept as keyed hashes: their length costs nothing, and no one can choose them to collide.
#[derive(Debug)]
pub(super) struct Ledger {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    shard_keys: usize,
}

#[derive(Debug, Default)]
struct Shard {
    levels: HashMap<u64, Levels>,
    /// What all keys share for which there was no room: together they have one key's rate.
    crowd: Levels,
}

impl Ledger {
    /// Room for so many keys.
    pub(super) fn new(keys: usize) -> Self {
        Self {
            shards: Default::default(),
            hasher: RandomState::new(),
            shard_keys: keys.div_ceil(SHARDS).max(1),
        }
    }

    /// Charges one request of `key`, unless a rate is used up.
    pub(super) fn admit(&self, key: &str, rates: &Rates, now: Duration) -> Result<(), Exceeded> {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        self.level(&mut shard, hash, now).admit(rates, now)
    }

    /// Charges a body of `key`.
    pub(super) fn charge(&self, key: &str, rates: &Rates, (bytes, now): (u64, Duration)) {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash);
        self.level(&mut shard, hash, now).charge(rates, bytes, now);
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        let at = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn level<'a>(&self, shard: &'a mut Shard, hash: u64, now: Duration) -> &'a mut Levels {
        let known = shard.levels.contains_key(&hash);
        if !known && shard.levels.len() >= self.shard_keys {
            shard.levels.retain(|_, levels| !levels.is_idle(now));
            if shard.levels.len() >= self.shard_keys {
                return &mut shard.crowd;
            }
        }
        shard.levels.entry(hash).or_default()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let len = |shard: &Mutex<Shard>| shard.lock().expect("no panic").levels.len();
        self.shards.iter().map(len).sum()
    }
}

/// Locks; each is held for a hash-table look-up.
const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_do_not_disturb_each_other_and_a_flood_of_keys_is_bounded() {
        let rates = Rates {
            requests_per_second: 1,
            ..Rates::default()
        };
        let ledger = Ledger::new(160);
        let now = Duration::from_secs(7);
        assert_eq!(ledger.admit("a", &rates, now), Ok(()));
        assert_eq!(ledger.admit("a", &rates, now), Err(Exceeded::Requests));
        assert_eq!(ledger.admit("b", &rates, now), Ok(()));
        let admitted = (0..10_000)
            .filter(|key| ledger.admit(&format!("k{key}"), &rates, now).is_ok())
            .count();
        assert!(admitted <= 160 + SHARDS, "{admitted}");
        assert!(ledger.len() <= 160);
        // Room comes back when the rates are paid off.
        let later = now + Duration::from_secs(2);
        assert_eq!(ledger.admit("new", &rates, later), Ok(()));
        assert_eq!(ledger.admit("a", &rates, later), Ok(()));
    }
}
