//! The adapter of boreal. Nothing outside this file knows which engine runs.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use boreal::compiler::CompilerParams;
use boreal::scanner::{ScanParams, Scanner};
use boreal::{Compiler, MetadataValue};

use crate::inspect::yara::{Externals, YaraLimits};
use crate::inspect::{Category, Severity};
use crate::rules::yara::YaraFile;
use crate::rules::{About, Fault, RulesError, line_of};

/// Compiled rules.
#[derive(Debug)]
pub(super) struct Engine {
    scanner: Scanner,
    about: HashMap<(Box<str>, Box<str>), Arc<About>>,
}

/// The time for one body is over.
#[derive(Debug)]
pub(super) struct TimedOut;

impl Engine {
    pub(super) fn compile(
        files: &[YaraFile],
        limits: &YaraLimits,
    ) -> (Self, Vec<Arc<About>>, Vec<RulesError>) {
        let mut compiler = Compiler::new();
        compiler.set_params(CompilerParams::default().disable_includes(true));
        for (name, _) in Externals::default().pairs() {
            compiler.define_symbol(name, "");
        }
        let mut problems = Vec::new();
        for file in files {
            if let Err(error) = compiler.add_rules_str_in_namespace(&file.text, &file.namespace) {
                let diagnostic = error.to_diagnostic();
                let line = diagnostic
                    .labels
                    .first()
                    .map(|label| line_of(&file.text, label.range.start));
                let fault = Fault::Syntax {
                    reason: diagnostic.message.into(),
                };
                problems.push(RulesError::new(Path::new(&*file.shown), line, fault));
            }
        }
        let mut scanner = compiler.finalize();
        scanner.set_scan_params(
            ScanParams::default()
                .timeout_duration(Some(limits.scan_time))
                .string_max_nb_matches(limits.matches),
        );
        let mut about = HashMap::new();
        let mut rules = Vec::new();
        for rule in scanner.rules().filter(|rule| !rule.is_private) {
            let entry = Arc::new(describe(&scanner, &rule));
            about.insert(
                (rule.namespace.into(), rule.name.into()),
                Arc::clone(&entry),
            );
            rules.push(entry);
        }
        (Self { scanner, about }, rules, problems)
    }

    pub(super) fn scan(
        &self,
        body: &[u8],
        externals: &Externals,
        report: &mut dyn FnMut(&About),
    ) -> Result<(), TimedOut> {
        let mut scanner = self.scanner.clone();
        for (name, value) in externals.pairs() {
            let _ = scanner.define_symbol(name, value);
        }
        let (result, outcome) = match scanner.scan_mem(body) {
            Ok(result) => (result, Ok(())),
            Err((_, result)) => (result, Err(TimedOut)),
        };
        for rule in result.rules {
            if let Some(about) = self.about.get(&(rule.namespace.into(), rule.name.into())) {
                report(about);
            }
        }
        outcome
    }
}

fn describe(scanner: &Scanner, rule: &boreal::scanner::RuleDetails<'_>) -> About {
    let mut about = About {
        id: format!("{}/{}", rule.namespace, rule.name).into(),
        severity: Severity::High,
        category: Category::Malware,
        description: Box::default(),
        reference: Box::default(),
        licence: Box::default(),
        mode: crate::rules::Mode::Enforce,
    };
    for meta in rule.metadatas {
        let value = match meta.value {
            MetadataValue::Bytes(bytes) => String::from_utf8_lossy(scanner.get_bytes_symbol(bytes)),
            MetadataValue::Integer(_) | MetadataValue::Boolean(_) => continue,
        };
        match scanner.get_string_symbol(meta.name) {
            "id" if crate::rules::literal::check_id(&value).is_ok() && value.contains('/') => {
                about.id = value.into()
            }
            "description" => about.description = value.into(),
            "reference" => about.reference = value.into(),
            "license" | "licence" => about.licence = value.into(),
            _ => {}
        }
    }
    about
}
