//! Addresses of crypto-currencies.

use sha2::{Digest, Sha256};

/// A Bitcoin address with a valid checksum: base58check (P2PKH, P2SH) or segwit (BIP 173, BIP 350).
pub fn bitcoin(text: &[u8]) -> bool {
    match text.get(..3) {
        Some(prefix) if prefix.eq_ignore_ascii_case(b"bc1") => segwit(text),
        _ => base58_check(text),
    }
}

/// An Ethereum address: `0x` and forty hexadecimal digits that are not one pattern repeated.
pub fn ethereum(text: &[u8]) -> bool {
    let digits = text.get(2..).unwrap_or_default();
    let first = digits.first();
    digits.len() == 40
        && digits.iter().all(u8::is_ascii_hexdigit)
        && digits.iter().filter(|digit| Some(*digit) != first).count() > 4
}

/// Base58check with a version byte of a main-net address, 25 bytes in all.
fn base58_check(text: &[u8]) -> bool {
    // Eight bytes at a time, the last ones first.
    let mut limbs = [0_u64; 4];
    for symbol in text {
        let mut carry = u128::from(VALUES58[usize::from(*symbol)]);
        if carry >= 58 {
            return false;
        }
        for limb in &mut limbs {
            carry += u128::from(*limb) * 58;
            *limb = (carry & u128::from(u64::MAX)) as u64;
            carry >>= 64;
        }
        if limbs[3] > 0xff {
            return false;
        }
    }
    let [last, second, first, top] = limbs;
    let number = [top, first, second, last].map(u64::to_be_bytes);
    let bytes = &number.as_flattened()[7..];
    let (payload, check) = bytes.split_at(21);
    let checksum = || Sha256::digest(Sha256::digest(payload));
    matches!(payload.first(), Some(0x00 | 0x05)) && checksum().get(..4) == Some(check)
}

/// Segwit address on the main net: witness version 0 with the bech32 constant, later ones with that of bech32m.
fn segwit(text: &[u8]) -> bool {
    let lower = text.iter().any(u8::is_ascii_lowercase);
    let upper = text.iter().any(u8::is_ascii_uppercase);
    let Some(data) = text.get(3..) else {
        return false;
    };
    if lower && upper || !(11..=87).contains(&data.len()) {
        return false;
    }
    // The human-readable part "bc", expanded (BIP 173).
    let mut check = [3, 3, 0, 2, 3].into_iter().fold(1, polymod);
    let mut version = None;
    for symbol in data {
        let Some(value) = BECH32
            .iter()
            .position(|known| *known == symbol.to_ascii_lowercase())
        else {
            return false;
        };
        version.get_or_insert(value);
        check = polymod(check, value as u32);
    }
    match version {
        Some(0) => check == 1,
        Some(1..=16) => check == BECH32M,
        _ => false,
    }
}

fn polymod(check: u32, value: u32) -> u32 {
    let top = check >> 25;
    let next = (check & 0x01ff_ffff) << 5 ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(next, |sum, (_, generator)| sum ^ generator)
}

const GENERATOR: [u32; 5] = [
    0x3b6a_57b2,
    0x2650_8e6d,
    0x1ea1_19fa,
    0x3d42_33dd,
    0x2a14_62b3,
];

/// BIP 350.
const BECH32M: u32 = 0x2bc8_30a3;

const BASE58: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// By symbol: its value in base 58; of what is none, 58.
const VALUES58: [u8; 256] = {
    let mut table = [58; 256];
    let mut value = 0_u8;
    while value < 58 {
        table[BASE58[value as usize] as usize] = value;
        value += 1;
    }
    table
};

const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitcoin_addresses_carry_their_checksum() {
        for good in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ] {
            assert!(bitcoin(good.as_bytes()), "{good}");
        }
        for bad in [
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "1111111111111111111111111111",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7Div0Na",
            "1zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert!(!bitcoin(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn an_ethereum_address_has_forty_digits() {
        assert!(ethereum(b"0xf937b98eba9f057f5255a7f6a5201ba331b55284"));
        assert!(!ethereum(b"0x0000000000000000000000000000000000000000"));
    }
}
