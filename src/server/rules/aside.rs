//! Trying a set of rules in a process of its own, so that a set which takes too long or too much memory costs that process
//! and nothing else.
//!
//! A thread cannot be bounded so: it cannot be stopped from outside, and what it allocates is this process's memory. The
//! child is this very program; it bounds itself before it has read a byte of the rules. It gets bytes and gives JSON:
//! compiled rules do not cross, so a set that passed is compiled once more here, from the same bytes, which by then are
//! known to fit.
//!
//! ```text
//! server ── stdin: bundles' bytes ──► sluice rules aside   RLIMIT_DATA, RLIMIT_CPU, nice 10; killed at the deadline
//!        ◄── stdout: Examination, or why not ──
//! ```

use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, nice, setrlimit};
use serde::{Deserialize, Serialize};

use crate::rules::raw::Raw;

use super::examination::{self, Examination, Examples};

/// How a set is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// The program: this one.
    pub program: PathBuf,
    /// What it may take.
    pub bounds: Bounds,
}

/// What trying a set may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Time on the clock, and of the processor.
    pub seconds: u64,
    /// Memory.
    pub mib: u64,
}

/// A set was not found good.
#[derive(Debug, thiserror::Error)]
pub enum AsideError {
    /// It takes too long.
    #[error(
        "compiling takes longer than {seconds} s: leave out slow rules, or raise rules.compile-seconds"
    )]
    Time {
        /// The limit.
        seconds: u64,
    },
    /// It takes too much memory, or the process was ended by somebody else.
    #[error(
        "compiling takes more than {mib} MiB, or the process that tries it was killed: leave rules out, or raise rules.compile-mib"
    )]
    Memory {
        /// The limit.
        mib: u64,
    },
    /// The set is wrong.
    #[error("{0}")]
    Refused(Box<str>),
    /// The process cannot be started.
    #[error("the process that tries rules cannot be started: is {} there, and may it be run?", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What it said is not an answer.
    #[error("the process that tries rules gave no answer")]
    NoAnswer,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Seen(Examination),
    Refused(Box<str>),
}

impl Aside {
    /// This program, whatever has been put in its place on disk since it was started.
    pub fn of_this_program() -> PathBuf {
        Path::new("/proc/self/exe").to_owned()
    }

    /// Reads, compiles and tries a set in a process of its own. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`AsideError`] says why the set cannot be used, or that it takes too much.
    pub fn examine(&self, raws: &[Raw], whose: Examples) -> Result<Examination, AsideError> {
        let mut child = self.start(whose)?;
        let input = child.stdin.take();
        let output = child.stdout.take();
        let (ended, text) = thread::scope(|scope| {
            // Pipes hold 64 KiB: both are served while the child runs. When it dies they end, and so do the threads.
            scope.spawn(move || feed(input, raws));
            let reading = scope.spawn(move || {
                let mut text = Vec::new();
                let read = output.map(|output| output.take(ANSWER_BYTES).read_to_end(&mut text));
                read.map(|_| text).unwrap_or_default()
            });
            let ended = self.wait(&mut child);
            (ended, reading.join().unwrap_or_default())
        });
        match ended {
            Ended::Late => Err(AsideError::Time {
                seconds: self.bounds.seconds,
            }),
            Ended::ByCpuLimit => Err(AsideError::Time {
                seconds: self.bounds.seconds,
            }),
            Ended::BySignal => Err(AsideError::Memory {
                mib: self.bounds.mib,
            }),
            Ended::ByItself => match serde_json::from_slice(&text) {
                Ok(Answer::Seen(seen)) => Ok(seen),
                Ok(Answer::Refused(why)) => Err(AsideError::Refused(why)),
                Err(_) => Err(AsideError::NoAnswer),
            },
        }
    }

    fn start(&self, whose: Examples) -> Result<Child, AsideError> {
        let mut command = Command::new(&self.program);
        command
            .args(["rules", "aside"])
            .arg(format!("--mib={}", self.bounds.mib))
            .arg(format!("--seconds={}", self.bounds.seconds))
            .args((whose == Examples::All).then_some("--all-examples"))
            // Secrets in our environment are no business of a compiler.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command.spawn().map_err(|source| AsideError::Start {
            program: self.program.clone(),
            source,
        })
    }

    fn wait(&self, child: &mut Child) -> Ended {
        use std::os::unix::process::ExitStatusExt as _;
        let deadline = Instant::now() + Duration::from_secs(self.bounds.seconds);
        let mut pause = Duration::from_millis(1);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => {
                    return match status.signal() {
                        None => Ended::ByItself,
                        Some(SIGXCPU) => Ended::ByCpuLimit,
                        Some(_) => Ended::BySignal,
                    };
                }
                Ok(None) if Instant::now() < deadline => thread::sleep(pause),
                Ok(None) | Err(_) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Ended::Late;
                }
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

enum Ended {
    ByItself,
    BySignal,
    ByCpuLimit,
    Late,
}

fn feed(input: Option<impl Write>, raws: &[Raw]) {
    let Some(input) = input else { return };
    let mut input = BufWriter::new(input);
    for raw in raws {
        // A child that died takes no more; what it died of is seen elsewhere.
        if raw.write_to(&mut input).is_err() {
            return;
        }
    }
    let _ = input.flush();
}

/// The child's side: bounds itself, reads bundles from `input`, answers on `output`.
///
/// # Errors
/// When it cannot be bounded, or the pipes fail.
pub fn answer(
    bounds: Bounds,
    whose: Examples,
    mut input: impl Read,
    mut output: impl Write,
) -> io::Result<()> {
    bound(Resource::Data, bounds.mib.saturating_mul(1 << 20))?;
    // Should the parent be gone, nobody ends this process but the kernel.
    bound(Resource::Cpu, bounds.seconds.max(1))?;
    bound(Resource::Core, 0)?;
    // Reload must not take the processor from requests.
    let _ = nice(NICE);
    let mut raws = Vec::new();
    while let Some(raw) = Raw::read_from(&mut input)? {
        raws.push(raw);
    }
    let answer = match examination::examine(&raws, whose) {
        Ok(seen) => Answer::Seen(seen),
        Err(error) => Answer::Refused(crate::server::reload::chain(&error).into()),
    };
    serde_json::to_writer(&mut output, &answer)?;
    output.flush()
}

fn bound(resource: Resource, limit: u64) -> io::Result<()> {
    setrlimit(
        resource,
        Rlimit {
            current: Some(limit),
            maximum: Some(limit),
        },
    )?;
    Ok(())
}

/// The lower priority of everything that compiles rules while requests are served.
pub(in crate::server) const NICE: i32 = 10;

/// Between two looks at the child.
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// Largest answer: a line for each of 500,000 rules would still fit.
const ANSWER_BYTES: u64 = 256 * 1024 * 1024;

/// The processor-time limit's signal, on every Linux.
const SIGXCPU: i32 = 24;

#[cfg(test)]
mod tests {
    use super::*;

    fn aside(script: &str, seconds: u64) -> (tempfile::TempDir, Aside) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("mode");
        let bounds = Bounds { seconds, mib: 64 };
        (folder, Aside { program, bounds })
    }

    #[test]
    fn a_child_that_hangs_dies_or_says_nothing_is_an_error_and_no_hang() {
        let raws = [Raw::pack(Path::new("p"), vec![0; 1 << 20])];
        for (script, fault) in [
            ("exec sleep 60", "longer than 1 s"),
            ("kill -ABRT $$", "more than 64 MiB"),
            ("kill -XCPU $$", "longer than 1 s"),
            ("cat >/dev/null; echo nothing", "no answer"),
            ("cat >/dev/null; echo '{\"refused\":\"so\"}'", "so"),
        ] {
            let (_folder, aside) = aside(script, 1);
            let error = aside.examine(&raws, Examples::None).expect_err(script);
            assert!(error.to_string().contains(fault), "{script}: {error}");
        }
        let missing = Aside {
            program: "/nonexistent".into(),
            bounds: Bounds { seconds: 1, mib: 1 },
        };
        let error = missing.examine(&raws, Examples::None).expect_err("missing");
        assert!(matches!(error, AsideError::Start { .. }));
    }
}
