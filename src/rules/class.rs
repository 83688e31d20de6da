//! How rules and findings are classed: severity, category, direction.
//!
//! They live below `inspect` since rule files name them; `inspect` re-exports them.

use std::fmt;

/// Which way the message goes.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// An HTTP request on its way to the service (REQMOD).
    Request,
    /// An HTTP response on its way to the client (RESPMOD).
    Response,
}

/// How bad it is, by the rule's author.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth counting.
    Info,
    /// Odd.
    Low,
    /// Suspicious.
    Medium,
    /// An attack in all likelihood.
    High,
    /// An attack.
    Critical,
}

macro_rules! categories {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// The class of a finding; thresholds and actions are set per class in the profile.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Category {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Category {
            /// All of them, in order of declaration.
            pub const ALL: &'static [Category] = &[$(Category::$name,)+];

            /// The stable kebab-case name used in configuration, logs and metrics.
            pub fn code(self) -> &'static str {
                match self {
                    $(Category::$name => $code,)+
                }
            }
        }
    };
}

categories! {
    /// Malware signatures and test files.
    Malware = "malware",
    /// Known exploit strings and other signatures that are not malware.
    Exploit = "exploit",
    /// A hash on a block list.
    Hash = "hash",
    /// A file that is not what it says (executable as document, double extension, polyglot).
    Disguise = "disguise",
    /// XML external entities, external subsets, XInclude, schema hints to other hosts.
    Xxe = "xxe",
    /// XML entity expansion and other XML that costs its reader too much.
    XmlBomb = "xml-bomb",
    /// XML that is not well formed.
    XmlMalformed = "xml-malformed",
    /// JSON that two readers would take differently, or that costs its reader too much.
    JsonAbuse = "json-abuse",
    /// JSON that is not RFC 8259.
    JsonMalformed = "json-malformed",
    /// SQL injection.
    Sqli = "sqli",
    /// NoSQL operators and code.
    Nosqli = "nosqli",
    /// Cross-site scripting.
    Xss = "xss",
    /// OS command injection.
    Cmdi = "cmdi",
    /// Path traversal and local file inclusion.
    PathTraversal = "path-traversal",
    /// Server-side template injection.
    Ssti = "ssti",
    /// LDAP and XPath injection.
    Ldapi = "ldapi",
    /// JNDI and expression lookups.
    Jndi = "jndi",
    /// Server-side request forgery.
    Ssrf = "ssrf",
    /// Deserialization gadgets.
    Deser = "deser",
    /// GraphQL abuse.
    Graphql = "graphql",
    /// PHP, Java, JavaScript, Python code injection.
    CodeInjection = "code-injection",
    /// CRLF and header injection.
    Crlf = "crlf",
    /// Prototype pollution.
    PrototypePollution = "prototype-pollution",
    /// Sensitive data (redaction's findings).
    Sensitive = "sensitive",
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
