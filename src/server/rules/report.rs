//! The examples that were run, for people and for pipelines.

use std::fmt::Write as _;

use super::examination::Tried;

/// How to print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// Failures, and a sum.
    Text,
    /// An object a line
    Json,
    /// JUnit XML
    Junit,
}

/// Renders it.
pub fn render(trials: &[Tried], style: Style) -> String {
    match style {
        Style::Text => text(trials),
        Style::Json => json(trials),
        Style::Junit => junit(trials),
    }
}

fn failed(trials: &[Tried]) -> impl Iterator<Item = &Tried> {
    trials.iter().filter(|trial| !trial.passed)
}

fn text(trials: &[Tried]) -> String {
    let mut out = String::new();
    for trial in failed(trials) {
        let _ = writeln!(out, "{}: {}: {}", trial.source, trial.rule, trial.outcome);
    }
    let _ = writeln!(
        out,
        "{} examples, {} failed",
        trials.len(),
        failed(trials).count()
    );
    out
}

fn json(trials: &[Tried]) -> String {
    let mut out = String::new();
    for trial in trials {
        let record = serde_json::to_string(trial).unwrap_or_default();
        let _ = writeln!(out, "{record}");
    }
    out
}

fn junit(trials: &[Tried]) -> String {
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"sluice rules\" tests=\"{}\" failures=\"{}\">\n",
        trials.len(),
        failed(trials).count()
    );
    for trial in trials {
        let (name, class) = (escaped(&trial.source), escaped(&trial.rule));
        if trial.passed {
            let _ = writeln!(out, "  <testcase classname=\"{class}\" name=\"{name}\"/>");
        } else {
            let message = escaped(&trial.outcome);
            let _ = writeln!(
                out,
                "  <testcase classname=\"{class}\" name=\"{name}\"><failure message=\"{message}\"/></testcase>"
            );
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
        let tried = |passed| Tried {
            rule: "a/b".into(),
            source: "<x>:1".into(),
            expect: "match".into(),
            passed,
            outcome: "as it was".into(),
        };
        let out = render(&[tried(true), tried(false)], Style::Junit);
        assert!(out.contains("tests=\"2\" failures=\"1\""));
        assert!(out.contains("name=\"&lt;x&gt;:1\"><failure"));
    }
}
