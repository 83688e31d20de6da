//! Bearer tokens: `sluice_<name>.<secret>`, kept as argon2id hashes only.
//!
//! The name says which hash to hold a token against, so that one guess costs one hash and an unknown name none. A token
//! that was good is remembered by a keyed digest, so that a scraper does not cost 20 ms each time.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::config::file::{Role, Token, is_token_name};

/// No token could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The name is not 1 to 64 letters, digits, `-` or `_`.
    #[error("a token's name is 1 to 64 letters, digits, '-' or '_'")]
    BadName,
    /// The system gave no random numbers.
    #[error("the system gave no random numbers")]
    NoRandom,
    /// The hash could not be computed.
    #[error("the hash could not be computed")]
    NoHash,
}

/// A new token for `name`: the text for its holder, and its hash for the configuration.
///
/// # Errors
/// [`TokenError`].
pub fn make(name: &str) -> Result<(String, String), TokenError> {
    if !is_token_name(name) {
        return Err(TokenError::BadName);
    }
    let secret = URL_SAFE_NO_PAD.encode(random()?);
    let text = format!("{PREFIX}{name}.{secret}");
    let hash: PasswordHash = Argon2::default()
        .hash_password(text.as_bytes())
        .map_err(|_| TokenError::NoHash)?;
    Ok((text, hash.to_string()))
}

/// Who a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) name: String,
    pub(super) role: Role,
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is nobody's.
    Unknown,
    /// Too many are being checked.
    Busy,
}

/// Checks tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    key: [u8; 32],
    good: Mutex<Vec<[u8; 32]>>,
    running: Semaphore,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            // Without random numbers nothing is remembered that could be guessed: the digests stay in this process.
            key: random().unwrap_or_default(),
            good: Mutex::default(),
            running: Semaphore::new(CHECKS),
        }
    }

    /// Whose token `text` is. The hash is computed beside the reactor.
    pub(super) async fn holder(&self, known: &[Token], text: &str) -> Result<Holder, Refused> {
        let name = text
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('.'))
            .map(|(name, _)| name);
        let Some(token) = known.iter().find(|token| Some(&*token.name) == name) else {
            return Err(Refused::Unknown);
        };
        let holder = Holder {
            name: token.name.clone(),
            role: token.role,
        };
        let mark = self.mark(&token.hash, text);
        if self.good().contains(&mark) {
            return Ok(holder);
        }
        let _running = self.running.try_acquire().map_err(|_| Refused::Busy)?;
        let (hash, text) = (token.hash.clone(), text.to_owned());
        let fits = tokio::task::spawn_blocking(move || {
            PasswordHash::new(&hash).is_ok_and(|hash| {
                Argon2::default()
                    .verify_password(text.as_bytes(), &hash)
                    .is_ok()
            })
        })
        .await;
        if !matches!(fits, Ok(true)) {
            return Err(Refused::Unknown);
        }
        let mut good = self.good();
        if good.len() >= REMEMBERED {
            good.clear();
        }
        good.push(mark);
        Ok(holder)
    }

    /// The hash is part of it: a token that was changed in the configuration is forgotten.
    fn mark(&self, hash: &str, text: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.key);
        digest.update((hash.len() as u64).to_be_bytes());
        digest.update(hash);
        digest.update(text);
        digest.finalize().into()
    }

    fn good(&self) -> std::sync::MutexGuard<'_, Vec<[u8; 32]>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random() -> Result<[u8; 32], TokenError> {
    let mut bytes = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| TokenError::NoRandom)?;
    Ok(bytes)
}

/// Makes tokens findable by those who search repositories for secrets.
const PREFIX: &str = "sluice_";

/// Hashes computed at once: 19 MiB and about 20 ms each, so a flood of guesses costs two threads and no memory.
const CHECKS: usize = 2;

/// Tokens remembered as good.
const REMEMBERED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_token_that_was_made_passes_and_a_changed_hash_forgets_it() {
        let (text, hash) = make("ops").expect("made");
        let (other, other_hash) = make("ops").expect("made");
        let tokens = Tokens::new();
        let known = |hash: &str| {
            vec![Token {
                name: "ops".into(),
                role: Role::Operator,
                hash: hash.into(),
            }]
        };
        let good = known(&hash);
        for _ in 0..2 {
            let holder = tokens.holder(&good, &text).await.expect("good");
            assert_eq!((&*holder.name, holder.role), ("ops", Role::Operator));
        }
        for bad in [&*other, "", "sluice_ops.", "sluice_x.y", "ops", &text[1..]] {
            let found = tokens.holder(&good, bad).await;
            assert_eq!(found, Err(Refused::Unknown), "{bad}");
        }
        let found = tokens.holder(&known(&other_hash), &text).await;
        assert_eq!(found, Err(Refused::Unknown));
    }
}
