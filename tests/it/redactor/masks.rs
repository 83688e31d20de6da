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

#[test]
fn elements_and_attributes_of_xml_go_as_a_whole() {
    let profile = removing(&Mask::Remove);
    let pan = "4111111111111111";
    for (body, left) in [
        ("<o><cvv>123</cvv><n>1</n></o>", "<o><n>1</n></o>"),
        (
            "<o>\n  <cvv>123</cvv>\n  <n>1</n>\n</o>",
            "<o>\n  \n  <n>1</n>\n</o>",
        ),
        ("<o><cvv> 123 </cvv></o>", "<o></o>"),
        ("<o><cvv><![CDATA[123]]></cvv></o>", "<o></o>"),
        ("<o><cvv>&#49;23</cvv><cvv>124</cvv></o>", "<o></o>"),
        ("<o><cvv>123</cvv ><a/></o>", "<o><a/></o>"),
        // The document's own element stays, or there would be none.
        ("<cvv>123</cvv>", "<cvv></cvv>"),
        // Something else lies inside, before or behind.
        ("<o><cvv>123<b/></cvv></o>", "<o><cvv><b/></cvv></o>"),
        ("<o><n><b/>a@b.org</n></o>", "<o><n><b/></n></o>"),
        (
            "<o><n>a@b.org<!-- c@b.org --></n></o>",
            "<o><n><!--  --></n></o>",
        ),
        ("<o><n>mail a@b.org now</n></o>", "<o><n>mail  now</n></o>"),
        (
            "<o><n>a@b.org<![CDATA[c@b.org]]></n></o>",
            "<o><n><![CDATA[]]></n></o>",
        ),
        // Attributes go with the blank before them; names that others need stay.
        (
            "<o><c a=\"1\" cvv=\"123\" b='2'/></o>",
            "<o><c a=\"1\" b='2'/></o>",
        ),
        (
            "<o><c cvv='123' mail=\"a@b.org\">x</c></o>",
            "<o><c>x</c></o>",
        ),
        ("<o><c\n  cvv = '123'\n/></o>", "<o><c\n/></o>"),
        ("<o><c xmlns:p='a@b.org'/></o>", "<o><c xmlns:p=''/></o>"),
        // What was edited in its tag keeps an element.
        (
            &format!("<o><c mail='a@b.org'>{pan}</c></o>"),
            "<o><c></c></o>",
        ),
        ("<o a='1' /><!-- a@b.org -->", "<o a='1' /><!--  -->"),
        ("<o><cvv>123</cvv", "<o><cvv></cvv"),
        (
            "<o><a>x &lt; y</a><email>a@b.org</email></o>",
            "<o><a>x &lt; y</a></o>",
        ),
    ] {
        let out = masked(&profile, "application/xml", body);
        assert_eq!(out, left, "{body}");
    }
}

#[test]
fn a_place_that_names_an_element_takes_what_lies_in_it_and_leaves_its_blanks() {
    let selector = Selector::parse("//card").expect("a selector");
    let body = "<o>\n <card>\n  <no>1</no>\n  <x y=\"2\">\n   3</x>\n </card>\n</o>";
    let with = |mask| Arc::new(Profile::none().with_selector(selector.clone(), mask, "CARD"));
    assert_eq!(
        masked(&with(Mask::Remove), "application/xml", body),
        "<o>\n <card>\n  \n  <x></x>\n </card>\n</o>"
    );
    assert_eq!(
        masked(&with(Mask::Fixed), "application/xml", body),
        "<o>\n <card>\n  <no>[REDACTED:CARD]</no>\n  <x y=\"[REDACTED:CARD]\">[REDACTED:CARD]</x>\n </card>\n</o>"
    );
}

#[test]
fn pairs_of_a_form_go_with_one_ampersand() {
    let profile = removing(&Mask::Remove);
    for (body, left) in [
        ("a=1&cvv=123&b=3", "a=1&b=3"),
        ("cvv=123&b=3", "b=3"),
        ("cvv=123&cvc=124&b=3&cvv=125", "b=3"),
        ("a=1&cvv=123", "a=1"),
        ("cvv=123", ""),
        ("flag&cvv=123&b", "flag&b"),
        ("cvv=123&flag&cvv=124", "flag"),
        ("a=&cvv=%31%32%33&b=", "a=&b="),
        ("note=mail+a%40b.org+now&x=1", "note=mail++now&x=1"),
        ("a=1&&cvv=123", "a=1"),
    ] {
        let out = masked(&profile, "application/x-www-form-urlencoded", body);
        assert_eq!(out, left, "{body}");
    }
}

#[test]
fn an_attribute_without_quotes_is_never_left_without_a_value() {
    let page = "<input type=hidden value=a@b.org name=x><p title='a@b.org'>t</p>";
    assert_eq!(
        masked(&removing(&Mask::Null), "text/html", page),
        "<input type=hidden value=\"\" name=x><p title=''>t</p>"
    );
    assert_eq!(
        masked(&removing(&Mask::Remove), "text/html", page),
        "<input type=hidden name=x><p>t</p>"
    );
}

#[test]
fn members_inside_base64_go_with_one_comma_as_well() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let inner = STANDARD.encode(r#"{"a":1,"cvv":"123","b":2}"#);
    let body = format!(r#"{{"x":1,"data":"{inner}","cvv":"123"}}"#);
    let left = STANDARD.encode(r#"{"a":1,"b":2}"#);
    let out = masked(&removing(&Mask::Remove), "application/json", &body);
    assert_eq!(out, format!(r#"{{"x":1,"data":"{left}"}}"#));
}
