//! The adapter of libyara (C), behind the feature `libyara`: the reference that the default engine is held against.
//!
//! Nothing is shared between threads; includes are off; rules are compiled from source only.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use yara::errors::{Error, YaraErrorKind};
use yara::{Compiler, Rules, ScanFlags};

use crate::inspect::yara::source::{Source, Visibility};
use crate::inspect::yara::unit::Outcome;
use crate::inspect::yara::{Externals, YaraLimits};
use crate::rules::yara::YaraFile;
use crate::rules::{Fault, RulesError};

/// Rules compiled together.
pub(super) struct Unit {
    /// `None`: no rule compiles.
    rules: Option<Rules>,
    /// Number of each public rule, by namespace and name.
    numbers: HashMap<(Box<str>, Box<str>), u32>,
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").finish_non_exhaustive()
    }
}

impl Unit {
    /// Compiles the rules with these numbers, in order. What does not compile is in the second value.
    pub(super) fn compile(
        sources: &[Source],
        numbers: &[usize],
        _: &YaraLimits,
    ) -> (Self, Vec<RulesError>) {
        let chosen = |left_out: &HashSet<usize>| {
            let kept = numbers.iter().filter(|number| !left_out.contains(number));
            let texts = texts(sources, kept.copied());
            compiled(&texts).ok()
        };
        let (mut broken, mut problems) = (HashSet::new(), Vec::new());
        let rules = chosen(&broken).or_else(|| {
            // The compiler is of no use after an error: rule by rule, each with what it refers to.
            for number in numbers {
                let Some(source) = sources.get(*number) else {
                    continue;
                };
                let with: Vec<usize> = source.before.iter().copied().chain([*number]).collect();
                if let Err(error) = compiled(&texts(sources, with.into_iter())) {
                    broken.insert(*number);
                    let reason = format!("rule {}: libyara: {error}", source.name).into();
                    let file = Path::new(&*source.file);
                    let fault = Fault::Syntax { reason };
                    problems.push(RulesError::new(file, Some(source.line), fault));
                }
            }
            chosen(&broken)
        });
        let named = numbers.iter().filter_map(|number| {
            let source = sources.get(*number)?;
            let name = (Box::from(&*source.namespace), Box::from(&*source.name));
            let number = u32::try_from(*number).ok()?;
            (source.visibility == Visibility::Public).then_some((name, number))
        });
        let unit = Self {
            rules,
            numbers: named.collect(),
        };
        (unit, problems)
    }

    /// Scans `body` whole.
    pub(super) fn scan(
        &self,
        body: &[u8],
        externals: &Externals,
        time: Duration,
        out: &mut Outcome,
    ) {
        let Some(rules) = &self.rules else { return };
        let Ok(mut scanner) = rules.scanner() else {
            out.failed = true;
            return;
        };
        // Whole seconds; none at all would mean for ever.
        let seconds = time.as_secs().max(1);
        scanner.set_timeout(i32::try_from(seconds).unwrap_or(i32::MAX));
        scanner.set_flags(ScanFlags::FAST_MODE | ScanFlags::REPORT_RULES_MATCHING);
        for (name, value) in externals.pairs() {
            // A NUL cannot stand in a C string; what comes before it can.
            let value = value.split('\0').next().unwrap_or_default();
            if scanner.define_variable(name, value).is_err() {
                out.failed = true;
                return;
            }
        }
        match scanner.scan_mem(body).map_err(Error::from) {
            Ok(found) => out.matches.extend(found.iter().filter_map(|rule| {
                let name = (rule.namespace.into(), rule.identifier.into());
                self.numbers.get(&name)
            })),
            Err(Error::Yara(error)) if error.kind == YaraErrorKind::ScanTimeout => {
                out.timed_out = true;
            }
            Err(_) => out.failed = true,
        }
    }
}

/// Namespace and text of the rules, with the imports that they need and the rules of other namespaces that they name.
fn texts(sources: &[Source], numbers: impl Iterator<Item = usize>) -> Vec<(&str, String)> {
    let (mut texts, mut done) = (Vec::new(), HashSet::new());
    for number in numbers {
        let Some(source) = sources.get(number) else {
            continue;
        };
        let place = &*source.namespace;
        let guests = source.before.iter().filter_map(|other| sources.get(*other));
        let guests = guests.filter(|guest| guest.namespace != source.namespace);
        for rule in guests.chain([source]) {
            for module in &rule.modules {
                if done.insert((place, "import", &**module)) {
                    texts.push((place, format!("import \"{module}\"")));
                }
            }
            if done.insert((place, &*rule.namespace, &*rule.name)) {
                texts.push((place, rule.text.to_string()));
            }
        }
    }
    texts
}

fn compiled(texts: &[(&str, String)]) -> Result<Rules, Error> {
    let mut compiler = Compiler::new()?;
    compiler.disable_include_directive();
    for (name, _) in Externals::default().pairs() {
        compiler.define_variable(name, "")?;
    }
    for (namespace, text) in texts {
        compiler = compiler.add_rules_str_with_namespace(text, namespace)?;
    }
    Ok(compiler.compile_rules()?)
}

/// Whole files compiled by libyara, without any of this program's doings: the oracle of the differential run.
pub struct Reference {
    rules: Rules,
}

/// libyara cannot compile or scan.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    /// A file does not compile.
    #[error(transparent)]
    Compile(#[from] yara::Error),
    /// The engine fails.
    #[error(transparent)]
    Engine(#[from] yara::errors::YaraError),
}

impl Reference {
    /// Compiles `files`, each in its namespace.
    ///
    /// # Errors
    /// [`ReferenceError`] when one of them does not compile.
    pub fn compile<'a>(
        files: impl IntoIterator<Item = &'a YaraFile>,
    ) -> Result<Self, ReferenceError> {
        let mut compiler = Compiler::new()?;
        compiler.disable_include_directive();
        for (name, _) in Externals::default().pairs() {
            compiler.define_variable(name, "")?;
        }
        for file in files {
            compiler = compiler.add_rules_str_with_namespace(&file.text, &file.namespace)?;
        }
        Ok(Self {
            rules: compiler.compile_rules()?,
        })
    }

    /// Namespace and name of the rules that match `body`, sorted.
    ///
    /// # Errors
    /// [`ReferenceError`] when the scan fails or takes too long.
    pub fn scan(
        &self,
        body: &[u8],
        time: Duration,
    ) -> Result<Vec<(String, String)>, ReferenceError> {
        let mut scanner = self.rules.scanner()?;
        scanner.set_timeout(i32::try_from(time.as_secs()).unwrap_or(i32::MAX));
        // Without the second flag an object is made for every rule that did not match.
        scanner.set_flags(ScanFlags::FAST_MODE | ScanFlags::REPORT_RULES_MATCHING);
        let mut names: Vec<(String, String)> = scanner
            .scan_mem(body)?
            .iter()
            .map(|rule| (rule.namespace.to_owned(), rule.identifier.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }
}
