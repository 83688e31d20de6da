//! One process-wide budget that all large buffers draw on.
//!
//! A [`Budget`] is a shared counter with a ceiling; a [`Reservation`] is a share of it that is given back when dropped.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A ceiling on bytes, shared by everything that buffers.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    used: AtomicU64,
    limit: u64,
    disk: Option<Disk>,
    /// Of what this is a share.
    whole: Option<Budget>,
}

/// Where bytes go that are too many for memory, and how many may be there at once.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The folder of the files.
    pub directory: PathBuf,
    /// Bytes in all files together.
    pub bytes: Budget,
}

impl Budget {
    /// A budget of `limit_bytes`.
    pub fn new(limit_bytes: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                used: AtomicU64::new(0),
                limit: limit_bytes,
                disk: None,
                whole: None,
            }),
        }
    }

    /// A budget of `limit_bytes` of memory, and a disk beside it.
    pub fn with_disk(limit_bytes: u64, disk: Disk) -> Self {
        Self {
            shared: Arc::new(Shared {
                used: AtomicU64::new(0),
                limit: limit_bytes,
                disk: Some(disk),
                whole: None,
            }),
        }
    }

    /// A budget of its own that draws on this one and may never hold more than this one has left: half of all when it is
    /// the only one, a third each when there are two, so that there is always room for another.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            shared: Arc::new(Shared {
                used: AtomicU64::new(0),
                limit: self.shared.limit,
                disk: self.shared.disk.clone(),
                whole: Some(self.clone()),
            }),
        }
    }

    /// True when nothing more fits; a share is full when it holds as much as is left.
    pub fn is_full(&self) -> bool {
        match &self.shared.whole {
            None => self.used() >= self.shared.limit,
            Some(whole) => self.used() >= whole.shared.limit.saturating_sub(whole.used()),
        }
    }

    /// Bytes reserved at this moment.
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// The ceiling, in bytes.
    pub fn limit(&self) -> u64 {
        self.shared.limit
    }

    /// An empty reservation that can grow.
    pub fn reservation(&self) -> Reservation {
        Reservation {
            budget: self.clone(),
            bytes: 0,
        }
    }
}

/// A share of a [`Budget`], given back when it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
}

/// The budget has no room for the bytes asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the memory budget is exhausted")]
pub struct Exhausted;

impl Reservation {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The disk that goes with the budget.
    pub fn disk(&self) -> Option<&Disk> {
        self.budget.shared.disk.as_ref()
    }

    /// An empty reservation of the same budget.
    pub fn sibling(&self) -> Self {
        self.budget.reservation()
    }

    /// Takes `more` bytes from the budget.
    ///
    /// # Errors
    /// [`Exhausted`] when the ceiling would be passed; nothing is taken then.
    pub fn grow(&mut self, more: u64) -> Result<(), Exhausted> {
        let shared = &self.budget.shared;
        match &shared.whole {
            None => shared.take(more)?,
            Some(whole) => {
                let whole = &whole.shared;
                let left = whole
                    .limit
                    .saturating_sub(whole.used.load(Ordering::Relaxed));
                let mine = shared.used.load(Ordering::Relaxed);
                // Two threads may both find room: the share is then passed by a window, the whole never.
                if mine.saturating_add(more) > left {
                    return Err(Exhausted);
                }
                whole.take(more)?;
                shared.used.fetch_add(more, Ordering::Relaxed);
            }
        }
        self.bytes += more;
        Ok(())
    }

    /// Gives `less` bytes back (all of them, when it holds fewer).
    pub fn shrink(&mut self, less: u64) {
        let less = less.min(self.bytes);
        self.budget.shared.used.fetch_sub(less, Ordering::Relaxed);
        if let Some(whole) = &self.budget.shared.whole {
            whole.shared.used.fetch_sub(less, Ordering::Relaxed);
        }
        self.bytes -= less;
    }
}

impl Shared {
    fn take(&self, more: u64) -> Result<(), Exhausted> {
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(more).filter(|sum| *sum <= self.limit)
            })
            .map(|_| ())
            .map_err(|_| Exhausted)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reservation_gives_back_what_it_took() {
        let budget = Budget::new(10);
        let mut one = budget.reservation();
        one.grow(8).expect("8 of 10 fit");
        assert_eq!(budget.reservation().grow(3), Err(Exhausted));
        one.shrink(3);
        assert_eq!(budget.used(), 5);
        drop(one);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_share_leaves_room_for_the_next_one() {
        let whole = Budget::new(100);
        let (one, two) = (whole.share(), whole.share());
        let mut greedy = one.reservation();
        while greedy.grow(1).is_ok() {}
        assert_eq!((greedy.bytes(), whole.used()), (50, 50));
        assert!(one.is_full() && !two.is_full() && !whole.is_full());
        let mut modest = two.reservation();
        while modest.grow(1).is_ok() {}
        assert_eq!((modest.bytes(), whole.used()), (25, 75));
        drop((greedy, modest));
        assert_eq!((one.used(), two.used(), whole.used()), (0, 0, 0));
    }
}
