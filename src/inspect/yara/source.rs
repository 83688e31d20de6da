//! From a YARA file to its rules: cut apart, parsed, described, with what each refers to and what each needs.
//!
//! A file is cut before it is parsed, so that one rule that breaks the grammar (or wants a module that is not here)
//! leaves the others of its file in force, and is named with its line.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use boreal_parser::file::YaraFileComponent;
use boreal_parser::rule::{MetadataValue, Rule};

use crate::inspect::yara::condition::{self, Known};
use crate::inspect::yara::need::Need;
use crate::inspect::yara::references::References;
use crate::inspect::yara::split::{next_item, resume};
use crate::inspect::{Category, Severity};
use crate::rules::literal::check_id;
use crate::rules::yara::YaraFile;
use crate::rules::{About, Fault, Mode, RulesError, line_of};

/// One rule, ready to be compiled.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) namespace: Arc<str>,
    pub(super) name: Box<str>,
    /// Its text, from `rule` (or `private`, `global`) to its brace.
    pub(super) text: Box<str>,
    /// Shown name of its file.
    pub(super) file: Box<str>,
    /// Line of its first byte.
    pub(super) line: u32,
    pub(super) about: Arc<About>,
    /// Modules that it uses.
    pub(super) modules: Vec<Box<str>>,
    /// Rules that must be compiled before it, in order: those it names, and global ones. Those of other files are
    /// compiled once more, in its namespace.
    pub(super) before: Vec<usize>,
    /// Names that no rule before it in its file has.
    strangers: Vec<Box<str>>,
    pub(super) need: Need,
    pub(super) visibility: Visibility,
    reach: Reach,
    pub(super) uses: Uses,
}

/// Whether a match is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visibility {
    Public,
    Private,
}

/// Which rules a rule's truth concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Itself.
    Rule,
    /// All of its file: a global rule.
    File,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    /// External variables, one bit each, in the order of [`Externals`](super::Externals).
    pub(super) externals: u16,
    /// Counts, offsets or ranges of matches, so that a cap on matches may change its truth.
    pub(super) positions: bool,
    /// Strings at all.
    pub(super) strings: bool,
}

/// Modules of the engine.
const MODULES: &[&str] = &[
    "time",
    "math",
    "string",
    "hash",
    "elf",
    "macho",
    "pe",
    "dotnet",
    "dex",
    "console",
    "cuckoo",
    "androguard",
    "magic",
];

/// Reads the rules of `files`. `externals` are the names of external variables.
pub(super) fn read(files: &[YaraFile], externals: &[&str]) -> (Vec<Source>, Vec<RulesError>) {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    let places: Vec<&str> = files.iter().map(|file| &*file.namespace).collect();
    for (number, file) in files.iter().enumerate() {
        let earlier = places.iter().take(number);
        let mut reader = Reader {
            file,
            namespace: match earlier.filter(|place| **place == &*file.namespace).count() {
                0 => Arc::clone(&file.namespace),
                // Files of the same name in two bundles know nothing of each other.
                twins => format!("{}~{}", file.namespace, twins + 1).into(),
            },
            places: &places,
            externals,
            known: Known::new(),
            first: sources.len(),
            globals: Vec::new(),
            sources: &mut sources,
            problems: &mut problems,
        };
        reader.read();
    }
    introduce(&mut sources);
    (sources, problems)
}

/// Rules may name rules of other files, as they do where all files share one namespace. The name must be that of one rule
/// only, and the depth of such references is one file: it is the way of collections, and no more.
fn introduce(sources: &mut [Source]) {
    let mut owners: HashMap<Box<str>, Option<usize>> = HashMap::new();
    for (number, source) in sources.iter().enumerate() {
        owners
            .entry(source.name.clone())
            .and_modify(|owner| *owner = None)
            .or_insert(Some(number));
    }
    let mut found: Vec<(usize, Vec<usize>)> = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let mut before = Vec::new();
        for owner in source
            .strangers
            .iter()
            .filter_map(|name| *owners.get(name)?)
        {
            // A rule under a global one would bring that along, over the rules here: it stays at home.
            let movable = |number: &usize| {
                sources
                    .get(*number)
                    .is_some_and(|other| other.reach == Reach::Rule)
            };
            let abroad = sources.get(owner).filter(|other| {
                other.namespace != source.namespace
                    && movable(&owner)
                    && other.before.iter().all(movable)
            });
            if let Some(other) = abroad {
                before.extend_from_slice(&other.before);
                before.push(owner);
            }
        }
        if !before.is_empty() {
            found.push((number, before));
        }
    }
    for (number, before) in found {
        if let Some(source) = sources.get_mut(number) {
            source.before.extend(before);
            source.before.sort_unstable();
            source.before.dedup();
        }
    }
}

struct Reader<'a> {
    file: &'a YaraFile,
    namespace: Arc<str>,
    /// Namespaces of all files: their paths without the extension.
    places: &'a [&'a str],
    externals: &'a [&'a str],
    known: Known,
    /// Number of the file's first rule.
    first: usize,
    globals: Vec<usize>,
    sources: &'a mut Vec<Source>,
    problems: &'a mut Vec<RulesError>,
}

impl Reader<'_> {
    fn read(&mut self) {
        let text: &str = &self.file.text;
        let mut at = 0;
        while let Some((start, end)) = next_item(text, at) {
            at = end;
            let item = text.get(start..end).unwrap_or_default();
            match boreal_parser::parse(item) {
                Ok(file) => {
                    for component in file.components {
                        self.component(component, item, start);
                    }
                }
                Err(error) => {
                    let diagnostic = error.to_diagnostic();
                    let offset = diagnostic
                        .labels
                        .first()
                        .map_or(0, |label| label.range.start);
                    let reason = diagnostic.message.into();
                    self.problem(start + offset, Fault::Syntax { reason });
                    at = resume(text, start + 1, end);
                }
            }
        }
    }

    fn problem(&mut self, offset: usize, fault: Fault) {
        self.problems.push(RulesError::new(
            Path::new(&*self.file.shown),
            Some(line_of(&self.file.text, offset)),
            fault,
        ));
    }

    fn component(&mut self, component: YaraFileComponent, item: &str, start: usize) {
        match component {
            YaraFileComponent::Rule(rule) => self.rule(&rule, item, start),
            // Whether a module is there matters only to the rules that use it.
            YaraFileComponent::Import(_) => {}
            // Files of the set are loaded anyway; files elsewhere are never opened.
            YaraFileComponent::Include(include) => {
                let target = included(&self.file.namespace, &include.path);
                if !self.places.iter().any(|place| **place == *target) {
                    self.problem(start, Fault::Include);
                }
            }
        }
    }

    fn rule(&mut self, rule: &Rule, item: &str, start: usize) {
        if self.known.contains_key(&rule.name) {
            let fault = Fault::DuplicateId {
                id: rule.name.as_str().into(),
                first: self.file.shown.clone(),
            };
            return self.problem(start, fault);
        }
        let mut references = References::default();
        references.walk(&rule.condition, &mut Vec::new());
        let modules: Vec<Box<str>> = references
            .modules
            .iter()
            .map(|name| name.as_str().into())
            .collect();
        if let Some(missing) = modules.iter().find(|name| !MODULES.contains(&&***name)) {
            let fault = Fault::MissingModule {
                rule: rule.name.as_str().into(),
                module: missing.clone(),
            };
            return self.problem(start, fault);
        }
        let need = condition::need(rule, &self.known);
        let number = self.sources.len();
        let before = self.before(&references);
        self.known.insert(rule.name.clone(), need.clone());
        if rule.is_global {
            self.globals.push(number);
        }
        let need = before
            .iter()
            .filter(|index| self.globals.contains(index))
            .filter_map(|index| self.sources.get(*index))
            .fold(need, |need, global| need.and(global.need.clone()));
        self.sources.push(Source {
            namespace: Arc::clone(&self.namespace),
            strangers: references
                .names
                .iter()
                .filter(|name| {
                    !self.known.contains_key(*name) && !self.externals.contains(&name.as_str())
                })
                .map(|name| name.as_str().into())
                .collect(),
            name: rule.name.as_str().into(),
            text: item.into(),
            file: self.file.shown.clone(),
            line: line_of(&self.file.text, start),
            about: Arc::new(describe(rule, self.file, &self.namespace)),
            modules,
            before,
            need,
            visibility: if rule.is_private {
                Visibility::Private
            } else {
                Visibility::Public
            },
            reach: match rule.is_global {
                true => Reach::File,
                false => Reach::Rule,
            },
            uses: Uses {
                externals: (0u32..)
                    .zip(self.externals)
                    .filter(|(_, name)| references.names.iter().any(|used| used == *name))
                    .fold(0, |bits, (number, _)| bits | 1 << number),
                positions: references.positions,
                strings: !rule.variables.is_empty(),
            },
        });
    }

    /// Rules of this file that must stand before, in order, with what they need in turn.
    fn before(&self, references: &References) -> Vec<usize> {
        let mut before: Vec<usize> = self.globals.clone();
        for (index, source) in self.sources.iter().enumerate().skip(self.first) {
            let named = references.names.iter().any(|name| **name == *source.name)
                || references
                    .prefixes
                    .iter()
                    .any(|prefix| source.name.starts_with(prefix.as_str()));
            if named {
                before.extend_from_slice(&source.before);
                before.push(index);
            }
        }
        before.sort_unstable();
        before.dedup();
        before
    }
}

fn describe(rule: &Rule, file: &YaraFile, namespace: &str) -> About {
    let mut about = About {
        id: id_of(namespace, rule),
        severity: Severity::High,
        category: Category::Malware,
        description: Box::default(),
        reference: Box::default(),
        licence: Box::default(),
        mode: Mode::Enforce,
        bundle: Arc::clone(&file.bundle),
    };
    for meta in &rule.metadatas {
        let text = match &meta.value {
            MetadataValue::Bytes(bytes) => String::from_utf8_lossy(bytes),
            // Public sets grade by number: 0 to 100.
            MetadataValue::Integer(number)
                if matches!(meta.name.as_str(), "score" | "severity") =>
            {
                about.severity = graded(*number);
                continue;
            }
            MetadataValue::Integer(_) | MetadataValue::Boolean(_) => continue,
        };
        match meta.name.as_str() {
            // Public sets use `id` for digests and serial numbers; ours have a slash.
            "id" if text.contains('/') && check_id(&text).is_ok() => {
                about.id = text.as_ref().into()
            }
            "severity" => about.severity = named(&text).unwrap_or(about.severity),
            "category" => {
                let found = Category::ALL
                    .iter()
                    .find(|category| category.code() == text);
                about.category = found.copied().unwrap_or(about.category);
            }
            "mode" if text == "observe" => about.mode = Mode::Observe,
            "description" => about.description = text.into(),
            "reference" => about.reference = text.into(),
            "license" | "licence" => about.licence = text.into(),
            _ => {}
        }
    }
    about
}

/// The id of a rule that gives none: its file and its name, in the alphabet of ids.
fn id_of(namespace: &str, rule: &Rule) -> Arc<str> {
    let folder = namespace.trim_start_matches("yara/");
    let plain = |char: char| match char {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '_' | '-' | '/' => char,
        _ => '_',
    };
    format!("{folder}/{}", rule.name)
        .chars()
        .map(plain)
        .collect::<String>()
        .into()
}

/// The namespace of the file that `path` means in an include of the file `place`; empty when it leads out of the set.
fn included(place: &str, path: &str) -> String {
    let mut steps: Vec<&str> = place.split('/').collect();
    steps.pop();
    let plain = path.rsplit_once('.').map_or(path, |(plain, _)| plain);
    for step in plain.split(['/', '\\']) {
        match step {
            "" | "." => {}
            ".." => {
                if steps.pop().is_none() {
                    return String::new();
                }
            }
            step => steps.push(step),
        }
    }
    steps.join("/")
}

fn graded(number: i64) -> Severity {
    match number {
        ..=24 => Severity::Low,
        25..=59 => Severity::Medium,
        60..=84 => Severity::High,
        _ => Severity::Critical,
    }
}

fn named(text: &str) -> Option<Severity> {
    Some(match text.to_ascii_lowercase().as_str() {
        "info" => Severity::Info,
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> YaraFile {
        YaraFile {
            namespace: "yara/test".into(),
            shown: "test.yar".into(),
            text: text.into(),
            bundle: "test".into(),
        }
    }

    fn names(text: &str) -> (Vec<String>, Vec<Option<u32>>) {
        let (sources, problems) = read(&[file(text)], &["filename"]);
        (
            sources
                .iter()
                .map(|source| source.name.to_string())
                .collect(),
            problems.iter().map(|problem| problem.line).collect(),
        )
    }

    #[test]
    fn cuts_at_braces_outside_strings_comments_and_expressions() {
        let text = "import \"pe\"\n// }\nrule a { strings: $a = \"}\\\"{\" $b = /}[{]\\/ /i $c = { 41 [2] 42 } condition: any of them }\n/* { */ private rule b : x { condition: filesize \\ 2 > 1 }";
        assert_eq!(names(text), (vec!["a".into(), "b".into()], vec![]));
    }

    #[test]
    fn a_broken_rule_leaves_the_others() {
        let text = "rule a { condition: true }\nrule b { condition: oops oops }\nrule c { condition: true }\nrule d { strings: $a = { 41 \ncondition: $a\nrule e { condition: true }\n";
        assert_eq!(
            names(text),
            (
                vec!["a".into(), "c".into(), "e".into()],
                vec![Some(2), Some(5)]
            )
        );
    }

    #[test]
    fn a_missing_module_takes_only_the_rules_that_use_it() {
        let text = "import \"vt\"\nrule a { condition: vt.type() contains \"x\" }\nrule b { condition: true }\n";
        assert_eq!(names(text), (vec!["b".into()], vec![Some(2)]));
    }

    #[test]
    fn includes_are_refused() {
        assert_eq!(
            names("include \"/etc/passwd\"\nrule a { condition: true }"),
            (vec!["a".into()], vec![Some(1)])
        );
    }

    #[test]
    fn rules_bring_what_they_refer_to() {
        let text = "global rule g { condition: filesize < 9 } private rule p1 { condition: true } rule p2 { condition: p1 } rule z { condition: any of (p*) and filename == \"x\" }";
        let (sources, _) = read(&[file(text)], &["filename"]);
        let last = sources.last().expect("four rules");
        assert_eq!(last.before, [0, 1, 2]);
        assert_eq!(last.uses.externals, 1);
        assert_eq!(
            last.need.clauses().first().map(|clause| clause.size),
            Some((0, 8))
        );
    }
}
