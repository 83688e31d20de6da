//! Request line, URI and header fields.

use super::*;

#[test]
fn a_request_line_outside_the_grammar_ends_the_connection_section_4_3_2() {
    for (line, status, code) in [
        ("GET / HTTP/1.1", 400, "request-line"),
        ("OPTIONS", 400, "request-line"),
        ("OPTIONS icap://h/x", 400, "request-line"),
        ("OPTIONS  icap://h/x ICAP/1.0", 400, "request-line"),
        ("OPTIONS icap://h/x  ICAP/1.0", 400, "request-line"),
        ("OPTIONS icap://h/x ICAP/1.0 ", 400, "request-line"),
        ("OPTIONS\ticap://h/x\tICAP/1.0", 400, "request-line"),
        ("OPTIONS icap://h/x y ICAP/1.0", 400, "request-line"),
        ("OPT(IONS icap://h/x ICAP/1.0", 400, "request-line"),
        ("OPTIONS icap://h/x icap/1.0", 400, "request-line"),
        ("OPTIONS icap://h/x ICAP/1", 400, "request-line"),
        ("OPTIONS icap://h/x ICAP/1.00", 400, "request-line"),
        ("OPTIONS icap://h/x ICAP/ 1.0", 400, "request-line"),
        ("OPTIONS icap://h/x ICAP/1.0\r", 400, "request-line"),
        ("OPTIONS icap://h/x ICAP/1.0\rX: y", 400, "request-line"),
        ("OPTIONS\r icap://h/x ICAP/1.0", 400, "request-line"),
        ("OPTIONS icap://h/x ICAP/1.1", 505, "version"),
        ("OPTIONS icap://h/x ICAP/0.9", 505, "version"),
        ("OPTIONS icap://h/x ICAP/2.0", 505, "version"),
        ("FROB icap://h/x ICAP/2.0", 505, "version"),
        ("OPTIONS /x ICAP/1.0", 400, "uri"),
        ("OPTIONS * ICAP/1.0", 400, "uri"),
        ("OPTIONS http://h/x ICAP/1.0", 400, "uri"),
        ("OPTIONS icap:///x ICAP/1.0", 400, "uri"),
        ("OPTIONS icap://h:99999/x ICAP/1.0", 400, "uri"),
        ("OPTIONS icap://h/x#y ICAP/1.0", 400, "uri"),
        ("OPTIONS icap://h/\u{e4} ICAP/1.0", 400, "uri"),
    ] {
        refused(line, format!("{line}\r\nHost: h\r\n\r\n"), status, code);
    }
}

#[test]
fn who_does_not_speak_icap_is_told_so_at_the_first_line() {
    refused(
        "TLS on the plain port",
        b"\x16\x03\x01\x02\x00",
        400,
        "garbage",
    );
    refused("a NUL", b"\0", 400, "garbage");
    refused("a space first", b" OPTIONS", 400, "garbage");
    refused("a bare LF first", b"\n", 400, "garbage");
    refused(
        "HTTP, no blank line yet",
        "GET / HTTP/1.1\r\n",
        400,
        "request-line",
    );
    refused(
        "an answer instead of a request",
        "ICAP/1.0 200 OK\r\n",
        400,
        "request-line",
    );
    refused(
        "an F5 without version",
        "REQMOD icap://h/x\r\n",
        400,
        "request-line",
    );
}

#[test]
fn unknown_methods_are_501_and_methods_have_case_section_4_3_2() {
    for method in ["FROB", "reqmod", "Options", "GET", "REQMODX"] {
        let input = format!(
            "{method} icap://h/x ICAP/1.0\r\nHost: h\r\n\r\n{}",
            with_lines("")
        );
        // Without Encapsulated there is no body (errata e1): the next request is served.
        expect(
            method,
            input,
            Play::Clean,
            &["error 501 unknown-method", "OPTIONS /x 0+0", "204"],
        );
        let lines = "Encapsulated: null-body=0\r\n";
        let input = format!("{method} icap://h/x ICAP/1.0\r\nHost: h\r\n{lines}\r\n");
        refused(method, input, 501, "unknown-method");
        let lines = "Connection: close\r\n";
        let input = format!("{method} icap://h/x ICAP/1.0\r\nHost: h\r\n{lines}\r\n");
        refused(method, input, 501, "unknown-method");
    }
}

#[test]
fn host_must_be_there_once_and_be_a_host_section_4_3_1() {
    for (lines, code) in [
        ("", "host-missing"),
        ("Host: a\r\nHost: a\r\n", "host-duplicate"),
        ("Host: a\r\nhOST: b\r\n", "host-duplicate"),
        ("Host:\r\n", "host-malformed"),
        ("Host: a b\r\n", "host-malformed"),
        ("Host: a:b\r\n", "host-malformed"),
        ("Host: a:70000\r\n", "host-malformed"),
        ("Host: [::1\r\n", "host-malformed"),
        ("Host: a/b\r\n", "host-malformed"),
        ("Host: a@b\r\n", "host-malformed"),
        ("Host: a, b\r\n", "host-malformed"),
    ] {
        refused(
            lines,
            format!("OPTIONS icap://h/x ICAP/1.0\r\n{lines}\r\n"),
            400,
            code,
        );
    }
    for host in [
        "h",
        "h:1344",
        "h:",
        "127.0.0.1",
        "[::1]",
        "[::1]:1344",
        "a-b.c_d",
    ] {
        let input = format!("OPTIONS icap://h/x ICAP/1.0\r\nhOsT:{host}\t\r\n\r\n");
        expect(host, input, Play::Clean, &["OPTIONS /x 0+0", "204"]);
    }
}

#[test]
fn malformed_field_lines_are_400_security_1_3() {
    for (line, code) in [
        ("X : y\r\n", "icap-header"),
        ("X\t: y\r\n", "icap-header"),
        ("Encapsulated : null-body=0\r\n", "icap-header"),
        (": y\r\n", "icap-header"),
        ("X y\r\n", "icap-header"),
        ("X(: y\r\n", "icap-header"),
        ("X: a\0b\r\n", "icap-header"),
        ("X: a\rb\r\n", "icap-header"),
        ("X: a\r\r\n", "icap-header"),
        ("X: a\x0bb\r\n", "icap-header"),
        ("X: a\x7fb\r\n", "icap-header"),
        ("X: a\nY: b\r\n", "icap-head"),
        ("X: a\n\r\n", "icap-head"),
        ("Encapsulated:\r\n null-body=0\r\n", "folded-framing-field"),
        ("Preview: 1\r\n 0\r\n", "folded-framing-field"),
        ("Allow: 204,\r\n\t206\r\n", "folded-framing-field"),
        (
            "Connection: keep-alive,\r\n close\r\n",
            "folded-framing-field",
        ),
    ] {
        refused(line, with_lines(line), 400, code);
    }
    refused(
        "a fold of nothing",
        "OPTIONS icap://h/x ICAP/1.0\r\n Host: h\r\n\r\n",
        400,
        "icap-header",
    );
    refused(
        "LF alone",
        "OPTIONS icap://h/x ICAP/1.0\nHost: h\n\n",
        400,
        "icap-head",
    );
}

#[test]
fn what_is_only_odd_is_tolerated() {
    for lines in [
        // Folded, but it frames nothing.
        "X-Long: a\r\n b\r\n",
        // RFC 3507 §4.3.1: not ICAP header fields; nothing is framed by them.
        "Content-Length: 7\r\n",
        "Transfer-Encoding: chunked\r\n",
        "X-Client-IP:10.0.0.1\r\n",
        "X-Empty:\r\n",
        "X-Latin: \u{e4}\r\n",
        "Allow: 204, 999, frobnicate,,\r\n",
        "aLLOW: 206\r\nALLOW: TRAILERS\r\n",
        "Preview: 0\r\n",
    ] {
        expect(
            lines,
            with_lines(lines),
            Play::Clean,
            &["OPTIONS /x 0+0", "204"],
        );
    }
    expect(
        "one empty line before a request",
        format!("\r\n{}", with_lines("")),
        Play::Clean,
        &["OPTIONS /x 0+0", "204"],
    );
    let lines: String = (0..98).map(|n| format!("X-{n}: y\r\n")).collect();
    expect(
        "100 lines",
        with_lines(&lines),
        Play::Clean,
        &["OPTIONS /x 0+0", "204"],
    );
}

#[test]
fn heads_meet_their_limits_while_they_arrive_security_3() {
    let long = "a".repeat(9000);
    // None of these heads is ever completed.
    refused(
        "endless request line",
        format!("OPTIONS icap://h/{long}"),
        400,
        "icap-head",
    );
    refused(
        "endless field line",
        format!("OPTIONS icap://h/x ICAP/1.0\r\nX: {long}"),
        400,
        "icap-head",
    );
    let lines = "X: y\r\n".repeat(101);
    refused(
        "endless lines",
        format!("OPTIONS icap://h/x ICAP/1.0\r\n{lines}"),
        400,
        "icap-head",
    );
    let lines = format!("X: {}\r\n", "a".repeat(4000)).repeat(9);
    refused(
        "endless head",
        format!("OPTIONS icap://h/x ICAP/1.0\r\n{lines}"),
        400,
        "icap-head",
    );
    let line = format!("OPTIONS icap://h/{} ICAP/1.0\r\n", "a".repeat(8000));
    let path = format!("OPTIONS /{} 0+0", "a".repeat(8000));
    expect(
        "8,000 bytes of path",
        format!("{line}Host: h\r\n\r\n"),
        Play::Clean,
        &[&path, "204"],
    );
}

#[test]
fn a_head_that_is_cut_off_is_an_error_and_silence_is_not() {
    expect("nothing at all", "", Play::Clean, &[]);
    expect("half an empty line", "\r", Play::Clean, &[]);
    for input in ["O", "OPTIONS icap://h/x ICAP/1.0\r\nHost: h\r\n"] {
        expect(input, input, Play::Clean, &["error 400 truncated-head"]);
    }
    let input = bodiless("");
    let cut = &input[..input.len() - 1];
    expect(
        "half an embedded head",
        cut,
        Play::Clean,
        &["error 400 truncated-head"],
    );
}
