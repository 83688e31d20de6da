//! The adapter of boreal. Nothing outside this file knows which engine runs.
//!
//! Never used: compiled rules from elsewhere, process memory, memory maps, includes.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use boreal::Compiler;
use boreal::compiler::CompilerParams;
use boreal::scanner::{
    CallbackEvents, ScanCallbackResult, ScanError, ScanEvent, ScanParams, Scanner,
};

use crate::inspect::yara::source::{Source, Visibility};
use crate::inspect::yara::unit::Outcome;
use crate::inspect::yara::{Externals, YaraLimits, modules};
use crate::rules::{Fault, RulesError, line_of};

/// Rules compiled together: cheap to share, nothing is built for a scan.
#[derive(Debug)]
pub(super) struct Unit {
    scanner: Scanner,
    /// Number of each public rule, by namespace and name.
    numbers: HashMap<Box<str>, HashMap<Box<str>, u32>>,
    /// Rules whose truth may change when matches are capped.
    positions: Vec<u32>,
    /// External variables that are used, one bit each.
    externals: u16,
}

impl Unit {
    /// Compiles the rules with these numbers, in order. What does not compile is in the second value.
    pub(super) fn compile(
        sources: &[Source],
        numbers: &[usize],
        limits: &YaraLimits,
    ) -> (Self, Vec<RulesError>) {
        let mut compiler = modules::compiler();
        compiler.set_params(
            CompilerParams::default()
                .disable_includes(true)
                .disable_unknown_escape_warning(true),
        );
        for (name, _) in Externals::default().pairs() {
            compiler.define_symbol(name, "");
        }
        let mut unit = UnitParts::default();
        let mut guests: Vec<(&str, usize)> = Vec::new();
        for number in numbers {
            let Some(source) = sources.get(*number) else {
                continue;
            };
            for other in &source.before {
                let Some(guest) = sources.get(*other) else {
                    continue;
                };
                let place = (&*source.namespace, *other);
                if guest.namespace != source.namespace && !guests.contains(&place) {
                    guests.push(place);
                    unit.import(&mut compiler, &source.namespace, guest);
                    // What does not compile is told where it is at home, and again by the rule that wants it.
                    let _ = compiler.add_rules_str_in_namespace(&guest.text, &source.namespace);
                }
            }
            unit.import(&mut compiler, &source.namespace, source);
            match compiler.add_rules_str_in_namespace(&source.text, &source.namespace) {
                Ok(_) => unit.add(source, *number),
                Err(error) => {
                    let diagnostic = error.to_diagnostic();
                    let offset = diagnostic
                        .labels
                        .first()
                        .map_or(0, |label| label.range.start);
                    let line = source.line + line_of(&source.text, offset) - 1;
                    let reason = format!("rule {}: {}", source.name, diagnostic.message).into();
                    let fault = Fault::Syntax { reason };
                    unit.problems.push(RulesError::new(
                        Path::new(&*source.file),
                        Some(line),
                        fault,
                    ));
                }
            }
        }
        unit.finish(compiler, limits)
    }

    /// Scans `body` whole.
    pub(super) fn scan(
        &self,
        body: &[u8],
        externals: &Externals,
        time: Duration,
        out: &mut Outcome,
    ) {
        let own;
        // All of them were defined as empty strings when the unit was compiled.
        let mut told = externals
            .pairs()
            .into_iter()
            .enumerate()
            .filter(|(number, (_, value))| self.externals >> number & 1 != 0 && !value.is_empty())
            .map(|(_, pair)| pair)
            .peekable();
        let scanner = if told.peek().is_some() || time != *self.limit() {
            let mut copy = self.scanner.clone();
            for (name, value) in told {
                let _ = copy.define_symbol(name, value);
            }
            copy.set_scan_params(
                self.scanner
                    .scan_params()
                    .clone()
                    .timeout_duration(Some(time)),
            );
            own = copy;
            &own
        } else {
            &self.scanner
        };
        let (mut matches, mut capped) = (Vec::new(), false);
        let callback = |event: ScanEvent<'_, '_>| {
            match event {
                ScanEvent::RuleMatch(rule) => {
                    matches.extend(self.number(rule.namespace, rule.name))
                }
                ScanEvent::StringReachedMatchLimit(string) => {
                    capped |= self
                        .number(string.rule_namespace, string.rule_name)
                        .is_some_and(|number| self.positions.contains(&number));
                }
                _ => {}
            }
            ScanCallbackResult::Continue
        };
        let result = scanner.scan_mem_with_callback(body, callback);
        out.matches.append(&mut matches);
        out.capped |= capped;
        out.timed_out |= match result {
            Ok(()) => false,
            Err(ScanError::Timeout) => true,
            Err(_) => {
                out.failed = true;
                false
            }
        };
    }

    fn limit(&self) -> &Duration {
        self.scanner
            .scan_params()
            .get_timeout_duration()
            .unwrap_or(&Duration::MAX)
    }

    fn number(&self, namespace: &str, name: &str) -> Option<u32> {
        self.numbers.get(namespace)?.get(name).copied()
    }
}

/// A unit while it is being compiled.
#[derive(Default)]
struct UnitParts {
    numbers: HashMap<Box<str>, HashMap<Box<str>, u32>>,
    positions: Vec<u32>,
    externals: u16,
    problems: Vec<RulesError>,
    imported: HashMap<Box<str>, HashSet<Box<str>>>,
}

impl UnitParts {
    /// Imports the modules that `source` uses, each once a namespace.
    fn import(&mut self, compiler: &mut Compiler, namespace: &str, source: &Source) {
        for module in &source.modules {
            let imported = self.imported.entry(namespace.into()).or_default();
            if imported.insert(module.clone()) {
                let import = format!("import \"{module}\"");
                // A module that is not there fails the rule that uses it.
                let _ = compiler.add_rules_str_in_namespace(import, namespace);
            }
        }
    }

    fn add(&mut self, source: &Source, number: usize) {
        let number =
            u32::try_from(number).expect("rules are counted in 32 bits where they are read");
        self.externals |= source.uses.externals;
        if source.uses.positions {
            self.positions.push(number);
        }
        match source.visibility {
            Visibility::Public => {
                self.numbers
                    .entry((&*source.namespace).into())
                    .or_default()
                    .insert(source.name.clone(), number);
            }
            Visibility::Private => {}
        }
    }

    fn finish(self, compiler: Compiler, limits: &YaraLimits) -> (Unit, Vec<RulesError>) {
        let mut scanner = compiler.finalize();
        scanner.set_scan_params(
            ScanParams::default()
                .timeout_duration(Some(limits.scan_time))
                .string_max_nb_matches(limits.matches)
                .callback_events(
                    CallbackEvents::RULE_MATCH | CallbackEvents::STRING_REACHED_MATCH_LIMIT,
                ),
        );
        let unit = Unit {
            scanner,
            numbers: self.numbers,
            positions: self.positions,
            externals: self.externals,
        };
        (unit, self.problems)
    }
}
