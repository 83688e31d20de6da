//! `Encapsulated`: every legal form, and a 400 for every illegal one (RFC 3507 §4.4.1, errata e1 and e4).

use super::*;

fn with_encapsulated(method: &str, value: &str, rest: &str) -> String {
    format!("{method} icap://h/x ICAP/1.0\r\nHost: h\r\nEncapsulated: {value}\r\n\r\n{rest}")
}

#[test]
fn all_legal_forms_are_read_section_4_4_1() {
    let (get, ok) = (GET.len(), OK.len());
    let both = get + ok;
    let body = "3\r\nabc\r\n0\r\n\r\n";
    let cases: [(&str, String, String, &[&str]); 14] = [
        (
            "REQMOD",
            format!("req-hdr=0, null-body={get}"),
            GET.into(),
            &["REQMOD /x 37+0", "204"],
        ),
        (
            "REQMOD",
            format!("req-hdr=0,null-body={get}"),
            GET.into(),
            &["REQMOD /x 37+0", "204"],
        ),
        (
            "REQMOD",
            format!("Req-Hdr=0 ,\tNULL-BODY={get}  "),
            GET.into(),
            &["REQMOD /x 37+0", "204"],
        ),
        (
            "REQMOD",
            format!("req-hdr=0, req-body={get}"),
            format!("{GET}{body}"),
            &["REQMOD /x 37+0 body", "body abc", "end", "204"],
        ),
        // Errata e4: the heads are optional.
        (
            "REQMOD",
            "req-body=0".into(),
            body.into(),
            &["REQMOD /x 0+0 body", "body abc", "end", "204"],
        ),
        (
            "REQMOD",
            "null-body=0".into(),
            String::new(),
            &["REQMOD /x 0+0", "204"],
        ),
        (
            "RESPMOD",
            "res-body=0".into(),
            body.into(),
            &["RESPMOD /x 0+0 body", "body abc", "end", "204"],
        ),
        (
            "RESPMOD",
            format!("req-hdr=0, res-body={get}"),
            format!("{GET}{body}"),
            &["RESPMOD /x 37+0 body", "body abc", "end", "204"],
        ),
        (
            "RESPMOD",
            format!("res-hdr=0, res-body={ok}"),
            format!("{OK}{body}"),
            &["RESPMOD /x 0+45 body", "body abc", "end", "204"],
        ),
        (
            "RESPMOD",
            format!("req-hdr=0, res-hdr={get}, res-body={both}"),
            format!("{GET}{OK}{body}"),
            &["RESPMOD /x 37+45 body", "body abc", "end", "204"],
        ),
        (
            "RESPMOD",
            format!("req-hdr=0, res-hdr={get}, null-body={both}"),
            format!("{GET}{OK}"),
            &["RESPMOD /x 37+45", "204"],
        ),
        (
            "RESPMOD",
            format!("res-hdr=0, null-body={ok}"),
            OK.into(),
            &["RESPMOD /x 0+45", "204"],
        ),
        (
            "OPTIONS",
            "null-body=0".into(),
            String::new(),
            &["OPTIONS /x 0+0", "204"],
        ),
        (
            "OPTIONS",
            "opt-body=0".into(),
            body.into(),
            &["OPTIONS /x 0+0 body", "body abc", "end", "204"],
        ),
    ];
    for (method, value, rest, expected) in cases {
        expect(
            &value,
            with_encapsulated(method, &value, &rest),
            Play::Clean,
            expected,
        );
    }
}

#[test]
fn without_the_header_there_is_no_body_errata_e1() {
    for method in ["OPTIONS", "REQMOD", "RESPMOD"] {
        let input = format!("{method} icap://h/x ICAP/1.0\r\nHost: h\r\n\r\n");
        let line = format!("{method} /x 0+0");
        expect(
            method,
            input.repeat(2),
            Play::Clean,
            &[&line, "204", &line, "204"],
        );
    }
}

#[test]
fn every_illegal_list_is_400_security_1_3() {
    let cases = [
        // Grammar.
        ("REQMOD", ""),
        ("REQMOD", "req-hdr"),
        ("REQMOD", "req-hdr="),
        ("REQMOD", "req-hdr=0"),
        ("REQMOD", "req-hdr=0,"),
        ("REQMOD", "req-hdr=0,,null-body=37"),
        ("REQMOD", ",req-hdr=0, null-body=37"),
        ("REQMOD", "req-hdr=0, null-body=37,"),
        ("REQMOD", "req-hdr=0 null-body=37"),
        ("REQMOD", "req-hdr=0; null-body=37"),
        ("REQMOD", "req-hdr:0, null-body=37"),
        ("REQMOD", "req-hdr = 0, null-body=37"),
        ("REQMOD", "req-hdr=0, null-body=37 x"),
        // Numbers.
        ("REQMOD", "req-hdr=-0, null-body=37"),
        ("REQMOD", "req-hdr=+0, null-body=37"),
        ("REQMOD", "req-hdr=0, null-body=+37"),
        ("REQMOD", "req-hdr=0, null-body=-37"),
        ("REQMOD", "req-hdr=0, null-body=0x25"),
        ("REQMOD", "req-hdr=0, null-body=37.0"),
        ("REQMOD", "req-hdr=0, null-body=3_7"),
        ("REQMOD", "req-hdr=0, null-body=\"37\""),
        ("REQMOD", "req-hdr=0, null-body=2147483648"),
        ("REQMOD", "req-hdr=0, null-body=4294967333"),
        ("REQMOD", "req-hdr=0, null-body=18446744073709551653"),
        ("REQMOD", "req-hdr=0, null-body=99999999999999999999999999"),
        ("REQMOD", "req-hdr=0, null-body=131073"),
        // Order.
        ("REQMOD", "req-hdr=1, null-body=37"),
        ("REQMOD", "null-body=37"),
        ("REQMOD", "req-body=37"),
        ("REQMOD", "req-hdr=0, null-body=0"),
        ("REQMOD", "null-body=37, req-hdr=0"),
        ("REQMOD", "req-hdr=37, null-body=0"),
        ("RESPMOD", "req-hdr=0, res-hdr=37, res-body=37"),
        ("RESPMOD", "req-hdr=0, res-hdr=37, res-body=20"),
        ("RESPMOD", "res-hdr=0, req-hdr=45, res-body=83"),
        // Names.
        ("REQMOD", "req-hdr=0, frob-body=37"),
        ("REQMOD", "hdr=0, null-body=37"),
        ("REQMOD", "req-hdr=0, req-hdr=10, null-body=37"),
        ("REQMOD", "req-hdr=0, req-body=37, null-body=40"),
        ("REQMOD", "req-hdr=0, null-body=37, null-body=39"),
        ("REQMOD", "req-body=0, req-body=5"),
        // The wrong parts for the method.
        ("REQMOD", "req-hdr=0, res-body=37"),
        ("REQMOD", "req-hdr=0, res-hdr=37, req-body=83"),
        ("REQMOD", "res-hdr=0, null-body=37"),
        ("REQMOD", "opt-body=0"),
        ("RESPMOD", "req-hdr=0, req-body=37"),
        ("RESPMOD", "res-hdr=0, req-body=37"),
        ("RESPMOD", "opt-body=0"),
        ("OPTIONS", "req-hdr=0, null-body=37"),
        ("OPTIONS", "res-hdr=0, null-body=37"),
        ("OPTIONS", "req-body=0"),
        ("OPTIONS", "res-body=0"),
        ("OPTIONS", "opt-body=1"),
    ];
    for (method, value) in cases {
        let input = with_encapsulated(method, value, GET);
        refused(&format!("{method} {value}"), input, 400, "encapsulated");
    }
    let value = format!("req-hdr=0, null-body={}37", "0".repeat(256));
    refused(
        "longer than 256 bytes",
        with_encapsulated("REQMOD", &value, GET),
        400,
        "encapsulated",
    );
}

#[test]
fn a_second_encapsulated_is_400_even_when_it_says_the_same() {
    let same = "Encapsulated: null-body=0\r\nEncapsulated: null-body=0\r\n";
    refused("the same", with_lines(same), 400, "encapsulated-duplicate");
    let other = "Encapsulated: null-body=0\r\neNCAPSULATED: opt-body=0\r\n";
    refused("another", with_lines(other), 400, "encapsulated-duplicate");
}

#[test]
fn sections_end_exactly_at_their_blank_line_or_are_refused_at_once() {
    let get = GET.len();
    for (what, value, rest) in [
        (
            "one byte past",
            format!("req-hdr=0, null-body={}", get + 1),
            GET.to_owned(),
        ),
        (
            "far past, and nothing more comes",
            "req-hdr=0, null-body=9999".into(),
            GET.to_owned(),
        ),
        (
            "one byte short",
            format!("req-hdr=0, null-body={}", get - 1),
            GET.to_owned(),
        ),
        (
            "two bytes short",
            format!("req-hdr=0, req-body={}", get - 2),
            GET.to_owned(),
        ),
        (
            "inside the line",
            "req-hdr=0, null-body=5".into(),
            GET.to_owned(),
        ),
        (
            "LF only",
            format!("req-hdr=0, null-body={}", get - 3),
            GET.replace("\r\n", "\n"),
        ),
        (
            "LF LF at the end",
            format!("req-hdr=0, null-body={}", get - 2),
            GET.replace("\r\n\r\n", "\n\n"),
        ),
    ] {
        refused(
            what,
            with_encapsulated("REQMOD", &value, &rest),
            400,
            "section-end",
        );
    }
    let value = format!(
        "req-hdr=0, res-hdr={}, res-body={}",
        get + 3,
        get + OK.len()
    );
    let rest = format!("{GET}{OK}0\r\n\r\n");
    refused(
        "the second head",
        with_encapsulated("RESPMOD", &value, &rest),
        400,
        "section-end",
    );
    let value = format!("req-hdr=0, res-hdr={get}, res-body={}", get + OK.len() + 3);
    refused(
        "the body",
        with_encapsulated("RESPMOD", &value, &rest),
        400,
        "section-end",
    );
}

#[test]
fn embedded_heads_meet_their_limits_security_3() {
    let head = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}\r\n");
    let sent = |head: &str| {
        let value = format!("req-hdr=0, null-body={}", head.len());
        with_encapsulated("REQMOD", &value, head)
    };
    let lines: String = (0..90)
        .map(|n| format!("X-{n}: {}\r\n", "y".repeat(170)))
        .collect();
    let fits = head(&lines);
    let line = format!("REQMOD /x {}+0", fits.len());
    expect(
        "16 KiB and 90 lines must pass",
        sent(&fits),
        Play::Clean,
        &[&line, "204"],
    );
    let many = head(&"X: y\r\n".repeat(501));
    refused("over 500 lines", sent(&many), 413, "http-head");
    let long = head(&format!("X: {}\r\n", "y".repeat(65_536)));
    refused("a line over 64 KiB", sent(&long), 413, "http-head");
    refused(
        "over 128 KiB in all",
        sent(&head(&format!("X: {}\r\n", "y".repeat(40_000)).repeat(4))),
        400,
        "encapsulated",
    );
}

#[test]
fn the_origins_own_oddities_are_no_errors_of_the_client() {
    for head in [
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
        "GET / HTTP/1.1\r\nA : b\r\n\r\n",
        "GET / HTTP/1.1\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nA: \0\r\n\r\n",
        "frob\r\n\r\n",
        "\r\n\r\n",
    ] {
        let value = format!("req-hdr=0, null-body={}", head.len());
        let line = format!("REQMOD /x {}+0", head.len());
        expect(
            head,
            with_encapsulated("REQMOD", &value, head),
            Play::Clean,
            &[&line, "204"],
        );
    }
}
