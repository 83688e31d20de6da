//! A long answer on its way through the redactor: it leaves while it comes, in constant memory.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use super::binary::Process;

/// Lines of one piece, and pieces: 64 MiB with optimisation, less without.
const LINES: usize = 600;
const PIECES: usize = if cfg!(debug_assertions) { 600 } else { 1100 };

const CONFIG: &str = r#"
[profiles.redact-response]
base = "response"
redact = "all"
release = "as-settled"
signatures = "off"
injection = "off"
[profiles.redact-response.limits]
body-mib = 0
[timeouts]
scan-ms = 600000
"#;

fn piece() -> Vec<u8> {
    let line = "{\"id\": 17, \"name\": \"Ann\", \"mail\": \"ann@example.org\", \"text\": \"plain words that mean nothing, again and again\"}\n";
    let lines = line.repeat(LINES);
    [
        format!("{:x}\r\n", lines.len()).as_bytes(),
        lines.as_bytes(),
        b"\r\n",
    ]
    .concat()
}

#[test]
fn a_long_answer_leaves_while_it_comes_and_memory_stays_where_it_was() {
    let path = std::env::temp_dir().join(format!("sluice-streamed-{}.toml", std::process::id()));
    fs::write(&path, CONFIG).expect("a file");
    let process = Process::serve(Some(&path));
    let _ = fs::remove_file(&path);
    let mut stream = TcpStream::connect(process.icap).expect("it accepts");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n";
    let request = format!(
        "RESPMOD icap://h/redact ICAP/1.0\r\nHost: h\r\nAllow: 204\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{head}",
        head.len()
    );
    stream.write_all(request.as_bytes()).expect("it reads");
    let piece = piece();
    stream.write_all(&piece).expect("it reads");
    // The first lines are here before the second piece has left us.
    let mut first = vec![0; 1000];
    stream.read_exact(&mut first).expect("it answers at once");
    let text = String::from_utf8_lossy(&first);
    assert!(text.contains("[REDACTED:EMAIL]"), "{text}");
    let before = process.resident_kib();

    let mut reading = stream.try_clone().expect("a handle");
    let reader = std::thread::spawn(move || {
        let (mut buffer, mut masks, mut tail) = (vec![0; 256 * 1024], 0, Vec::new());
        loop {
            let read = reading.read(&mut buffer).expect("it answers");
            tail.extend_from_slice(&buffer[..read]);
            masks += memchr::memmem::find_iter(&tail, b"\"name\"").count();
            assert_eq!(memchr::memmem::find(&tail, b"ann@example"), None);
            if read == 0 || tail.ends_with(b"0\r\n\r\n") {
                return masks;
            }
            let keep = tail.len().saturating_sub(12);
            tail.drain(..keep);
        }
    });
    let mut most = 0;
    for number in 1..PIECES {
        stream.write_all(&piece).expect("it reads");
        if number % 20 == 0 {
            most = most.max(process.resident_kib());
        }
    }
    stream.write_all(b"0\r\n\r\n").expect("it reads");
    let lines = reader.join().expect("all of it");
    let _ = stream.shutdown(Shutdown::Both);
    // A line that a chunk of the answer cuts may be missed by the count.
    assert!(
        lines * 100 >= LINES * PIECES * 99,
        "{lines} lines came back"
    );
    let grown = most.saturating_sub(before);
    assert!(grown < 12 * 1024, "memory grew by {grown} KiB");
}
