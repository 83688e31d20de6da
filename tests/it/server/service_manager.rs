//! The process among others: what the service manager is told, sockets that it hands over, where files may be written,
//! signals in every state of the protocol, kill -9.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::binary::Process;
use super::harness::{Client, GET, POST, connected, eicar, harmless, reqmod};
use super::tls::House;

fn good() -> Vec<u8> {
    reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"x"))
}

fn bad() -> Vec<u8> {
    reqmod("/reqmod", "Allow: 204\r\n", POST, Some(eicar().as_bytes()))
}

fn sluice(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sluice"));
    command.arg("serve").args(arguments);
    command.args(["--admin", "127.0.0.1:0"]);
    command
}

#[test]
fn the_service_manager_is_told_of_start_reload_life_and_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("it binds");
    manager
        .set_read_timeout(Some(Duration::from_secs(30)))
        .expect("a timeout");
    let mut command = sluice(&["--listen", "127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", &path);
    command.env("WATCHDOG_USEC", "200000");
    let mut process = Process::start(command);
    let told = |wanted: &str| {
        let mut message = [0; 256];
        for _ in 0..1000 {
            let read = manager.recv(&mut message).expect("in time");
            if String::from_utf8_lossy(&message[..read]).contains(wanted) {
                return;
            }
        }
        panic!("it never said {wanted}");
    };
    told("READY=1");
    told("WATCHDOG=1");
    process.signal("-HUP");
    told("RELOADING=1");
    told("READY=1");
    process.signal("-TERM");
    told("STOPPING=1");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_socket_that_systemd_opened_serves_the_listener_of_its_address() {
    if Command::new("systemd-socket-activate")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("skipped: no systemd-socket-activate here");
        return;
    }
    // A free port; there is no other way to tell both sides.
    let port = TcpListener::bind("127.0.0.1:0").expect("it binds");
    let address = port.local_addr().expect("bound");
    drop(port);
    let text = address.to_string();
    let run = |listen: &str| {
        let mut command = Command::new("systemd-socket-activate");
        command.args(["-l", &text, env!("CARGO_BIN_EXE_sluice"), "serve"]);
        command.args(["--listen", listen, "--admin", "127.0.0.1:0"]);
        command
    };
    let mut command = run(&text);
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let served = (0..100).any(|_| {
        let Ok(mut stream) = std::net::TcpStream::connect(address) else {
            std::thread::sleep(Duration::from_millis(50));
            return false;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
        let mut start = [0; 12];
        stream.write_all(&good()).is_ok()
            && stream.read_exact(&mut start).is_ok()
            && start == *b"ICAP/1.0 204"
    });
    let _ = child.kill();
    let _ = child.wait();
    assert!(served);
    // A socket that the configuration does not know is a mistake, not a silence.
    let mut child = run("127.0.0.1:0")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut said = String::new();
    let poke = (0..100).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        std::net::TcpStream::connect(address).ok()
    });
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut said);
    }
    drop(poke);
    let _ = child.wait();
    assert!(said.contains("no listener has the address"), "{said}");
}

#[test]
fn confined_it_serves_spools_and_writes_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).expect("a folder");
    let config = folder.path().join("sluice.toml");
    let text = format!(
        "[process]\nconfine-writes = \"on\"\n[spool]\ndirectory = {spool:?}\nmemory-kib = 1\n[audit]\nto = {:?}\n",
        folder.path().join("logs/audit.log")
    );
    std::fs::create_dir(folder.path().join("logs")).expect("a folder");
    std::fs::write(&config, text).expect("a file");
    let mut process = Process::serve(Some(&config));
    assert!(
        process.seen.contains("file writes are confined")
            || process.seen.contains("the kernel cannot confine"),
        "{}",
        process.seen
    );
    let mut client = Client::connect(process.icap);
    let body = harmless(1 << 20);
    let reply = client.ask(reqmod("/reqmod", "", POST, Some(&body)));
    assert!(reply.status == 200 && reply.body == body, "the spool works");
    assert!(client.ask(bad()).is_block());
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.child.id()));
    let core = limits.expect("Linux");
    let core = core
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    assert!(core.is_some_and(|line| line.contains(" 0 ")), "{core:?}");
    process.signal("-TERM");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
    let left = std::fs::read_dir(&spool).expect("a folder").count();
    assert_eq!(left, 0, "nothing is left in the spool");
    assert!(folder.path().join("logs/audit.log").exists());
}

/// Requests that are cut in each state of the protocol.
fn half_done() -> Vec<(&'static str, Vec<u8>)> {
    let whole = reqmod("/reqmod", "", POST, Some(&harmless(100_000)));
    let head = whole
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    vec![
        ("nothing sent", Vec::new()),
        ("inside the ICAP head", whole[..20].to_vec()),
        ("inside the HTTP head", whole[..head + 10].to_vec()),
        ("inside a body", whole[..whole.len() - 500].to_vec()),
        ("inside a preview", {
            let mut request = reqmod("/reqmod", "Preview: 4\r\n", POST, Some(b"hell"));
            request.truncate(request.len() - 5);
            request
        }),
        (
            "waiting after 100",
            reqmod("/reqmod", "Preview: 4\r\n", POST, Some(b"hell")),
        ),
        ("idle after an answer", good()),
        ("pipelined", [good(), good(), bad()].concat()),
    ]
}

#[test]
fn sigterm_ends_it_in_every_state_of_the_protocol_without_a_wrong_verdict() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    std::fs::write(&config, "[server]\nshutdown-seconds = 2\n").expect("a file");
    for (state, bytes) in half_done() {
        let mut process = Process::serve(Some(&config));
        let mut client = Client::connect(process.icap);
        client.send(&bytes);
        if state == "idle after an answer" {
            assert_eq!(client.reply().status, 204);
        }
        std::thread::sleep(Duration::from_millis(50));
        process.signal("-TERM");
        process.wait_for("draining");
        let mut said = Vec::new();
        let _ = client.stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said).into_owned();
        let passes = said.matches("ICAP/1.0 204").count() + said.matches("HTTP/1.1 200").count();
        let most = if state == "pipelined" { 2 } else { 0 };
        assert!(passes <= most, "{state}: {said}");
        assert_eq!(
            process.child.wait().expect("it ends").code(),
            Some(0),
            "{state}"
        );
    }
}

#[test]
fn kill_minus_nine_leaves_nothing_that_a_new_start_minds() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).expect("a folder");
    let socket = folder.path().join("icap.sock");
    let config = folder.path().join("sluice.toml");
    let text = format!(
        "[spool]\ndirectory = {spool:?}\nmemory-kib = 1\n[[listeners]]\naddress = \"unix:{}\"\n",
        socket.display()
    );
    std::fs::write(&config, text).expect("a file");
    let mut process = Process::serve(Some(&config));
    let mut client = Client::connect(process.icap);
    let large = reqmod("/reqmod", "", POST, Some(&harmless(1 << 20)));
    client.send(&large[..large.len() - 100]);
    std::thread::sleep(Duration::from_millis(300));
    process.signal("-KILL");
    let _ = process.child.wait();
    let mut said = Vec::new();
    let _ = client.stream.read_to_end(&mut said);
    assert!(said.is_empty(), "no verdict on half a body");
    assert!(socket.exists(), "the socket is stale now");
    assert_eq!(std::fs::read_dir(&spool).expect("a folder").count(), 0);
    let process = Process::serve(Some(&config));
    assert!(Client::connect(process.icap).ask(bad()).is_block());
    let stream = std::os::unix::net::UnixStream::connect(&socket).expect("it accepts");
    assert_eq!(Client::over(stream).ask(good()).status, 204);
}

#[test]
fn a_spool_file_that_cannot_grow_costs_that_request_and_no_other() {
    if Command::new("prlimit").arg("--version").output().is_err() {
        println!("skipped: no prlimit here");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    std::fs::write(&config, "[spool]\nmemory-kib = 1\n").expect("a file");
    // As a full disk does, a limit on file size fails the write (EFBIG); SIGXFSZ is ignored as daemons do.
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!(
            "trap '' XFSZ; exec prlimit --fsize=65536 {} serve --listen 127.0.0.1:0 --admin 127.0.0.1:0 --config {}",
            env!("CARGO_BIN_EXE_sluice"),
            config.display()
        ),
    ]);
    let process = Process::start(command);
    let mut client = Client::connect(process.icap);
    let reply = client.ask(reqmod("/reqmod", "", POST, Some(&harmless(4 << 20))));
    assert!(
        reply.is_block(),
        "what cannot be kept is not passed: {}",
        reply.head
    );
    for _ in 0..3 {
        let mut client = Client::connect(process.icap);
        assert_eq!(client.ask(good()).status, 204);
        assert!(client.ask(bad()).is_block());
        let small = harmless(20_000);
        let reply = client.ask(reqmod("/reqmod", "", POST, Some(&small)));
        assert!(reply.status == 200 && reply.body == small);
    }
}

/// The address of the second listener in the log.
fn second_address(process: &mut Process) -> SocketAddr {
    next_address(process, "listening for ICAP")
}

fn next_address(process: &mut Process, message: &str) -> SocketAddr {
    let line = process.wait_for(message);
    let address = line["sluice.address"].as_str().expect("an address");
    address.parse().expect("an address")
}

fn write_config(house: &House, path: &Path) {
    std::fs::write(path, house.listener("")).expect("a file");
}

#[test]
fn certificates_swapped_and_reloaded_under_load_fail_no_request() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let config = house.path("sluice.toml");
    write_config(&house, &config);
    let mut process = Process::serve(Some(&config));
    let address = second_address(&mut process);
    std::thread::scope(|scope| {
        let load: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..8 {
                        let mut client = house.connect(address, None);
                        for _ in 0..10 {
                            assert_eq!(client.ask(good()).status, 204);
                            assert!(client.ask(bad()).is_block());
                        }
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            house.issue("server", &["localhost"], |_| {});
            process.signal("-HUP");
            process.wait_for("configuration and rules are in force");
        }
        house.put("server.pem", "nothing");
        process.signal("-HUP");
        process.wait_for("reload refused");
        for thread in load {
            thread.join().expect("each request is answered rightly");
        }
    });
    assert!(house.connect(address, None).ask(bad()).is_block());
    let empty = reqmod("/reqmod", "Allow: 204\r\n", GET, None);
    assert_eq!(house.connect(address, None).ask(empty).status, 204);
}

#[test]
fn refused_system_calls_fail_and_nothing_that_a_server_does_is_among_them() {
    // The filter itself, on a thread of this process.
    let refused = std::thread::spawn(|| {
        sluice::server::process::confine_calls_of_this_thread().map(|()| {
            let chroot = std::os::unix::fs::chroot("/");
            let code = chroot.expect_err("refused").raw_os_error();
            (code, std::fs::read("/proc/self/status").is_ok())
        })
    });
    match refused.join().expect("no panic") {
        Ok(seen) => assert_eq!(seen, (Some(1), true), "EPERM, and the rest works"),
        Err(error) => {
            println!("skipped: this kernel refuses filters: {error}");
            return;
        }
    }
    // The program: every thread has it, and scans, spools, TLS, a reload with rules tried aside, and the end work.
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let rules = house.path("own.toml");
    let rule = |text: &str| {
        format!(
            "[[rule]]\nid = \"own/marker\"\ncategory = \"malware\"\nseverity = \"high\"\n\
             description = \"a marker\"\ntext = \"{text}\"\nmatch = [\"{text}\"]\nclean = [\"nothing\"]\n"
        )
    };
    std::fs::write(&rules, rule("first-marker")).expect("a file");
    let config = house.path("sluice.toml");
    let text = format!(
        "[process]\nconfine-calls = \"on\"\nconfine-writes = \"on\"\n[spool]\nmemory-kib = 1\n[rules]\nbundles = [{rules:?}]\n{}",
        house.listener("")
    );
    std::fs::write(&config, text).expect("a file");
    let mut process = Process::serve(Some(&config));
    assert!(
        process.seen.contains("system calls are confined"),
        "{}",
        process.seen
    );
    let tls = second_address(&mut process);
    for thread in std::fs::read_dir(format!("/proc/{}/task", process.child.id())).expect("threads")
    {
        let status = thread.expect("a thread").path().join("status");
        let status = std::fs::read_to_string(status).unwrap_or_default();
        // 2: a filter. A thread may have ended in between.
        let filtered = status
            .lines()
            .any(|line| line.split_whitespace().eq(["Seccomp:", "2"]));
        assert!(filtered || status.is_empty(), "{status}");
    }
    let body = harmless(1 << 20);
    let reply = Client::connect(process.icap).ask(reqmod("/reqmod", "", POST, Some(&body)));
    assert!(reply.status == 200 && reply.body == body, "the spool works");
    assert!(house.connect(tls, None).ask(bad()).is_block());
    let marked = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(b"a second-marker"));
    assert_eq!(Client::connect(process.icap).ask(&marked).status, 204);
    std::fs::write(&rules, rule("second-marker")).expect("a file");
    house.issue("server", &["localhost"], |_| {});
    process.signal("-HUP");
    process.wait_for("configuration and rules are in force");
    assert!(house.connect(tls, None).ask(&marked).is_block());
    process.signal("-TERM");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
}

/// A small file system in memory, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// `None`: nothing can be mounted here.
    fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "tmpfs"])
            .arg(folder.path())
            .output();
        mounted
            .is_ok_and(|done| done.status.success())
            .then_some(Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_costs_the_requests_that_need_it_and_no_wrong_verdict() {
    let Some(disk) = Disk::new("1m") else {
        println!("skipped: nothing can be mounted here");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sluice.toml");
    let spool = disk.0.path();
    let text = format!(
        "[spool]\ndirectory = {spool:?}\nmemory-kib = 1\n[audit]\nto = {:?}\n",
        spool.join("access.log")
    );
    std::fs::write(&config, text).expect("a file");
    let process = Process::serve(Some(&config));
    for _ in 0..3 {
        let reply = Client::connect(process.icap).ask(reqmod(
            "/reqmod",
            "",
            POST,
            Some(&harmless(4 << 20)),
        ));
        assert!(
            reply.is_block(),
            "what cannot be kept is not passed: {}",
            reply.head
        );
        let mut client = Client::connect(process.icap);
        assert_eq!(client.ask(good()).status, 204);
        assert!(client.ask(bad()).is_block());
        let small = harmless(20_000);
        let reply = client.ask(reqmod("/reqmod", "", POST, Some(&small)));
        assert!(
            reply.status == 200 && reply.body == small,
            "space came back"
        );
    }
    // Not a byte is left: the log cannot be written either.
    std::fs::write(spool.join("filler"), harmless(1 << 20)).expect_err("it is full");
    for _ in 0..3 {
        let mut client = Client::connect(process.icap);
        assert_eq!(client.ask(good()).status, 204);
        assert!(client.ask(bad()).is_block());
        let reply = client.ask(reqmod("/reqmod", "", POST, Some(&harmless(300_000))));
        assert!(reply.is_block(), "{}", reply.head);
    }
    std::fs::remove_file(spool.join("filler")).expect("it is there");
    let small = harmless(300_000);
    let reply = Client::connect(process.icap).ask(reqmod("/reqmod", "", POST, Some(&small)));
    assert!(reply.status == 200 && reply.body == small);
}

/// The program with `socket` handed over as systemd does it: as file 3, named in the environment (`sd_listen_fds(3)`).
fn handed(socket: impl Into<OwnedFd>, arguments: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg("exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" \"$@\"")
        .args([
            env!("CARGO_BIN_EXE_sluice"),
            "serve",
            "--admin",
            "127.0.0.1:0",
        ])
        .args(arguments)
        .stdin(Stdio::from(socket.into()));
    command
}

#[test]
fn sockets_that_were_handed_over_serve_and_one_that_no_listener_has_is_a_mistake() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("handed.sock");
    let config = folder.path().join("sluice.toml");
    let text = format!("[[listeners]]\naddress = \"unix:{}\"\n", path.display());
    std::fs::write(&config, text).expect("a file");
    let config = format!("--config={}", config.display());

    let port = TcpListener::bind("127.0.0.1:0").expect("it binds");
    let address = port.local_addr().expect("bound").to_string();
    // A connection from before the start waits for it.
    let mut early = Client::connect(port.local_addr().expect("bound"));
    let process = Process::start(handed(port, &["--listen", &address]));
    assert_eq!(process.icap.to_string(), address);
    assert_eq!(early.ask(good()).status, 204);
    assert!(Client::connect(process.icap).ask(bad()).is_block());
    drop(process);

    let socket = UnixListener::bind(&path).expect("it binds");
    let mut process = Process::start(handed(socket, &["--listen", "127.0.0.1:0", &config]));
    let told = process.wait_for("listening for ICAP");
    let address = format!("unix:{}", path.display());
    assert_eq!(told["sluice.address"], address, "{told}");
    let mut client = Client::over(UnixStream::connect(&path).expect("it accepts"));
    assert_eq!(client.ask(good()).status, 204);
    process.signal("-TERM");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
    assert!(
        path.exists(),
        "what the service manager made is its own to remove"
    );

    let stranger = folder.path().join("stranger.sock");
    for (unknown, named) in [
        (
            OwnedFd::from(TcpListener::bind("127.0.0.1:0").expect("it binds")),
            "127.0.0.1:",
        ),
        (
            OwnedFd::from(UnixListener::bind(&stranger).expect("it binds")),
            "stranger.sock",
        ),
    ] {
        let ended = handed(unknown, &["--listen", "127.0.0.1:0"])
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success(), "{said}");
        assert!(
            said.contains("no listener has the address") && said.contains(named),
            "{said}"
        );
    }
}

#[test]
fn the_cage_for_writes_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let (spool, outside) = (folder.path().join("spool"), folder.path().join("outside"));
    for made in [&spool, &outside] {
        std::fs::create_dir(made).expect("a folder");
    }
    std::fs::write(outside.join("there"), "before").expect("a file");
    let text = format!("[spool]\ndirectory = {spool:?}\n");
    let config = sluice::config::Config::parse(&text, None, &[]).expect("good");
    // The rules hold for this thread and those that it starts.
    let caged = std::thread::spawn(move || {
        let cage = sluice::server::process::confine_writes(&config).expect("the kernel takes them");
        let refused = |done: std::io::Result<()>| done.err().map(|error| error.kind());
        let tried = [
            refused(std::fs::write(outside.join("new"), "x")),
            refused(std::fs::write(outside.join("there"), "x")),
            refused(std::fs::remove_file(outside.join("there"))),
            refused(std::fs::create_dir(outside.join("folder"))),
            refused(std::os::unix::fs::symlink(
                "/etc/passwd",
                outside.join("link"),
            )),
        ];
        let inside = std::fs::write(spool.join("body"), "x").is_ok()
            && tempfile::tempfile_in(&spool).is_ok();
        let reads = std::fs::read_to_string(outside.join("there"));
        (cage, tried, inside, reads.ok())
    });
    let (cage, tried, inside, reads) = caged.join().expect("no panic");
    if cage == sluice::server::process::Cage::Unsupported {
        println!("skipped: this kernel has no Landlock");
        return;
    }
    assert_eq!(tried, [Some(std::io::ErrorKind::PermissionDenied); 5]);
    assert!(inside && reads.as_deref() == Some("before"));
}

#[test]
fn sigterm_ends_handshakes_headers_calls_and_answers_that_nobody_reads() {
    let house = House::new();
    house.issue("server", &["localhost"], |_| {});
    let config = house.path("sluice.toml");
    let text = format!(
        "[server]\nshutdown-seconds = 2\n{}\
         [[listeners]]\nname = \"proxied\"\naddress = \"127.0.0.1:0\"\nproxies = [\"127.0.0.0/8\"]\n\
         [[listeners]]\nname = \"api\"\nprotocol = \"http\"\naddress = \"127.0.0.1:0\"\n",
        house.listener("")
    );
    std::fs::write(&config, text).expect("a file");
    let mut process = Process::serve(Some(&config));
    let [tls, proxied, api] = ["ICAP over TLS", "ICAP", "HTTP calls"]
        .map(|what| next_address(&mut process, &format!("listening for {what}")));
    let admin = process.admin();
    let call = "POST /v1/scan HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf";
    let mut waiting: Vec<_> = [
        (tls, "\u{16}\u{3}\u{1}"),
        (proxied, "PROXY TCP4 10."),
        (api, call),
        (api, "POST /v1/scan HT"),
        (admin, "GET /livez HT"),
        (admin, ""),
    ]
    .into_iter()
    .map(|(address, sent)| {
        let mut stream = connected(address);
        stream.write_all(sent.as_bytes()).expect("it reads");
        stream
    })
    .collect();
    // After an early answer, with a body that never ends.
    let mut drained = Client::connect(process.icap);
    let whole = bad();
    drained.send(&whole[..whole.len() - 5]);
    drained.send("20000\r\n");
    // An answer that is not read.
    let mut deaf = Client::connect(process.icap);
    let body = harmless(16 << 20);
    let request = reqmod("/echo", "", POST, Some(&body));
    let mut writer = deaf.stream.try_clone().expect("a second handle");
    let sender = std::thread::spawn(move || {
        let _ = writer.write_all(&request);
    });
    std::thread::sleep(Duration::from_millis(300));
    process.signal("-TERM");
    process.wait_for("draining");
    assert_eq!(process.child.wait().expect("it ends").code(), Some(0));
    for stream in &mut waiting {
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("200 OK"), "{said}");
    }
    let mut said = Vec::new();
    let _ = deaf.stream.read_to_end(&mut said);
    sender.join().expect("no panic");
    let whole = said.ends_with(b"\r\n0\r\n\r\n") && said.len() > body.len();
    assert!(
        whole || !said.ends_with(b"\r\n0\r\n\r\n"),
        "half of a body that looks whole"
    );
}
