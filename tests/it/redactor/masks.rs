//! Masks that need structure: what they leave is well formed, whatever the pieces.

use std::sync::Arc;

use bytes::BytesMut;
use sluice::budget::Budget;
use sluice::inspect::Direction;
use sluice::redact::{Mask, Profile, Redactor, Selector};

fn removing(mask: &Mask) -> Arc<Profile> {
    let selector = Selector::parse("$..gone").expect("a selector");
    let profile =
        Profile::all()
            .with_every_mask(mask)
            .with_selector(selector, mask.clone(), "SELECTED");
    Arc::new(profile)
}

/// The output, which must be the same however the input is cut.
fn masked(profile: &Arc<Profile>, content_type: &str, body: &str) -> String {
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let budget = Budget::new(1 << 30);
        let mut redactor = Redactor::new(
            Arc::clone(profile),
            content_type,
            Direction::Response,
            &budget,
        );
        let mut out = BytesMut::new();
        for piece in pieces {
            redactor.push(piece, &mut out);
        }
        redactor.finish(&mut out);
        String::from_utf8(out.to_vec()).expect("UTF-8")
    };
    let whole = run(&mut std::iter::once(body.as_bytes()));
    assert_eq!(
        run(&mut body.as_bytes().chunks(1)),
        whole,
        "byte by byte: {body}"
    );
    for at in 0..body.len() {
        let (one, two) = body.as_bytes().split_at(at);
        assert_eq!(
            run(&mut [one, two].into_iter()),
            whole,
            "cut at {at}: {body}"
        );
    }
    whole
}

#[test]
fn members_and_elements_go_with_one_comma() {
    let profile = removing(&Mask::Remove);
    for (body, left) in [
        (r#"{"gone":1}"#, "{}"),
        (r#"{"gone":1,"a":2}"#, r#"{"a":2}"#),
        (r#"{"a":2,"gone":1}"#, r#"{"a":2}"#),
        (
            r#"{"a":2 , "gone" : "x" , "b":[3]}"#,
            r#"{"a":2  , "b":[3]}"#,
        ),
        (r#"{"gone":1,"gone":"2","a":3,"gone":4}"#, r#"{"a":3}"#),
        (r#"{"gone":1,"gone":"2"}"#, "{}"),
        (
            r#"[{"gone":"\u0041"},{"a":{"gone":true,"gone":0}}]"#,
            r#"[{},{"a":{}}]"#,
        ),
        (r#"{"gone":null,"a":false}"#, r#"{"gone":null,"a":false}"#),
        (r#"["a@b.org", "b@b.org"]"#, "[]"),
        (r#"[ 1, "a@b.org", 4111111111111111, 2 ]"#, "[ 1, 2 ]"),
        (r#"["a@b.org", 1, "b@b.org"]"#, "[ 1]"),
        // What is named is an object: its values go, it and its arrays stay.
        (
            r#"{"gone":{"x":1,"y":[2]},"z":3}"#,
            r#"{"gone":{"y":[]},"z":3}"#,
        ),
        // Part of a value: the rest stays.
        (r#"{"note":"mail a@b.org now"}"#, r#"{"note":"mail  now"}"#),
        (
            r#"{"s":"{\"email\":\"a@b.org\"}"}"#,
            r#"{"s":"{\"email\":\"\"}"}"#,
        ),
        (r#""a@b.org""#, r#""""#),
        (r#"{"card":4111111111111111,"b":1}"#, r#"{"b":1}"#),
    ] {
        let out = masked(&profile, "application/json", body);
        serde_json::from_str::<serde_json::Value>(&out)
            .unwrap_or_else(|error| panic!("{out}: {error}"));
        assert_eq!(out, left, "{body}");
    }
}

#[test]
fn lines_of_json_and_wide_gaps_stay_well_formed() {
    let profile = removing(&Mask::Remove);
    let out = masked(
        &profile,
        "application/x-ndjson",
        "{\"gone\":1,\"a\":2}\n{\"a\":[\n{\"b\":1,\"gone\":2}\n",
    );
    assert_eq!(out, "{\"a\":2}\n{\"a\":[\n{\"b\":1}\n");
    // A name too far from its comma to be held back: the value becomes null.
    let gap = " ".repeat(5000);
    let body = format!("{{\"a\":1,{gap}\"gone\":2}}");
    let budget = Budget::new(1 << 30);
    let mut redactor = Redactor::new(profile, "application/json", Direction::Response, &budget);
    let mut out = BytesMut::new();
    for byte in body.as_bytes().chunks(1) {
        redactor.push(byte, &mut out);
    }
    redactor.finish(&mut out);
    assert_eq!(out, format!("{{\"a\":1,{gap}\"gone\":null}}"));
}

#[test]
fn null_is_the_word_in_json_and_nothing_elsewhere() {
    let profile = removing(&Mask::Null);
    for (content_type, body, left) in [
        (
            "application/json",
            r#"{"gone":"x","b":1}"#,
            r#"{"gone":null,"b":1}"#,
        ),
        (
            "application/json",
            r#"["a@b.org",4111111111111111]"#,
            "[null,null]",
        ),
        (
            "application/json",
            r#"{"n":"mail a@b.org"}"#,
            r#"{"n":"mail "}"#,
        ),
        ("text/csv", "email,b\n\"a@b.org\",1\n", "email,b\n\"\",1\n"),
        (
            "application/xml",
            "<a e=\"a@b.org\">a@b.org</a>",
            "<a e=\"\"></a>",
        ),
        (
            "application/x-www-form-urlencoded",
            "e=a%40b.org&n=1",
            "e=&n=1",
        ),
    ] {
        assert_eq!(masked(&profile, content_type, body), left, "{body}");
    }
}
