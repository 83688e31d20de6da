//! What we send: heads, sections, 204, 206, errors.

use std::io::IoSlice;

use bytes::Bytes;
use sluice::icap::options::{Options, PartialContent, Transfer};
use sluice::icap::{Allow, BodyEnding, Connection, Method, Phase, ProtocolError, Response, Status};

use super::wire::istag;
use super::*;

fn sent(connection: &mut Connection) -> String {
    let mut slices = [IoSlice::new(&[]); 16];
    let filled = connection.poll_transmit(&mut slices);
    let bytes: Vec<u8> = slices
        .iter()
        .take(filled)
        .flat_map(|slice| slice.to_vec())
        .collect();
    connection.advance_transmit(bytes.len());
    String::from_utf8(bytes).expect("our answers are ASCII")
}

/// A connection that has read this request whole.
fn after(input: &str) -> Connection {
    let mut connection = Connection::new(Default::default(), istag());
    connection.receive(input.as_bytes());
    while connection.poll_event().expect("a legal request").is_some() {}
    connection
}

#[test]
fn every_status_carries_the_tag_and_only_204_lacks_sections_section_4_7_errata_e1() {
    for status in [
        Status::Ok,
        Status::NoContent,
        Status::BadRequest,
        Status::Forbidden,
        Status::NotFound,
        Status::MethodNotAllowed,
        Status::RequestTimeout,
        Status::ContentTooLarge,
        Status::BadComposition,
        Status::ServerError,
        Status::NotImplemented,
        Status::Overloaded,
        Status::VersionNotSupported,
    ] {
        let mut connection = after(&bodiless(""));
        connection.send_response(&Response::new(status, istag()));
        let text = sent(&mut connection);
        assert!(
            text.starts_with(&format!("ICAP/1.0 {} ", status.code())),
            "{text}"
        );
        assert!(text.contains("\r\nISTag: \"TAG-1\"\r\n"), "{text}");
        assert_eq!(
            text.contains("Encapsulated: null-body=0\r\n"),
            status != Status::NoContent,
            "{text}"
        );
        assert!(text.ends_with("\r\n\r\n"), "{text}");
        assert_eq!(connection.phase(), Phase::Idle);
    }
}

#[test]
fn the_offsets_of_an_answer_are_exact_section_4_4_1() {
    let request = Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n");
    let response = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
    let plain = || Response::new(Status::Ok, istag());
    for (answer, value) in [
        (
            plain().http_request(request.clone()),
            "req-hdr=0, null-body=18",
        ),
        (
            plain().http_request(request.clone()).with_body(),
            "req-hdr=0, req-body=18",
        ),
        (
            plain().http_response(response.clone()),
            "res-hdr=0, null-body=19",
        ),
        (
            plain().http_response(response.clone()).with_body(),
            "res-hdr=0, res-body=19",
        ),
        (
            plain()
                .http_request(request.clone())
                .http_response(response.clone())
                .with_body(),
            "req-hdr=0, res-hdr=18, res-body=37",
        ),
        (plain(), "null-body=0"),
    ] {
        assert_eq!(answer.encapsulated().to_string(), value);
    }
}

#[test]
fn a_copy_comes_back_byte_for_byte() {
    let input = respmod("", "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n");
    let heard = play(input.as_bytes(), Play::Copy);
    let expected = format!(
        "ICAP/1.0 200 OK\r\nISTag: \"TAG-1\"\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{OK}5\r\nabcde\r\n0\r\n\r\n",
        OK.len()
    );
    assert_eq!(String::from_utf8_lossy(&heard.output), expected);
}

#[test]
fn a_206_ends_with_the_offset_into_the_original_body() {
    let input = reqmod("Preview: 4\r\nAllow: 206\r\n", "4\r\nabcd\r\n0\r\n\r\n");
    let heard = play(input.as_bytes(), Play::Partial { from: 4 });
    let text = String::from_utf8_lossy(&heard.output).into_owned();
    assert!(
        text.starts_with("ICAP/1.0 206 Partial Content\r\n"),
        "{text}"
    );
    assert!(
        text.ends_with("2\r\n!!\r\n0; use-original-body=4\r\n\r\n"),
        "{text}"
    );
    // The offset must not exceed what the client has sent: the answer is broken off instead.
    let heard = play(input.as_bytes(), Play::Partial { from: 5 });
    assert!(heard.output.ends_with(b"2\r\n!!\r\n"));
    assert!(heard.closed);
}

#[test]
fn a_small_answer_is_one_slice_and_a_large_piece_is_not_copied() {
    let mut connection = after(&bodiless(""));
    let head = Bytes::from_static(b"HTTP/1.1 403 Forbidden\r\n\r\n");
    connection.send_response(
        &Response::new(Status::Ok, istag())
            .http_response(head)
            .with_body(),
    );
    connection.send_body(Bytes::from_static(b"blocked"));
    connection.send_end(BodyEnding::Plain);
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(connection.poll_transmit(&mut slices), 1);
    connection.advance_transmit(connection.pending_transmit_bytes());

    let mut connection = after(&bodiless(""));
    let head = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
    connection.send_response(
        &Response::new(Status::Ok, istag())
            .http_response(head)
            .with_body(),
    );
    let large = Bytes::from(vec![b'x'; 0x1_2345]);
    connection.send_body(large.clone());
    connection.send_end(BodyEnding::Plain);
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(connection.poll_transmit(&mut slices), 3);
    assert!(slices[0].ends_with(b"\r\n\r\n12345\r\n"));
    assert_eq!(slices[1].as_ptr(), large.as_ptr());
    assert_eq!(&slices[2][..], b"\r\n0\r\n\r\n");
}

#[test]
fn field_values_cannot_break_out_of_their_line() {
    let mut connection = after(&bodiless(""));
    let answer =
        Response::new(Status::NoContent, istag()).field("X-Threat", "a\r\nX-Evil: b\0\u{e4}\x1b");
    connection.send_response(&answer);
    assert!(sent(&mut connection).contains("\r\nX-Threat: a  X-Evil: b ?? \r\n"));
}

#[test]
fn there_is_one_final_answer_and_no_100_after_it() {
    let mut connection = after(&reqmod("Preview: 4\r\n", "4\r\nabcd\r\n0\r\n\r\n"));
    assert_eq!(connection.phase(), Phase::AwaitingContinue);
    connection.send_response(&Response::new(Status::NoContent, istag()));
    let text = sent(&mut connection);
    connection.send_continue();
    connection.send_body(Bytes::from_static(b"x"));
    connection.send_end(BodyEnding::Plain);
    assert_eq!(sent(&mut connection), "");
    assert_eq!(text.matches("ICAP/1.0").count(), 1);

    let mut connection = after(&reqmod("Preview: 4\r\n", "0; ieof\r\n\r\n"));
    connection.send_continue();
    assert_eq!(sent(&mut connection), "");
    assert_eq!(connection.phase(), Phase::Answering);
}

#[test]
fn a_timeout_is_answered_with_408_and_closes_wherever_it_strikes() {
    for (input, phase) in [
        ("OPTIONS icap", Phase::Head),
        (&*reqmod("Preview: 4\r\n", "4\r\nab"), Phase::Preview),
        (&*reqmod("", "4\r\nab"), Phase::Body),
        (&bodiless("")[..bodiless("").len() - 10], Phase::Head),
    ] {
        let mut connection = after(input);
        assert_eq!(connection.phase(), phase);
        connection.send_error(ProtocolError::TimedOut);
        let text = sent(&mut connection);
        assert!(
            text.starts_with("ICAP/1.0 408 Request Timeout\r\n"),
            "{text}"
        );
        assert!(text.contains("Connection: close\r\n"), "{text}");
        assert!(connection.wants().close);
        assert!(connection.lingers());
    }
}

#[test]
fn only_who_announced_the_close_behind_a_body_and_sent_nothing_more_is_not_waited_for() {
    let close = "Connection: close\r\n";
    let whole = "4\r\nabcd\r\n0\r\n\r\n";
    let behind = format!("{whole}\r\n");
    for (input, lingers) in [
        (bodiless(close), true),
        (reqmod(close, whole), false),
        (reqmod(close, &behind), true),
    ] {
        let mut connection = after(&input);
        connection.send_response(&Response::new(Status::NoContent, istag()));
        sent(&mut connection);
        assert!(connection.wants().close, "{input}");
        assert_eq!(connection.lingers(), lingers, "{input}");
    }
    // We close, and the peer does not know yet.
    let mut connection = after(&reqmod("", whole));
    connection.close_after_response();
    connection.send_response(&Response::new(Status::NoContent, istag()));
    sent(&mut connection);
    assert!(connection.wants().close && connection.lingers());
    // The answer is there before the body.
    let mut connection = after(&reqmod(close, "4\r\nab"));
    connection.send_response(&Response::new(Status::NoContent, istag()));
    sent(&mut connection);
    assert!(connection.wants().close && connection.lingers());
}

#[test]
fn an_answer_before_any_request_announces_the_close() {
    let mut connection = after("");
    connection.send_response(&Response::new(Status::Overloaded, istag()));
    let text = sent(&mut connection);
    assert!(
        text.starts_with("ICAP/1.0 503 ") && text.contains("Connection: close\r\n"),
        "{text}"
    );
    assert!(connection.wants().close);
}

#[test]
fn an_error_inside_a_begun_answer_breaks_it_off() {
    let mut connection = after(&reqmod("", "4\r\nabcd\r\n"));
    let head = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
    connection.send_response(
        &Response::new(Status::Ok, istag())
            .http_response(head)
            .with_body(),
    );
    connection.send_body(Bytes::from_static(b"abcd"));
    connection.receive(b"zz\r\n");
    let error = connection.poll_event().expect_err("a broken chunk");
    connection.send_error(error);
    let text = sent(&mut connection);
    assert!(text.ends_with("4\r\nabcd\r\n"), "{text}");
    assert_eq!(text.matches("ICAP/1.0").count(), 1);
    assert!(connection.wants().close);
}

#[test]
fn a_message_can_be_streamed_back_while_it_comes() {
    let mut connection = after(&reqmod("", "4\r\nabcd\r\n"));
    let head = Bytes::from_static(b"HTTP/1.1 200 OK\r\n\r\n");
    connection.send_response(
        &Response::new(Status::Ok, istag())
            .http_response(head)
            .with_body(),
    );
    connection.send_body(Bytes::from_static(b"abcd"));
    assert!(sent(&mut connection).ends_with("4\r\nabcd\r\n"));
    connection.receive(b"2\r\nef\r\n0\r\n\r\n");
    while connection.poll_event().expect("a legal body").is_some() {}
    connection.send_body(Bytes::from_static(b"ef"));
    connection.send_end(BodyEnding::Plain);
    assert_eq!(sent(&mut connection), "2\r\nef\r\n0\r\n\r\n");
    assert_eq!(connection.phase(), Phase::Idle);
}

#[test]
fn unread_input_is_bounded_while_an_answer_is_owed() {
    let mut connection = after(&reqmod("Preview: 0\r\n", "0\r\n\r\n"));
    assert!(connection.wants().read);
    connection.receive(&vec![b'x'; 64 * 1024]);
    assert!(!connection.wants().read);
}

#[test]
fn options_says_what_the_service_is_section_4_10_2() {
    let options = Options {
        methods: vec![Method::Reqmod, Method::Respmod],
        service: "sluice".into(),
        service_id: "avscan".into(),
        max_connections: Some(1000),
        ttl_seconds: Some(3600),
        preview_bytes: Some(4096),
        partial_content: PartialContent::Offered,
        transfer: Transfer::Preview {
            ignore: vec!["mp4".into()],
            complete: Vec::new(),
        },
        include: vec!["X-Client-IP".into(), "X-Authenticated-User".into()],
    };
    let mut connection = after(&with_lines(""));
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    connection.send_response(&options.response(istag(), Allow::PARTIAL_CONTENT, Some(date)));
    let expected = "ICAP/1.0 200 OK\r\nISTag: \"TAG-1\"\r\nMethods: REQMOD, RESPMOD\r\nService: sluice\r\n\
         Service-ID: avscan\r\nMax-Connections: 1000\r\nOptions-TTL: 3600\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
         Allow: 204, 206\r\nPreview: 4096\r\nTransfer-Preview: *\r\nTransfer-Ignore: mp4\r\n\
         X-Include: X-Client-IP, X-Authenticated-User\r\nEncapsulated: null-body=0\r\n\r\n";
    assert_eq!(sent(&mut connection), expected);

    // 206 only if the OPTIONS request offered it; no TTL where it is switched off.
    let options = Options {
        ttl_seconds: None,
        ..options
    };
    let mut connection = after(&with_lines(""));
    connection.send_response(&options.response(istag(), Allow::NO_CONTENT, None));
    let text = sent(&mut connection);
    assert!(
        text.contains("Allow: 204\r\n") && !text.contains("Options-TTL") && !text.contains("Date"),
        "{text}"
    );
}
