//! A bundle as one file: a tar archive (POSIX ustar, regular files only) compressed with zstd, byte for byte the same
//! for the same folder.
//!
//! Reading is into memory and never to paths: names cannot lead anywhere. Every length meets a limit.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::rules::bundle::{Bundle, BundleDigest, Manifest, Source};
use crate::rules::{Fault, RulesError, folder};

/// Largest pack, as it is stored and downloaded: 64 MiB, the house's limit on rule files.
pub const PACK_BYTES: u64 = 64 * 1024 * 1024;

/// Largest sum of the files in it. Lists of digests are text and shrink to half; nothing honest shrinks to an eighth.
pub const UNPACKED_BYTES: u64 = 512 * 1024 * 1024;

/// A tar record.
const RECORD: usize = 512;

/// zstd's level: rules are packed once and fetched often.
const LEVEL: i32 = 19;

/// Packs the folder `root`: its manifest gets the digest of each file, so that nothing can be missing later.
///
/// # Errors
/// [`RulesError`] when the folder is not a bundle that loads.
pub fn write(root: &Path) -> Result<Vec<u8>, RulesError> {
    let (bundle, sources) = Bundle::load_with_sources(root)?;
    let fail = |error: std::io::Error| RulesError::new(root, None, Fault::Io(error));
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL).map_err(fail)?;
    // The manifest covers the files, and this the manifest: damage is named before a signature is asked for.
    encoder.include_checksum(true).map_err(fail)?;
    let manifest = manifest_text(&bundle.manifest, &sources);
    append(&mut encoder, "bundle.toml", manifest.as_bytes()).map_err(fail)?;
    for source in sources
        .iter()
        .filter(|source| source.path != Path::new("bundle.toml"))
    {
        append(&mut encoder, &source.path.to_string_lossy(), &source.bytes).map_err(fail)?;
    }
    encoder.write_all(&[0; RECORD * 2]).map_err(fail)?;
    encoder.finish().map_err(fail)
}

/// Reads a pack; `shown` names it in messages.
///
/// # Errors
/// [`RulesError`] for anything that is not a whole, consistent bundle.
pub fn read(shown: &Path, pack: &[u8]) -> Result<Bundle, RulesError> {
    let fail = |fault| RulesError::new(shown, None, fault);
    if pack.len() as u64 > PACK_BYTES {
        return Err(fail(Fault::TooLarge {
            bytes: pack.len() as u64,
            limit: PACK_BYTES,
        }));
    }
    let mut tar = Vec::new();
    let mut decoder = zstd::Decoder::new(pack).map_err(|error| fail(Fault::Io(error)))?;
    decoder
        .window_log_max(27)
        .map_err(|error| fail(Fault::Io(error)))?;
    decoder
        .take(UNPACKED_BYTES + 1)
        .read_to_end(&mut tar)
        .map_err(|_| fail(broken("the compressed data is damaged or cut short")))?;
    if tar.len() as u64 > UNPACKED_BYTES {
        return Err(fail(Fault::TooLarge {
            bytes: tar.len() as u64,
            limit: UNPACKED_BYTES,
        }));
    }
    let sources = entries(&tar).map_err(fail)?;
    let bundle = Bundle::from_sources(sources, shown)?;
    if bundle.manifest.files.is_empty() || bundle.manifest.name.is_empty() {
        return Err(fail(broken(
            "bundle.toml gives no name or no digests; make packs with sluice rules pack",
        )));
    }
    Ok(bundle)
}

fn broken(reason: &str) -> Fault {
    Fault::Syntax {
        reason: reason.into(),
    }
}

fn entries(tar: &[u8]) -> Result<Vec<Source>, Fault> {
    let mut sources: Vec<Source> = Vec::new();
    let mut names = std::collections::HashSet::new();
    let mut at = 0usize;
    loop {
        let header = tar
            .get(at..at + RECORD)
            .ok_or_else(|| broken("the archive ends before its end mark"))?;
        if header.iter().all(|byte| *byte == 0) {
            return Ok(sources);
        }
        let (path, length) = header_fields(header)?;
        at += RECORD;
        let bytes = tar
            .get(at..)
            .and_then(|rest| rest.get(..length))
            .ok_or_else(|| broken("a file in the archive is cut short"))?;
        if sources.len() >= folder::MAX_FILES {
            return Err(Fault::TooManyFiles {
                limit: folder::MAX_FILES,
                depth: folder::MAX_DEPTH,
            });
        }
        if !names.insert(path.clone()) {
            return Err(broken("a file is in the archive twice"));
        }
        sources.push(Source {
            path,
            bytes: bytes.to_vec(),
        });
        at += length.next_multiple_of(RECORD);
    }
}

/// Path and length from a header, POSIX.1-1988 ustar.
fn header_fields(header: &[u8]) -> Result<(PathBuf, usize), Fault> {
    let field = |from: usize, length: usize| header.get(from..from + length).unwrap_or_default();
    let sum: u32 = header
        .iter()
        .enumerate()
        .map(|(index, byte)| {
            if (148..156).contains(&index) {
                32
            } else {
                u32::from(*byte)
            }
        })
        .sum();
    if octal(field(148, 8)) != Some(u64::from(sum)) {
        return Err(broken("a header in the archive has a wrong checksum"));
    }
    // Links and devices are how archives write elsewhere.
    if !matches!(header.get(156), Some(b'0' | 0)) {
        return Err(broken(
            "the archive holds something that is not a regular file",
        ));
    }
    let text = |bytes: &[u8]| {
        let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
        String::from_utf8(bytes.get(..end).unwrap_or_default().to_vec()).ok()
    };
    let (Some(name), Some(prefix)) = (text(field(0, 100)), text(field(345, 155))) else {
        return Err(broken("a name in the archive is not UTF-8"));
    };
    let path = if prefix.is_empty() {
        name
    } else {
        format!("{prefix}/{name}")
    };
    let plain = !path.is_empty()
        && path
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.') && !part.contains(['\\', '\0']));
    if !plain {
        return Err(broken(
            "a name in the archive is empty, hidden, absolute or goes up",
        ));
    }
    let length = octal(field(124, 12))
        .and_then(|length| usize::try_from(length).ok())
        .ok_or_else(|| broken("a length in the archive is not a number"))?;
    Ok((path.into(), length))
}

fn octal(field: &[u8]) -> Option<u64> {
    let digits = field
        .split(|byte| matches!(byte, 0 | b' '))
        .find(|part| !part.is_empty())?;
    digits.iter().try_fold(0u64, |value, byte| {
        let digit = char::from(*byte).to_digit(8)?;
        value.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

fn append(out: &mut impl std::io::Write, path: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut header = [0u8; RECORD];
    let (prefix, name) = match path.len() {
        0..=100 => ("", path),
        _ => path
            .rmatch_indices('/')
            .map(|(at, _)| (&path[..at], &path[at + 1..]))
            .find(|(prefix, name)| prefix.len() <= 155 && name.len() <= 100)
            .ok_or_else(|| std::io::Error::other("the path is too long for an archive"))?,
    };
    let mut put = |at: usize, text: &[u8]| {
        if let Some(field) = header.get_mut(at..at + text.len()) {
            field.copy_from_slice(text);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", bytes.len()).as_bytes());
    // No time in it: the same rules make the same pack.
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(field) = header.get_mut(148..156) {
        field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    out.write_all(&header)?;
    out.write_all(bytes)?;
    let padding = bytes.len().next_multiple_of(RECORD) - bytes.len();
    out.write_all(&vec![0; padding])
}

/// The manifest, with the digest of each file.
fn manifest_text(manifest: &Manifest, sources: &[Source]) -> String {
    let files: BTreeMap<String, String> = sources
        .iter()
        .filter(|source| source.path != Path::new("bundle.toml"))
        .map(|source| {
            (
                source.path.to_string_lossy().into_owned(),
                BundleDigest::of(&source.bytes).to_string(),
            )
        })
        .collect();
    let whole = Manifest {
        files,
        ..manifest.clone()
    };
    toml::to_string(&whole).expect("a manifest is plain strings and one table of strings")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle_folder() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let literal = dir.path().join("literal");
        std::fs::create_dir(&literal).expect("made");
        for (path, text) in [
            ("bundle.toml", "name = 'test'\nversion = '1.2'\n"),
            ("literal/a.toml", "[[rule]]\nid = 'a/b'\ntext = 'needle'\n"),
        ] {
            let path = dir.path().join(path);
            std::fs::write(&path, text).expect("written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("mode");
        }
        for folder in [dir.path(), &literal] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("mode");
        }
        dir
    }

    #[test]
    fn what_is_packed_is_read_back_and_twice_the_same() {
        let folder = bundle_folder();
        let pack = write(folder.path()).expect("packs");
        assert_eq!(pack, write(folder.path()).expect("packs"));
        let bundle = read(Path::new("p"), &pack).expect("reads");
        assert_eq!((&*bundle.manifest.name, bundle.literals.len()), ("test", 1));
    }

    #[test]
    fn no_cut_and_no_flipped_byte_passes_unseen() {
        let folder = bundle_folder();
        let pack = write(folder.path()).expect("packs");
        let whole = read(Path::new("p"), &pack).expect("reads").digest();
        for cut in 0..pack.len() {
            assert!(read(Path::new("p"), &pack[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..pack.len() {
            let mut changed = pack.clone();
            if let Some(byte) = changed.get_mut(at) {
                *byte ^= 0x10;
            }
            if let Ok(bundle) = read(Path::new("p"), &changed) {
                assert_eq!(bundle.digest(), whole, "byte {at}");
            }
        }
    }

    fn archive(path: &str, kind: u8) -> Vec<u8> {
        let mut tar = Vec::new();
        append(&mut tar, path, b"x").expect("appended");
        let header = tar.get_mut(..RECORD).expect("a header");
        header[156] = kind;
        let sum: u32 = header
            .iter()
            .enumerate()
            .map(|(index, byte)| {
                if (148..156).contains(&index) {
                    32
                } else {
                    u32::from(*byte)
                }
            })
            .sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        tar.extend_from_slice(&[0; RECORD * 2]);
        tar
    }

    #[test]
    fn an_archive_of_more_files_than_a_folder_may_hold_is_refused() {
        let many = |count: usize| {
            let mut tar = Vec::new();
            for number in 0..count {
                let one = archive(&format!("yara/{number}.yar"), b'0');
                tar.extend_from_slice(&one[..one.len() - RECORD * 2]);
            }
            tar.extend_from_slice(&[0; RECORD * 2]);
            entries(&tar)
        };
        assert_eq!(
            many(folder::MAX_FILES).expect("reads").len(),
            folder::MAX_FILES
        );
        let fault = many(folder::MAX_FILES + 1).expect_err("one more");
        assert!(matches!(fault, Fault::TooManyFiles { .. }), "{fault}");
    }

    #[test]
    fn names_that_lead_elsewhere_and_links_are_refused() {
        assert!(entries(&archive("literal/a.toml", b'0')).is_ok());
        for path in ["../a", "/etc/a", "a/../b", "a//b", ".hidden", "a/./b"] {
            assert!(entries(&archive(path, b'0')).is_err(), "{path}");
        }
        for kind in [b'1', b'2', b'3', b'5', b'L', b'x'] {
            assert!(
                entries(&archive("a", kind)).is_err(),
                "{}",
                char::from(kind)
            );
        }
    }
}
