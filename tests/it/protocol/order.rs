//! One request after the other: pipelining, stray bytes, early answers, the end of a connection.

use super::*;

const REQUEST: &str = "REQMOD /reqmod 53+0 body";
const GET_REQUEST: &str = "REQMOD /reqmod 37+0";

#[test]
fn pipelined_requests_are_answered_in_order_section_4_3() {
    let input = [
        bodiless(""),
        reqmod("", "3\r\nabc\r\n0\r\n\r\n"),
        with_lines(""),
        respmod("", "3\r\ndef\r\n0\r\n\r\n"),
        bodiless(""),
    ]
    .concat();
    let expected = [
        GET_REQUEST,
        "204",
        REQUEST,
        "body abc",
        "end",
        "204",
        "OPTIONS /x 0+0",
        "204",
        "RESPMOD /respmod 37+45 body",
        "body def",
        "end",
        "204",
        GET_REQUEST,
        "204",
    ];
    expect("five requests", input, Play::Clean, &expected);
}

#[test]
fn stray_line_ends_and_last_chunks_between_requests_are_discarded() {
    for stray in [
        "\r\n",
        "\r\n\r\n",
        "0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "0\r\n\r\n0\r\n\r\n",
    ] {
        let input = format!("{}{stray}{}", bodiless(""), bodiless(""));
        expect(
            stray,
            input,
            Play::Clean,
            &[GET_REQUEST, "204", GET_REQUEST, "204"],
        );
        let input = format!("{}{stray}", bodiless(""));
        expect(stray, input, Play::Clean, &[GET_REQUEST, "204"]);
    }
    let endless = format!("{}{}", bodiless(""), "\r\n".repeat(9));
    refused("strays without end", endless, 400, "garbage");
}

#[test]
fn other_bytes_between_requests_are_400_security_1_3() {
    for (stray, code) in [
        ("5\r\nhello\r\n0\r\n\r\n", "request-line"),
        ("00\r\n\r\n", "request-line"),
        ("0; ieof\r\n\r\n", "request-line"),
        ("garbage\r\n", "request-line"),
        ("\n", "garbage"),
        ("\rX", "garbage"),
        (" ", "garbage"),
        ("\0", "garbage"),
        ("{}", "garbage"),
    ] {
        refused(stray, format!("{}{stray}", bodiless("")), 400, code);
    }
    refused(
        "a last chunk before the first request",
        "0\r\n\r\n",
        400,
        "request-line",
    );
}

#[test]
fn nothing_is_obeyed_after_a_framing_error_security_1_3() {
    let smuggled = format!("5\r\nabcdeX\r\n0\r\n\r\n{}", bodiless(""));
    refused(
        "a request behind a broken body",
        reqmod("", &smuggled),
        400,
        "chunk",
    );
}

#[test]
fn an_early_answer_lets_the_rest_be_drained_errata_e7() {
    let body = format!("{}0\r\n\r\n", "a\r\n0123456789\r\n".repeat(10));
    let input = format!("{}{}", reqmod("", &body), bodiless(""));
    let expected = [REQUEST, "block", GET_REQUEST, "block"];
    expect(
        "inside the limit",
        &input,
        Play::Block { drain: 100 },
        &expected,
    );
    let heard = play(input.as_bytes(), Play::Block { drain: 99 });
    assert_eq!(heard.log, [REQUEST, "block"], "over the limit");
    assert!(heard.closed);
    let heard = play(input.as_bytes(), Play::BlockAndClose);
    assert_eq!(heard.log, [REQUEST, "block"]);
    assert!(heard.closed);
    let sent = String::from_utf8_lossy(&heard.output).into_owned();
    assert!(sent.contains("Connection: close\r\n"), "{sent}");
}

#[test]
fn an_early_answer_to_a_preview_ends_it_there() {
    for last in ["0\r\n\r\n", "0; ieof\r\n\r\n"] {
        let input = format!(
            "{}{}",
            reqmod("Preview: 4\r\n", &format!("4\r\nabcd\r\n{last}")),
            bodiless("")
        );
        let expected = [REQUEST, "block", GET_REQUEST, "block"];
        expect(last, &input, Play::Block { drain: 100 }, &expected);
    }
}

#[test]
fn who_has_his_answer_may_leave_in_the_middle_of_his_body() {
    let input = reqmod("", "a\r\n01234");
    expect(
        "draining",
        input,
        Play::Block { drain: 100 },
        &[REQUEST, "block"],
    );
}

#[test]
fn a_broken_body_behind_an_early_answer_ends_the_connection() {
    let input = format!("{}{}", reqmod("", "zz\r\n"), bodiless(""));
    let heard = play(input.as_bytes(), Play::Block { drain: 100 });
    assert_eq!(heard.log, [REQUEST, "block", "error 400 chunk"]);
    assert!(heard.closed);
    // The answer stands; there is no second one.
    assert_eq!(
        heard
            .output
            .windows(8)
            .filter(|bytes| bytes == b"ICAP/1.0")
            .count(),
        1
    );
}

#[test]
fn connection_close_is_obeyed_and_announced_section_4_3() {
    for lines in [
        "Connection: close\r\n",
        "connection: TE, Close\r\n",
        "Connection: x\r\nConnection: close\r\n",
    ] {
        let input = format!("{}{}", bodiless(lines), bodiless(""));
        let heard = play(input.as_bytes(), Play::Clean);
        assert_eq!(heard.log, [GET_REQUEST, "204"], "{lines}");
        assert!(heard.closed, "{lines}");
        let sent = String::from_utf8_lossy(&heard.output).into_owned();
        assert!(sent.contains("Connection: close\r\n"), "{sent}");
    }
    let heard = play(
        bodiless("Connection: keep-alive\r\n").as_bytes(),
        Play::Clean,
    );
    assert!(!heard.closed);
    assert!(!String::from_utf8_lossy(&heard.output).contains("Connection"));
}

#[test]
fn the_last_request_of_a_connection_is_announced_security_3() {
    let limits = std::sync::Arc::new(sluice::icap::Limits {
        requests: 2,
        ..Default::default()
    });
    let heard = super::wire::play_with(bodiless("").repeat(3).as_bytes(), Play::Clean, &limits);
    assert_eq!(heard.log, [GET_REQUEST, "204", GET_REQUEST, "204"]);
    assert!(heard.closed);
    let sent = String::from_utf8_lossy(&heard.output).into_owned();
    assert_eq!(sent.matches("Connection: close").count(), 1);
    assert!(sent.rfind("Connection: close") > sent.rfind("ICAP/1.0"));
}
