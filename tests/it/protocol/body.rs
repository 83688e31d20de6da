//! Chunked bodies: sizes, extensions, trailers, truncation (RFC 3507 §4.4.2, errata e2, e6; security 1.1, 1.3).

use std::sync::Arc;

use sluice::icap::Limits;

use super::wire::play_with;
use super::*;

#[test]
fn chunk_sizes_are_hexadecimal_digits_and_nothing_else() {
    let body = "REQMOD /reqmod 53+0 body";
    for (what, chunks) in [
        ("lower case", "a\r\n0123456789\r\n0\r\n\r\n"),
        ("upper case", "A\r\n0123456789\r\n0\r\n\r\n"),
        (
            "leading zeros",
            "000000000000000a\r\n0123456789\r\n0000\r\n\r\n",
        ),
        ("two chunks", "4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"),
        (
            "one byte each",
            "1\r\n0\r\n1\r\n1\r\n1\r\n2\r\n1\r\n3\r\n6\r\n456789\r\n0\r\n\r\n",
        ),
        ("an extension", "a;x\r\n0123456789\r\n0\r\n\r\n"),
        (
            "values",
            "a;x=y;z=\"q;\\\"\"\r\n0123456789\r\n0;a=b\r\n\r\n",
        ),
        (
            "white space around, errata 4667",
            "a ; x = y ;z\r\n0123456789\r\n0\r\n\r\n",
        ),
        (
            "ieof outside a preview",
            "a\r\n0123456789\r\n0; ieof\r\n\r\n",
        ),
        (
            "ieof on a chunk with data",
            "a; ieof\r\n0123456789\r\n0\r\n\r\n",
        ),
    ] {
        let expected = [body, "body 0123456789", "end", "204"];
        expect(what, reqmod("", chunks), Play::Clean, &expected);
    }
    expect(
        "no data",
        reqmod("", "0\r\n\r\n"),
        Play::Clean,
        &[body, "end", "204"],
    );
    for chunks in [
        "+5\r\nabcde\r\n0\r\n\r\n",
        "-5\r\nabcde\r\n0\r\n\r\n",
        " 5\r\nabcde\r\n0\r\n\r\n",
        "5 \r\nabcde\r\n0\r\n\r\n",
        "\t5\r\nabcde\r\n0\r\n\r\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "5_\r\nabcde\r\n0\r\n\r\n",
        "0_5\r\nabcde\r\n0\r\n\r\n",
        "5h\r\nabcde\r\n0\r\n\r\n",
        "g\r\n",
        "\r\n",
        ";x\r\n",
        "5.0\r\nabcde\r\n0\r\n\r\n",
        "5,\r\nabcde\r\n0\r\n\r\n",
        "00000000000000005\r\nabcde\r\n0\r\n\r\n",
        "100000005\r\nabcde\r\n0\r\n\r\n",
        "80000001\r\nabcde\r\n0\r\n\r\n",
        "8000000000000000\r\nabcde\r\n0\r\n\r\n",
        "ffffffffffffffff\r\nabcde\r\n0\r\n\r\n",
        "10000000000000005\r\nabcde\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n",
    ] {
        refused(chunks, reqmod("", chunks), 400, "chunk");
    }
}

#[test]
fn extensions_outside_the_grammar_are_refused() {
    for chunks in [
        "5;\r\nabcde\r\n0\r\n\r\n",
        "5;;a\r\nabcde\r\n0\r\n\r\n",
        "5;a=\r\nabcde\r\n0\r\n\r\n",
        "5;=b\r\nabcde\r\n0\r\n\r\n",
        "5;a b\r\nabcde\r\n0\r\n\r\n",
        "5;a=b c\r\nabcde\r\n0\r\n\r\n",
        "5;a=\"b\r\nabcde\r\n0\r\n\r\n",
        "5;a=\"b\"c\r\nabcde\r\n0\r\n\r\n",
        "5;a\0\r\nabcde\r\n0\r\n\r\n",
        "5;a\rb\r\nabcde\r\n0\r\n\r\n",
        "0;ieof=1\r\n\r\n",
    ] {
        refused(chunks, reqmod("", chunks), 400, "chunk");
    }
}

#[test]
fn only_crlf_ends_a_line_of_the_body() {
    for chunks in [
        "5\nabcde\r\n0\r\n\r\n",
        "5;a\nabcde\r\n0\r\n\r\n",
        "5\r\nabcde\n0\r\n\r\n",
        "5\r\nabcde0\r\n\r\n",
        "5\r\nabcdef\r\n0\r\n\r\n",
        "5\r\nabcde\r0\r\n\r\n",
        "5\r\nabcde\r\r\n0\r\n\r\n",
        "5\r\nabcde\r\n0\n\r\n",
        "5\r\nabcde\r\n0\r\n\n",
        "5\r\nabcde\r\n0\r\nX: y\n\r\n",
    ] {
        refused(chunks, reqmod("", chunks), 400, "chunk");
    }
}

#[test]
fn trailers_are_accepted_and_returned_errata_e2() {
    let chunks = "3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-More:2\r\nContent-Length: 9\r\n\r\n";
    let heard = play(reqmod("", chunks).as_bytes(), Play::Copy);
    assert_eq!(
        heard.log,
        ["REQMOD /reqmod 53+0 body", "body abc", "end +3", "200"]
    );
    let sent = String::from_utf8_lossy(&heard.output).into_owned();
    assert!(
        sent.ends_with("3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-More:2\r\n\r\n"),
        "{sent}"
    );
    for trailers in [
        "X : y\r\n",
        "X\r\n",
        " X: y\r\n",
        "X: \0\r\n",
        "X: a\rb\r\n",
        ": y\r\n",
    ] {
        refused(
            trailers,
            reqmod("", &format!("0\r\n{trailers}\r\n")),
            400,
            "chunk",
        );
    }
    refused(
        "33 lines",
        reqmod("", &format!("0\r\n{}", "X: y\r\n".repeat(33))),
        400,
        "chunk",
    );
    let long = format!("0\r\nX: {}", "y".repeat(8200));
    refused("over 8 KiB, without end", reqmod("", &long), 400, "chunk");
}

#[test]
fn chunk_overhead_is_bounded_security_1_1() {
    let endless = format!("5;{}", "a".repeat(4100));
    refused(
        "an extension without end",
        reqmod("", &endless),
        400,
        "chunk",
    );
    let fits = format!("5;{}\r\nabcde\r\n0\r\n\r\n", "a".repeat(4090));
    let expected = ["REQMOD /reqmod 53+0 body", "body abcde", "end", "204"];
    expect(
        "4 KiB of chunk line",
        reqmod("", &fits),
        Play::Clean,
        &expected,
    );
    let many = format!("1;{}\r\nx\r\n", "a".repeat(4000)).repeat(5);
    refused(
        "1-byte chunks with 4 KiB of extension",
        reqmod("", &many),
        400,
        "chunk",
    );
    let small = "1;a\r\nx\r\n".repeat(8000) + "0\r\n\r\n";
    let body = format!("body {}", "x".repeat(8000));
    let expected = ["REQMOD /reqmod 53+0 body", &body, "end", "204"];
    expect(
        "1-byte chunks with a small extension",
        reqmod("", &small),
        Play::Clean,
        &expected,
    );
}

#[test]
fn a_declared_size_is_not_an_allocation_errata_e6() {
    let limits = Arc::new(Limits {
        chunk_bytes: u64::MAX,
        ..Limits::default()
    });
    let input = reqmod("", "7fffffffffffffff\r\nabc");
    let heard = play_with(input.as_bytes(), Play::Clean, &limits);
    assert_eq!(
        heard.log,
        [
            "REQMOD /reqmod 53+0 body",
            "body abc",
            "error 400 truncated-body"
        ]
    );
}

#[test]
fn a_truncated_body_is_never_a_whole_one_security_1_3() {
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    for cut in 0..chunks.len() {
        let input = reqmod("", &chunks[..cut]);
        let heard = play(input.as_bytes(), Play::Clean);
        let last = heard.log.last().map(String::as_str);
        assert_eq!(last, Some("error 400 truncated-body"), "cut at {cut}");
        assert!(!heard.log.contains(&"204".to_owned()));
    }
}
