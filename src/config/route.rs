//! Rules by route of the file: which messages get another profile than their service's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::inspect::Direction;
use crate::policy::profile::Profile;
use crate::policy::route::{Condition, Routes, Rule, Template};

use super::{Mistake, Source};

/// One rule: messages that fit all that is given get the profile. The first rule that fits wins; what fits none gets the
/// profile of its service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RouteSetting {
    /// Its name in audit records; `route 1`, `route 2` … where none is given.
    #[serde(default)]
    pub name: String,
    /// The profile, by name.
    pub profile: Spanned<String>,
    /// `request` or `response`; both when nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Way>,
    /// Paths of ICAP services, not their aliases.
    #[serde(default)]
    pub services: Vec<Spanned<String>>,
    /// HTTP methods.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Hosts, `*` for any run of characters.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Path templates: `/customers/{id}`, `/files/**`.
    #[serde(default)]
    pub paths: Vec<Spanned<String>>,
    /// Media types, `*` for any run of characters.
    #[serde(default)]
    pub content_types: Vec<String>,
    /// Networks of clients.
    #[serde(default)]
    pub clients: Vec<ipnet::IpNet>,
    /// Authenticated users, `*` for any run of characters.
    #[serde(default)]
    pub users: Vec<String>,
    /// Groups of the user; one in common is enough.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Groups of which the user must have none.
    #[serde(default)]
    pub not_groups: Vec<String>,
    /// Names in the ICAP client's certificate, `*` for any run of characters.
    #[serde(default)]
    pub tls_identities: Vec<String>,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// From the client.
    Request,
    /// To the client.
    Response,
}

/// The rules; `services` are the paths that there are.
pub(super) fn resolve(
    settings: &[RouteSetting],
    profiles: &BTreeMap<&str, Arc<Profile>>,
    services: &[&str],
    source: &Source<'_>,
) -> Result<Routes, Mistake> {
    let rules: Result<Vec<Rule>, Mistake> = settings
        .iter()
        .enumerate()
        .map(|(at, setting)| {
            Ok(Rule {
                name: match setting.name.as_str() {
                    "" => format!("route {}", at + 1).into(),
                    name => name.into(),
                },
                when: condition(setting, services, source)?,
                profile: source.profile(&setting.profile, profiles)?,
            })
        })
        .collect();
    Ok(Routes::new(rules?))
}

fn condition(
    setting: &RouteSetting,
    services: &[&str],
    source: &Source<'_>,
) -> Result<Condition, Mistake> {
    for service in &setting.services {
        if !services.contains(&service.get_ref().as_str()) {
            let known = services.iter().copied();
            return Err(source
                .unknown("service", service.get_ref(), known)
                .at(source.place_of(service)));
        }
    }
    let paths: Result<Vec<Template>, Mistake> = setting
        .paths
        .iter()
        .map(|path| {
            Template::parse(path.get_ref()).map_err(|error| {
                source
                    .mistake(None, &error.to_string())
                    .at(source.place_of(path))
            })
        })
        .collect();
    let boxed = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
    let lower = |list: &[String]| {
        list.iter()
            .map(|text| text.to_ascii_lowercase().into())
            .collect()
    };
    Ok(Condition {
        direction: setting.direction.map(|way| match way {
            Way::Request => Direction::Request,
            Way::Response => Direction::Response,
        }),
        services: setting
            .services
            .iter()
            .map(|service| service.get_ref().as_str().into())
            .collect(),
        methods: boxed(&setting.methods),
        hosts: lower(&setting.hosts),
        paths: paths?,
        content_types: lower(&setting.content_types),
        clients: setting.clients.clone(),
        users: boxed(&setting.users),
        groups: boxed(&setting.groups),
        not_groups: boxed(&setting.not_groups),
        tls_identities: boxed(&setting.tls_identities),
    })
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn mistake(text: &str) -> String {
        let path = std::path::Path::new("sluice.toml");
        let error = Config::parse(text, Some(path), &[]).expect_err("a mistake");
        error.to_string()
    }

    #[test]
    fn mistakes_in_a_rule_are_shown_at_their_place() {
        for (text, shown) in [
            (
                "[[routes]]\nprofile = \"respons\"\n",
                "sluice.toml:2:11: unknown profile \"respons\"; did you mean \"response\"?",
            ),
            (
                "[[routes]]\nprofile = \"off\"\npaths = [\"/ok\", \"customers\"]\n",
                "sluice.toml:3:17: a path template begins with /",
            ),
            (
                "[[routes]]\nprofile = \"off\"\nservices = [\"/redac\"]\n",
                "sluice.toml:3:13: unknown service \"/redac\"; did you mean \"/redact\"?",
            ),
            (
                "[[routes]]\nprofile = \"off\"\nmethod = [\"GET\"]\n",
                "sluice.toml:3:1: unknown key \"method\"; did you mean \"methods\"?",
            ),
        ] {
            assert_eq!(mistake(text), shown);
        }
    }

    #[test]
    fn rules_change_the_policy_digest() {
        let digest = |text| Config::parse(text, None, &[]).expect("good").policy_digest;
        let one = digest("[[routes]]\nprofile = \"off\"\npaths = [\"/a\"]\n");
        let two = digest("[[routes]]\nprofile = \"off\"\npaths = [\"/b\"]\n");
        assert_ne!(one, two);
        assert_ne!(one, digest(""));
    }
}
