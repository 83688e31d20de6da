//! How one kind of message is inspected and judged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::inspect::Category;
use crate::policy::profile::{Action, FailMode, Mode, Release};

use super::Switch;

/// How one kind of message is inspected and judged.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Profile {
    /// Which built-in settings it begins with; `request` when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Where classes, thresholds, fail modes and mode begin: `default`, `strict`, `lenient` or `observe`; what else the
    /// profile says comes on top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Whose messages may get it, by ICAP client: networks, or names in certificates; empty: everyone's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<String>,
    /// `enforce`, `observe` or `off`; that of the preset when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// `at-verdict` or `as-settled`.
    pub release: Release,
    /// Literal, YARA and hash rules.
    pub signatures: Switch,
    /// JSON and XML structure.
    pub structure: Switch,
    /// Injection detectors on every value.
    pub injection: Switch,
    /// The redaction profile: `all`, `pci-dss`, `hipaa`, `gdpr`, `secrets`, `log-safe`, or one of `redactions`; empty:
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact: Option<String>,
    /// Sizes and counts.
    pub limits: ProfileLimits,
    /// Whether an anomaly lets the message pass (`open`) or blocks it (`closed`), by the anomaly's code.
    pub fail_modes: BTreeMap<String, FailMode>,
    /// Action and threshold by class of finding.
    pub classes: BTreeMap<Category, ClassSetting>,
    /// Action by rule id; overrides the class.
    pub rules: BTreeMap<String, Action>,
    /// Known false positives.
    pub exceptions: Vec<ExceptionSetting>,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            base: None,
            preset: None,
            allow: Vec::new(),
            mode: None,
            release: Release::AtVerdict,
            signatures: Switch::On,
            structure: Switch::On,
            injection: Switch::On,
            redact: None,
            limits: ProfileLimits::default(),
            fail_modes: BTreeMap::new(),
            classes: BTreeMap::new(),
            rules: BTreeMap::new(),
            exceptions: Vec::new(),
        }
    }
}

/// The built-in settings that a profile begins with.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// Every class of finding blocks.
    #[default]
    Request,
    /// No injection classes: web pages are full of markup.
    Response,
}

/// The built-in profile that a profile begins with; docs/detection.md compares them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Two kinds of evidence block.
    #[default]
    Default,
    /// One kind is enough, and every anomaly blocks.
    Strict,
    /// Three kinds are needed; odd JSON and XML is observed.
    Lenient,
    /// Everything is looked for, nothing is blocked.
    Observe,
}

impl Preset {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Default => "default",
            Preset::Strict => "strict",
            Preset::Lenient => "lenient",
            Preset::Observe => "observe",
        }
    }
}

/// Action and threshold of one class of finding.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClassSetting {
    /// `off`, `observe`, `sanitize` or `block`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// The least score, 0 to 100, that counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u8>,
}

/// One known false positive: what is silenced, and where.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ExceptionSetting {
    /// A rule's id; this or `class`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// A class of findings; this or `rule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Category>,
    /// Path of the value (`$.query`, `header:user-agent`); `*` stands for any run of characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// HTTP method.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Host, without port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Path of the HTTP request, without query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Media type of the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Networks of the clients.
    pub clients: Vec<ipnet::IpNet>,
}

/// Sizes and counts of inspection.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ProfileLimits {
    /// A body, as it comes; 0: no limit.
    pub body_mib: u64,
    /// What all decompressors of one body may yield together.
    pub decoded_mib: u64,
    /// Decoded to encoded bytes.
    pub ratio: u64,
    /// Decoded bytes before the ratio is looked at.
    pub ratio_floor_mib: u64,
    /// Stacked content-codings.
    pub codings: usize,
    /// gzip members or zstd frames.
    pub members: u32,
    /// The window that a zstd frame may ask for.
    pub coding_window_mib: u64,
    /// Archives inside archives.
    pub archive_depth: u8,
    /// Archive members in all.
    pub archive_entries: u32,
    /// Multipart parts in all.
    pub multipart_parts: u32,
    /// Parts below parts, of any kind.
    pub depth: u8,
    /// Parts of any kind in all.
    pub parts: u32,
    /// A part up to this size is held in memory and scanned whole by YARA.
    pub yara_whole_mib: u64,
    /// A larger one up to this size is spooled and scanned whole, a larger one yet in overlapping blocks; 0: none is
    /// spooled.
    pub yara_spool_mib: u64,
}

impl Default for ProfileLimits {
    fn default() -> Self {
        Self {
            body_mib: 2048,
            decoded_mib: 256,
            ratio: 200,
            ratio_floor_mib: 4,
            codings: 3,
            members: 1000,
            coding_window_mib: 8,
            archive_depth: 3,
            archive_entries: 10_000,
            multipart_parts: 1000,
            depth: 8,
            parts: 16_384,
            yara_whole_mib: 8,
            yara_spool_mib: 256,
        }
    }
}
