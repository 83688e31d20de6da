//! `sluice bench`: how fast does that server answer?

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};

use super::{Bench, BenchMethod, FINDINGS_STATUS};
use crate::probe::bench::{Allow, Kind, Load, Measured, Reuse, bench};

pub(super) fn run(arguments: &Bench) -> anyhow::Result<ExitCode> {
    let load = load(arguments)?;
    let measured = measure(&load).with_context(|| format!("cannot load {}", arguments.url))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&measured)?);
    } else {
        print!("{measured}");
    }
    Ok(match measured.failures.is_empty() && measured.answers > 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FINDINGS_STATUS),
    })
}

fn load(arguments: &Bench) -> anyhow::Result<Load> {
    let known = |number: f64| number.is_finite() && number > 0.0;
    ensure!(
        known(arguments.seconds) && arguments.seconds <= MAX_SECONDS,
        "--seconds must be above 0 and at most {MAX_SECONDS}"
    );
    ensure!(arguments.rate.is_none_or(known), "--rate must be above 0");
    let body = match &arguments.body {
        Some(path) => {
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?
        }
        None => json(arguments.body_bytes),
    };
    Ok(Load {
        url: arguments.url.clone(),
        kind: match arguments.method {
            BenchMethod::Reqmod => Kind::Reqmod,
            BenchMethod::Respmod => Kind::Respmod,
            BenchMethod::Options => Kind::Options,
        },
        body,
        content_type: arguments.content_type.clone(),
        preview: arguments.preview,
        allow: if arguments.no_204 {
            Allow::Nothing
        } else {
            Allow::NoContent
        },
        connections: arguments.connections,
        reuse: if arguments.no_keep_alive {
            Reuse::Fresh
        } else {
            Reuse::Keep
        },
        rate: arguments.rate,
        time: Duration::from_secs_f64(arguments.seconds),
        patience: PATIENCE,
    })
}

fn measure(load: &Load) -> anyhow::Result<Measured> {
    // Draws on a terminal only.
    let bar = ProgressBar::new(u64::try_from(load.time.as_millis()).unwrap_or(u64::MAX));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {msg}") {
        bar.set_style(style);
    }
    let began = std::time::Instant::now();
    let measured = bench(load, |answers| {
        bar.set_position(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        bar.set_message(format!("{answers} answers"));
    })?;
    bar.finish_and_clear();
    Ok(measured)
}

/// An order as an API would carry it, with rows up to about `bytes`.
fn json(bytes: usize) -> Vec<u8> {
    let mut text = String::from("{\"order\":\"A-1001\",\"currency\":\"EUR\",\"rows\":[");
    let mut row = 0;
    loop {
        let next = format!(
            "{{\"sku\":\"B{row:05}\",\"name\":\"plain item\",\"count\":{}}}",
            row % 7 + 1
        );
        if row > 0 && text.len() + next.len() + 3 > bytes {
            break;
        }
        if row > 0 {
            text.push(',');
        }
        text.push_str(&next);
        row += 1;
    }
    text.push_str("]}");
    text.into_bytes()
}

/// A week.
const MAX_SECONDS: f64 = 604_800.0;

/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
