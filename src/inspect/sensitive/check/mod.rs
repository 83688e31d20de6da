//! Validators: the last word on a candidate. Each is a pure function of the candidate's decoded bytes.
//!
//! - [`payment`] — card numbers, IBAN, routing numbers
//! - [`national`] — SSN, NINO, NHS, Aadhaar and other national ids
//! - [`network`] — e-mail, IP addresses
//! - `domain` — the top-level domains that there are
//! - [`phone`] — telephone numbers
//! - [`token`] — JWT, GitHub, cloud keys, basic-auth, wallet addresses, things that look random
//! - [`moment`] — dates of birth
//! - [`word`] — values of named fields: what is a secret and what only stands where one would

mod domain;
pub mod moment;
pub mod national;
pub mod network;
pub mod payment;
pub mod phone;
pub mod token;
pub mod wallet;
pub mod word;

/// A validator.
pub type Check = fn(&[u8]) -> bool;

/// The validator called `name` in `signatures/entity/*.toml`.
pub fn named(name: &str) -> Option<Check> {
    CHECKS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, check)| *check)
}

const CHECKS: &[(&str, Check)] = &[
    ("aadhaar", national::aadhaar),
    ("aba", payment::routing_number),
    ("aws-key-id", token::aws_key_id),
    ("basic-auth", token::basic_auth),
    ("basic-credentials", token::basic_credentials),
    ("birth-date", moment::birth_date),
    ("card-number", payment::card_number),
    ("cpf", national::cpf),
    ("cvv", payment::card_code),
    ("dni", national::dni),
    ("domain-mailbox", network::mailbox),
    ("encoded-mailbox", network::encoded_mailbox),
    ("ethereum", wallet::ethereum),
    ("bitcoin", wallet::bitcoin),
    ("github", token::github),
    ("iban", payment::iban),
    ("insee", national::insee),
    ("ipv4", network::ipv4),
    ("ipv6", network::ipv6),
    ("jwt", token::jwt),
    ("nhs", national::nhs),
    ("nino", national::nino),
    ("passport", national::passport),
    ("password", word::password),
    ("likely-password", word::likely_password),
    ("strong-password", word::strong_password),
    ("url-password", word::url_password),
    ("phone-e164", phone::phone_international),
    ("phone-national", phone::phone_national),
    ("phone-digits", phone::phone_digits),
    ("random", token::random),
    ("random-digits", token::random_digits),
    ("secret", word::secret),
    ("session", word::session),
    ("ssn", national::ssn),
    ("ssn-digits", national::ssn_digits),
];

/// The digits of `text`, separators left out, as numbers; `None` when there are more than 32.
fn digits(text: &[u8]) -> Option<Digits> {
    let mut digits = Digits {
        values: [0; MAX_DIGITS],
        len: 0,
    };
    for byte in text.iter().filter(|byte| byte.is_ascii_digit()) {
        *digits.values.get_mut(digits.len)? = byte - b'0';
        digits.len += 1;
    }
    Some(digits)
}

/// A short run of decimal digits.
#[derive(Clone, Copy)]
struct Digits {
    values: [u8; MAX_DIGITS],
    len: usize,
}

impl Digits {
    fn as_slice(&self) -> &[u8] {
        self.values.get(..self.len).unwrap_or_default()
    }

    /// The number that digits `start..end` spell; 0 when there are fewer.
    fn number(&self, start: usize, end: usize) -> u32 {
        self.as_slice()
            .get(start..end)
            .unwrap_or_default()
            .iter()
            .fold(0, |sum: u32, digit| {
                sum.wrapping_mul(10).wrapping_add(u32::from(*digit))
            })
    }

    fn all_same(&self) -> bool {
        self.as_slice().windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// No identifier that is checked here is longer.
const MAX_DIGITS: usize = 32;
