//! The result of `sluice rules test`, for people and for pipelines.

use std::fmt::Write as _;

use crate::inspect::trial::{Outcome, Trial};
use crate::rules::example::Expect;

/// How to print it.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Style {
    /// Failures, and a sum
    Text,
    /// An object a line
    Json,
    /// JUnit XML
    Junit,
}

pub(super) fn render(trials: &[Trial], style: Style) -> String {
    match style {
        Style::Text => text(trials),
        Style::Json => json(trials),
        Style::Junit => junit(trials),
    }
}

fn failed(trials: &[Trial]) -> impl Iterator<Item = &Trial> {
    trials
        .iter()
        .filter(|trial| trial.outcome != Outcome::Passed)
}

fn wording(trial: &Trial) -> &'static str {
    match (trial.outcome, trial.expect) {
        (Outcome::Passed, _) => "as expected",
        (Outcome::NoSuchRule, _) => "there is no such rule",
        (Outcome::Failed, Expect::Match) => "should match and does not",
        (Outcome::Failed, Expect::Clean) => "should not match and does",
    }
}

fn text(trials: &[Trial]) -> String {
    let mut out = String::new();
    for trial in failed(trials) {
        let _ = writeln!(out, "{}: {}: {}", trial.source, trial.rule, wording(trial));
    }
    let _ = writeln!(
        out,
        "{} examples, {} failed",
        trials.len(),
        failed(trials).count()
    );
    out
}

fn json(trials: &[Trial]) -> String {
    let mut out = String::new();
    for trial in trials {
        let record = serde_json::json!({
            "rule": trial.rule,
            "source": trial.source,
            "expect": match trial.expect { Expect::Match => "match", Expect::Clean => "clean" },
            "passed": trial.outcome == Outcome::Passed,
            "outcome": wording(trial),
        });
        let _ = writeln!(out, "{record}");
    }
    out
}

fn junit(trials: &[Trial]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"sluice rules\" tests=\"{}\" failures=\"{}\">\n",
        trials.len(),
        failed(trials).count()
    );
    for trial in trials {
        let (name, class) = (escaped(&trial.source), escaped(&trial.rule));
        match trial.outcome {
            Outcome::Passed => {
                let _ = writeln!(out, "  <testcase classname=\"{class}\" name=\"{name}\"/>");
            }
            Outcome::Failed | Outcome::NoSuchRule => {
                let message = wording(trial);
                let _ = writeln!(
                    out,
                    "  <testcase classname=\"{class}\" name=\"{name}\"><failure message=\"{message}\"/></testcase>"
                );
            }
        }
    }
    out.push_str("</testsuite>\n");
    out
}

fn escaped(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' => "&quot;".to_owned(),
            char if char.is_control() => " ".to_owned(),
            char => char.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_counts_failures_and_escapes_names() {
        let trial = |outcome| Trial {
            rule: "a/b".into(),
            source: "<x>:1".into(),
            expect: Expect::Match,
            outcome,
        };
        let out = render(
            &[trial(Outcome::Passed), trial(Outcome::Failed)],
            Style::Junit,
        );
        assert!(out.contains("tests=\"2\" failures=\"1\""));
        assert!(out.contains("name=\"&lt;x&gt;:1\"><failure"));
    }
}
