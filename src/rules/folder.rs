//! Reading a folder of rules: only regular files that nobody but their owner may write, up to limits, in one order.
//!
//! A rule file says what is blocked; who can change it decides for the server (security: rule updates). Symbolic
//! links are refused, since a check of the link says nothing about its target a moment later.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::rules::{Fault, RulesError};

/// Largest rule file: 64 MiB, as the house's table of limits says.
pub const FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Files in one bundle; the largest public set has about 1,100.
pub const MAX_FILES: usize = 20_000;

/// Folders below a bundle's root.
pub const MAX_DEPTH: usize = 16;

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// [`RulesError`] for links, devices, files that others may write, and files over the limit.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, RulesError> {
    let fail = |fault| RulesError::new(path, None, fault);
    let link = fs::symlink_metadata(path).map_err(|error| fail(Fault::Io(error)))?;
    if !link.file_type().is_file() {
        return Err(fail(Fault::NotRegular));
    }
    let file = File::open(path).map_err(|error| fail(Fault::Io(error)))?;
    let meta = file.metadata().map_err(|error| fail(Fault::Io(error)))?;
    // Between the two looks the name may have been given to another file: what was opened must be what was checked.
    if !meta.is_file() || (meta.dev(), meta.ino()) != (link.dev(), link.ino()) {
        return Err(fail(Fault::NotRegular));
    }
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(fail(Fault::WritableByOthers { mode }));
    }
    if meta.len() > limit {
        return Err(fail(Fault::TooLarge {
            bytes: meta.len(),
            limit,
        }));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(Fault::Io(error)))?;
    let length = bytes.len() as u64;
    if length > limit {
        return Err(fail(Fault::TooLarge {
            bytes: length,
            limit,
        }));
    }
    Ok(bytes)
}

/// The files below `root`, as paths relative to it with `/` between the names, sorted bytewise. Names that begin with a
/// dot are left out.
///
/// # Errors
/// [`RulesError`] when a folder cannot be read, is a link, can be written by others, or holds too much.
pub fn list(root: &Path) -> Result<Vec<PathBuf>, RulesError> {
    let mut found = Vec::new();
    let mut open = vec![(root.to_owned(), 0usize)];
    while let Some((folder, depth)) = open.pop() {
        let fail = |fault| RulesError::new(&folder, None, fault);
        let meta = fs::metadata(&folder).map_err(|error| fail(Fault::Io(error)))?;
        let mode = meta.permissions().mode() & 0o7777;
        // The sticky bit does not help: it keeps others from removing files, not from adding them.
        if mode & 0o022 != 0 {
            return Err(fail(Fault::WritableByOthers { mode }));
        }
        for entry in fs::read_dir(&folder).map_err(|error| fail(Fault::Io(error)))? {
            let entry = entry.map_err(|error| fail(Fault::Io(error)))?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let kind = entry.file_type().map_err(|error| fail(Fault::Io(error)))?;
            let path = entry.path();
            if kind.is_dir() && depth < MAX_DEPTH {
                open.push((path, depth + 1));
            } else if kind.is_dir() || found.len() >= MAX_FILES {
                return Err(fail(Fault::TooManyFiles {
                    limit: MAX_FILES,
                    depth: MAX_DEPTH,
                }));
            } else {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_owned();
                found.push(relative);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_too_deep_or_holds_too_much_is_refused() {
        let too_many = |found: Result<Vec<PathBuf>, RulesError>| {
            let fault = found.expect_err("too much").fault;
            assert!(matches!(fault, Fault::TooManyFiles { .. }), "{fault}");
        };
        let dir = tempfile::tempdir().expect("a folder");
        let mut deep = dir.path().to_owned();
        for _ in 0..=MAX_DEPTH {
            fs::set_permissions(&deep, fs::Permissions::from_mode(0o755)).expect("mode");
            assert_eq!(list(dir.path()).expect("lists"), Vec::<PathBuf>::new());
            deep.push("d");
            fs::create_dir(&deep).expect("made");
        }
        too_many(list(dir.path()));
        let dir = tempfile::tempdir().expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("mode");
        for number in 0..MAX_FILES {
            fs::write(dir.path().join(number.to_string()), "").expect("written");
        }
        assert_eq!(list(dir.path()).expect("lists").len(), MAX_FILES);
        fs::write(dir.path().join("more"), "").expect("written");
        too_many(list(dir.path()));
    }

    #[test]
    fn refuses_links_and_files_that_others_may_write() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a.toml");
        fs::write(&file, "x").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("mode");
        assert_eq!(read(&file, 10).expect("read"), b"x");
        let link = dir.path().join("b.toml");
        std::os::unix::fs::symlink(&file, &link).expect("link");
        assert!(matches!(
            read(&link, 10),
            Err(RulesError {
                fault: Fault::NotRegular,
                ..
            })
        ));
        for mode in [0o664, 0o646, 0o666] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("mode");
            assert!(matches!(
                read(&file, 10),
                Err(RulesError {
                    fault: Fault::WritableByOthers { .. },
                    ..
                })
            ));
        }
    }

    #[test]
    fn refuses_a_file_over_its_limit() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a.toml");
        fs::write(&file, "0123456789").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("mode");
        assert!(read(&file, 10).is_ok());
        assert!(matches!(
            read(&file, 9),
            Err(RulesError {
                fault: Fault::TooLarge {
                    bytes: 10,
                    limit: 9
                },
                ..
            })
        ));
    }
}
