//! YARA's work over a part, or over a block of it: done by whoever has the time, in the order in which it came.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::anomaly::Anomaly;
use crate::budget::Reservation;
use crate::inspect::yara::{Due, Externals, Subject, YaraMatches};
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
    #[expect(dead_code, reason = "held for its drop")]
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
    /// Write the rest, and scan the whole file.
    File {
        rest: Pending,
        due: Due,
        length: u64,
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
    pub fn run(self, externals: &Externals, out: &mut Findings) {
        match &self.task {
            Task::Whole { body, due } => {
                let span = Span::new(0, body.len() as u64);
                self.scan(Subject::Bytes(body), due, span, externals, out);
            }
            Task::Block { body, due, span } => {
                self.scan(Subject::Bytes(body), due, *span, externals, out);
            }
            Task::Blocks { file, due } => {
                for (span, due) in due {
                    match file.read(span.start, span.end) {
                        Ok(body) => {
                            self.scan(Subject::Bytes(&body), due, *span, externals, out);
                        }
                        Err(_) => out.anomaly(Anomaly::SpoolFailure, self.part, span.start),
                    }
                }
            }
            Task::Write(pending) => pending.write(),
            Task::File { rest, due, length } => {
                rest.write();
                match rest.file.whole() {
                    Ok(file) => {
                        use std::os::fd::AsRawFd;
                        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
                        let subject = Subject::File(Path::new(&path), *length);
                        self.scan(subject, due, Span::new(0, *length), externals, out);
                    }
                    Err(_) => out.anomaly(Anomaly::SpoolFailure, self.part, 0),
                }
            }
        }
    }

    fn scan(
        &self,
        subject: Subject<'_>,
        due: &Due,
        span: Span,
        externals: &Externals,
        out: &mut Findings,
    ) {
        let yara = self.rules.yara();
        let mut matches: YaraMatches = yara.scan(subject, due, externals);
        if let Some(mut reported) = self.reported.as_ref().and_then(|list| list.lock().ok()) {
            matches.keep_new(&mut reported);
        }
        yara.report(&matches, self.part, span, out);
    }
}

impl Pending {
    fn write(&self) {
        let fresh = self.bytes.get(self.skip..).unwrap_or_default();
        self.file.write(fresh, self.at);
    }
}
