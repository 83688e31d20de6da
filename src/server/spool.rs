//! A first-in, first-out store for body bytes: memory up to a limit, then an unlinked temporary file, under quotas.
//!
//! ```text
//! push ─► [ tail: memory ] ──full──► [ file: read offset .. write offset ] ──► [ front ] ─► pop
//! ```
//!
//! File work is done on the blocking pool, never on a reactor thread. The file has no name (`O_TMPFILE`, mode 0600), so
//! nothing is left behind by a crash. Everything held counts against shared quotas, and is given back on drop.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::pool::step_back;
use crate::budget::{Budget, Reservation};
use crate::paced;
use crate::wire::Pieces;

/// Where spools put their bytes, and how many.
#[derive(Clone, Debug)]
pub struct SpoolLimits {
    /// Bytes of one body kept in memory before a file is begun.
    pub memory_bytes: u64,
    /// Bytes of one body.
    pub body_bytes: u64,
    /// The folder of the files.
    pub directory: PathBuf,
    /// Bytes in all files together.
    pub disk: Budget,
    /// Bytes in the memory of all connections together.
    pub memory: Budget,
}

/// The bytes of one body.
#[derive(Debug)]
pub struct Spool {
    limits: Arc<SpoolLimits>,
    front: Pieces,
    front_bytes: u64,
    file: Option<Overflow>,
    tail: BytesMut,
    total: u64,
    memory: Reservation,
    disk: Reservation,
}

#[derive(Debug)]
struct Overflow {
    file: Arc<File>,
    read: u64,
    written: u64,
}

/// The spool cannot take or give the bytes.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The body is over its quota.
    #[error("the body is over the spool's quota of {0} bytes")]
    BodyQuota(u64),
    /// All spools together are over their quota.
    #[error("the spool is full")]
    TotalQuota,
    /// The disk is full or broken.
    #[error("the spool file failed")]
    File(#[from] io::Error),
    /// The thread that does the file work was lost.
    #[error("the spool's thread was lost")]
    Lost,
}

impl Spool {
    /// An empty one; holds nothing until bytes come.
    pub fn new(limits: &Arc<SpoolLimits>) -> Self {
        Self {
            front: Pieces::default(),
            front_bytes: 0,
            file: None,
            tail: BytesMut::new(),
            total: 0,
            memory: limits.memory.reservation(),
            disk: limits.disk.reservation(),
            limits: Arc::clone(limits),
        }
    }

    /// Bytes that are held.
    pub fn len(&self) -> u64 {
        self.front_bytes + self.on_disk() + self.tail.len() as u64
    }

    /// True when nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True while all that is held is in memory, so that neither [`push`](Self::push) of `more` bytes nor
    /// [`pop`](Self::pop) waits.
    pub fn fits_memory(&self, more: u64) -> bool {
        self.on_disk() == 0
            && self.tail.is_empty()
            && self.front_bytes + more <= self.limits.memory_bytes
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`SpoolError`] when a quota or the disk is full; what was pushed before is still there.
    pub async fn push(&mut self, bytes: Bytes) -> Result<(), SpoolError> {
        let more = bytes.len() as u64;
        self.total = self.total.saturating_add(more);
        if self.total > self.limits.body_bytes {
            return Err(SpoolError::BodyQuota(self.limits.body_bytes));
        }
        if self.fits_memory(more) && self.memory.grow(more).is_ok() {
            self.front_bytes += more;
            self.push_front(bytes);
            return Ok(());
        }
        self.tail.extend_from_slice(&bytes);
        if self.tail.len() >= TAIL_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// Takes the next bytes, at most [`POP_BYTES`] at once; `None` when nothing is held.
    ///
    /// # Errors
    /// [`SpoolError`] when the file cannot be read.
    pub async fn pop(&mut self) -> Result<Option<Bytes>, SpoolError> {
        if let Some(bytes) = self.front.pop_front() {
            self.front_bytes -= bytes.len() as u64;
            self.memory.shrink(bytes.len() as u64);
            return Ok(Some(bytes));
        }
        let Some(overflow) = &mut self.file else {
            return Ok((!self.tail.is_empty()).then(|| self.tail.split().freeze()));
        };
        let waiting = overflow.written - overflow.read;
        if waiting > 0 {
            let bytes = overflow.read(waiting.min(POP_BYTES)).await?;
            if overflow.read == overflow.written {
                overflow.rewind(&mut self.disk).await?;
            }
            return Ok(Some(bytes));
        }
        Ok((!self.tail.is_empty()).then(|| self.tail.split().freeze()))
    }

    fn on_disk(&self) -> u64 {
        self.file
            .as_ref()
            .map_or(0, |file| file.written - file.read)
    }

    /// Small pieces are joined, so that a body of one-byte chunks does not cost a handle a byte.
    fn push_front(&mut self, bytes: Bytes) {
        if bytes.len() >= SMALL_BYTES {
            self.front.push_back(bytes);
            return;
        }
        match self.front.pop_back() {
            Some(last) if last.len() < SMALL_BYTES => {
                let mut joined = last.try_into_mut().unwrap_or_else(|last| {
                    let mut copy = BytesMut::with_capacity(2 * SMALL_BYTES);
                    copy.extend_from_slice(&last);
                    copy
                });
                joined.extend_from_slice(&bytes);
                self.front.push_back(joined.freeze());
            }
            last => {
                last.into_iter().for_each(|last| self.front.push_back(last));
                self.front.push_back(bytes);
            }
        }
    }

    async fn flush(&mut self) -> Result<(), SpoolError> {
        let bytes = self.tail.split().freeze();
        self.disk
            .grow(bytes.len() as u64)
            .map_err(|_| SpoolError::TotalQuota)?;
        let overflow = match &mut self.file {
            Some(overflow) => overflow,
            None => self
                .file
                .insert(Overflow::begin(self.limits.directory.clone()).await?),
        };
        let file = Arc::clone(&overflow.file);
        let at = overflow.written;
        overflow.written += bytes.len() as u64;
        let buffer =
            blocking(move || paced::write_all_at(&file, &bytes, at).map(|()| bytes)).await?;
        // The buffer goes round instead of being allocated for each flush.
        if let Ok(mut buffer) = buffer.try_into_mut() {
            buffer.clear();
            self.tail = buffer;
        }
        Ok(())
    }
}

impl Overflow {
    async fn begin(directory: PathBuf) -> Result<Self, SpoolError> {
        let file = blocking(move || tempfile::tempfile_in(directory)).await?;
        Ok(Self {
            file: Arc::new(file),
            read: 0,
            written: 0,
        })
    }

    async fn read(&mut self, bytes: u64) -> Result<Bytes, SpoolError> {
        let file = Arc::clone(&self.file);
        let at = self.read;
        self.read += bytes;
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        blocking(move || {
            let mut buffer = vec![0; length];
            paced::read_exact_at(&file, &mut buffer, at)?;
            Ok(Bytes::from(buffer))
        })
        .await
    }

    /// All was read: the disk space is given back at once.
    async fn rewind(&mut self, disk: &mut Reservation) -> Result<(), SpoolError> {
        let file = Arc::clone(&self.file);
        blocking(move || paced::empty(&file)).await?;
        self.read = 0;
        self.written = 0;
        disk.shrink(disk.bytes());
        Ok(())
    }
}

impl Drop for Spool {
    /// The disk is free again when the file is.
    fn drop(&mut self) {
        if let Some(overflow) = self.file.take()
            && overflow.written > 0
        {
            let fresh = self.disk.sibling();
            let reserved = std::mem::replace(&mut self.disk, fresh);
            paced::close(overflow.file, reserved);
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, SpoolError> {
    let done = tokio::task::spawn_blocking(move || {
        step_back();
        work()
    });
    let done = done.await;
    Ok(done.map_err(|_| SpoolError::Lost)??)
}

/// Bytes gathered before the file is written: one blocking call for many reads of the socket.
const TAIL_BYTES: usize = 256 << 10;

/// Bytes that one [`Spool::pop`] yields at most.
pub const POP_BYTES: u64 = 128 << 10;

/// Pieces below this are joined.
const SMALL_BYTES: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(memory: u64, body: u64, disk: u64) -> Arc<SpoolLimits> {
        Arc::new(SpoolLimits {
            memory_bytes: memory,
            body_bytes: body,
            directory: std::env::temp_dir(),
            disk: Budget::new(disk),
            memory: Budget::new(1 << 30),
        })
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length)
            .map(|at| u8::try_from(at % 251).expect("below 251"))
            .collect()
    }

    async fn drained(spool: &mut Spool) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(bytes) = spool.pop().await.expect("readable") {
            all.extend_from_slice(&bytes);
        }
        all
    }

    #[tokio::test]
    async fn bytes_come_back_in_order_through_memory_file_and_tail() {
        let body = pattern(3_000_000);
        for piece in [1_000_003, 65_536, 1_021] {
            let limits = limits(256 << 10, 1 << 30, 1 << 30);
            let mut spool = Spool::new(&limits);
            for piece in body.chunks(piece) {
                spool
                    .push(Bytes::copy_from_slice(piece))
                    .await
                    .expect("room");
            }
            assert_eq!(spool.len(), body.len() as u64);
            assert!(limits.memory.used() <= 256 << 10);
            assert!(limits.disk.used() > 0);
            assert!(drained(&mut spool).await == body);
            drop(spool);
            assert_eq!((limits.memory.used(), limits.disk.used()), (0, 0));
        }
    }

    #[tokio::test]
    async fn reading_and_writing_may_take_turns() {
        let body = pattern(2_000_000);
        let mut spool = Spool::new(&limits(64 << 10, 1 << 30, 1 << 30));
        let mut back = Vec::new();
        for (at, piece) in body.chunks(50_000).enumerate() {
            spool
                .push(Bytes::copy_from_slice(piece))
                .await
                .expect("room");
            if at % 7 == 0 {
                back.extend_from_slice(&drained(&mut spool).await);
            }
        }
        back.extend_from_slice(&drained(&mut spool).await);
        assert!(back == body);
    }

    #[tokio::test]
    async fn one_byte_pieces_are_joined() {
        let mut spool = Spool::new(&limits(256 << 10, 1 << 30, 0));
        let body = pattern(20_000);
        for byte in &body {
            spool
                .push(Bytes::copy_from_slice(&[*byte]))
                .await
                .expect("room");
        }
        assert!(spool.front.iter().count() < 16);
        assert!(drained(&mut spool).await == body);
    }

    #[tokio::test]
    async fn quotas_are_errors_and_space_comes_back() {
        let limits = limits(0, 1 << 20, 512 << 10);
        let mut spool = Spool::new(&limits);
        let piece = Bytes::from(pattern(256 << 10));
        for _ in 0..2 {
            spool.push(piece.clone()).await.expect("room");
        }
        assert!(matches!(
            spool.push(piece.clone()).await,
            Err(SpoolError::TotalQuota)
        ));
        let mut other = Spool::new(&limits);
        for _ in 0..2 {
            let _ = other.push(Bytes::from(pattern(500 << 10))).await;
        }
        assert!(matches!(
            other.push(Bytes::from(pattern(500 << 10))).await,
            Err(SpoolError::BodyQuota(_))
        ));
        drop((spool, other));
        // A thread of its own gives the file back.
        for _ in 0..500 {
            if limits.disk.used() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(limits.disk.used(), 0);
    }

    #[tokio::test]
    async fn a_missing_folder_is_an_error_not_a_panic() {
        let mut limits = limits(0, 1 << 30, 1 << 30);
        Arc::get_mut(&mut limits).expect("ours").directory = "/nonexistent/sluice".into();
        let mut spool = Spool::new(&limits);
        let pushed = spool.push(Bytes::from(pattern(300 << 10))).await;
        assert!(matches!(pushed, Err(SpoolError::File(_))));
    }
}
