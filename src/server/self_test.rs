//! Does the scan find what it must? The EICAR test file, put together at run time, goes through the real pipeline.

use std::sync::Arc;

use bytes::Bytes;

use crate::budget::Budget;
use crate::inspect::Direction;
use crate::policy::Verdict;
use crate::policy::profile::Profile;
use crate::scan::{Ended, Message, Ruleset, Scan, Step};

/// True when the default profile blocks EICAR under these rules.
pub(super) fn eicar_is_blocked(rules: &Arc<Ruleset>) -> bool {
    let profile = Arc::new(Profile::built_in(Direction::Request));
    let budget = Budget::new(SELF_TEST_BYTES);
    let mut scan = Scan::new(rules, &profile, &budget, &Message::new(Direction::Request));
    scan.push(Bytes::from(eicar()));
    scan.end(Ended::Complete);
    while scan.step_here() == Step::Busy {}
    matches!(scan.report().verdict, Verdict::Block(_))
}

/// In pieces, so that no scanner takes our own files for the test file.
fn eicar() -> String {
    [
        r"X5O!P%@AP[4\PZX54(P^)7CC)7}",
        "$EICAR-STANDARD-",
        "ANTIVIRUS-TEST-FILE!$H+H*",
    ]
    .concat()
}

/// More than the test needs; the real budget may be full, which is another check.
const SELF_TEST_BYTES: u64 = 64 << 20;
