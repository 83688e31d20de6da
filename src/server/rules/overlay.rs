//! What the admin API says about observe and enforce, over the configuration. Kept in the store, where there is one, so
//! that it outlives a restart.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::policy::standing::Modes;
use crate::rules::folder;

/// What was said before the last stop; nothing, where there is no store.
///
/// # Errors
/// When the file is there and cannot be used.
pub fn read(store: &Path) -> io::Result<Modes> {
    let Some(path) = place(store).filter(|path| path.exists()) else {
        return Ok(Modes::default());
    };
    let bytes = folder::read(&path, MODES_BYTES).map_err(io::Error::other)?;
    toml::from_str(&String::from_utf8_lossy(&bytes)).map_err(io::Error::other)
}

/// Keeps it; whether there is a place to keep it.
///
/// # Errors
/// When it cannot be written.
pub fn write(store: &Path, modes: &Modes) -> io::Result<Kept> {
    let Some(path) = place(store) else {
        return Ok(Kept::UntilRestart);
    };
    let text = toml::to_string(modes).map_err(io::Error::other)?;
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(store)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path)?;
    fs::File::open(store)?.sync_all()?;
    Ok(Kept::InStore)
}

/// How long a word holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Until it is taken back.
    InStore,
    /// There is no store.
    UntilRestart,
}

fn place(store: &Path) -> Option<PathBuf> {
    (!store.as_os_str().is_empty()).then(|| store.join("modes.toml"))
}

/// A word on each of some ten thousand rules.
const MODES_BYTES: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Mode;

    #[test]
    fn what_is_kept_is_read_back() {
        let store = tempfile::tempdir().expect("a folder");
        let mut modes = Modes::default();
        modes.rules.insert("a/b".into(), Mode::Observe);
        assert_eq!(write(store.path(), &modes).expect("written"), Kept::InStore);
        assert_eq!(read(store.path()).expect("read"), modes);
        let nowhere = Path::new("");
        assert_eq!(
            write(nowhere, &modes).expect("no place"),
            Kept::UntilRestart
        );
        assert_eq!(read(nowhere).expect("nothing"), Modes::default());
    }
}
