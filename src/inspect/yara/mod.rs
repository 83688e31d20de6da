//! YARA rules: the set, what it needs of a body, and the run over it. [`engine`] is the one file that knows boreal.

use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::inspect::literal::finding;
use crate::inspect::{Findings, PartId};
use crate::rules::yara::YaraFile;
use crate::rules::{About, RulesError};
use crate::span::Span;

mod engine;

/// Limits of compiling and scanning.
#[derive(Clone, Debug)]
pub struct YaraLimits {
    /// Bodies up to this many bytes are scanned whole; longer ones in blocks.
    pub whole_bytes: usize,
    /// Time for one body.
    pub scan_time: std::time::Duration,
    /// Matches of one string that are counted.
    pub matches: u32,
}

impl Default for YaraLimits {
    fn default() -> Self {
        Self {
            // Eight bodies of this size at once stay below the 96 MiB that one server may take.
            whole_bytes: 8 * 1024 * 1024,
            scan_time: std::time::Duration::from_secs(2),
            matches: 1000,
        }
    }
}

/// External variables of a scan; what is not known is the empty string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Externals {
    /// `request` or `response`.
    pub direction: Box<str>,
    /// HTTP method.
    pub method: Box<str>,
    /// Host of the request.
    pub host: Box<str>,
    /// Path of the request.
    pub path: Box<str>,
    /// Media type.
    pub content_type: Box<str>,
    /// Name of the file, without folders.
    pub filename: Box<str>,
    /// Name of the file with folders.
    pub filepath: Box<str>,
    /// Extension of the file, with its dot, as public rules expect.
    pub extension: Box<str>,
    /// Kind of file, as public rules name it.
    pub filetype: Box<str>,
    /// Owner of the file: the authenticated user.
    pub owner: Box<str>,
    /// Address of the client.
    pub client_address: Box<str>,
}

impl Externals {
    /// Name and value of each.
    fn pairs(&self) -> [(&'static str, &str); 11] {
        [
            ("direction", &self.direction),
            ("method", &self.method),
            ("host", &self.host),
            ("path", &self.path),
            ("content_type", &self.content_type),
            ("filename", &self.filename),
            ("filepath", &self.filepath),
            ("extension", &self.extension),
            ("filetype", &self.filetype),
            ("owner", &self.owner),
            ("client_address", &self.client_address),
        ]
    }
}

/// Compiled rules; immutable, shared.
#[derive(Debug, Default)]
pub struct YaraSet {
    engine: Option<engine::Engine>,
    rules: Vec<Arc<About>>,
}

impl YaraSet {
    /// Compiles `files`; rules that do not load are in the second value, with file and line.
    pub fn compile(files: &[YaraFile], limits: &YaraLimits) -> (Self, Vec<RulesError>) {
        if files.is_empty() {
            return (Self::default(), Vec::new());
        }
        let (engine, rules, problems) = engine::Engine::compile(files, limits);
        let set = Self {
            engine: Some(engine),
            rules,
        };
        (set, problems)
    }

    /// True when there are no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules.
    pub fn rules(&self) -> impl Iterator<Item = &About> {
        self.rules.iter().map(Arc::as_ref)
    }

    /// Runs all rules over `body`, ungated.
    pub fn scan(&self, body: &[u8], externals: &Externals, part: PartId, out: &mut Findings) {
        let Some(engine) = &self.engine else {
            return;
        };
        let mut report = |rule: &About| {
            out.record(finding(rule, part, Span::new(0, body.len() as u64)));
        };
        if engine.scan(body, externals, &mut report).is_err() {
            out.anomaly(Anomaly::ScanTimeout, part, 0);
        }
    }
}
