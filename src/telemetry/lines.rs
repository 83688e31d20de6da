//! Lines to a file descriptor without ever making a transaction wait for it.
//!
//! Producers append to one shared buffer; a thread of its own swaps it out and writes it in one piece. A reader that is
//! slow or gone (a full pipe) costs lines, which are counted, and never time.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::log_file::LogFile;

/// Where the lines of a stream go, how many and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlet {
    /// Where to.
    pub to: Target,
    /// Lines a second, 0: as many as there are; above it they are counted and forgotten.
    pub lines_per_second: u32,
    /// The longest line.
    pub line_bytes: usize,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The standard output.
    Stdout,
    /// The standard error output.
    Stderr,
    /// A file that is appended to, whichever has that path at the moment.
    File(PathBuf),
}

impl Outlet {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When the file cannot be opened or the thread not be started.
    pub fn open(&self) -> io::Result<(Lines, LinesGuard)> {
        match &self.to {
            Target::Stdout => self.over(io::stdout()),
            Target::Stderr => self.over(io::stderr()),
            Target::File(path) => self.over(LogFile::open(path)?),
        }
    }

    fn over(&self, sink: impl Write + Send + 'static) -> io::Result<(Lines, LinesGuard)> {
        let (mut lines, guard) = Lines::to(sink)?;
        lines.line_bytes = self.line_bytes;
        lines.shared.lock().rate.most = self.lines_per_second;
        Ok((lines, guard))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Stdout => f.write_str("stdout"),
            Target::Stderr => f.write_str("stderr"),
            Target::File(path) => path.display().fmt(f),
        }
    }
}

/// The producers' end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lines {
    shared: Arc<Shared>,
    line_bytes: usize,
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
    rate: Rate,
}

/// Lines of the second that runs.
#[derive(Debug, Default)]
struct Rate {
    most: u32,
    lines: u32,
    since: Option<Instant>,
}

impl Rate {
    /// Counts a line; false: it is one too many.
    fn admits(&mut self) -> bool {
        if self.most == 0 {
            return true;
        }
        let now = Instant::now();
        if self
            .since
            .is_none_or(|since| now.duration_since(since) >= SECOND)
        {
            (self.since, self.lines) = (Some(now), 0);
        }
        self.lines = self.lines.saturating_add(1);
        self.lines <= self.most
    }
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
        let lines = Lines {
            shared,
            line_bytes: LINE_BYTES,
        };
        Ok((lines, guard))
    }

    /// Appends `line`, which ends with its line end, or counts it as dropped when the buffer is full or the rate reached.
    /// One that is too long, which no renderer of ours makes, is cut.
    pub fn append(&self, line: &[u8]) {
        let mut queue = self.shared.lock();
        let full = queue.bytes.len() >= QUEUE_BYTES || queue.state == State::Closed;
        if full || !queue.rate.admits() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let was_empty = queue.bytes.is_empty();
        match line.get(..self.line_bytes) {
            Some(most) if line.len() > self.line_bytes => {
                queue.bytes.extend_from_slice(most);
                queue.bytes.push(b'\n');
            }
            _ => queue.bytes.extend_from_slice(line),
        }
        drop(queue);
        if was_empty {
            self.shared.filled.notify_one();
        }
    }

    /// The longest line.
    pub fn line_bytes(&self) -> usize {
        self.line_bytes
    }

    /// Lines that were not written, ever.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

/// One event's text, appended as a whole: what `tracing-subscriber` writes through.
impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.append(bytes);
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

/// A line, where nothing else is said.
const LINE_BYTES: usize = 16 << 10;

const SECOND: Duration = Duration::from_secs(1);

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
            lines.append(format!("{n}\n").as_bytes());
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
        let line = vec![b'x'; LINE_BYTES];
        for _ in 0..12 * (1 << 20) / LINE_BYTES {
            lines.append(&line);
        }
        assert!(lines.dropped() > 0);
        drop(release);
        drop(guard);
    }

    #[test]
    fn lines_above_the_rate_are_counted_and_long_ones_cut() {
        let sink = Sink::default();
        let outlet = Outlet {
            to: Target::Stdout,
            lines_per_second: 3,
            line_bytes: 10,
        };
        let (lines, guard) = outlet.over(sink.clone()).expect("a thread");
        for _ in 0..20 {
            lines.append(b"0123456789abcdef\n");
        }
        drop(guard);
        let text = String::from_utf8(sink.0.lock().expect("no panic").clone()).expect("ASCII");
        // The second may end in between.
        let kept = text.lines().count();
        assert!((3..=6).contains(&kept), "{kept}");
        assert!(text.lines().all(|line| line == "0123456789"), "{text}");
        assert_eq!(lines.dropped(), 20 - u64::try_from(kept).expect("few"));
    }
}
