//! `sluice scan --explain`: what led to the verdict, value by value, on the operator's own terminal.
//!
//! This is the one place that prints payload. It writes to the standard output only, and escapes what a terminal would
//! obey.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::{Value, json};

use crate::inspect::PartId;
use crate::inspect::injection::{ExplainedClass, ExplainedForm, ExplainedValue, Explanation};
use crate::policy::profile::{Action, Profile};
use crate::scan::Report;

/// Prints the explanation of one file.
pub(super) fn print(
    file: Option<&Path>,
    profile: &Profile,
    (report, explanation): (&Report, &Explanation),
) {
    println!(
        "  {} values read, {} with signs",
        explanation.read,
        explanation.values.len()
    );
    for judged in &report.findings {
        if let Some(bytes) = raw(
            file,
            judged.fact.part,
            judged.fact.span.start..judged.fact.span.end,
        ) {
            println!(
                "  {} at {} reads {}",
                judged.fact.rule,
                judged.fact.span,
                shown(&bytes)
            );
        }
    }
    for value in &explanation.values {
        print_value(value, profile);
    }
}

fn print_value(value: &ExplainedValue, profile: &Profile) {
    println!(
        "  value {} ({:?}, part {}, {})",
        value.path.escape_debug(),
        value.host,
        value.part.0,
        value.span
    );
    println!("    {}", shown(&value.excerpt));
    for form in &value.forms {
        if !form.chain.is_empty() {
            println!(
                "    as {}: {}",
                form.chain.join(" > "),
                shown(&form.excerpt)
            );
        }
        for class in &form.classes {
            let setting = profile.classes.of(class.category);
            println!(
                "      {} scores {} of {} ({}): {}",
                class.rule,
                class.score,
                setting.threshold,
                outcome(class.score, setting),
                signs(class)
            );
            let tokens: Vec<String> = class
                .tokens
                .iter()
                .map(|token| format!("{} {}", token.kind, shown(&token.text)))
                .collect();
            if !tokens.is_empty() {
                println!("        tokens: {}", tokens.join(" · "));
            }
        }
    }
    if value.cut {
        println!("    (decode-limit: forms were left out)");
    }
}

/// The explanation as JSON, to be put beside the findings.
pub(super) fn as_json(
    file: Option<&Path>,
    (report, explanation): (&Report, &Explanation),
) -> Value {
    let matter: Vec<Value> = report
        .findings
        .iter()
        .map(|judged| {
            let span = judged.fact.span;
            let bytes = raw(file, judged.fact.part, span.start..span.end);
            json!({
                "rule": judged.fact.rule,
                "start": span.start,
                "end": span.end,
                "bytes": bytes.as_deref().map(String::from_utf8_lossy),
            })
        })
        .collect();
    let values: Vec<Value> = explanation.values.iter().map(value_json).collect();
    json!({ "read": explanation.read, "findings": matter, "values": values })
}

fn value_json(value: &ExplainedValue) -> Value {
    let forms: Vec<Value> = value.forms.iter().map(form_json).collect();
    json!({
        "path": value.path,
        "host": format!("{:?}", value.host),
        "part": value.part.0,
        "start": value.span.start,
        "end": value.span.end,
        "value": String::from_utf8_lossy(&value.excerpt),
        "cut": value.cut,
        "forms": forms,
    })
}

fn form_json(form: &ExplainedForm) -> Value {
    let classes: Vec<Value> = form
        .classes
        .iter()
        .map(|class| {
            let signs: Vec<Value> = class
                .signs
                .iter()
                .map(|(kind, weight, name)| {
                    json!({ "kind": kind.name(), "weight": weight, "name": name })
                })
                .collect();
            let tokens: Vec<Value> = class
                .tokens
                .iter()
                .map(|token| {
                    json!({
                        "kind": token.kind,
                        "start": token.at.start,
                        "end": token.at.end,
                        "text": String::from_utf8_lossy(&token.text),
                    })
                })
                .collect();
            json!({
                "class": class.category.code(),
                "rule": class.rule,
                "score": class.score,
                "tempered_percent": class.temper,
                "signs": signs,
                "tokens": tokens,
            })
        })
        .collect();
    json!({
        "chain": form.chain,
        "value": String::from_utf8_lossy(&form.excerpt),
        "classes": classes,
    })
}

/// `break-out quote 30 + semantics tautology 40, to 50 %`.
fn signs(class: &ExplainedClass) -> String {
    let signs: Vec<String> = class
        .signs
        .iter()
        .map(|(kind, weight, name)| format!("{} {name} {weight}", kind.name()))
        .collect();
    let sum = signs.join(" + ");
    match class.temper {
        Some(percent) => format!("{sum}, to {percent} %"),
        None => sum,
    }
}

fn outcome(score: u8, setting: crate::policy::profile::Class) -> &'static str {
    match setting.action {
        Action::Off => "class is off",
        Action::Observe => "class is observed",
        Action::Sanitize | Action::Block if score >= setting.threshold => "over the threshold",
        Action::Sanitize | Action::Block => "below the threshold",
    }
}

/// The raw bytes of a finding in the body, when the file is the body as it is.
fn raw(file: Option<&Path>, part: PartId, range: std::ops::Range<u64>) -> Option<Vec<u8>> {
    let file = file?;
    if part != PartId::BODY || file.as_os_str() == "-" || range.is_empty() {
        return None;
    }
    let mut input = File::open(file).ok()?;
    input.seek(SeekFrom::Start(range.start)).ok()?;
    let mut bytes = Vec::new();
    let length = (range.end - range.start).min(SHOWN_BYTES);
    input.take(length).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Text in quotes, with control characters escaped: what is printed must not drive the terminal.
fn shown(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

/// Bytes shown of a finding.
const SHOWN_BYTES: u64 = 512;
