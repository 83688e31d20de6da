//! Packs over HTTPS from a server that may mean harm, and a kill in the middle of an update.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::binary::Process;
use super::harness::{Client, POST, Running, reqmod};
use super::rules::{Desk, blocks, istag, marker, packed};
use super::tls::House;

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// As TLS wants it.
    Told,
    /// As an attacker in the middle would.
    Cut,
}

/// What a path answers.
type Answer = (String, Vec<u8>, End);

/// An HTTPS server: every path answers what was put there last.
struct Shop {
    port: u16,
    shelf: Arc<Mutex<Vec<(String, Answer)>>>,
    /// Heads of all requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    fn open(house: &House) -> Self {
        house.issue("shop", &["localhost"], |_| {});
        let config = house.server("shop");
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let shop = Self {
            port: listener.local_addr().expect("bound").port(),
            shelf: Arc::default(),
            asked: Arc::default(),
        };
        let (shelf, asked) = (Arc::clone(&shop.shelf), Arc::clone(&shop.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that does not trust it goes away in the handshake.
                let _ = serve(stream, &config, (&shelf, &asked));
            }
        });
        shop
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    fn put(&self, path: &str, head: &str, body: &[u8]) {
        self.put_ending(path, (head, body), End::Told);
    }

    fn put_ending(&self, path: &str, (head, body): (&str, &[u8]), end: End) {
        let mut shelf = self.shelf.lock().expect("no panic");
        shelf.retain(|(known, _)| known != path);
        shelf.push((path.to_owned(), (head.to_owned(), body.to_vec(), end)));
    }

    /// A pack with its signature and an entity tag.
    fn stock(&self, path: &str, pack: &[u8], (tag, signature): (&str, &str)) {
        let head = |length| format!("200 OK\r\nETag: \"{tag}\"\r\nContent-Length: {length}");
        self.put(path, &head(pack.len()), pack);
        let beside = format!("{path}.minisig");
        self.put(&beside, &head(signature.len()), signature.as_bytes());
    }
}

type Shelves<'a> = (&'a Mutex<Vec<(String, Answer)>>, &'a Mutex<Vec<String>>);

fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    (shelf, asked): Shelves<'_>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let session = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(session, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    let head = String::from_utf8(head).expect("ASCII");
    let path = head.split(' ').nth(1).expect("a path").to_owned();
    asked.lock().expect("no panic").push(head.clone());
    let answer = {
        let shelf = shelf.lock().expect("no panic");
        let found = shelf.iter().find(|(known, _)| *known == path);
        found.map(|(_, answer)| answer.clone())
    };
    let missing = || ("404 Not Found".to_owned(), Vec::new(), End::Told);
    let (mut line, mut body, end) = answer.unwrap_or_else(missing);
    let tag = line.split("ETag: ").nth(1);
    let tag = tag.and_then(|rest| rest.split("\r\n").next());
    if tag.is_some_and(|tag| head.contains(&format!("If-None-Match: {tag}\r\n"))) {
        (line, body) = ("304 Not Modified".to_owned(), Vec::new());
    }
    stream.write_all(format!("HTTP/1.1 {line}\r\nConnection: close\r\n\r\n").as_bytes())?;
    stream.write_all(&body)?;
    if end == End::Told {
        stream.conn.send_close_notify();
    }
    stream.flush()
}

fn asks(desk: &Desk, server: &Running, url: &str) -> (u16, String) {
    let lines = format!("{}Content-Type: application/json\r\n", desk.lines);
    let body = format!("{{\"url\":{url:?}}}");
    server.call("POST /v1/rules/update", &lines, body.as_bytes())
}

#[test]
fn a_pack_comes_over_https_once_for_each_entity_tag() {
    let (house, desk) = (House::new(), Desk::new());
    let shop = Shop::open(&house);
    let more = format!("authorities = {:?}\n", house.path("ca.pem"));
    let server = Running::start(&desk.config(&more));
    let url = shop.url("/feed.tar.zst");
    for version in ["1.0", "1.1"] {
        let pack = packed(version, "");
        shop.stock("/feed.tar.zst", &pack, (version, &desk.signed(&pack)));
        let answer = asks(&desk, &server, &url);
        assert_eq!(answer.0, 200, "{answer:?}");
        assert!(answer.1.contains("\"changed\":true"), "{answer:?}");
        assert!(blocks(&server, version));
        let tag = istag(&server);
        shop.asked.lock().expect("no panic").clear();
        let again = asks(&desk, &server, &url);
        assert!(
            again.0 == 200 && again.1.contains("\"changed\":false"),
            "{again:?}"
        );
        let asked = shop.asked.lock().expect("no panic").clone();
        assert_eq!(asked.len(), 1, "the pack is not fetched twice: {asked:?}");
        assert!(asked[0].contains(&format!("If-None-Match: \"{version}\"\r\n")));
        assert_eq!(istag(&server), tag);
    }
}

#[test]
fn a_download_that_is_not_right_is_refused_and_changes_nothing() {
    let (house, desk, stranger) = (House::new(), Desk::new(), House::new());
    let (shop, other) = (Shop::open(&house), Shop::open(&stranger));
    let more = format!("authorities = {:?}\n", house.path("ca.pem"));
    let server = Running::start(&desk.config(&more));
    let new = packed("2.0", "");
    let old = packed("1.0", "");
    assert_eq!(desk.update(&server, &packed("1.1", "")).0, 200);
    let tag = istag(&server);
    let signature = desk.signed(&new);
    let length = new.len();
    for (path, head) in [
        ("/moved", "302 Found\r\nLocation: /good".to_owned()),
        ("/gone", "410 Gone".to_owned()),
        ("/huge", format!("200 OK\r\nContent-Length: {}", 65 << 20)),
        (
            "/short",
            format!("200 OK\r\nContent-Length: {}", length + 1),
        ),
        ("/chunk", "200 OK\r\nTransfer-Encoding: chunked".to_owned()),
    ] {
        shop.put(path, &head, &new);
        let beside = format!("200 OK\r\nContent-Length: {}", signature.len());
        shop.put(&format!("{path}.minisig"), &beside, signature.as_bytes());
    }
    // No length, and the end of the stream is not told: it may have been cut by anybody.
    let half = &new[..length / 2];
    shop.put_ending("/cut", ("200 OK", half), End::Cut);
    shop.put("/cut.minisig", "200 OK", signature.as_bytes());
    shop.put(
        "/bare",
        &format!("200 OK\r\nContent-Length: {length}"),
        &new,
    );
    shop.stock("/old", &old, ("old", &desk.signed(&old)));
    other.stock("/good", &new, ("new", &signature));
    let plain = shop.url("/good").replacen("https", "http", 1);
    for (url, said) in [
        (shop.url("/moved"), "302"),
        (shop.url("/gone"), "410"),
        (shop.url("/missing"), "404"),
        (shop.url("/huge"), "larger than"),
        (shop.url("/short"), "cut short"),
        (shop.url("/chunk"), "chunk"),
        (shop.url("/cut"), "failed"),
        (shop.url("/bare"), "sign"),
        (shop.url("/old"), "not newer"),
        (other.url("/good"), "failed"),
        (plain, "https"),
    ] {
        let answer = asks(&desk, &server, &url);
        assert!(
            answer.0 >= 400 && answer.1.contains(said),
            "{url}: {answer:?}"
        );
        assert_eq!(istag(&server), tag, "{url}");
    }
    assert!(blocks(&server, "1.1"));
    // The way is good, and what was refused was refused for what it was.
    shop.stock("/good", &new, ("new", &signature));
    assert_eq!(asks(&desk, &server, &shop.url("/good")).0, 200);
    assert!(blocks(&server, "2.0"));
}

/// Which of the versions a server enforces.
fn in_force(icap: SocketAddr, versions: &[String]) -> Vec<String> {
    let mut client = Client::connect(icap);
    let mut blocked = |version: &&String| {
        let body = format!("a {} b", marker(version));
        let request = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(body.as_bytes()));
        client.ask(request).is_block()
    };
    versions
        .iter()
        .filter(|version| blocked(version))
        .cloned()
        .collect()
}

#[test]
fn a_kill_at_any_moment_of_an_update_leaves_the_old_set_or_the_new_one() {
    use base64::Engine as _;
    let desk = Desk::new();
    let path = desk.path("sluice.toml");
    std::fs::write(&path, desk.config("")).expect("written");
    let versions: Vec<String> = (0..8).map(|number| format!("1.{number}")).collect();
    let mut before: Option<String> = None;
    let mut whole = Duration::from_secs(60);
    for (number, version) in versions.iter().enumerate() {
        let mut process = Process::serve(Some(&path));
        let found = in_force(process.icap, &versions[..number]);
        assert_eq!(
            found,
            before.iter().cloned().collect::<Vec<_>>(),
            "before {version}"
        );
        let admin = process.admin();
        let pack = packed(version, "");
        let sign = base64::engine::general_purpose::STANDARD.encode(desk.signed(&pack));
        let begun = Instant::now();
        let mut stream = TcpStream::connect(admin).expect("it accepts");
        let head = format!(
            "POST /v1/rules/update HTTP/1.1\r\n{}X-Minisign: {sign}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            desk.lines,
            pack.len()
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(&pack).expect("it reads");
        // The first goes to its end, and says how long that takes; the others are killed ever later on the way.
        let share = number as f64 / (versions.len() - 1) as f64;
        let mut answer = String::new();
        if number == 0 {
            stream.read_to_string(&mut answer).expect("an answer");
            assert!(answer.contains("\"changed\":true"), "{answer}");
            whole = begun.elapsed();
        } else {
            std::thread::sleep(whole.mul_f64(share));
        }
        process.signal("-KILL");
        drop(process);
        let process = Process::serve(Some(&path));
        let found = in_force(process.icap, &versions[..=number]);
        let old = before.iter().cloned().collect::<Vec<_>>();
        let new = vec![version.clone()];
        eprintln!("killed after {:?}: {found:?}", whole.mul_f64(share));
        assert!(found == old || found == new, "{found:?}, before: {old:?}");
        assert!(number > 0 || found == new);
        before = found.first().cloned();
    }
}
