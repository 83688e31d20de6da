//! Lines to a file descriptor without ever making a transaction wait for it.
//!
//! Producers append to one shared buffer; a thread of its own swaps it out and writes it in one piece. A reader that is
//! slow or gone (a full pipe) costs lines, which are counted, and never time.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The producers' end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines {
    shared: Arc<Shared>,
}

/// Owns the writing thread; dropping it writes what is left.
#[derive(Debug)]
pub struct LinesGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    bytes: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Closing,
    Closed,
}

impl Lines {
    /// Starts the thread that writes to `sink`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn to(sink: impl Write + Send + 'static) -> io::Result<(Lines, LinesGuard)> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("sluice-lines".into())
            .spawn(move || theirs.write_to(sink))?;
        let guard = LinesGuard {
            shared: Arc::clone(&shared),
            thread: Some(thread),
        };
        Ok((Lines { shared }, guard))
    }

    /// Appends what `write` puts down as one line, or counts it as dropped when the buffer is full.
    pub fn append(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut queue = self.shared.lock();
        if queue.bytes.len() >= QUEUE_BYTES || queue.state == State::Closed {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = queue.bytes.is_empty();
        write(&mut queue.bytes);
        drop(queue);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }

    /// Lines that were not written, ever.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

/// One event's text, appended as a whole: what `tracing-subscriber` writes through.
impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(|buffer| buffer.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LinesGuard {
    fn drop(&mut self) {
        self.shared.lock().state = State::Closing;
        self.shared.filled.notify_one();
        // A sink that blocks for ever (a full pipe that nobody reads) must not keep the process alive.
        let closed = self.shared.wait_closed(FLUSH_TIME);
        if let (true, Some(thread)) = (closed, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut batch = Vec::new();
        loop {
            let mut queue = self.lock();
            while queue.bytes.is_empty() && queue.state == State::Open {
                queue = self
                    .filled
                    .wait(queue)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            let state = queue.state;
            drop(queue);
            if state == State::Open {
                thread::sleep(GATHER_TIME);
            }
            std::mem::swap(&mut self.lock().bytes, &mut batch);
            if sink.write_all(&batch).and_then(|()| sink.flush()).is_err() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            batch.clear();
            batch.shrink_to(QUEUE_BYTES / 16);
            let mut queue = self.lock();
            if queue.state != State::Open && queue.bytes.is_empty() {
                queue.state = State::Closed;
                self.filled.notify_all();
                return;
            }
        }
    }

    fn wait_closed(&self, time: Duration) -> bool {
        let (queue, _) = self
            .filled
            .wait_timeout_while(self.lock(), time, |queue| queue.state != State::Closed)
            .unwrap_or_else(PoisonError::into_inner);
        queue.state == State::Closed
    }
}

/// Bytes that may wait: some 5,000 records, a tenth of a second at full speed.
const QUEUE_BYTES: usize = 4 << 20;

/// How long the thread lets lines gather after the first one, so that a busy server pays one wake-up and one write for
/// hundreds of records.
const GATHER_TIME: Duration = Duration::from_millis(20);

/// How long the end of the process waits for the last lines.
const FLUSH_TIME: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_is_written_before_the_guard_is_gone() {
        let sink = Sink::default();
        let (lines, guard) = Lines::to(sink.clone()).expect("a thread");
        for n in 0..1000 {
            lines.append(|buffer| writeln!(buffer, "{n}").expect("a vector takes all"));
        }
        drop(guard);
        let written = sink.0.lock().expect("no panic").clone();
        let text = String::from_utf8(written).expect("digits");
        assert_eq!(text.lines().count(), 1000);
        assert_eq!(text.lines().last(), Some("999"));
        assert_eq!(lines.dropped(), 0);
    }

    #[test]
    fn a_sink_that_stands_still_costs_lines_not_time() {
        struct Stuck(std::sync::mpsc::Receiver<()>);
        impl Write for Stuck {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                let _ = self.0.recv();
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (release, stuck) = std::sync::mpsc::channel();
        let (lines, guard) = Lines::to(Stuck(stuck)).expect("a thread");
        let line = vec![b'x'; 1 << 20];
        for _ in 0..12 {
            lines.append(|buffer| buffer.extend_from_slice(&line));
        }
        assert!(lines.dropped() > 0);
        drop(release);
        drop(guard);
    }
}
