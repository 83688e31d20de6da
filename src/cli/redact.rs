//! `sluice redact`: the redactor over a file, or over the standard input as a filter.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use bytes::BytesMut;

use crate::budget::Budget;
use crate::inspect::Direction;
use crate::redact::{Mode, Profile, Redactor, Summary, type_by_name};

use super::Redact;

pub(super) fn run(arguments: &Redact) -> anyhow::Result<ExitCode> {
    let profile = profile(arguments)?;
    let profile = match arguments.observe {
        true => Profile::clone(&profile).with_mode(Mode::Observe).into(),
        false => profile,
    };
    let input: Box<dyn Read> = match arguments
        .file
        .as_deref()
        .filter(|file| *file != Path::new("-"))
    {
        Some(file) => Box::new(File::open(file).with_context(|| file.display().to_string())?),
        None => Box::new(io::stdin().lock()),
    };
    let content_type = match (&arguments.content_type, &arguments.file) {
        (Some(declared), _) => declared.clone(),
        (None, Some(file)) => type_by_name(&file.to_string_lossy())
            .unwrap_or_default()
            .to_owned(),
        (None, None) => String::new(),
    };
    let redactor = Redactor::new(
        profile,
        &content_type,
        Direction::Response,
        &Budget::new(BUDGET_BYTES),
    );
    let summary = match &arguments.output {
        None => pass(redactor, input, io::stdout().lock())?,
        Some(output) => {
            let context = || output.display().to_string();
            let file = File::create_new(output).with_context(context)?;
            pass(redactor, input, file).with_context(context)?
        }
    };
    report(&summary);
    Ok(ExitCode::SUCCESS)
}

/// The built-in profile of that name, or that of the configuration.
fn profile(arguments: &Redact) -> anyhow::Result<Arc<Profile>> {
    let name = &arguments.profile;
    if let Some(profile) = Profile::builtin(name) {
        return Ok(Arc::new(profile));
    }
    let config = arguments.config.load()?;
    let profile = config.redactions.get(name.as_str()).cloned();
    profile.with_context(|| {
        let of_file = config.redactions.keys().map(String::as_str);
        let known: Vec<_> = Profile::BUILTIN.iter().copied().chain(of_file).collect();
        format!(
            "no redaction profile {name:?}, there are {}",
            known.join(", ")
        )
    })
}

/// Copies `input`, redacted, to `output`.
fn pass(
    mut redactor: Redactor,
    mut input: impl Read,
    mut output: impl Write,
) -> anyhow::Result<Summary> {
    let mut window = vec![0; WINDOW_BYTES];
    let mut out = BytesMut::new();
    loop {
        let read = input.read(&mut window).context("reading")?;
        if read == 0 {
            break;
        }
        redactor.push(window.get(..read).unwrap_or_default(), &mut out);
        output.write_all(&out).context("writing")?;
        out.clear();
    }
    let summary = redactor.finish(&mut out);
    output.write_all(&out).context("writing")?;
    output.flush().context("writing")?;
    Ok(summary)
}

/// Counts go to the standard error: the output may be the document.
fn report(summary: &Summary) {
    for (entity, count) in &summary.counts {
        eprintln!("{entity:<20} {count}");
    }
    for anomaly in &summary.anomalies {
        eprintln!("not read in full: {anomaly}");
    }
}

/// What is read at a time.
const WINDOW_BYTES: usize = 64 * 1024;

/// The process serves nobody else.
const BUDGET_BYTES: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_masks_and_counts() {
        let redactor = Redactor::new(
            Arc::new(Profile::all()),
            "text/plain",
            Direction::Response,
            &Budget::new(BUDGET_BYTES),
        );
        let mut out = Vec::new();
        let summary =
            pass(redactor, b"from a@b.org\n".as_slice(), &mut out).expect("memory does not fail");
        assert_eq!(out, b"from [REDACTED:EMAIL]\n");
        assert_eq!(summary.edits, 1);
    }
}
