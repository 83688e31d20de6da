//! `sluice scan`: files through the pipeline of the server.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use serde_json::json;

use crate::budget::{Budget, Disk};
use crate::http1::{RequestHead, ResponseHead};
use crate::inspect::Direction;
use crate::inspect::injection::Explanation;
use crate::policy::Verdict;
use crate::policy::profile::Profile;
use crate::scan::{self, Ended, Message, Report, Ruleset, Step};
use crate::server::snapshot::Snapshot;
use crate::telemetry::{action_code, severity_code};

use super::{FINDINGS_STATUS, Kind, Scan, explain};

pub(super) fn run(arguments: &Scan) -> anyhow::Result<ExitCode> {
    let config = arguments.file.load()?;
    let disk = Disk {
        directory: config.spool_directory.clone(),
        bytes: Budget::new(config.spool_total_bytes),
    };
    let budget = Budget::with_disk(config.in_flight_bytes, disk);
    let direction = match arguments.kind {
        Kind::Request => Direction::Request,
        Kind::Response => Direction::Response,
    };
    let snapshot = Snapshot::load(Arc::new(config)).context("rules")?;
    let offline = Offline {
        rules: &snapshot.house.rules,
        profile: profile(&snapshot, direction),
        budget,
        head: Head::of(arguments, direction),
        detail: match arguments.explain {
            true => Detail::Explained,
            false => Detail::Verdict,
        },
    };
    let mut found = false;
    for file in &arguments.files {
        let (report, explanation) = offline
            .scan(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        found |= has_findings(&report);
        let explained = (&report, &explanation);
        let plain = arguments
            .content_encoding
            .is_none()
            .then_some(file.as_path());
        if arguments.json {
            let mut object = as_json(file, &report);
            if arguments.explain {
                object["explanation"] = explain::as_json(plain, explained);
            }
            println!("{object}");
        } else {
            print_text(file, &report);
            if arguments.explain {
                explain::print(plain, &offline.profile, explained);
            }
        }
    }
    Ok(match found {
        true => ExitCode::from(FINDINGS_STATUS),
        false => ExitCode::SUCCESS,
    })
}

/// The profile of the first service of that direction that inspects.
fn profile(snapshot: &Snapshot, direction: Direction) -> Arc<Profile> {
    let services = &snapshot.config.services;
    let path = match direction {
        Direction::Request => "/reqmod",
        Direction::Response => "/respmod",
    };
    services
        .find(path)
        .and_then(|service| service.profile(direction).cloned())
        .unwrap_or_else(|| Arc::new(Profile::built_in(direction)))
}

struct Offline<'a> {
    rules: &'a Arc<Ruleset>,
    profile: Arc<Profile>,
    budget: Budget,
    head: Head,
    detail: Detail,
}

/// How much is kept of what the detectors see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    Verdict,
    Explained,
}

/// The head that the files are scanned under.
enum Head {
    Request(RequestHead),
    Response(ResponseHead),
}

impl Head {
    fn of(arguments: &Scan, direction: Direction) -> Self {
        let mut fields = String::new();
        for (name, value) in [
            ("Content-Type", &arguments.content_type),
            ("Content-Encoding", &arguments.content_encoding),
        ] {
            if let Some(value) = value {
                let value = value.replace(['\r', '\n'], " ");
                fields.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        match direction {
            Direction::Request => {
                let head = format!("POST / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
                Head::Request(RequestHead::parse(head.into()))
            }
            Direction::Response => {
                let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
                Head::Response(ResponseHead::parse(head.into()))
            }
        }
    }

    fn message(&self) -> Message<'_> {
        match self {
            Head::Request(head) => Message {
                request: Some(head),
                ..Message::new(Direction::Request)
            },
            Head::Response(head) => Message {
                response: Some(head),
                ..Message::new(Direction::Response)
            },
        }
    }
}

impl Offline<'_> {
    fn scan(&self, file: &Path) -> std::io::Result<(Report, Explanation)> {
        let mut input: Box<dyn Read> = match file.as_os_str() == "-" {
            true => Box::new(std::io::stdin().lock()),
            false => Box::new(std::fs::File::open(file)?),
        };
        let begin = match self.detail {
            Detail::Verdict => scan::Scan::new,
            Detail::Explained => scan::Scan::explaining,
        };
        let mut scan = begin(
            self.rules,
            &self.profile,
            &self.budget,
            &self.head.message(),
        );
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read = input.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            scan.push(Bytes::copy_from_slice(
                buffer.get(..read).unwrap_or_default(),
            ));
            drive(&mut scan);
        }
        scan.end(Ended::Complete);
        drive(&mut scan);
        Ok(scan.into_explained())
    }
}

fn drive(scan: &mut scan::Scan) {
    while scan.step_here() == Step::Busy {
        while scan.released().is_some() {}
    }
    while scan.released().is_some() {}
}

fn has_findings(report: &Report) -> bool {
    report.verdict != Verdict::Allow || !report.findings.is_empty() || !report.anomalies.is_empty()
}

fn verdict(report: &Report) -> (&'static str, Option<&'static str>) {
    match &report.verdict {
        Verdict::Allow => ("allow", None),
        Verdict::Block(reason) => ("block", Some(reason.code())),
        Verdict::Redact { .. } => ("redact", None),
    }
}

fn as_json(file: &Path, report: &Report) -> serde_json::Value {
    let (verdict, reason) = verdict(report);
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|judged| {
            let finding = &judged.fact;
            json!({
                "rule": finding.rule,
                "category": finding.category.code(),
                "severity": severity_code(finding.severity),
                "score": finding.score,
                "part": finding.part.0,
                "place": report.path_of(finding.part),
                "start": finding.span.start,
                "end": finding.span.end,
                "path": finding.path,
                "reason": finding.reason,
                "action": action_code(&judged.ruling),
            })
        })
        .collect();
    let anomalies: Vec<_> = report
        .anomalies
        .iter()
        .map(|judged| {
            json!({
                "code": judged.fact.anomaly.code(),
                "part": judged.fact.part.0,
                "place": report.path_of(judged.fact.part),
                "offset": judged.fact.offset,
                "action": action_code(&judged.ruling),
            })
        })
        .collect();
    json!({
        "file": file.display().to_string(),
        "verdict": verdict,
        "reason": reason,
        "findings": findings,
        "anomalies": anomalies,
        "redactions": report.redactions,
        "bytes": report.body_bytes,
        "decoded_bytes": report.decoded_bytes,
        "uninspected_bytes": report.uninspected_bytes(),
    })
}

fn print_text(file: &Path, report: &Report) {
    let (verdict, reason) = verdict(report);
    match reason {
        Some(reason) => println!("{}: {verdict} ({reason})", file.display()),
        None => println!("{}: {verdict}", file.display()),
    }
    for judged in &report.findings {
        let finding = &judged.fact;
        println!(
            "  {} {} at {} {}",
            severity_code(finding.severity),
            finding.rule,
            finding.span,
            finding.path.escape_debug()
        );
    }
    for judged in &report.anomalies {
        println!(
            "  anomaly {} at {}",
            judged.fact.anomaly, judged.fact.offset
        );
    }
}

/// One read of a file.
const READ_BYTES: usize = 64 << 10;
