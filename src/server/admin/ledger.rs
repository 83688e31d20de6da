//! The record of changes: one JSON line each, hashed together with the hash of the line before, so that no line can be
//! changed, taken out or put in without a break. What was cut off the end shows against the head that the application
//! log names at each change.
//!
//! ```text
//! {"seq":7,"time":"…","phase":"begin","who":"ops",…,"prev":"<hash of line 6>","hash":"<SHA-256 of all before>"}
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    tail: Mutex<Tail>,
}

#[derive(Debug)]
struct Tail {
    file: File,
    seq: u64,
    head: String,
}

/// What a ledger holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intact {
    /// Records.
    pub records: u64,
    /// Lines that a kill cut short; the chain goes on after them.
    pub torn: u64,
    /// Hash of the last record.
    pub head: String,
}

/// A ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system said no.
    #[error("the audit log cannot be read or written")]
    Io(#[from] io::Error),
    /// A device or a pipe: what it was told cannot be read back.
    #[error("the audit log is not a regular file")]
    NotRegular,
    /// A record does not follow from the one before.
    #[error(
        "line {line} does not follow from the record before it: a line was changed, taken out or put in"
    )]
    Broken {
        /// From 1.
        line: u64,
    },
}

impl Ledger {
    /// Opens the ledger at `path`, or begins one, and checks its chain.
    ///
    /// # Errors
    /// [`LedgerError`]: nothing is appended to a chain that is broken.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(LedgerError::NotRegular);
        }
        let intact = verify(&mut file)?;
        // What a kill cut short gets a line end, so that the next record stands by itself, and a mark, so that it is none.
        if file.seek(SeekFrom::End(0))? > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"#\n")?;
            }
        }
        let tail = Mutex::new(Tail {
            file,
            seq: intact.records,
            head: intact.head,
        });
        Ok(Self { tail })
    }

    /// Appends a record and makes it durable; the new head. Blocks on the disk.
    ///
    /// # Errors
    /// When it cannot be written; what it was about must not happen then.
    pub fn append(&self, fields: Map<String, Value>) -> Result<String, LedgerError> {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = tail.seq + 1;
        let mut record = Map::new();
        record.insert("seq".into(), seq.into());
        record.insert("time".into(), jiff::Timestamp::now().to_string().into());
        record.extend(fields);
        record.insert("prev".into(), tail.head.clone().into());
        let mut line = Value::Object(record).to_string();
        line.pop();
        let hash = hash_of(&line);
        line.push_str(&format!("{HASH_KEY}{hash}\"}}\n"));
        tail.file.write_all(line.as_bytes())?;
        tail.file.sync_data()?;
        tail.seq = seq;
        tail.head.clone_from(&hash);
        Ok(hash)
    }
}

/// Follows the chain of a ledger from its first line.
///
/// # Errors
/// [`LedgerError::Broken`] with the first line that does not follow.
pub fn verify(source: impl Read) -> Result<Intact, LedgerError> {
    let mut source = BufReader::new(source);
    let mut intact = Intact {
        records: 0,
        torn: 0,
        head: "0".repeat(64),
    };
    let (mut bytes, mut number) = (Vec::new(), 0);
    loop {
        bytes.clear();
        if source
            .by_ref()
            .take(LINE_BYTES)
            .read_until(b'\n', &mut bytes)?
            == 0
        {
            return Ok(intact);
        }
        number += 1;
        let Some((hashed, hash)) = std::str::from_utf8(&bytes).ok().and_then(parted) else {
            // No whole record: cut short by a kill. If it was one that somebody spoiled, the next does not follow.
            intact.torn += 1;
            continue;
        };
        let follows = serde_json::from_str::<Value>(&format!("{hashed}}}")).is_ok_and(|record| {
            record["prev"] == *intact.head && record["seq"] == intact.records + 1
        });
        if !follows || hash_of(hashed) != hash {
            return Err(LedgerError::Broken { line: number });
        }
        intact.records += 1;
        intact.head = hash.to_owned();
    }
}

/// A line without its hash and closing brace, and the hash.
fn parted(line: &str) -> Option<(&str, &str)> {
    line.strip_suffix("\"}\n")?.rsplit_once(HASH_KEY)
}

fn hash_of(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(64);
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

const HASH_KEY: &str = ",\"hash\":\"";

/// Longest line; a record is some hundred bytes.
const LINE_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(what: &str) -> Map<String, Value> {
        Map::from_iter([("what".to_owned(), Value::from(what))])
    }

    #[test]
    fn any_change_of_a_record_breaks_the_chain() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("audit");
        for what in ["one", "two"] {
            let ledger = Ledger::open(&path).expect("opens");
            ledger.append(fields(what)).expect("appended");
            ledger.append(fields("again")).expect("appended");
        }
        let text = std::fs::read_to_string(&path).expect("text");
        let intact = verify(text.as_bytes()).expect("intact");
        assert_eq!((intact.records, intact.torn), (4, 0));
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let changed = text.replace("two", "six");
        let without: String = [lines[0], lines[2], lines[3]].concat();
        let twice: String = [lines[0], lines[1], lines[1], lines[2], lines[3]].concat();
        let swapped: String = [lines[1], lines[0], lines[2], lines[3]].concat();
        let spoiled: String = [lines[0], "{}\n", lines[2], lines[3]].concat();
        for bad in [&changed, &without, &twice, &swapped, &spoiled] {
            assert!(matches!(
                verify(bad.as_bytes()),
                Err(LedgerError::Broken { .. })
            ));
        }
        std::fs::write(&path, changed).expect("written");
        assert!(Ledger::open(&path).is_err());
    }

    #[test]
    fn a_ledger_that_cannot_be_read_back_is_refused() {
        let full = Path::new("/dev/full");
        assert!(matches!(
            Ledger::open(full),
            Err(LedgerError::NotRegular | LedgerError::Io(_))
        ));
    }

    #[test]
    fn a_record_that_a_kill_cut_short_does_not_end_the_chain() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("audit");
        Ledger::open(&path)
            .and_then(|ledger| ledger.append(fields("one")))
            .expect("appended");
        let whole = std::fs::read(&path).expect("bytes");
        for cut in 1..whole.len() {
            let mut text = whole.clone();
            text.extend_from_slice(&whole[..cut]);
            std::fs::write(&path, &text).expect("written");
            Ledger::open(&path)
                .and_then(|ledger| ledger.append(fields("two")))
                .expect("goes on");
            let text = std::fs::read(&path).expect("bytes");
            let intact = verify(text.as_slice()).expect("intact");
            assert_eq!((intact.records, intact.torn), (2, 1), "cut at {cut}");
        }
    }
}
