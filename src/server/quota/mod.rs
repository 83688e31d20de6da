//! Shares and rates: one client cannot take what the others need, and what it is refused is refused early.
//!
//! | what is limited | of whom | how |
//! |---|---|---|
//! | transactions at once, bytes in memory | each ICAP client | as many as all together leave free |
//! | connections at once | each ICAP client | a number |
//! | requests and bytes a second | ICAP client, `X-Client-IP`, user | [`gcra`] |
//! | processor time | each ICAP client that is not alone | [`Account::turn`] |
//!
//! "As many as are left free" is the dynamic threshold of Choudhury and Hahne (1998): a client alone may have half of
//! all, two have a third each, and there is always something left for the next one.

mod gcra;
mod ledger;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::budget::Budget;
use crate::config;
use crate::service::facts::Peer;

use super::spool::SpoolLimits;
use gcra::{Exceeded, Levels};
use ledger::Ledger;

/// What all clients have under way, and how fast they were.
#[derive(Debug)]
pub(super) struct Quotas {
    began: Instant,
    accounts: Mutex<HashMap<Key, Arc<Account>>>,
    transactions: AtomicUsize,
    /// Accounts with connections.
    present: Arc<AtomicUsize>,
    threads: usize,
    addresses: Ledger,
    users: Ledger,
    spool: SpoolLimits,
}

/// What one ICAP client has under way.
#[derive(Debug)]
pub(super) struct Account {
    /// His share of the memory.
    pub(super) memory: Budget,
    /// His spools draw on it.
    pub(super) spool: Arc<SpoolLimits>,
    connections: AtomicUsize,
    transactions: AtomicUsize,
    levels: Mutex<Levels>,
    turns: Arc<Semaphore>,
    threads: usize,
    present: Arc<AtomicUsize>,
}

/// By what an ICAP client is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Name(Arc<str>),
    Address(IpAddr),
    /// Whoever comes over a Unix socket.
    Local,
}

/// A connection of an account; counted until it is dropped.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) account: Arc<Account>,
}

/// A transaction of an account; counted until it is dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    quotas: Arc<Quotas>,
    account: Arc<Account>,
    subject: Option<Box<Subject>>,
}

/// For whom a message was sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'a> {
    /// `X-Client-IP`, or nothing.
    pub(super) address: &'a str,
    /// `X-Authenticated-User`, or nothing.
    pub(super) user: &'a str,
}

#[derive(Debug)]
struct Subject {
    address: Box<str>,
    user: Box<str>,
}

/// Why a transaction is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The ICAP client has too much; the code says of what. He is told 503.
    Client(&'static str),
    /// The one for whom he asks has. Only this one's message is refused: a 503 would make a gateway give up the service
    /// for all its users.
    Subject(&'static str),
}

impl Refusal {
    /// Its name in metrics and logs.
    pub(super) fn code(self) -> &'static str {
        match self {
            Refusal::Client(code) | Refusal::Subject(code) => code,
        }
    }
}

impl Quotas {
    /// Nothing under way; `spool` holds the memory that is shared, `threads` the work is done by.
    pub(super) fn new(limits: &config::quotas::Quotas, spool: SpoolLimits, threads: usize) -> Self {
        Self {
            began: Instant::now(),
            accounts: Mutex::default(),
            transactions: AtomicUsize::new(0),
            present: Arc::default(),
            threads: threads.max(1),
            addresses: Ledger::new(limits.tracked),
            users: Ledger::new(limits.tracked),
            spool,
        }
    }

    /// Counts a connection of `peer` in; `None`: he has as many as he may.
    pub(super) fn enter(&self, peer: &Peer, limits: &config::quotas::Quotas) -> Option<Membership> {
        let key = match (&peer.tls_identity, peer.address) {
            (Some(name), _) => Key::Name(Arc::clone(name)),
            (None, Some(address)) => Key::Address(network(address)),
            (None, None) => Key::Local,
        };
        let now = self.began.elapsed();
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= IDLE_ACCOUNTS && !accounts.contains_key(&key) {
            // Those with connections stay, and there are no more of them than connections.
            accounts.retain(|_, account| !account.is_idle(now));
        }
        let account = accounts.entry(key).or_insert_with(|| self.account());
        let before = account.connections.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.present.fetch_add(1, Ordering::Relaxed);
        }
        let membership = Membership {
            account: Arc::clone(account),
        };
        let full = limits.client_connections > 0 && before >= limits.client_connections;
        (!full).then_some(membership)
    }

    fn account(&self) -> Arc<Account> {
        let memory = self.spool.memory.share();
        Arc::new(Account {
            spool: Arc::new(SpoolLimits {
                memory: memory.clone(),
                ..self.spool.clone()
            }),
            memory,
            connections: AtomicUsize::new(0),
            transactions: AtomicUsize::new(0),
            levels: Mutex::default(),
            turns: Arc::new(Semaphore::new(self.threads)),
            threads: self.threads,
            present: Arc::clone(&self.present),
        })
    }

    /// Lets a transaction in, or says why not.
    pub(super) fn admit(
        self: &Arc<Self>,
        account: &Arc<Account>,
        asking: Asking<'_>,
        limits: &config::quotas::Quotas,
    ) -> Result<Ticket, Refusal> {
        let mine = account.transactions.fetch_add(1, Ordering::Relaxed);
        let all = self.transactions.fetch_add(1, Ordering::Relaxed);
        // From here on it is counted, and the drop of the ticket counts it out.
        let mut ticket = Ticket {
            quotas: Arc::clone(self),
            account: Arc::clone(account),
            subject: None,
        };
        if limits.transactions > 0 && mine.saturating_add(all) >= limits.transactions {
            return Err(Refusal::Client("transactions"));
        }
        let off = |rates: &config::quotas::Rates| rates.is_off();
        if off(&limits.client) && off(&limits.address) && off(&limits.user) {
            return Ok(ticket);
        }
        let now = self.began.elapsed();
        if !limits.client.is_off() {
            let admitted = account.levels().admit(&limits.client, now);
            admitted.map_err(|exceeded| {
                Refusal::Client(match exceeded {
                    Exceeded::Requests => "client-requests",
                    Exceeded::Bytes => "client-bytes",
                })
            })?;
        }
        if !limits.address.is_off() && !asking.address.is_empty() {
            let admitted = self.addresses.admit(asking.address, &limits.address, now);
            admitted.map_err(|exceeded| {
                Refusal::Subject(match exceeded {
                    Exceeded::Requests => "address-requests",
                    Exceeded::Bytes => "address-bytes",
                })
            })?;
        }
        if !limits.user.is_off() && !asking.user.is_empty() {
            let admitted = self.users.admit(asking.user, &limits.user, now);
            admitted.map_err(|exceeded| {
                Refusal::Subject(match exceeded {
                    Exceeded::Requests => "user-requests",
                    Exceeded::Bytes => "user-bytes",
                })
            })?;
        }
        ticket.subject = Some(Box::new(Subject {
            address: asking.address.into(),
            user: asking.user.into(),
        }));
        Ok(ticket)
    }
}

impl Account {
    /// Waits for this account's turn on the processors, which lasts until the permit is dropped. `None`: nobody has to
    /// wait, since the client is alone, or has no more under way than there are threads.
    ///
    /// The reactor serves whoever is ready in the order of readiness, so that a client with a hundred busy connections
    /// would have a hundred turns between two of another's. Here no more of them stand in that queue than there are
    /// threads: whoever has a permit goes to its end once, and finds there only few of any client's.
    pub(super) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        if !self.is_crowded() || self.connections.load(Ordering::Relaxed) <= self.threads {
            return None;
        }
        let permit = Arc::clone(&self.turns).acquire_owned().await.ok();
        tokio::task::yield_now().await;
        permit
    }

    /// True while other clients are connected.
    pub(super) fn is_crowded(&self) -> bool {
        self.present.load(Ordering::Relaxed) > 1
    }

    fn levels(&self) -> std::sync::MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_idle(&self, now: Duration) -> bool {
        self.connections.load(Ordering::Relaxed) == 0 && self.levels().is_idle(now)
    }
}

impl Ticket {
    /// Charges the bytes of its body.
    pub(super) fn charge(&self, bytes: u64, limits: &config::quotas::Quotas) {
        let Some(subject) = &self.subject else {
            return;
        };
        let now = self.quotas.began.elapsed();
        self.account.levels().charge(&limits.client, bytes, now);
        for (ledger, key, rates) in [
            (&self.quotas.addresses, &subject.address, &limits.address),
            (&self.quotas.users, &subject.user, &limits.user),
        ] {
            if rates.kib_per_second > 0 && !key.is_empty() {
                ledger.charge(key, rates, (bytes, now));
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.account.transactions.fetch_sub(1, Ordering::Relaxed);
        self.quotas.transactions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        if self.account.connections.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.account.present.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// One host has 2^64 IPv6 addresses: its network is what is counted.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(network.into())
        }
        other => other,
    }
}

/// Accounts without connections are looked for when there are so many.
const IDLE_ACCOUNTS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn quotas(limits: &config::quotas::Quotas) -> Arc<Quotas> {
        let spool = SpoolLimits {
            memory_bytes: 0,
            body_bytes: 0,
            directory: std::path::PathBuf::new(),
            disk: Budget::new(0),
            memory: Budget::new(900),
        };
        Arc::new(Quotas::new(limits, spool, 2))
    }

    fn peer(address: &str) -> Peer {
        Peer {
            address: address.parse().ok(),
            tls_identity: None,
        }
    }

    const NOBODY: Asking<'static> = Asking {
        address: "",
        user: "",
    };

    #[test]
    fn each_client_has_what_all_leave_free() {
        let limits = config::quotas::Quotas {
            transactions: 12,
            ..Default::default()
        };
        let quotas = quotas(&limits);
        let one = quotas.enter(&peer("10.0.0.1"), &limits).expect("no limit");
        let two = quotas.enter(&peer("10.0.0.2"), &limits).expect("no limit");
        let all = |account: &Arc<Account>| {
            std::iter::from_fn(|| quotas.admit(account, NOBODY, &limits).ok()).collect::<Vec<_>>()
        };
        let greedy = all(&one.account);
        assert_eq!(greedy.len(), 6, "half of all");
        let modest = all(&two.account);
        assert_eq!(modest.len(), 3, "half of what is left");
        let refused = quotas.admit(&one.account, NOBODY, &limits);
        assert_eq!(refused.err(), Some(Refusal::Client("transactions")));
        drop(greedy);
        assert!(quotas.admit(&one.account, NOBODY, &limits).is_ok());
        drop(modest);
        assert_eq!(quotas.transactions.load(Ordering::Relaxed), 0);

        let mut greedy = one.account.memory.reservation();
        while greedy.grow(10).is_ok() {}
        assert_eq!(greedy.bytes(), 450);
        let mut modest = two.account.memory.reservation();
        assert!(modest.grow(100).is_ok(), "there is room for the next one");
    }

    #[test]
    fn connections_of_one_client_are_counted_by_certificate_or_network() {
        let limits = config::quotas::Quotas {
            client_connections: 2,
            ..Default::default()
        };
        let quotas = quotas(&limits);
        let held: Vec<_> = ["2001:db8::1", "2001:db8::2"]
            .iter()
            .map(|address| quotas.enter(&peer(address), &limits).expect("two"))
            .collect();
        assert!(quotas.enter(&peer("2001:db8::3"), &limits).is_none());
        assert!(quotas.enter(&peer("2001:db8:0:1::3"), &limits).is_some());
        let named = Peer {
            tls_identity: Some("gateway".into()),
            ..peer("2001:db8::3")
        };
        assert!(quotas.enter(&named, &limits).is_some());
        drop(held);
        assert!(quotas.enter(&peer("2001:db8::3"), &limits).is_some());
    }

    #[test]
    fn accounts_without_connections_are_forgotten() {
        let limits = config::quotas::Quotas::default();
        let quotas = quotas(&limits);
        for number in 0..3 * u32::try_from(IDLE_ACCOUNTS).expect("small") {
            let address = IpAddr::from(number.to_be_bytes()).to_string();
            drop(quotas.enter(&peer(&address), &limits));
        }
        assert!(quotas.accounts.lock().expect("no panic").len() <= IDLE_ACCOUNTS);
    }

    #[test]
    fn each_kind_of_subject_has_its_rate() {
        let once = config::quotas::Rates {
            requests_per_second: 1,
            ..Default::default()
        };
        let limits = config::quotas::Quotas {
            user: once,
            address: config::quotas::Rates {
                kib_per_second: 1,
                ..Default::default()
            },
            ..Default::default()
        };
        let quotas = quotas(&limits);
        let gateway = quotas.enter(&peer("10.0.0.1"), &limits).expect("no limit");
        let ask = |address, user| quotas.admit(&gateway.account, Asking { address, user }, &limits);
        let first = ask("1.1.1.1", "ann").expect("the first");
        let refused = Some(Refusal::Subject("user-requests"));
        assert_eq!(ask("1.1.1.1", "ann").err(), refused);
        assert!(ask("1.1.1.1", "bob").is_ok() && ask("", "").is_ok());
        first.charge(10 << 10, &limits);
        let refused = Some(Refusal::Subject("address-bytes"));
        assert_eq!(ask("1.1.1.1", "eve").err(), refused);
        assert!(ask("1.1.1.2", "joe").is_ok());
    }
}
