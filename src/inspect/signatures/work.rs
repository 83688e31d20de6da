//! YARA's work over a part, or over a block of it: done by whoever has the time, in the order in which it came.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::anomaly::Anomaly;
use crate::budget::{Exhausted, Reservation};
use crate::inspect::yara::{Due, Externals, YaraMatches};
use crate::inspect::{Findings, PartId};
use crate::span::Span;

use super::Signatures;
use super::spooled::Shared;

/// YARA's run over one part or block, or what it needs of the disk; send it to a pool unless it
/// [is light](Self::is_light). The works of a part are to be run in order.
#[derive(Debug)]
pub struct YaraWork {
    pub(super) rules: Arc<Signatures>,
    pub(super) part: PartId,
    pub(super) task: Task,
    /// Rules that earlier blocks of the part have reported; `None`: there are none.
    pub(super) reported: Option<Reported>,
    /// The bytes' share of the budget, given back with them.
    pub(super) reserved: Reservation,
}

/// Rules that blocks of one part have reported: each counts once a part.
pub(super) type Reported = Arc<Mutex<Vec<u32>>>;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Task {
    /// Scan a whole part.
    Whole { body: Vec<u8>, due: Due },
    /// Scan a block.
    Block { body: Vec<u8>, due: Due, span: Span },
    /// Scan the blocks of a file that are due.
    Blocks {
        file: Arc<Shared>,
        due: Vec<(Span, Due)>,
    },
    /// Write the bytes from `skip` on.
    Write(Pending),
    /// Write the rest, and scan the whole file; if there is no memory for that, its blocks that are due.
    File {
        rest: Pending,
        due: Due,
        length: u64,
        blocks: Vec<(Span, Due)>,
    },
}

/// Bytes on their way to the file.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) file: Arc<Shared>,
    pub(super) bytes: Vec<u8>,
    /// So many of them are in the file already.
    pub(super) skip: usize,
    pub(super) at: u64,
}

/// Work below this many bytes takes well under a millisecond: not worth a thread's wake-up.
const LIGHT_BYTES: usize = 16 * 1024;

impl YaraWork {
    /// True when running it here costs less than sending it away.
    pub fn is_light(&self) -> bool {
        match &self.task {
            Task::Whole { body, .. } => body.len() <= LIGHT_BYTES,
            Task::Block { .. } | Task::Blocks { .. } | Task::Write(_) | Task::File { .. } => false,
        }
    }

    /// True when it should be run before more of the part is taken, since its bytes wait in memory.
    pub fn is_pressing(&self) -> bool {
        match &self.task {
            Task::Block { .. } | Task::Write(_) => true,
            Task::Whole { .. } | Task::Blocks { .. } | Task::File { .. } => false,
        }
    }

    /// True when it only waits for a disk, and needs no processor to speak of.
    pub fn is_file_work(&self) -> bool {
        matches!(self.task, Task::Write(_))
    }

    /// Which part it is about.
    pub fn part(&self) -> PartId {
        self.part
    }

    /// Does the work and records what it finds.
    pub fn run(mut self, externals: &Externals, out: &mut Findings) {
        match &self.task {
            Task::Whole { body, due } => {
                let span = Span::new(0, body.len() as u64);
                self.scan((body, span), due, externals, out);
            }
            Task::Block { body, due, span } => {
                self.scan((body, *span), due, externals, out);
            }
            Task::Blocks { file, due } => self.scan_blocks(file, due, externals, out),
            Task::Write(pending) => pending.write(),
            Task::File {
                rest,
                due,
                length,
                blocks,
            } => {
                rest.write();
                match patiently(&mut self.reserved, *length) {
                    Ok(()) => {
                        let whole = [(Span::new(0, *length), due.clone())];
                        self.scan_blocks(&rest.file, &whole, externals, out);
                    }
                    Err(Exhausted) => {
                        out.anomaly(Anomaly::Windowed, self.part, 0);
                        out.anomaly(Anomaly::MemoryBudget, self.part, 0);
                        self.reported.get_or_insert_default();
                        self.scan_blocks(&rest.file, blocks, externals, out);
                    }
                }
            }
        }
    }

    /// Scans stretches of the file, each read into memory by itself.
    fn scan_blocks(
        &self,
        file: &Shared,
        blocks: &[(Span, Due)],
        externals: &Externals,
        out: &mut Findings,
    ) {
        for (span, due) in blocks {
            match file.read(span.start, span.end) {
                Ok(body) => self.scan((&body, *span), due, externals, out),
                Err(_) => out.anomaly(Anomaly::SpoolFailure, self.part, span.start),
            }
        }
    }

    fn scan(
        &self,
        (body, span): (&[u8], Span),
        due: &Due,
        externals: &Externals,
        out: &mut Findings,
    ) {
        let yara = self.rules.yara();
        let mut matches: YaraMatches = yara.scan(body, due, externals);
        if let Some(mut reported) = self.reported.as_ref().and_then(|list| list.lock().ok()) {
            matches.keep_new(&mut reported);
        }
        yara.report(&matches, self.part, span, out);
    }
}

/// Takes `bytes` from the budget, and waits a little where other scans hold it: they end soon, and a body that is scanned
/// whole when the server is idle should be so when it is not.
fn patiently(reserved: &mut Reservation, bytes: u64) -> Result<(), Exhausted> {
    for _ in 0..ATTEMPTS {
        if reserved.grow(bytes).is_ok() {
            return Ok(());
        }
        thread::sleep(PAUSE);
    }
    reserved.grow(bytes)
}

/// How often memory for a whole body is asked for, and how long in between: two seconds in all.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

impl Pending {
    fn write(&self) {
        let fresh = self.bytes.get(self.skip..).unwrap_or_default();
        self.file.write(fresh, self.at);
    }
}
