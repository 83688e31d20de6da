//! How a reader of structure records what it finds.

use std::borrow::Cow;

use crate::inspect::{Category, Finding, Findings, PartId, Severity};
use crate::span::Span;

/// A kind of misdeed: what all findings of one rule share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    /// The rule's id.
    pub(crate) rule: &'static str,
    /// Its class.
    pub(crate) category: Category,
    /// 0 to 100.
    pub(crate) score: u8,
    /// Why, in a few words.
    pub(crate) reason: &'static str,
}

/// Records findings: a rule once for each path, at [`MOST_A_RULE`] paths of a document, then once more without a path.
///
/// A log whose every line repeats a name is one finding. What is not listed is not hidden: exceptions are by path, so those
/// for the paths that are listed leave the last one standing, and policy judges it as it judges the others.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    part: PartId,
    counts: Vec<(&'static str, u8)>,
    /// What is listed.
    listed: Vec<(&'static str, Box<str>)>,
}

impl Recorder {
    /// Begins a document of that part.
    pub(crate) fn begin(&mut self, part: PartId) {
        self.part = part;
        self.counts.clear();
        self.listed.clear();
    }

    /// Where the finding is to be listed; `None` when it says nothing new. A grammar is broken once, wherever that is.
    fn admit(&mut self, charge: Charge, path: impl FnOnce() -> Box<str>) -> Option<Box<str>> {
        let rule = charge.rule;
        let place = self.counts.iter().position(|(known, _)| *known == rule);
        let place = place.unwrap_or_else(|| {
            self.counts.push((rule, 0));
            self.counts.len() - 1
        });
        let (_, count) = self.counts.get_mut(place)?;
        let most = match charge.category {
            Category::JsonMalformed | Category::XmlMalformed => 0,
            _ => MOST_A_RULE,
        };
        if *count > most {
            return None;
        }
        let path = path();
        let same = |(known, at): &(&str, Box<str>)| *known == rule && *at == path;
        if self.listed.iter().any(same) {
            return None;
        }
        *count += 1;
        if most > 0 && *count > most {
            return Some(Box::default());
        }
        self.listed.push((rule, path.clone()));
        Some(path)
    }

    /// Records one finding.
    pub(crate) fn record(
        &mut self,
        charge: Charge,
        span: Span,
        path: impl FnOnce() -> Box<str>,
        findings: &mut Findings,
    ) {
        if let Some(path) = self.admit(charge, path) {
            findings.record(Finding {
                rule: Cow::Borrowed(charge.rule),
                category: charge.category,
                severity: severity(charge.score),
                score: charge.score,
                part: self.part,
                span,
                path,
                reason: Cow::Borrowed(charge.reason),
            });
        }
    }
}

fn severity(score: u8) -> Severity {
    match score {
        90.. => Severity::High,
        60.. => Severity::Medium,
        _ => Severity::Low,
    }
}

/// Paths at which a document's findings of one rule are listed.
const MOST_A_RULE: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const REPEATED: Charge = Charge {
        rule: "json-abuse/duplicate-key",
        category: Category::JsonAbuse,
        score: 100,
        reason: "name repeated with another value",
    };

    /// The paths of what is recorded for misdeeds at `paths`.
    fn recorded(charge: Charge, paths: impl Iterator<Item = String>) -> Vec<String> {
        let (mut recorder, mut findings) = (Recorder::default(), Findings::default());
        recorder.begin(PartId::default());
        for (at, path) in (0..).zip(paths) {
            recorder.record(charge, Span::new(at, at + 1), || path.into(), &mut findings);
        }
        assert_eq!(findings.anomalies, []);
        let list = findings.list.iter();
        list.map(|finding| finding.path.to_string()).collect()
    }

    #[test]
    fn a_misdeed_that_every_line_repeats_is_one_finding() {
        let lines = (0..10_000).map(|line| format!("$.{}", ["a", "b"][line % 2]));
        assert_eq!(recorded(REPEATED, lines), ["$.a", "$.b"]);
    }

    #[test]
    fn of_many_places_the_rest_is_one_finding_that_no_exception_for_a_path_silences() {
        let places = || (0..10_000).map(|place| format!("$[{place}].a"));
        let listed = recorded(REPEATED, places());
        assert_eq!(listed.len(), 17);
        assert_eq!(listed[15], "$[15].a");
        assert_eq!(listed[16], "");
        let again = places().chain(["$[3].a".to_owned(), "$.b".to_owned()]);
        assert_eq!(recorded(REPEATED, again), listed);
    }

    #[test]
    fn a_broken_grammar_is_one_finding_with_its_place() {
        let malformed = Charge {
            category: Category::JsonMalformed,
            ..REPEATED
        };
        let places = (0..40).map(|place| format!("$[{place}]"));
        assert_eq!(recorded(malformed, places), ["$[0]"]);
    }
}
