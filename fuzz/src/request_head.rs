//! An ICAP head: what is accepted says the same when it is written again from its parts.

use sluice::icap::{Connection, Event, IsTag, Request};
use sluice::shelf::Shelved;

/// Panics when the property does not hold for `data`, an ICAP head without its blank line.
pub fn holds(data: &[u8]) {
    let mut head = data.to_vec();
    head.extend_from_slice(b"\r\n\r\n");
    let Some(request) = read(&head) else {
        return;
    };
    let mut again =
        format!("{} {} ICAP/1.0\r\n", request.method, request.uri.as_str()).into_bytes();
    for field in request.fields.iter() {
        assert!(!field.name.is_empty());
        again.extend_from_slice(field.name);
        again.extend_from_slice(b": ");
        again.extend_from_slice(field.value);
        again.extend_from_slice(b"\r\n");
    }
    again.extend_from_slice(b"\r\n");
    let second = read(&again).expect("what was accepted is accepted again");
    assert_eq!(request.method, second.method);
    assert_eq!(request.uri, second.uri);
    assert_eq!(request.allow, second.allow);
    assert_eq!(request.preview, second.preview);
    assert_eq!(request.encapsulated, second.encapsulated);
    assert_eq!(request.fields.len(), second.fields.len());
    let mut written = Vec::new();
    request.fields.write_to(&mut written);
    assert!(written.len() == request.fields.written_len() && find(&head, &written));
}

/// The request, when the head is legal and has no embedded heads.
fn read(head: &[u8]) -> Option<Shelved<Request>> {
    let mut connection = Connection::new(Default::default(), IsTag::new("FUZZ").expect("legal"));
    connection.receive(head);
    match connection.poll_event() {
        Ok(Some(Event::Request(request))) => Some(request),
        _ => None,
    }
}

fn find(head: &[u8], part: &[u8]) -> bool {
    part.is_empty() || head.windows(part.len()).any(|window| window == part)
}
