//! Files of bodies, in calls of the kernel that are short: a call is not interrupted for whoever waits for the processor.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::thread;

/// Writes all of `bytes` at `offset`.
///
/// # Errors
/// What the kernel says.
pub fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    in_calls(bytes.chunks(CALL_BYTES), offset, |piece, at| {
        file.write_all_at(piece, at)
    })
}

/// Fills `bytes` with what lies at `offset`.
///
/// # Errors
/// What the kernel says; a file that ends before is one.
pub fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    in_calls(bytes.chunks_mut(CALL_BYTES), offset, |piece, at| {
        file.read_exact_at(piece, at)
    })
}

/// Gives back all that `file` holds.
///
/// # Errors
/// What the kernel says.
pub fn empty(file: &File) -> io::Result<()> {
    let mut length = file.metadata()?.len();
    while length > 0 {
        length = length.saturating_sub(FREED_BYTES);
        file.set_len(length)?;
        thread::yield_now();
    }
    Ok(())
}

/// Empties `file` on a thread of its own and lets go of what came with it: whoever does so last may have others waiting.
pub fn close(file: impl Deref<Target = File> + Send + 'static, with: impl Send + 'static) {
    let _ = thread::Builder::new()
        .name("sluice-close".into())
        .spawn(move || {
            let _ = empty(&file);
            drop((file, with));
        });
}

/// One `call` a piece, the first at `offset`.
fn in_calls<P: Deref<Target = [u8]>>(
    pieces: impl Iterator<Item = P>,
    offset: u64,
    call: impl Fn(P, u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut at = offset;
    for piece in pieces {
        let length = piece.len() as u64;
        call(piece, at)?;
        at += length;
    }
    Ok(())
}

/// Bytes that one call copies: about 0.1 ms.
const CALL_BYTES: usize = 64 << 10;

/// Bytes that one call gives back, in about as long.
const FREED_BYTES: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_in_pieces_is_read_and_given_back() {
        let file = tempfile::tempfile().expect("a file");
        let bytes: Vec<u8> = (0..CALL_BYTES * 3 + 5).map(|at| (at % 251) as u8).collect();
        write_all_at(&file, &bytes, 7).expect("room");
        let mut back = vec![0; bytes.len() - 2];
        read_exact_at(&file, &mut back, 9).expect("it is there");
        assert!(back == bytes[2..]);
        assert!(read_exact_at(&file, &mut back, 10).is_err(), "past its end");
        file.set_len(FREED_BYTES * 2 + 1).expect("room");
        empty(&file).expect("it may be cut");
        assert_eq!(file.metadata().expect("open").len(), 0);
    }

    #[test]
    fn a_file_is_closed_elsewhere_and_what_came_with_it_last() {
        let file = tempfile::tempfile().expect("a file");
        write_all_at(&file, &[1; 100], 0).expect("room");
        let ours = file.try_clone().expect("a handle");
        let (with, gone) = std::sync::mpsc::channel::<()>();
        close(Box::new(file), with);
        assert!(gone.recv().is_err());
        assert_eq!(ours.metadata().expect("open").len(), 0);
    }
}
