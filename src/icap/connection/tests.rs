//! Transcripts joined over a fake wire.

use std::io::IoSlice;
use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::icap::{Allow, BodyEnding, BodySection, Method, Response, Status};

fn connection() -> Connection {
    let istag = IsTag::new("T-1").expect("a legal tag");
    Connection::new(Arc::new(Limits::default()), istag)
}

fn sent(connection: &mut Connection) -> String {
    let mut all = Vec::new();
    loop {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = connection.poll_transmit(&mut slices);
        if filled == 0 {
            return String::from_utf8(all).expect("our answers are ASCII");
        }
        let bytes = slices.iter().take(filled).map(|slice| slice.len()).sum();
        slices
            .iter()
            .take(filled)
            .for_each(|slice| all.extend_from_slice(slice));
        connection.advance_transmit(bytes);
    }
}

#[test]
fn a_previewed_reqmod_is_continued_and_answered_section_4_5() {
    let mut peer = connection();
    let head = "POST /x HTTP/1.1\r\nHost: o\r\n\r\n";
    let request = format!(
        "REQMOD icap://h/reqmod ICAP/1.0\r\nHost: h\r\nAllow: 204, trailers\r\nPreview: 4\r\n\
         Encapsulated: req-hdr=0, req-body={}\r\n\r\n{head}4\r\nabcd\r\n0\r\n\r\n",
        head.len()
    );
    peer.receive(request.as_bytes());
    let Ok(Some(Event::Request(request))) = peer.poll_event() else {
        panic!("a request was expected");
    };
    assert_eq!(request.method, Method::Reqmod);
    assert_eq!(request.allow, Allow::NO_CONTENT | Allow::TRAILERS);
    assert_eq!(request.preview, Some(4));
    assert_eq!(request.encapsulated.body(), BodySection::Request);
    assert_eq!(
        request.http_request.as_ref().map(|http| http.target()),
        Some(&b"/x"[..])
    );
    assert!(matches!(peer.poll_event(), Ok(Some(Event::Body(data))) if data == "abcd"));
    assert!(matches!(
        peer.poll_event(),
        Ok(Some(Event::PreviewEnd { ieof: false }))
    ));
    assert!(matches!(peer.poll_event(), Ok(None)));
    assert_eq!(peer.phase(), Phase::AwaitingContinue);
    peer.send_continue();
    assert_eq!(sent(&mut peer), "ICAP/1.0 100 Continue\r\n\r\n");
    peer.receive(b"2\r\nef\r\n0\r\n\r\nREQ");
    assert!(matches!(peer.poll_event(), Ok(Some(Event::Body(data))) if data == "ef"));
    assert!(matches!(peer.poll_event(), Ok(Some(Event::BodyEnd { .. }))));
    assert!(matches!(peer.poll_event(), Ok(None)));
    let istag = IsTag::new("T-1").expect("a legal tag");
    let page = Bytes::from_static(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n");
    peer.send_response(
        &Response::new(Status::Ok, istag)
            .http_response(page)
            .with_body(),
    );
    peer.send_body(Bytes::from_static(b"no"));
    peer.send_end(BodyEnding::Plain);
    assert_eq!(
        sent(&mut peer),
        "ICAP/1.0 200 OK\r\nISTag: \"T-1\"\r\nEncapsulated: res-hdr=0, res-body=45\r\n\r\n\
         HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n2\r\nno\r\n0\r\n\r\n"
    );
    assert!(matches!(peer.poll_event(), Ok(None)));
    assert_eq!(peer.phase(), Phase::Head);
}
