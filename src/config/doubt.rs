//! What a configuration may say, and its operator hardly means: told at the start and by `sluice check`.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Config;
use super::listeners::{Access, Address};

/// One doubt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// A listener that others reach and nobody may use.
    #[error(
        "listener {name} listens on {address}, but without an allow rule only this machine may use it"
    )]
    NobodyAllowed {
        /// Which.
        name: Arc<str>,
        /// Where.
        address: SocketAddr,
    },
    /// The same of the admin listener.
    #[error(
        "the admin listener listens on {0}, but without tokens or certificates only this machine may look, and nobody may change anything"
    )]
    NobodyKnown(SocketAddr),
    /// Tokens in clear on a network.
    #[error("the admin listener listens on {0} without TLS: tokens can be read on their way")]
    TokensInClear(SocketAddr),
}

impl Config {
    /// What is hardly meant.
    pub fn doubts(&self) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        for listener in self.all_listeners() {
            if let (Address::Tcp(address), Access::Loopback) = (&listener.address, &listener.access)
                && is_reached(*address)
            {
                doubts.push(Doubt::NobodyAllowed {
                    name: Arc::clone(&listener.name),
                    address: *address,
                });
            }
        }
        if let Some(admin) = self.admin.filter(|admin| is_reached(*admin)) {
            let access = &self.access;
            if access.tokens.is_empty() && access.certificates.is_empty() {
                doubts.push(Doubt::NobodyKnown(admin));
            }
            if !access.tokens.is_empty() && access.tls.is_none() {
                doubts.push(Doubt::TokensInClear(admin));
            }
        }
        doubts
    }
}

/// True when other machines reach that address.
fn is_reached(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubts(text: &str) -> Vec<String> {
        let config = Config::parse(text, None, &[]).expect("good");
        config.doubts().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_open_to_nobody_or_in_clear_is_doubted_and_nothing_else() {
        assert_eq!(doubts(""), [""; 0]);
        let admin = "admin = \"127.0.0.1:1\"\n";
        let open = format!("[server]\n{admin}listen = [\"0.0.0.0:1344\"]\n");
        assert!(doubts(&open)[0].contains("0.0.0.0:1344"));
        let ruled = format!("{open}allow = [\"10.0.0.0/8\"]\n");
        assert_eq!(doubts(&ruled), [""; 0]);
        let looked = "[server]\nadmin = \"[::]:9380\"\n";
        assert!(doubts(looked)[0].contains("only this machine may look"));
        let hash = "$argon2id$v=19$m=19456,t=2,p=1$X3G6TbXQvKaS7K+bbEqr3w$9wg+mTIxTXNkiOm2zjQNRlKOBgErUj4mwoxhERsw/pg";
        let token = format!(
            "{looked}[[admin.tokens]]\nname = \"a\"\nrole = \"viewer\"\nhash = \"{hash}\"\n"
        );
        assert!(doubts(&token)[0].contains("on their way"));
        let secured = format!("{token}[admin.tls]\ncertificate = \"c\"\nkey = \"k\"\n");
        assert_eq!(doubts(&secured), [""; 0]);
    }
}
