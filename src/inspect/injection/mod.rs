//! Injection attacks inside the values of a document.
//!
//! Readers hand every value to [`Detectors::inspect`] as a [`Leaf`](super::leaf::Leaf). A value is decoded in all the
//! ways that a cheap test finds possible ([`decode`]); each decoded form meets one shared Aho-Corasick prefilter, and
//! only the classes that have an anchor in it run their detector. A detector reads tokens, notes [`Evidence`] of
//! several kinds, and the sum is the score of the finding. Nothing here decides: thresholds belong to the profile.
//!
//! ```text
//! Leaf ─► decode graph ─► Value ─► prefilter ─► sqli · xss · nosqli · …  ─► Evidence ─► best per class ─► Finding
//!            ▲                │
//!            └── decoded form ┘   at most 4 layers, within the body's budget
//! ```
//!
//! | room | class |
//! |---|---|
//! | [`sqli`], [`nosqli`], [`xss`], [`graphql`], [`code_injection`] | databases, browsers, GraphQL, interpreters |
//! | [`cmdi`], [`path_traversal`], [`ssti`], [`ldapi`], [`jndi`], [`ssrf`], [`deser`], [`crlf`] | shells, files, templates, directories, lookups, networks, object streams, heads |

pub mod cmdi;
pub mod code_injection;
pub mod crlf;
pub mod decode;
pub mod deser;
pub mod graphql;
pub mod jndi;
pub mod ldapi;
pub mod nosqli;
pub mod path_traversal;
pub mod sqli;
pub mod ssrf;
pub mod ssti;
pub mod xss;

mod detectors;
mod evidence;
mod islands;
mod lexis;
#[cfg(test)]
mod linear;
mod nested;
mod prefilter;
mod value;
mod walk;
mod words;

pub use detectors::{
    Detectors, ExplainedClass, ExplainedForm, ExplainedToken, ExplainedValue, Explanation,
    MAX_VALUES, Scratch, Seen,
};
pub use evidence::{Evidence, Kind};
pub use prefilter::Hit;
pub use value::{Hints, Setting, Value};

use super::{Category, Direction, PartId};

/// What a detector's caller knows about the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// Which way the message goes.
    pub direction: Direction,
    /// The part that the leaves lie in.
    pub part: PartId,
    /// The classes that the profile wants looked for.
    pub classes: Classes,
    /// The part is binary data and says nothing else: where control characters abound, only streams of objects are
    /// looked for.
    pub binary: bool,
}

bitflags::bitflags! {
    /// A set of injection classes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Classes: u32 {
        /// SQL injection.
        const SQLI = 1;
        /// Cross-site scripting.
        const XSS = 1 << 1;
        /// NoSQL operators and code.
        const NOSQLI = 1 << 2;
        /// GraphQL abuse.
        const GRAPHQL = 1 << 3;
        /// PHP, Java, JavaScript, Python code.
        const CODE_INJECTION = 1 << 4;
        /// OS commands.
        const CMDI = 1 << 5;
        /// Path traversal and local file inclusion.
        const PATH_TRAVERSAL = 1 << 6;
        /// Server-side templates.
        const SSTI = 1 << 7;
        /// LDAP and XPath.
        const LDAPI = 1 << 8;
        /// JNDI lookups.
        const JNDI = 1 << 9;
        /// Server-side request forgery.
        const SSRF = 1 << 10;
        /// Deserialization gadgets.
        const DESER = 1 << 11;
        /// CRLF and header injection.
        const CRLF = 1 << 12;
    }
}

/// A detector as the prefilter sees it.
#[derive(Clone, Copy)]
struct Room {
    class: Classes,
    category: Category,
    /// Words, ASCII lower case, of which one at least stands in every value that the detector can find something in.
    anchors: &'static [&'static str],
    look: fn(&Value<'_>, &mut Evidence),
}

/// All detectors, in the order in which they look.
const ROOMS: &[Room] = &[
    Room {
        class: Classes::SQLI,
        category: Category::Sqli,
        anchors: sqli::ANCHORS,
        look: sqli::look,
    },
    Room {
        class: Classes::XSS,
        category: Category::Xss,
        anchors: xss::ANCHORS,
        look: xss::look,
    },
    Room {
        class: Classes::NOSQLI,
        category: Category::Nosqli,
        anchors: nosqli::ANCHORS,
        look: nosqli::look,
    },
    Room {
        class: Classes::GRAPHQL,
        category: Category::Graphql,
        anchors: graphql::ANCHORS,
        look: graphql::look,
    },
    Room {
        class: Classes::CODE_INJECTION,
        category: Category::CodeInjection,
        anchors: code_injection::ANCHORS,
        look: code_injection::look,
    },
    Room {
        class: Classes::CMDI,
        category: Category::Cmdi,
        anchors: cmdi::ANCHORS,
        look: cmdi::look,
    },
    Room {
        class: Classes::PATH_TRAVERSAL,
        category: Category::PathTraversal,
        anchors: path_traversal::ANCHORS,
        look: path_traversal::look,
    },
    Room {
        class: Classes::SSTI,
        category: Category::Ssti,
        anchors: ssti::ANCHORS,
        look: ssti::look,
    },
    Room {
        class: Classes::LDAPI,
        category: Category::Ldapi,
        anchors: ldapi::ANCHORS,
        look: ldapi::look,
    },
    Room {
        class: Classes::JNDI,
        category: Category::Jndi,
        anchors: jndi::ANCHORS,
        look: jndi::look,
    },
    Room {
        class: Classes::SSRF,
        category: Category::Ssrf,
        anchors: ssrf::ANCHORS,
        look: ssrf::look,
    },
    Room {
        class: Classes::DESER,
        category: Category::Deser,
        anchors: deser::ANCHORS,
        look: deser::look,
    },
    Room {
        class: Classes::CRLF,
        category: Category::Crlf,
        anchors: crlf::ANCHORS,
        look: crlf::look,
    },
];

/// Findings below this score are not recorded: they would only be noise to whoever tunes a profile.
pub const REPORT_SCORE: u8 = 40;

/// The threshold that the default profile enforces. A lone keyword never reaches it.
pub const DEFAULT_THRESHOLD: u8 = 60;
