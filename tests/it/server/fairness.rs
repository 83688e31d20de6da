//! One client at full blast does not keep another one waiting.
//!
//! Counted in transactions and not in time: how many of the busy client's were begun between the other's request and its
//! own turn. What else runs on the machine slows down both.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use sluice::icap::Request;
use sluice::server::{Probe, Stage};

use super::harness::{Client, POST, Running, connected_from, reqmod};

/// Connections of the busy client.
const BUSY: usize = 32;

/// Requests of the other one.
const ASKED: usize = 60;

#[test]
fn a_small_client_waits_for_few_transactions_of_a_busy_one() {
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = Arc::new(AtomicUsize::new(0));
    let (count, at) = (Arc::clone(&begun), Arc::clone(&seen));
    let probe: Probe = Arc::new(
        move |_: Stage, request: &Request| match request.uri.host() {
            "quiet" => at.store(count.load(Ordering::SeqCst), Ordering::SeqCst),
            _ => {
                count.fetch_add(1, Ordering::SeqCst);
            }
        },
    );
    let server = Running::start_with("", Some(probe));
    let address = server.icap();
    let over = AtomicBool::new(false);
    let body = vec![b'x'; 1024];
    let ask = |host: &str| {
        let text = reqmod("/reqmod", "Allow: 204\r\n", POST, Some(&body));
        let text = String::from_utf8(text).expect("ASCII");
        text.replacen("icap://h/", &format!("icap://{host}/"), 1)
    };
    let mut waited = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..BUSY {
            scope.spawn(|| {
                let stream = connected_from(Ipv4Addr::new(127, 0, 0, 2), address);
                let (mut client, request) = (Client::over(stream), ask("busy"));
                while !over.load(Ordering::SeqCst) {
                    assert_eq!(client.ask(&request).status, 204);
                }
            });
        }
        let stream = connected_from(Ipv4Addr::new(127, 0, 0, 3), address);
        let (mut client, request) = (Client::over(stream), ask("quiet"));
        while begun.load(Ordering::SeqCst) < 10 * BUSY {
            std::thread::yield_now();
        }
        for _ in 0..ASKED {
            let before = begun.load(Ordering::SeqCst);
            assert_eq!(client.ask(&request).status, 204);
            waited.push(seen.load(Ordering::SeqCst) - before);
            std::thread::sleep(Duration::from_millis(5));
        }
        over.store(true, Ordering::SeqCst);
    });
    waited.sort_unstable();
    let median = waited[ASKED / 2];
    assert!(median <= 4, "transactions waited for: {waited:?}");
}
