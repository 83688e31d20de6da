//! The examples that the entity rules carry, both ways.

use sluice::inspect::sensitive::scanner::Named;
use sluice::inspect::sensitive::{Catalog, Scanner};
use sluice::rules::entity::{EntityRules, Example};

/// What the examples of a rule, by content or by name, need.
struct Carried<'a> {
    id: &'a str,
    entity: &'a str,
    matches: &'a [String],
    refuses: &'a [String],
}

fn carried(rules: &EntityRules) -> impl Iterator<Item = Carried<'_>> {
    let detectors = rules.detector.iter().map(|rule| Carried {
        id: &rule.id,
        entity: &rule.entity,
        matches: &rule.matches,
        refuses: &rule.refuses,
    });
    // The target of operators' selectors finds nothing by itself.
    let fields = rules.field.iter().filter(|rule| !rule.names.is_empty());
    detectors.chain(fields.map(|rule| Carried {
        id: &rule.id,
        entity: &rule.entity,
        matches: &rule.matches,
        refuses: &rule.refuses,
    }))
}

/// Place, rule and entity of all that is found in `text`.
fn found(scanner: &mut Scanner, text: &str) -> Vec<(std::ops::Range<usize>, String, String)> {
    let mut hits = Vec::new();
    scanner.content(text.as_bytes(), &Named::default(), &mut hits);
    let catalog = Catalog::builtin();
    hits.iter()
        .map(|hit| {
            let rule = catalog.rule_id(hit.rule).to_string();
            let entity = catalog.label(hit.entity).to_string();
            (hit.start..hit.end, rule, entity)
        })
        .collect()
}

#[test]
fn every_rule_has_examples_both_ways() {
    let rules = EntityRules::builtin().expect("the files are TOML");
    let lacking: Vec<&str> = carried(&rules)
        .filter(|rule| {
            let shown = |text: &String| !Example::read(text).values.is_empty();
            rule.refuses.is_empty() || !rule.matches.iter().any(shown)
        })
        .map(|rule| rule.id)
        .collect();
    assert!(lacking.is_empty(), "examples are missing: {lacking:?}");
}

#[test]
fn the_examples_of_every_rule_hold() {
    let rules = EntityRules::builtin().expect("the files are TOML");
    let mut scanner = Scanner::new(Catalog::builtin(), |_| true);
    let mut wrong = Vec::new();
    for rule in carried(&rules) {
        for written in rule.matches {
            let example = Example::read(written);
            let got = found(&mut scanner, &example.text);
            for value in example.values {
                let fits = |(place, by, _): &(_, String, _)| *place == value && by == rule.id;
                if !got.iter().any(fits) {
                    wrong.push(format!("{} must match {written:?}, found {got:?}", rule.id));
                }
            }
        }
        for written in rule.refuses {
            let got = found(&mut scanner, &Example::read(written).text);
            if got.iter().any(|(_, _, entity)| entity == rule.entity) {
                wrong.push(format!(
                    "{} must refuse {written:?}, found {got:?}",
                    rule.id
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
