//! Preview, 100 and 204 (RFC 3507 §4.5, §4.6, errata e1, e7, e9).

use sluice::icap::Phase;

use super::*;

const REQUEST: &str = "REQMOD /reqmod 53+0 body";

#[test]
fn a_preview_is_continued_whatever_its_length_section_4_5() {
    for (what, declared, chunks, preview) in [
        (
            "exact",
            "Preview: 4\r\n",
            "4\r\nabcd\r\n0\r\n\r\n",
            Some("body abcd"),
        ),
        (
            "short",
            "Preview: 1024\r\n",
            "4\r\nabcd\r\n0\r\n\r\n",
            Some("body abcd"),
        ),
        (
            "over-long",
            "Preview: 2\r\n",
            "4\r\nabcd\r\n0\r\n\r\n",
            Some("body abcd"),
        ),
        ("nothing", "Preview: 0\r\n", "0\r\n\r\n", None),
        (
            "two chunks",
            "Preview: 4\r\n",
            "2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n",
            Some("body abcd"),
        ),
        (
            "an extension that is not ieof",
            "Preview: 4\r\n",
            "4\r\nabcd\r\n0; x=\"; ieof\"\r\n\r\n",
            Some("body abcd"),
        ),
    ] {
        let input = reqmod(declared, &format!("{chunks}3\r\nefg\r\n0\r\n\r\n"));
        let mut expected = vec![REQUEST];
        expected.extend(preview);
        expected.extend(["preview", "body efg", "end", "204"]);
        let heard = play(input.as_bytes(), Play::Clean);
        assert_eq!(heard.log, expected, "{what}");
        assert!(
            heard
                .output
                .starts_with(b"ICAP/1.0 100 Continue\r\n\r\nICAP/1.0 204 "),
            "{what}"
        );
    }
}

#[test]
fn after_ieof_there_is_no_100_in_any_spelling_section_4_5() {
    for spelling in [
        "0; ieof",
        "0;ieof",
        "0 ; ieof",
        "0 ;IEOF",
        "0;\tIeof",
        "0; x; ieof",
        "0; ieof; x=y",
        "000; ieof",
        "0; ieof ",
    ] {
        let input = reqmod(
            "Preview: 10\r\n",
            &format!("4\r\nabcd\r\n{spelling}\r\n\r\n"),
        );
        let heard = play(input.as_bytes(), Play::Clean);
        assert_eq!(
            heard.log,
            [REQUEST, "body abcd", "ieof", "end", "204"],
            "{spelling}"
        );
        assert!(heard.output.starts_with(b"ICAP/1.0 204 "), "{spelling}");
    }
    let input = reqmod("Preview: 0\r\n", "0; ieof\r\n\r\n");
    expect(
        "an empty body",
        input,
        Play::Clean,
        &[REQUEST, "ieof", "end", "204"],
    );
    let input = reqmod("Preview: 9\r\n", "0; ieof\r\nX: y\r\n\r\n");
    expect(
        "with trailers",
        input,
        Play::Clean,
        &[REQUEST, "ieof", "end +1", "204"],
    );
}

#[test]
fn a_preview_of_nothing_has_no_last_chunk_squid() {
    let input = bodiless("Preview: 0\r\nAllow: 206, trailers\r\n");
    let expected = ["REQMOD /reqmod 37+0", "204", "REQMOD /reqmod 37+0", "204"];
    expect("two in a row", input.repeat(2), Play::Clean, &expected);
    let input = bodiless("Preview: 4096\r\n");
    expect(
        "any preview",
        input,
        Play::Clean,
        &["REQMOD /reqmod 37+0", "204"],
    );
}

#[test]
fn an_answer_at_the_preview_ends_the_request_section_4_5() {
    let input = reqmod("Preview: 4\r\n", "4\r\nabcd\r\n0\r\n\r\n");
    let once = [REQUEST, "body abcd", "preview", "204"];
    let twice = [once, once].concat();
    expect(
        "204, then the next request",
        input.repeat(2),
        Play::CleanAtPreview,
        &twice,
    );
}

#[test]
fn malformed_previews_are_400_security_1_1() {
    for (value, code) in [
        ("", "preview-malformed"),
        ("x", "preview-malformed"),
        ("+5", "preview-malformed"),
        ("-1", "preview-malformed"),
        ("0x5", "preview-malformed"),
        ("5 5", "preview-malformed"),
        ("5, 5", "preview-malformed"),
        ("99999999999999999999999", "preview-malformed"),
        ("4611686018427387904", "preview-too-large"),
        ("1048577", "preview-too-large"),
        ("4\r\nPreview: 4", "preview-duplicate"),
    ] {
        let input = reqmod(&format!("Preview: {value}\r\n"), "0\r\n\r\n");
        refused(value, input, 400, code);
    }
}

#[test]
fn more_preview_bytes_than_the_limit_are_400() {
    let chunk = format!("{:x}\r\n{}\r\n", 0x10_0001, "a".repeat(0x10_0001));
    let input = reqmod("Preview: 4\r\n", &chunk);
    let mut peer = sluice::icap::Connection::new(Default::default(), super::wire::istag());
    peer.receive(input.as_bytes());
    let error = loop {
        match peer.poll_event() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the preview was accepted"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code(), "preview-too-large");
}

#[test]
fn a_preview_without_its_last_crlf_waits_in_a_phase_of_its_own_errata_e9() {
    let input = reqmod("Preview: 4\r\n", "4\r\nabcd\r\n0\r\n");
    let heard = play(input.as_bytes(), Play::Clean);
    // The driver's preview timer runs in this phase and ends it with 408.
    assert_eq!(heard.phase, Phase::Preview);
    assert_eq!(
        heard.log,
        [REQUEST, "body abcd", "error 400 truncated-body"]
    );
}
