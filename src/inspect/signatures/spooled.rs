//! The file of a part that waits for its end outside of memory: without a name, written in order, read once at the end.
//!
//! Not mapped: a map is sound only while nobody touches the file, which no safe program can prove. Reading costs a copy, one
//! part in fifty of a scan's time, and memory while the scan runs, which is drawn from the budget before.
//!
//! Writing and scanning are [work](super::YaraWork), for threads that may wait for a disk; here is only what they share.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, OnceLock};

use crate::budget::{Disk, Exhausted, Reservation};
use crate::paced;

/// A part's file, as the scan of the part knows it.
#[derive(Debug)]
pub(super) struct SpoolFile {
    shared: Arc<Shared>,
    /// Bytes that were handed out to be written.
    pub(super) handed: u64,
}

/// What the works of a part share.
#[derive(Debug)]
pub(super) struct Shared {
    disk: Disk,
    reserved: Mutex<Reservation>,
    /// `Err` once the file could not be made or written.
    file: OnceLock<Result<File, io::ErrorKind>>,
    failed: OnceLock<io::ErrorKind>,
}

impl SpoolFile {
    /// A file on the disk that goes with the budget of `memory`, if one does. Nothing is done yet.
    pub(super) fn new(memory: &Reservation) -> Option<Self> {
        let disk = memory.disk()?.clone();
        let reserved = Mutex::new(disk.bytes.reservation());
        Some(Self {
            shared: Arc::new(Shared {
                disk,
                reserved,
                file: OnceLock::new(),
                failed: OnceLock::new(),
            }),
            handed: 0,
        })
    }

    /// Makes sure that the disk's budget knows of `total` bytes.
    pub(super) fn reserve(&mut self, total: u64) -> Result<(), Exhausted> {
        let Ok(mut reserved) = self.shared.reserved.lock() else {
            return Err(Exhausted);
        };
        let missing = total.saturating_sub(reserved.bytes());
        match missing {
            0 => Ok(()),
            more => reserved.grow(more.next_multiple_of(1 << 20)),
        }
    }

    pub(super) fn share(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Drop for Shared {
    /// Closing a long file frees its pages, which takes milliseconds, and whoever lets go of it last may have others
    /// waiting.
    fn drop(&mut self) {
        let Some(Ok(file)) = self.file.take() else {
            return;
        };
        let reserved = self.reserved.get_mut().ok().map(|reserved| {
            let fresh = reserved.sibling();
            std::mem::replace(reserved, fresh)
        });
        paced::close(Box::new(file), reserved);
    }
}

impl Shared {
    /// Writes `bytes` at `offset`. A failure is remembered, and tells at the scan.
    pub(super) fn write(&self, bytes: &[u8], offset: u64) {
        let written = match self.file() {
            Ok(file) => paced::write_all_at(file, bytes, offset).map_err(|error| error.kind()),
            Err(kind) => Err(kind),
        };
        if let Err(kind) = written {
            let _ = self.failed.set(kind);
        }
    }

    /// The bytes between two offsets.
    pub(super) fn read(&self, from: u64, to: u64) -> Result<Vec<u8>, io::ErrorKind> {
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(0);
        let mut bytes = vec![0; length];
        paced::read_exact_at(self.written()?, &mut bytes, from).map_err(|error| error.kind())?;
        Ok(bytes)
    }

    /// The file, when all of it was written.
    fn written(&self) -> Result<&File, io::ErrorKind> {
        match self.failed.get() {
            Some(kind) => Err(*kind),
            None => self.file(),
        }
    }

    fn file(&self) -> Result<&File, io::ErrorKind> {
        let made = self.file.get_or_init(|| {
            tempfile::tempfile_in(&self.disk.directory).map_err(|error| error.kind())
        });
        made.as_ref().map_err(|kind| *kind)
    }
}
