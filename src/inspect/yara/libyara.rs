//! The adapter of libyara (C), behind the feature `libyara`: the reference that the default engine is held against.
//!
//! Nothing is shared between threads; includes are off; rules are compiled from source only.

use std::time::Duration;

use yara::{Compiler, Rules, ScanFlags};

use crate::inspect::yara::Externals;
use crate::rules::yara::YaraFile;

/// Rules compiled by libyara.
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
