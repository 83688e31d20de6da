//! Examples put to the test: each rule matches what it must and leaves what it must not.

use std::sync::Arc;

use crate::budget::Budget;
use crate::inspect::literal::PartFacts;
use crate::inspect::signatures::{SignatureScan, Signatures};
use crate::inspect::yara::Externals;
use crate::inspect::{Direction, Findings, PartId};
use crate::rules::example::{Example, Expect};
use crate::rules::literal::Place;

/// How one example fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The rule.
    pub rule: Box<str>,
    /// File and line of the example.
    pub source: Box<str>,
    /// What was expected.
    pub expect: Expect,
    /// Whether it was so.
    pub outcome: Outcome,
}

/// Whether an example came out as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Not so.
    Failed,
    /// Its rule is not there.
    NoSuchRule,
}

/// Runs every example. A sample is shown as every kind of part in both directions: a rule that must match matches as one
/// of them, a rule that must not matches as none.
pub fn run(rules: &Arc<Signatures>, examples: &[Example]) -> Vec<Trial> {
    let mut scan = SignatureScan::new(
        rules,
        &Budget::new(u64::MAX),
        &facts(Place::Body, Direction::Request, None),
    );
    examples
        .iter()
        .map(|example| Trial {
            rule: example.rule.clone(),
            source: example.source.clone(),
            expect: example.expect,
            outcome: outcome(rules, &mut scan, example),
        })
        .collect()
}

fn outcome(rules: &Signatures, scan: &mut SignatureScan, example: &Example) -> Outcome {
    if !rules.rules().any(|about| *about.id == *example.rule) {
        return Outcome::NoSuchRule;
    }
    let places = [
        Place::Body,
        Place::File,
        Place::Field,
        Place::Header,
        Place::Url,
    ];
    let matched = places.iter().any(|place| {
        [Direction::Request, Direction::Response]
            .iter()
            .any(|direction| {
                matches(
                    scan,
                    example,
                    &facts(*place, *direction, example.content_type.as_deref()),
                )
            })
    });
    match (example.expect, matched) {
        (Expect::Match, true) | (Expect::Clean, false) => Outcome::Passed,
        (Expect::Match, false) | (Expect::Clean, true) => Outcome::Failed,
    }
}

fn matches(scan: &mut SignatureScan, example: &Example, facts: &PartFacts<'_>) -> bool {
    let mut out = Findings::default();
    scan.reset(facts);
    scan.push(&example.bytes, &mut out);
    let mut works: Vec<_> = std::iter::from_fn(|| scan.take_work()).collect();
    works.extend(scan.finish(&mut out));
    for work in works {
        let name = example.filename.clone().unwrap_or_default();
        let externals = Externals {
            content_type: example.content_type.clone().unwrap_or_default(),
            filepath: name.clone(),
            filename: name,
            ..Externals::default()
        };
        work.run(&externals, &mut out);
    }
    out.list.iter().any(|finding| finding.rule == *example.rule)
}

fn facts(place: Place, direction: Direction, content_type: Option<&str>) -> PartFacts<'_> {
    PartFacts {
        part: PartId::BODY,
        place,
        direction,
        content_type,
        within: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::yara::YaraLimits;
    use crate::rules::Bundle;

    #[test]
    fn every_shipped_rule_has_examples_both_ways_and_they_hold() {
        let mut bundle = Bundle::embedded();
        let examples = std::mem::take(&mut bundle.examples);
        let rules =
            Arc::new(Signatures::compile(vec![bundle], YaraLimits::default()).expect("compiles"));
        let problems: Vec<String> = rules.problems().iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        let costly: Vec<&str> = rules.costly().map(|about| &*about.id).collect();
        assert!(
            costly.is_empty(),
            "rules that run on every body: {costly:?}"
        );
        for about in rules.rules() {
            for expect in [Expect::Match, Expect::Clean] {
                assert!(
                    examples
                        .iter()
                        .any(|example| *example.rule == *about.id && example.expect == expect),
                    "{} has no example for {expect:?}",
                    about.id
                );
            }
        }
        let failed: Vec<Trial> = run(&rules, &examples)
            .into_iter()
            .filter(|trial| trial.outcome != Outcome::Passed)
            .collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }
}
