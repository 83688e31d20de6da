//! Namespaces in XML 1.0, as far as a misdeed depends on them: prefixes are resolved, whatever they are called.

use std::ops::Range;

/// A namespace that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// XInclude, of any edition.
    XInclude,
    /// XML Schema instance: schema hints.
    SchemaInstance,
    /// XSLT.
    Xslt,
    /// Functions of a programming language, called from XSLT.
    Extension,
    /// Any other.
    Other,
}

impl Namespace {
    /// The namespace of that name.
    pub(super) fn named(uri: &[u8]) -> Self {
        let uri = uri.trim_ascii();
        if XINCLUDE.contains(&uri.strip_suffix(b"/").unwrap_or(uri)) {
            Namespace::XInclude
        } else if uri == SCHEMA_INSTANCE {
            Namespace::SchemaInstance
        } else if uri == XSLT {
            Namespace::Xslt
        } else if EXTENSIONS.iter().any(|known| uri.starts_with(known)) {
            Namespace::Extension
        } else {
            Namespace::Other
        }
    }
}

/// The declarations in scope that matter: those of a namespace that does, and those that hide one.
#[derive(Debug, Default)]
pub(super) struct Scope {
    bindings: Vec<Binding>,
    names: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Binding {
    prefix: Range<usize>,
    namespace: Namespace,
    depth: u64,
}

impl Scope {
    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.bindings.clear();
        self.names.clear();
    }

    /// A declaration on the element at `depth`; the default namespace has an empty prefix. False when there are too many
    /// to keep it. A prefix is as long as a name may be: a longer one is not kept either.
    #[must_use]
    pub(super) fn declare(&mut self, prefix: &[u8], namespace: Namespace, depth: u64) -> bool {
        let hides = namespace != Namespace::Other || self.resolve(prefix).is_some();
        if !hides {
            return true;
        }
        if self.bindings.len() >= MOST_BINDINGS || prefix.len() > MOST_PREFIX {
            return false;
        }
        let start = self.names.len();
        self.names.extend_from_slice(prefix);
        self.bindings.push(Binding {
            prefix: start..self.names.len(),
            namespace,
            depth,
        });
        true
    }

    /// The element at `depth` ends.
    pub(super) fn leave(&mut self, depth: u64) {
        while let Some(last) = self.bindings.last()
            && last.depth >= depth
        {
            self.names.truncate(last.prefix.start);
            self.bindings.pop();
        }
    }

    /// The namespace that a prefix stands for, if it matters or hides one that does.
    pub(super) fn resolve(&self, prefix: &[u8]) -> Option<Namespace> {
        self.bindings
            .iter()
            .rev()
            .find(|binding| self.names.get(binding.prefix.clone()) == Some(prefix))
            .map(|binding| binding.namespace)
    }
}

/// A qualified name's prefix (empty when it has none) and local part.
pub(super) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', name) {
        Some(colon) => {
            let (prefix, local) = name.split_at(colon);
            (prefix, local.get(1..).unwrap_or_default())
        }
        None => (b"", name),
    }
}

const XINCLUDE: [&[u8]; 4] = [
    b"http://www.w3.org/2001/XInclude",
    b"http://www.w3.org/2003/XInclude",
    b"http://www.w3.org/1999/XML/xinclude",
    b"https://www.w3.org/2001/XInclude",
];
const SCHEMA_INSTANCE: &[u8] = b"http://www.w3.org/2001/XMLSchema-instance";
const XSLT: &[u8] = b"http://www.w3.org/1999/XSL/Transform";
const EXTENSIONS: [&[u8]; 9] = [
    b"http://php.net/xsl",
    b"urn:schemas-microsoft-com:xslt",
    b"http://xml.apache.org/xalan/java",
    b"http://xml.apache.org/xslt/java",
    b"http://xml.apache.org/xalan/PipeDocument",
    b"http://saxon.sf.net/java-type",
    b"http://www.oracle.com/XSL/Transform/java",
    b"java:",
    b"clitype:",
];

/// Bindings that matter in one document at a time; a real one has a handful.
const MOST_BINDINGS: usize = 64;

/// Bytes of a prefix, as many as a name may have by default.
const MOST_PREFIX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_resolved_and_hidden() {
        let mut scope = Scope::default();
        let include = Namespace::named(b"http://www.w3.org/2001/XInclude");
        assert!(scope.declare(b"a", include, 1));
        assert!(scope.declare(b"b", Namespace::named(b"urn:x"), 1));
        assert_eq!(scope.resolve(b"a"), Some(Namespace::XInclude));
        assert_eq!(scope.resolve(b"b"), None);
        assert!(scope.declare(b"a", Namespace::Other, 2));
        assert_eq!(scope.resolve(b"a"), Some(Namespace::Other));
        scope.leave(2);
        assert_eq!(scope.resolve(b"a"), Some(Namespace::XInclude));
        scope.leave(1);
        assert_eq!(scope.resolve(b"a"), None);
        let long = [b'z'; 300];
        assert!(scope.declare(&long, include, 1));
        assert_eq!(scope.resolve(&long), Some(Namespace::XInclude));
        assert!(!scope.declare(&[b'z'; 5000], include, 1));
        assert_eq!(
            split(b"xi:include"),
            (b"xi".as_slice(), b"include".as_slice())
        );
        assert_eq!(split(b"include"), (b"".as_slice(), b"include".as_slice()));
    }
}
