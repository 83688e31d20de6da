//! The bounded pool for heavy work: whole-part engines and archives, milliseconds to seconds each.
//!
//! A fixed number of jobs runs, a fixed number waits; what comes on top is refused at once, so that a flood of heavy
//! bodies costs verdicts (judged as overload) and never the reactor.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;

use rustix::process::nice;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Runs heavy work beside the reactor.
#[derive(Clone, Debug)]
pub struct Pool {
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// What work needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// A worker of the pool.
    Processor,
    /// A thread that may wait for a disk; never refused, since the bytes are in memory until then.
    Disk,
}

/// The work was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Every worker is busy and the queue is full.
    #[error("the worker pool is full")]
    Full,
    /// The work panicked.
    #[error("the work panicked")]
    Panicked,
}

impl Pool {
    /// A pool of `workers` that run and `queue` jobs that may wait for them.
    pub fn new(workers: usize, queue: usize) -> Self {
        let workers = workers.max(1);
        let admitted = workers.saturating_add(queue).min(Semaphore::MAX_PERMITS);
        Self {
            admitted: Arc::new(Semaphore::new(admitted)),
            running: Arc::new(Semaphore::new(workers)),
        }
    }

    /// Runs `work`. The worker is given back when the work ends, not when this future is dropped.
    ///
    /// # Errors
    /// [`PoolError::Full`] at once, [`PoolError::Panicked`] when the work panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        share: Share,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let place = match share {
            Share::Processor => Some(self.place().await?),
            Share::Disk => None,
        };
        tokio::task::spawn_blocking(move || {
            step_back();
            let done = panic::catch_unwind(AssertUnwindSafe(work));
            drop(place);
            done
        })
        .await
        .map_err(|_| PoolError::Panicked)?
        .map_err(|_| PoolError::Panicked)
    }

    /// A place in the queue and then a worker, both held until dropped.
    async fn place(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), PoolError> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| PoolError::Full)?;
        let running = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .map_err(|_| PoolError::Full)?;
        Ok((admitted, running))
    }
}

/// Lets the reactor go before this thread, from now on: what waits there is smaller.
pub(super) fn step_back() {
    thread_local!(static STEPPED: Cell<bool> = const { Cell::new(false) });
    if !STEPPED.replace(true) {
        // On Linux this is the priority of the calling thread.
        let _ = nice(STEPS);
    }
}

/// How much lower the priority ("nice") of threads for heavy work is. Of a processor that the reactor could fill alone they
/// have a quarter.
const STEPS: i32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_full_pool_refuses_and_a_free_one_takes_again() {
        let pool = Pool::new(1, 0);
        let (go, wait) = mpsc::channel::<()>();
        let (started, begun) = tokio::sync::oneshot::channel();
        let first = tokio::spawn({
            let pool = pool.clone();
            async move {
                pool.run(Share::Processor, move || {
                    let _ = started.send(());
                    let _ = wait.recv();
                    7
                })
                .await
            }
        });
        begun.await.expect("it runs");
        assert_eq!(pool.run(Share::Processor, || 8).await, Err(PoolError::Full));
        drop(go);
        assert_eq!(first.await.expect("no panic"), Ok(7));
        assert_eq!(pool.run(Share::Processor, || 9).await, Ok(9));
    }

    #[tokio::test]
    async fn heavy_work_has_a_lower_priority_than_who_asks_for_it_however_often() {
        let priority = || rustix::process::getpriority_process(None).expect("ours is known");
        let pool = Pool::new(1, 0);
        for share in [Share::Processor, Share::Disk, Share::Processor] {
            let there = pool.run(share, priority).await.expect("it runs");
            assert_eq!(there, (priority() + STEPS).min(19));
        }
    }

    #[tokio::test]
    async fn work_that_panics_costs_itself_only() {
        let pool = Pool::new(1, 0);
        assert_eq!(
            pool.run(Share::Processor, || panic!("as the test wants"))
                .await,
            Err::<(), _>(PoolError::Panicked)
        );
        assert_eq!(pool.run(Share::Processor, || 1).await, Ok(1));
    }
}
