//! The engine's memory map of a file: the one place of the program with `unsafe` in it.
//!
//! Why at all: exact semantics want the whole body at once, and a body of hundreds of MiB is better left in the page
//! cache, where the kernel can take it back, than copied into the process.
//!
//! Why it is sound: the map must not be used while somebody changes or shortens the file. The files that come here were
//! made by `inspect::signatures` without a name (`O_TMPFILE`), so that no other process can open them, and written to
//! their end before; the handle by which they were written is not used again. Their blocks are allocated, so a full
//! disk cannot show now. What remains is a disk that fails while it is read: the kernel then ends the process.

use std::path::Path;

use boreal::scanner::{ScanCallbackResult, ScanError, ScanEvent, Scanner};

/// Scans the file at `path`, which nobody changes until this returns.
#[expect(
    unsafe_code,
    reason = "the engine maps the file; see the head of this file"
)]
pub(super) fn scan<'scanner, F>(
    scanner: &'scanner Scanner,
    path: &Path,
    callback: F,
) -> Result<(), ScanError>
where
    F: for<'a> FnMut(ScanEvent<'scanner, 'a>) -> ScanCallbackResult + Send + Sync,
{
    // SAFETY: the file has no name and is complete: nobody writes to it or shortens it while it is mapped.
    unsafe { scanner.scan_file_memmap_with_callback(path, callback) }
}
