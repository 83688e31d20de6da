//! A JSON text: the same leaves and findings in any pieces; taken and refused as serde_json does.

use super::leaves::{Log, rules};
use sluice::inspect::Findings;
use sluice::inspect::json::{Document, Reader};

/// Panics when the property does not hold for `data`: four cut points and a text.
pub fn holds(data: &[u8]) {
    let Some((cuts, text)) = data.split_at_checked(4) else {
        return;
    };
    let whole = read(text, &[text]);
    let other = read(text, &super::cut(text, cuts));
    assert_eq!(whole.1, other.1);
    assert_eq!(whole, other);
    assert_eq!(whole, read(text, &super::cut(text, &[1])));
    // serde_json takes no byte order mark; its limit on depth lies a level off ours.
    if text.starts_with(&[0xef]) || whole.1.iter().any(|rule| rule.contains("/depth ")) {
        return;
    }
    let refused = |rules: &[&str]| {
        let mut found = whole.1.iter();
        found.any(|rule| rules.iter().any(|prefix| rule.starts_with(prefix)))
    };
    let oracle = serde_json::from_slice::<serde_json::Value>(text);
    let deep = oracle
        .as_ref()
        .is_err_and(|error| error.to_string().contains("recursion limit"));
    let out_of_range = refused(&["json-abuse/number-range"]);
    let agree = match oracle {
        Ok(_) => !refused(&REFUSED) && (!out_of_range || has_long_exponent(text)),
        Err(_) => refused(&REFUSED) || out_of_range,
    };
    assert!(deep || agree, "{:?}", whole.1);
}

/// True when an exponent has five digits: that is out of our range even where it makes a number zero.
fn has_long_exponent(text: &[u8]) -> bool {
    let mut behind = text.split(|byte| matches!(byte, b'e' | b'E')).skip(1);
    behind.any(|rest| {
        let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
        let digits = rest.iter().skip(sign).skip_while(|byte| **byte == b'0');
        digits.take_while(|byte| byte.is_ascii_digit()).count() >= 5
    })
}

const REFUSED: [&str; 4] = [
    "json-malformed/",
    "json-abuse/invalid-utf8",
    "json-abuse/lone-surrogate",
    "json-abuse/number-length",
];

fn read(text: &[u8], pieces: &[&[u8]]) -> (Log, Vec<String>) {
    let mut log = Log {
        len: text.len() as u64,
        ..Log::default()
    };
    let mut findings = Findings::default();
    let mut reader = Reader::default();
    reader.begin(Document::default());
    for piece in pieces {
        reader.push(piece, &mut log, &mut findings);
    }
    reader.finish(&mut log, &mut findings);
    (log, rules(&findings))
}
