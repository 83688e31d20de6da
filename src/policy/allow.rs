//! Which ICAP clients may use a service or a profile, by address or by the name in their certificate.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks and names; none: everyone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    networks: Vec<IpNet>,
    names: Vec<Box<str>>,
}

impl Allow {
    /// Networks, addresses and names in certificates; none: everyone.
    pub fn new(rules: &[String]) -> Self {
        let mut allow = Self::default();
        for rule in rules {
            let address = rule.parse::<IpAddr>().map(IpNet::from);
            match rule.parse().or(address) {
                Ok(network) => allow.networks.push(network),
                Err(_) => allow.names.push(rule.as_str().into()),
            }
        }
        allow
    }

    /// True when the client of this address, with this name in its certificate, is one of them.
    pub fn admits(&self, address: Option<IpAddr>, name: Option<&str>) -> bool {
        if self.networks.is_empty() && self.names.is_empty() {
            return true;
        }
        let address = address.map(|address| address.to_canonical());
        address.is_some_and(|address| self.networks.iter().any(|net| net.contains(&address)))
            || name.is_some_and(|name| self.names.iter().any(|rule| is_name(rule, name)))
    }
}

/// True when `name`, of a certificate, is what `pattern` says. RFC 6125 §6.4: without case; `*.` stands for one whole
/// label.
pub fn is_name(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(parent) => name
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        None => pattern.eq_ignore_ascii_case(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_label_and_case_does_not_count() {
        assert!(is_name("gw.example.com", "GW.example.com"));
        assert!(is_name("*.example.com", "a.Example.com"));
        assert!(!is_name("*.example.com", "a.b.example.com"));
        assert!(!is_name("*.example.com", "example.com"));
        assert!(!is_name("*.example.com", ".example.com"));
        assert!(is_name("spiffe://house/gateway", "spiffe://house/gateway"));
    }

    #[test]
    fn an_address_or_a_name_is_enough_and_without_rules_everyone_is_let_in() {
        let address = |text: &str| text.parse::<IpAddr>().ok();
        let rules = ["10.0.0.0/8", "192.0.2.7", "*.gw.example"].map(str::to_owned);
        let allow = Allow::new(&rules);
        assert!(allow.admits(address("10.9.9.9"), None));
        assert!(allow.admits(address("::ffff:192.0.2.7"), None));
        assert!(allow.admits(address("203.0.113.1"), Some("a.gw.example")));
        assert!(!allow.admits(address("192.0.2.8"), Some("gw.example")));
        assert!(!allow.admits(None, None));
        assert!(Allow::default().admits(None, None));
    }
}
