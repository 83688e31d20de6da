//! Who made a pack: minisign signatures (Ed25519 over BLAKE2b), checked before anything in the pack is read.

use std::io::Cursor;

/// A pack cannot be signed, or its signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The public key is not one.
    #[error(
        "the public key is not a minisign key: expected the two lines of a .pub file, or its base64 line"
    )]
    BadPublicKey,
    /// The secret key is not one, or the password is wrong.
    #[error("the secret key cannot be used: not a minisign key, or the password is wrong")]
    BadSecretKey,
    /// The signature file is not one.
    #[error(
        "the signature is not a minisign signature: expected the four lines of a .minisig file"
    )]
    BadSignature,
    /// It was made with another key, or the pack was changed.
    #[error("the signature does not fit: another key made it, or the pack was changed")]
    Mismatch,
    /// No key could be made.
    #[error("the system gave no random numbers for a key")]
    NoKey,
}

/// Checks that `signature` (the text of a `.minisig` file) is that of `pack` by `public_key` (the text of a `.pub` file).
///
/// # Errors
/// [`SignatureError`] in every case but one.
pub fn verify(pack: &[u8], signature: &str, public_key: &str) -> Result<(), SignatureError> {
    let key = minisign_verify::PublicKey::decode(public_key.trim())
        .or_else(|_| minisign_verify::PublicKey::from_base64(public_key.trim()))
        .map_err(|_| SignatureError::BadPublicKey)?;
    let signature =
        minisign_verify::Signature::decode(signature).map_err(|_| SignatureError::BadSignature)?;
    key.verify(pack, &signature, false)
        .map_err(|_| SignatureError::Mismatch)
}

/// Checks that one of several keys made the signature.
///
/// # Errors
/// [`SignatureError`] of the last key; [`SignatureError::BadPublicKey`] without any.
pub fn verify_any(
    pack: &[u8],
    signature: &str,
    public_keys: &[String],
) -> Result<(), SignatureError> {
    let mut last = Err(SignatureError::BadPublicKey);
    for key in public_keys {
        last = verify(pack, signature, key);
        if last.is_ok() {
            break;
        }
    }
    last
}

/// True when `text` is a public key: the two lines of a `.pub` file, or its base64 line.
pub fn is_public_key(text: &str) -> bool {
    minisign_verify::PublicKey::decode(text.trim()).is_ok()
        || minisign_verify::PublicKey::from_base64(text.trim()).is_ok()
}

/// A minisign signature has four lines.
pub const SIGNATURE_BYTES: u64 = 4096;

/// Signs `pack` with the text of a secret key file; returns the text of a `.minisig` file.
///
/// # Errors
/// [`SignatureError::BadSecretKey`].
pub fn sign(
    pack: &[u8],
    secret_key: &str,
    password: Option<String>,
) -> Result<String, SignatureError> {
    let bad = |_| SignatureError::BadSecretKey;
    let stored = minisign::SecretKeyBox::from_string(secret_key).map_err(bad)?;
    let key = match password {
        Some(password) => stored.into_secret_key(Some(password)),
        None => stored.into_unencrypted_secret_key(),
    }
    .map_err(bad)?;
    let signature =
        minisign::sign(None, &key, Cursor::new(pack), Some("sluice rules"), None).map_err(bad)?;
    Ok(signature.into_string())
}

/// A new key pair without a password: the texts of the public and the secret key file.
///
/// # Errors
/// [`SignatureError::NoKey`].
pub fn new_keys() -> Result<(String, String), SignatureError> {
    let no_key = |_| SignatureError::NoKey;
    let pair = minisign::KeyPair::generate_unencrypted_keypair().map_err(no_key)?;
    let public = pair.pk.to_box().map_err(no_key)?.into_string();
    let secret = pair
        .sk
        .to_box(Some("sluice rules"))
        .map_err(no_key)?
        .into_string();
    Ok((public, secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_signed_bytes_and_the_right_key_pass() {
        let (public, secret) = new_keys().expect("keys");
        let (other, _) = new_keys().expect("keys");
        let signature = sign(b"pack", &secret, None).expect("signs");
        assert_eq!(verify(b"pack", &signature, &public), Ok(()));
        assert_eq!(
            verify(b"pock", &signature, &public),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify(b"pack", &signature, &other),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify(b"pack", "nonsense", &public),
            Err(SignatureError::BadSignature)
        );
        assert_eq!(
            verify(b"pack", &signature, "nonsense"),
            Err(SignatureError::BadPublicKey)
        );
    }
}
