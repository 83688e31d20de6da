//! What a message costs once the buffers are there.

use std::sync::Arc;

use bytes::Bytes;
use sluice::budget::Budget;
use sluice::http1::RequestHead;
use sluice::inspect::Direction;
use sluice::policy::Verdict;
use sluice::policy::profile::Profile;
use sluice::scan::{Ended, Message, Ruleset, Scan, Step};

const BODY: &[u8] = br#"{"id":17,"name":"Widget 17","price":17.50,"tags":["new","sale"],"stock":true,"note":"see you \u00e9 at noon","at":"2026-11-22T10:00:00Z","url":"https://shop.test/items/17?x=1"}"#;

#[test]
fn the_scan_of_a_small_message_allocates_nothing_once_the_buffers_are_there() {
    let rules = Arc::new(Ruleset::embedded().expect("the shipped rules compile"));
    let budget = Budget::new(1 << 30);
    let profile = Arc::new(Profile::built_in(Direction::Request));
    let head = RequestHead::parse(Bytes::from_static(
        b"POST /api/orders?id=4 HTTP/1.1\r\nHost: shop.test\r\nUser-Agent: test/1.0\r\nAccept: */*\r\n\
          Cookie: a=b\r\nContent-Type: application/json\r\n\r\n",
    ));
    let message = Message {
        request: Some(&head),
        ..Message::new(Direction::Request)
    };
    let scan = || {
        let mut scan = Scan::new(&rules, &profile, &budget, &message);
        scan.push(Bytes::from_static(BODY));
        scan.end(Ended::Complete);
        while matches!(scan.step(), Step::Busy | Step::NeedInput) {}
        assert_eq!(scan.report().verdict, Verdict::Allow);
    };
    for _ in 0..4 {
        scan();
    }
    let cost = allocation_counter::measure(scan);
    assert_eq!((cost.count_total, cost.count_current), (0, 0), "{cost:?}");
}
