//! The pages of `docs/` against what they speak of: the configuration's keys, the alerts, the gateways, each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(tree(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// `docs/configuration.md`, made of `deploy/sluice.toml`, whose keys and defaults a test of `config` holds against the
/// code.
fn reference() -> String {
    let mut page = String::from(PREFACE);
    let mut words: Vec<String> = Vec::new();
    let mut table = false;
    for line in text("deploy/sluice.toml")
        .lines()
        .skip_while(|line| !line.is_empty())
    {
        let (commented, bare) = match line.strip_prefix("# ") {
            Some(rest) => (true, rest),
            None => (false, line),
        };
        let heading = bare.starts_with('[') && bare.ends_with(']') && !bare.contains(' ');
        let key = bare.split_once(" = ").filter(|(key, _)| is_key(key));
        match (heading, key) {
            _ if bare.is_empty() || bare == "#" => {
                // A remark that belongs to no key.
                if !words.is_empty() && !table {
                    page.push_str(&format!("{}\n\n", words.join(" ")));
                    words.clear();
                }
            }
            (true, _) => {
                page.push_str(&format!("\n## `{bare}`\n\n"));
                if !words.is_empty() {
                    page.push_str(&format!("{}\n\n", words.join(" ")));
                    words.clear();
                }
                table = false;
            }
            (false, Some((key, value))) => {
                if !table {
                    page.push_str("| key | default | |\n|---|---|---|\n");
                    table = true;
                }
                let value = match commented {
                    true => format!("(`{value}`)"),
                    false => format!("`{value}`"),
                };
                let said = words.join(" ").replace('|', "\\|");
                page.push_str(&format!(
                    "| `{key}` | {} | {said} |\n",
                    value.replace('|', "\\|")
                ));
                words.clear();
            }
            (false, None) => words.push(bare.trim_start_matches("# ").to_owned()),
        }
    }
    page
}

const PREFACE: &str = "# Configuration, key by key

Made of [deploy/sluice.toml](../deploy/sluice.toml) by a test (`BLESS=1 cargo test --test it documents` writes it anew), whose
keys and defaults are those of the program: other tests hold them together. A value in brackets is an example of a key that
is absent by default. A line says what its key is, and stands for those below it that say nothing.

`sluice check --config FILE` names the line and column of a mistake; unknown keys are refused. Each key can be overridden by
the environment: `SLUICE__SERVER__MAX_CONNECTIONS=100` is `server.max-connections`; the value is TOML.
";

fn is_key(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let name = key.trim_matches('"');
    !key.is_empty()
        && (key.chars().all(plain)
            || name.len() + 2 == key.len()
            || name.chars().all(|c| c.is_ascii_uppercase()))
}

#[test]
fn the_configuration_reference_is_what_the_example_file_says() {
    let wanted = reference();
    if std::env::var_os("BLESS").is_some() {
        fs::write(tree("docs/configuration.md"), &wanted).expect("a writable tree");
    }
    let there = text("docs/configuration.md");
    let differs = there
        .lines()
        .zip(wanted.lines())
        .find(|(is, should)| is != should);
    assert!(
        there == wanted,
        "BLESS=1 writes it anew; first difference: {differs:?}"
    );
}

/// Fields of the structs that the configuration file is read into, kebab-case, with the file that has them.
fn fields() -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for file in [
        "file/admin",
        "file/mod",
        "file/profile",
        "file/streams",
        "listeners",
        "quotas",
        "redaction",
        "route",
    ] {
        let (mut read, mut inside) = (false, false);
        for line in text(&format!("src/config/{file}.rs")).lines() {
            if line.starts_with("#[derive(") {
                read = line.contains("Deserialize");
            } else if line.starts_with("pub struct ") {
                inside = read && line.ends_with('{');
            } else if line.starts_with('}') {
                inside = false;
            } else if let (true, Some(rest)) = (inside, line.strip_prefix("    pub ")) {
                let name = rest
                    .split(':')
                    .next()
                    .expect("a name")
                    .trim_start_matches("r#");
                let name = match name {
                    // What serde calls it in the file.
                    "label" => "as".to_owned(),
                    name => name.replace('_', "-"),
                };
                fields.insert(name, file.to_owned());
            }
        }
    }
    fields
}

#[test]
fn each_key_of_the_configuration_is_in_its_reference_and_the_other_way_round() {
    let page = text("docs/configuration.md");
    let mut documented: BTreeSet<String> = BTreeSet::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## `") {
            let names = heading.trim_matches(['[', ']', '`']).split('.');
            documented.extend(names.map(|name| name.trim_matches(['[', ']', '`']).to_owned()));
        } else if let Some(row) = line.strip_prefix("| `") {
            let key = row.split('`').next().expect("a key");
            documented.insert(key.trim_matches('"').to_owned());
        }
    }
    let fields = fields();
    assert!(
        fields.len() > 100,
        "only {} fields were found",
        fields.len()
    );
    let shown = |name: &str| documented.contains(name) || page.contains(&format!(" {name} = "));
    let missing: Vec<_> = fields.iter().filter(|(name, _)| !shown(name)).collect();
    assert!(missing.is_empty(), "not in the reference: {missing:?}");
    // Names that the operator gives: profiles, rules, classes, kinds of value.
    let given = |name: &str| {
        name.contains('/') || name.chars().any(|c| c.is_ascii_uppercase()) || GIVEN.contains(&name)
    };
    let unknown: Vec<_> = documented
        .iter()
        .filter(|name| !fields.contains_key(*name) && !given(name))
        .collect();
    assert!(unknown.is_empty(), "no such key in the code: {unknown:?}");
}

/// Examples of names in `deploy/sluice.toml` that stand where any name may stand.
const GIVEN: &[&str] = &[
    "request",
    "response",
    "redact-request",
    "redact-response",
    "off",
    "cards",
    "sqli",
    "categories",
    "exploit",
    "feed",
    "unknown-coding",
];

#[test]
fn each_alert_has_its_section_in_the_runbook_and_each_section_its_alert() {
    let rules = text("deploy/prometheus/alerts.yml");
    let alerts: BTreeSet<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let page = text("docs/runbook.md");
    let sections: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## Sluice"))
        .collect();
    let sections: BTreeSet<String> = sections
        .iter()
        .map(|name| format!("Sluice{name}"))
        .collect();
    assert!(!alerts.is_empty());
    let alerts: BTreeSet<String> = alerts.into_iter().map(str::to_owned).collect();
    assert_eq!(alerts, sections);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = vec![
        tree("README.md"),
        tree("fuzz/README.md"),
        tree("signatures/README.md"),
    ];
    for folder in ["docs", "docs/gateways"] {
        let entries = fs::read_dir(tree(folder)).expect("a folder");
        pages.extend(
            entries
                .map(|entry| entry.expect("an entry").path())
                .filter(|path| path.is_file()),
        );
    }
    let mut dead = Vec::new();
    for page in &pages {
        let source = fs::read_to_string(page).expect("a page");
        for target in source
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = target.split('#').next().expect("a path");
            let there = path.is_empty()
                || path.contains("://")
                || page.parent().expect("a folder").join(path).exists();
            if !there {
                dead.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    let list = text("docs/gateways/README.md");
    for page in pages
        .iter()
        .filter(|page| page.parent() == Some(tree("docs/gateways").as_path()))
    {
        let name = page.file_name().expect("a name").to_string_lossy();
        assert!(
            name == "README.md" || list.contains(&format!("({name})")),
            "{name} is in no table"
        );
    }
}
