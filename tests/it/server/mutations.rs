//! Mutated conversations against the program: no crash, no hang, no growth, and right answers all the while.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use super::binary::Process;
use super::harness::{Client, OK, POST, eicar, reqmod, respmod};

/// How many, when nothing else is said.
const CONVERSATIONS: u32 = 20_000;

/// Clients at a time.
const CLIENTS: u32 = 4;

/// A fifth of the run warms the server up; after that it may grow by this much at most.
const GROWTH_KIB: u64 = 24 << 10;

#[test]
fn mutated_conversations_neither_crash_nor_hang_nor_grow_the_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    // A mutant that promises more than it sends is waited for; here the sender has closed by then.
    std::fs::write(&config, "[timeouts]\nlinger-ms = 50\n").expect("written");
    let mut server = Process::serve(Some(&config));
    let address = server.icap;
    run(address, 0..CONVERSATIONS / 5);
    let warm = server.resident_kib();
    run(address, CONVERSATIONS / 5..CONVERSATIONS);
    let end = server.resident_kib();
    assert!(server.is_running());
    assert!(end < warm + GROWTH_KIB, "{warm} KiB grew to {end} KiB");
    let reply = Client::connect(address).ask(reqmod("/reqmod", "", POST, Some(eicar().as_bytes())));
    assert!(reply.is_block(), "{}", reply.head);
    let metrics = server.metrics();
    let panics = "sluice_errors_total{kind=\"panic\"} 0";
    assert!(metrics.contains(panics), "{metrics}");
    for verdict in ["allow", "block"] {
        let counted = format!("verdict=\"{verdict}\"");
        let count: f64 = metrics
            .lines()
            .filter(|line| {
                line.starts_with("sluice_transactions_total{") && line.contains(&counted)
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum();
        assert!(
            count > 1000.0,
            "mutants must reach the scanner: {count} × {verdict}"
        );
    }
}

fn run(address: SocketAddr, range: std::ops::Range<u32>) {
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let numbers = range.clone().filter(move |at| at % CLIENTS == client);
            scope.spawn(move || {
                let seeds = seeds();
                for number in numbers {
                    let mut dice = Dice(u64::from(number) + 1);
                    converse(address, &mutant(&seeds, &mut dice), &mut dice, number);
                }
            });
        }
    });
}

/// Sends `bytes` in pieces, closes its side and reads to the end, which must come.
fn converse(address: SocketAddr, bytes: &[u8], dice: &mut Dice, number: u32) {
    let mut stream = TcpStream::connect(address).expect("it accepts");
    let patience = Some(Duration::from_secs(30));
    stream.set_read_timeout(patience).expect("a timeout");
    stream.set_write_timeout(patience).expect("a timeout");
    let mut rest = bytes;
    while !rest.is_empty() {
        let most = if dice.below(4) == 0 { 7 } else { 4096 };
        let (piece, after) = rest.split_at(rest.len().min(1 + dice.below(most)));
        if stream.write_all(piece).is_err() {
            break; // It has answered and closed: that is its right.
        }
        rest = after;
    }
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = [0; 16 << 10];
    let mut first = [0; 4];
    let mut seen = 0;
    loop {
        match stream.read(&mut answer) {
            Ok(0) => break,
            Ok(read) => {
                for (to, from) in first.iter_mut().skip(seen).zip(&answer) {
                    *to = *from;
                }
                seen += read;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("conversation {number} hangs: {error}"),
        }
    }
    assert!(
        seen == 0 || &first == b"ICAP",
        "conversation {number}: {first:?}"
    );
}

fn seeds() -> Vec<Vec<u8>> {
    let bad = eicar();
    let xml = b"<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY e SYSTEM \"file:///x\">]><r>&e;</r>";
    let json = br#"{"a":[1,2,{"b":"c\u0041\n"}],"d":null,"e":"aGVsbG8gd29ybGQ=","n":-1.5e9}"#;
    let form = b"name=J%C3%BCrgen&q=1%27+or+1%3D1--&file=..%2f..%2fetc";
    let multipart = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nx\r\n--b--\r\n";
    let post = |kind: &str| POST.replace("text/plain", kind);
    let preview = "Preview: 16\r\nAllow: 204, 206\r\n";
    let mut ieof = reqmod("/reqmod", preview, POST, Some(b"0123456789"));
    ieof.truncate(ieof.len() - 5);
    ieof.extend_from_slice(b"0; ieof\r\n\r\n");
    let mut continued = reqmod("/respmod", preview, POST, Some(b"0123456789abcdef"));
    continued.extend_from_slice(b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n");
    let gzip = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bad.as_bytes()).expect("memory");
        gzip.finish().expect("memory")
    };
    let coded = OK.replace("text/plain", "text/html\r\nContent-Encoding: gzip");
    vec![
        b"OPTIONS icap://h/reqmod ICAP/1.0\r\nHost: h\r\nAllow: 204, 206, trailers\r\n\r\n"
            .to_vec(),
        reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"hello")),
        reqmod(
            "/avscan",
            "Allow: 204\r\n",
            &post("application/json"),
            Some(json),
        ),
        reqmod("/reqmod", "", &post("application/xml"), Some(xml)),
        reqmod(
            "/reqmod",
            "",
            &post("application/x-www-form-urlencoded"),
            Some(form),
        ),
        reqmod(
            "/reqmod",
            "",
            &post("multipart/form-data; boundary=b"),
            Some(multipart),
        ),
        reqmod(
            "/redact",
            "Allow: 204, 206\r\n",
            &post("application/json"),
            Some(json),
        ),
        reqmod("/reqmod", "", POST, None),
        respmod("/respmod", "Allow: 204\r\n", OK, bad.as_bytes()),
        respmod("/respmod", "", &coded, &gzip),
        respmod("/echo", "", OK, &[b'x'; 5000]),
        ieof,
        continued,
    ]
}

/// One to three seeds after another, with one to eight wounds.
fn mutant(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..=dice.below(3) {
        bytes.extend_from_slice(&seeds[dice.below(seeds.len())]);
    }
    for _ in 0..=dice.below(8) {
        wound(&mut bytes, &seeds[dice.below(seeds.len())], dice);
    }
    bytes
}

fn wound(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + dice.below(64)).min(bytes.len());
    match dice.below(8) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        1 => drop(bytes.drain(at..end)),
        2 => {
            let again = bytes[at..end].to_vec();
            drop(bytes.splice(at..at, again));
        }
        3 => bytes.truncate(at),
        4 => {
            let word = WORDS[dice.below(WORDS.len())];
            drop(bytes.splice(at..at, word.bytes()));
        }
        5 => {
            let from = dice.below(other.len());
            let to = (from + dice.below(200)).min(other.len());
            drop(bytes.splice(at..end, other[from..to].iter().copied()));
        }
        6 => {
            if let Some(digit) = bytes.iter_mut().skip(at).find(|byte| byte.is_ascii_digit()) {
                *digit = b"0123456789af-"[dice.below(13)];
            }
        }
        _ => {
            let byte = [0, b'\r', b'\n', 0xff, b':', b' '][dice.below(6)];
            bytes.insert(at, byte);
        }
    }
}

const WORDS: [&str; 18] = [
    "\r\n\r\n",
    "0\r\n\r\n",
    "0; ieof\r\n\r\n",
    "ffffffffffffffff\r\n",
    "7fffffff\r\n",
    "Encapsulated: req-hdr=0, null-body=9\r\n",
    "Encapsulated: res-hdr=0, res-body=18446744073709551615\r\n",
    "Preview: 0\r\n",
    "Preview: 99999999999999999999\r\n",
    "Allow: 204\r\n",
    "Connection: close\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 5\r\n",
    "Content-Encoding: gzip, br, zstd, deflate, compress\r\n",
    "REQMOD icap://h/reqmod ICAP/1.0\r\n",
    " ICAP/2.0\r\n",
    "; ext=\"a\\\"b\"",
    "\r\n folded\r\n",
];

/// Splitmix64: the run is the same every time.
struct Dice(u64);

impl Dice {
    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).expect("below a usize")
    }
}
