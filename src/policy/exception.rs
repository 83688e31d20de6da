//! Exceptions: silence one known false positive without opening a door.
//!
//! An exception names what it silences (a rule or a class) and narrows it by where the value lies and by what the
//! message is. Every field that is set must fit; an exception that names neither rule nor class cannot be built.

use ipnet::IpNet;

use crate::inspect::{Category, Finding};
use crate::policy::facts::Facts;

/// One known false positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    subject: Subject,
    scope: Scope,
}

/// What an exception silences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One rule, by id.
    Rule(Box<str>),
    /// A whole class.
    Class(Category),
}

/// Where an exception holds; `None` and empty mean anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Path of the value (`$.query`, `header:user-agent`), `*` for any run of characters.
    pub value: Option<Box<str>>,
    /// HTTP method.
    pub method: Option<Box<str>>,
    /// Host of the HTTP request, without port, lower case; `*` as above.
    pub host: Option<Box<str>>,
    /// Path of the HTTP request without query; `*` as above.
    pub route: Option<Box<str>>,
    /// Media type of the body, `type/subtype` in lower case; `*` as above.
    pub content_type: Option<Box<str>>,
    /// ICAP client or `X-Client-IP`.
    pub clients: Vec<IpNet>,
}

impl Exception {
    /// Silences `subject` within `scope`.
    pub fn new(subject: Subject, scope: Scope) -> Self {
        Self { subject, scope }
    }

    /// True when the message is one that the exception speaks of.
    pub fn fits_message(&self, facts: &Facts) -> bool {
        let scope = &self.scope;
        let text = |pattern: &Option<Box<str>>, text: &str| {
            pattern
                .as_deref()
                .is_none_or(|pattern| wildcard(pattern, text))
        };
        let client = scope.clients.is_empty()
            || facts
                .client
                .is_some_and(|client| scope.clients.iter().any(|net| net.contains(&client)));
        client
            && text(&scope.method, &facts.method)
            && text(&scope.host, &facts.host)
            && text(&scope.route, &facts.route)
            && text(&scope.content_type, &facts.content_type)
    }

    /// True when the finding is the one that the exception speaks of (the message must fit as well).
    pub fn fits_finding(&self, finding: &Finding) -> bool {
        let subject = match &self.subject {
            Subject::Rule(id) => **id == *finding.rule,
            Subject::Class(category) => *category == finding.category,
        };
        subject
            && self
                .scope
                .value
                .as_deref()
                .is_none_or(|pattern| wildcard(pattern, &finding.path))
    }
}

/// True when `pattern`, in which `*` stands for any run of characters, fits all of `text`. Linear in `text` for each
/// star: the last star alone is ever retried.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&want) if want == byte => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after_star, from)) = retry else {
                    return false;
                };
                retry = Some((after_star, from + 1));
                p = after_star;
                t = from + 1;
            }
        }
    }
    pattern
        .get(p..)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{PartId, Severity};
    use crate::span::Span;

    fn finding(rule: &'static str, path: &str) -> Finding {
        Finding {
            rule: rule.into(),
            category: Category::Sqli,
            severity: Severity::High,
            score: 80,
            part: PartId::BODY,
            span: Span::new(0, 1),
            path: path.into(),
            reason: "".into(),
        }
    }

    #[test]
    fn wildcards_fit_as_globs_do() {
        for (pattern, text, fits) in [
            ("", "", true),
            ("*", "", true),
            ("*", "anything", true),
            ("/api/*/items", "/api/7/items", true),
            ("/api/*/items", "/api/7/itemsx", false),
            ("$.a*b*c", "$.axxbyyc", true),
            ("$.a*b*c", "$.axxbyy", false),
            ("abc", "ab", false),
        ] {
            assert_eq!(wildcard(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn an_exception_silences_its_rule_at_its_place_only() {
        let exception = Exception::new(
            Subject::Rule("sqli/union".into()),
            Scope {
                value: Some("$.query".into()),
                route: Some("/reports/*".into()),
                ..Scope::default()
            },
        );
        assert!(exception.fits_finding(&finding("sqli/union", "$.query")));
        assert!(!exception.fits_finding(&finding("sqli/union", "$.name")));
        assert!(!exception.fits_finding(&finding("sqli/tautology", "$.query")));
        let reports = Facts {
            route: "/reports/7".into(),
            ..Facts::default()
        };
        assert!(exception.fits_message(&reports));
        assert!(!exception.fits_message(&Facts::default()));
    }
}
