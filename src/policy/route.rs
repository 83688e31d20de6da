//! Which profile a message gets: rules in order, the first one that fits wins.

use std::sync::Arc;

use ipnet::IpNet;

use crate::inspect::Direction;
use crate::policy::exception::wildcard;
use crate::policy::facts::Facts;
use crate::policy::profile::Profile;

/// The rules of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    rules: Vec<Rule>,
}

/// A rule: messages that fit the condition get the profile.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Which messages.
    pub when: Condition,
    /// What they get.
    pub profile: Arc<Profile>,
}

/// What a message must be. Every field that is set must fit; within a list one element is enough; an empty list fits
/// everything. `*` in a pattern stands for any run of characters.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// Request or response.
    pub direction: Option<Direction>,
    /// Paths of ICAP services.
    pub services: Vec<Box<str>>,
    /// HTTP methods.
    pub methods: Vec<Box<str>>,
    /// Hosts, patterns.
    pub hosts: Vec<Box<str>>,
    /// Path templates.
    pub paths: Vec<Template>,
    /// Media types, patterns.
    pub content_types: Vec<Box<str>>,
    /// Networks of clients.
    pub clients: Vec<IpNet>,
    /// Authenticated users, patterns.
    pub users: Vec<Box<str>>,
    /// Groups of the user; one in common is enough.
    pub groups: Vec<Box<str>>,
    /// Groups of which the user must have none.
    pub not_groups: Vec<Box<str>>,
    /// Names in the ICAP client's certificate, patterns.
    pub tls_identities: Vec<Box<str>>,
}

/// A path template: `/customers/{id}/cards`, `/files/**`. A segment in braces fits one segment, `**` at the end any
/// number of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    segments: Vec<Segment>,
    rest: Rest,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Any,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    None,
    Any,
}

/// A path template cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not begin with a slash.
    #[error("a path template begins with /")]
    NoSlash,
    /// `**` before the end.
    #[error("** stands at the end of a path template only")]
    EarlyRest,
}

/// Why a rule does not fit; the first reason found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// The other direction.
    Direction,
    /// Another service.
    Service,
    /// Another method.
    Method,
    /// Another host.
    Host,
    /// Another path.
    Path,
    /// Another media type.
    ContentType,
    /// Another client.
    Client,
    /// Another user.
    User,
    /// None of the groups, or one that is excluded.
    Group,
    /// Another certificate, or none.
    TlsIdentity,
}

impl Routes {
    /// Rules in order.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// True when there are none: every message gets its service's profile.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The first rule that fits.
    pub fn choose(&self, direction: Direction, facts: &Facts) -> Option<&Rule> {
        self.rules
            .iter()
            .find(|rule| rule.when.misses(direction, facts).is_none())
    }

    /// Each rule up to the first one that fits, and why those before it do not.
    pub fn explain(&self, direction: Direction, facts: &Facts) -> Vec<(&Rule, Option<Miss>)> {
        let mut steps = Vec::new();
        for rule in &self.rules {
            let miss = rule.when.misses(direction, facts);
            steps.push((rule, miss));
            if miss.is_none() {
                break;
            }
        }
        steps
    }
}

impl Condition {
    /// Why the message does not fit; `None` when it does.
    pub fn misses(&self, direction: Direction, facts: &Facts) -> Option<Miss> {
        let user = facts.user.as_deref().unwrap_or_default();
        let identity = facts.tls_identity.as_deref().unwrap_or_default();
        let in_groups =
            |groups: &[Box<str>]| facts.groups.iter().any(|group| groups.contains(group));
        let checks = [
            (
                self.direction.is_some_and(|want| want != direction),
                Miss::Direction,
            ),
            (!is_one_of(&self.services, &facts.service), Miss::Service),
            (!is_one_of(&self.methods, &facts.method), Miss::Method),
            (!fits_one_of(&self.hosts, &facts.host), Miss::Host),
            (
                !self.paths.is_empty() && !self.paths.iter().any(|path| path.fits(&facts.route)),
                Miss::Path,
            ),
            (
                !fits_one_of(&self.content_types, &facts.content_type),
                Miss::ContentType,
            ),
            (
                !self.clients.is_empty()
                    && !facts
                        .client
                        .is_some_and(|client| self.clients.iter().any(|net| net.contains(&client))),
                Miss::Client,
            ),
            (!fits_one_of(&self.users, user), Miss::User),
            (
                !self.groups.is_empty() && !in_groups(&self.groups),
                Miss::Group,
            ),
            (in_groups(&self.not_groups), Miss::Group),
            (
                !fits_one_of(&self.tls_identities, identity),
                Miss::TlsIdentity,
            ),
        ];
        checks
            .into_iter()
            .find_map(|(missed, miss)| missed.then_some(miss))
    }
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let path = text.strip_prefix('/').ok_or(TemplateError::NoSlash)?;
        let (path, rest) = match path.strip_suffix("**") {
            Some(path) => (path.trim_end_matches('/'), Rest::Any),
            None => (path, Rest::None),
        };
        let mut segments = Vec::new();
        if !(path.is_empty() && rest == Rest::Any) {
            for segment in path.split('/') {
                segments.push(match segment {
                    "**" => return Err(TemplateError::EarlyRest),
                    name if name.starts_with('{') && name.ends_with('}') => Segment::Any,
                    literal => Segment::Literal(literal.into()),
                });
            }
        }
        Ok(Self { segments, rest })
    }

    /// True when `path` (without query) is of this form.
    pub fn fits(&self, path: &str) -> bool {
        let mut given = path.strip_prefix('/').unwrap_or(path).split('/');
        for segment in &self.segments {
            match (segment, given.next()) {
                (Segment::Literal(want), Some(have)) if **want == *have => {}
                (Segment::Any, Some(have)) if !have.is_empty() => {}
                _ => return false,
            }
        }
        self.rest == Rest::Any || given.next().is_none()
    }
}

impl Miss {
    /// In words, for `check --explain`.
    pub fn text(self) -> &'static str {
        match self {
            Miss::Direction => "other direction",
            Miss::Service => "other service",
            Miss::Method => "other method",
            Miss::Host => "other host",
            Miss::Path => "other path",
            Miss::ContentType => "other content type",
            Miss::Client => "other client",
            Miss::User => "other user",
            Miss::Group => "groups do not fit",
            Miss::TlsIdentity => "other certificate",
        }
    }
}

fn is_one_of(wanted: &[Box<str>], have: &str) -> bool {
    wanted.is_empty() || wanted.iter().any(|want| **want == *have)
}

fn fits_one_of(patterns: &[Box<str>], have: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| wildcard(pattern, have))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_fit_whole_paths() {
        for (template, path, fits) in [
            ("/customers", "/customers", true),
            ("/customers", "/customers/7", false),
            ("/customers/{id}", "/customers/7", true),
            ("/customers/{id}", "/customers/", false),
            ("/customers/{id}/cards", "/customers/7/cards", true),
            ("/files/**", "/files/a/b/c", true),
            ("/files/**", "/files", true),
            ("/files/**", "/filesystem", false),
            ("/**", "/anything/at/all", true),
            ("/", "/", true),
        ] {
            let parsed = Template::parse(template).expect("a template");
            assert_eq!(parsed.fits(path), fits, "{template} on {path}");
        }
        assert_eq!(Template::parse("x"), Err(TemplateError::NoSlash));
        assert_eq!(Template::parse("/a/**/b"), Err(TemplateError::EarlyRest));
    }

    #[test]
    fn the_first_rule_that_fits_wins() {
        let rule = |name: &str, when: Condition| Rule {
            name: name.into(),
            when,
            profile: Arc::new(Profile::built_in(Direction::Response)),
        };
        let customers = Template::parse("/customers/**").expect("a template");
        let routes = Routes::new(vec![
            rule(
                "fraud team sees cards",
                Condition {
                    methods: vec!["GET".into()],
                    paths: vec![customers.clone()],
                    groups: vec!["fraud".into()],
                    ..Condition::default()
                },
            ),
            rule(
                "everybody else does not",
                Condition {
                    paths: vec![customers],
                    ..Condition::default()
                },
            ),
        ]);
        let mut facts = Facts {
            method: "GET".into(),
            route: "/customers/7".into(),
            groups: vec!["fraud".into()],
            ..Facts::default()
        };
        let chosen = |facts: &Facts| {
            routes
                .choose(Direction::Response, facts)
                .map(|rule| rule.name.to_string())
        };
        assert_eq!(chosen(&facts).as_deref(), Some("fraud team sees cards"));
        facts.groups.clear();
        assert_eq!(chosen(&facts).as_deref(), Some("everybody else does not"));
        let steps = routes.explain(Direction::Response, &facts);
        assert_eq!(steps[0].1, Some(Miss::Group));
        assert_eq!(steps[1].1, None);
        facts.route = "/health".into();
        assert_eq!(chosen(&facts), None);
    }
}
