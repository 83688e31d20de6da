//! A file of lines that follows its path, so that whoever rotates it need not tell.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Appends to the file at a path. When the path names another file, or none, that one is opened or made before the next
/// line; as long as that fails, lines go where they went before.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    id: Id,
    /// False within a line.
    between_lines: bool,
}

/// The device and the inode.
type Id = (u64, u64);

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            path: path.to_path_buf(),
            id: id(&file.metadata()?),
            file,
            between_lines: true,
        })
    }

    fn follow(&mut self) -> io::Result<()> {
        match self.path.metadata() {
            // To open a pipe or a device may take for ever.
            Ok(there) if id(&there) == self.id || !there.is_file() => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        *self = Self::open(&self.path)?;
        Ok(())
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.between_lines {
            let _ = self.follow();
        }
        let written = self.file.write(bytes)?;
        if let Some(last) = written.checked_sub(1) {
            self.between_lines = bytes.get(last) == Some(&b'\n');
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{read_to_string, remove_file, rename};

    #[test]
    fn lines_follow_the_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let mut log = LogFile::open(&path).expect("it opens");
        log.write_all(b"one\n").expect("room");
        rename(&path, &old).expect("rotated");
        log.write_all(b"two\n").expect("room");
        remove_file(&path).expect("removed");
        log.write_all(b"three\n").expect("room");
        // Somebody else made the new one, as logrotate's `create` does.
        rename(&path, &old).expect("rotated");
        std::fs::write(&path, "head\n").expect("made");
        log.write_all(b"fo").expect("room");
        rename(&path, &old).expect("rotated");
        log.write_all(b"ur\nfive\n").expect("room");
        assert_eq!(
            read_to_string(&old).expect("text"),
            "head\nfour\nfive\n",
            "a line stays whole"
        );
        log.write_all(b"six\n").expect("room");
        assert_eq!(read_to_string(&path).expect("text"), "six\n");
    }

    #[test]
    fn what_cannot_be_opened_loses_no_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("log"), folder.path().join("log.1"));
        let mut log = LogFile::open(&path).expect("it opens");
        rename(&path, &old).expect("rotated");
        std::fs::create_dir(&path).expect("in the way");
        log.write_all(b"one\n").expect("room");
        std::fs::remove_dir(&path).expect("out of the way");
        std::os::unix::fs::symlink("nowhere/log", &path).expect("a link that leads nowhere");
        log.write_all(b"two\n").expect("room");
        assert_eq!(read_to_string(&old).expect("text"), "one\ntwo\n");
        remove_file(&path).expect("removed");
        log.write_all(b"three\n").expect("room");
        assert_eq!(read_to_string(&path).expect("text"), "three\n");
    }
}
