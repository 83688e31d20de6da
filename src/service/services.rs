//! Which path does what.

use std::collections::HashMap;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::icap::options::Options;
use crate::inspect::Direction;
use crate::policy::allow::Allow;
use crate::policy::profile::Profile;

use super::outcome::Method;

/// One ICAP service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its path, the first of its names.
    pub path: Arc<str>,
    /// How requests are inspected; `None`: REQMOD is not offered.
    pub request: Option<Arc<Profile>>,
    /// How responses are inspected; `None`: RESPMOD is not offered.
    pub response: Option<Arc<Profile>>,
    /// What it says of itself.
    pub options: Options,
    /// Who may use it.
    pub allow: Allow,
}

impl Service {
    /// The profile for messages of that direction.
    pub fn profile(&self, direction: Direction) -> Option<&Arc<Profile>> {
        match direction {
            Direction::Request => self.request.as_ref(),
            Direction::Response => self.response.as_ref(),
        }
    }

    /// True when the service does `method`; OPTIONS always.
    pub fn offers(&self, method: Method) -> bool {
        method
            .direction()
            .is_none_or(|direction| self.profile(direction).is_some())
    }
}

/// All services, by path and alias.
#[derive(Clone, Debug, Default)]
pub struct Services {
    by_path: HashMap<Box<str>, Arc<Service>>,
}

impl Services {
    /// Adds a service under its path and its aliases; yields the first name that is taken already.
    pub fn add(&mut self, service: Service, aliases: &[String]) -> Option<String> {
        let service = Arc::new(service);
        let names = aliases.iter().map(String::as_str);
        for name in std::iter::once(&*service.path).chain(names) {
            let before = self.by_path.insert(name.into(), Arc::clone(&service));
            if before.is_some() {
                return Some(name.to_owned());
            }
        }
        None
    }

    /// The service of a request URI's path. A slash at the end and percent-escapes do not make another service; the
    /// query is no part of it, so that no query can choose a weaker policy.
    pub fn find(&self, path: &str) -> Option<&Arc<Service>> {
        let found = self.by_path.get(trimmed(path));
        if found.is_some() || !path.contains('%') {
            return found;
        }
        let decoded = percent_decode_str(path).decode_utf8().ok()?;
        self.by_path.get(trimmed(&decoded))
    }

    /// Lowers the Max-Connections of each.
    pub fn lower_max_connections(&mut self, most: u32) {
        for service in self.by_path.values_mut() {
            let announced = service.options.max_connections;
            if announced.is_some_and(|announced| announced > most) {
                Arc::make_mut(service).options.max_connections = Some(most);
            }
        }
    }

    /// The services, each once, in order of path.
    pub fn list(&self) -> Vec<&Arc<Service>> {
        let mut list: Vec<_> = self
            .by_path
            .iter()
            .filter(|(name, service)| ***name == *service.path)
            .map(|(_, service)| service)
            .collect();
        list.sort_by(|one, other| one.path.cmp(&other.path));
        list
    }
}

fn trimmed(path: &str) -> &str {
    match path.strip_suffix('/') {
        Some("") | None => path,
        Some(shorter) => shorter,
    }
}
