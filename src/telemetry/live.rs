//! The transactions that are being worked on, for the admin listener.
//!
//! Each connection registers once, when it begins; its transactions then only store numbers in an entry of its own, with
//! no lock and no allocation. A reader may see a transaction a moment after its end: a look, not a ledger.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::service::facts::Peer;
use crate::service::outcome::{Method, TransactionId};

/// All connections.
#[derive(Debug, Default)]
pub struct Register {
    shards: [Mutex<BTreeMap<u64, Arc<Entry>>>; SHARDS],
    next: AtomicU64,
}

/// One connection's entry; dropping it takes it off the register.
#[derive(Debug)]
pub struct Registered<'a> {
    register: &'a Register,
    key: u64,
    /// Where its transactions leave their marks.
    pub entry: Arc<Entry>,
}

/// What is known of a connection's transaction.
#[derive(Debug)]
pub struct Entry {
    /// Who is connected, and where: fixed for the connection.
    client: Peer,
    listener: Arc<str>,
    /// Moments are counted from here.
    since: Instant,
    /// The transaction's number; 0: none.
    id: AtomicU64,
    began: AtomicU64,
    bytes: AtomicU64,
    state: AtomicU8,
    method: AtomicU8,
    service: Mutex<Option<Arc<str>>>,
}

/// One transaction as it is now.
#[derive(Clone, Debug)]
pub struct Live {
    /// The transaction.
    pub id: TransactionId,
    /// The service, once it is known.
    pub service: Option<Arc<str>>,
    /// `reqmod` or `respmod`.
    pub method: &'static str,
    /// The ICAP client.
    pub client: Box<str>,
    /// Through which listener it came.
    pub listener: Arc<str>,
    /// Milliseconds since its head was read.
    pub age_ms: u64,
    /// What its connection waits for, as [`STATES`] names it.
    pub state: &'static str,
    /// Body bytes received.
    pub bytes: u64,
}

impl Register {
    /// Registers a connection of `client` to `listener`.
    pub fn connection(&self, client: Peer, listener: Arc<str>) -> Registered<'_> {
        let entry = Arc::new(Entry {
            client,
            listener,
            since: Instant::now(),
            id: AtomicU64::new(0),
            began: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            state: AtomicU8::new(0),
            method: AtomicU8::new(0),
            service: Mutex::new(None),
        });
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.shard(key).insert(key, Arc::clone(&entry));
        Registered {
            register: self,
            key,
            entry,
        }
    }

    /// All transactions under way, the oldest first, of which at most `most` are listed.
    pub fn list(&self, most: usize) -> Vec<Live> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            entries.extend(shard.values().filter(|entry| entry.is_busy()).cloned());
        }
        let mut list: Vec<Live> = entries.iter().filter_map(|entry| entry.now()).collect();
        list.sort_by_key(|live| std::cmp::Reverse(live.age_ms));
        list.truncate(most);
        list
    }

    fn shard(&self, key: u64) -> MutexGuard<'_, BTreeMap<u64, Arc<Entry>>> {
        let shard = usize::try_from(key % SHARDS as u64).unwrap_or_default();
        self.shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.register.shard(self.key).remove(&self.key);
    }
}

impl Entry {
    /// A transaction begins.
    pub fn begin(&self, id: TransactionId, method: Method, service: Option<&Arc<str>>) {
        let began = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.began.store(began, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        let method = match method {
            Method::Reqmod => 1,
            Method::Respmod => 2,
            Method::Options => 3,
            Method::Unknown => 0,
        };
        self.method.store(method, Ordering::Relaxed);
        // Held by a reader for the time of a copy at most; then this one goes without its service's name.
        if let Ok(mut slot) = self.service.try_lock() {
            match (slot.as_ref(), service) {
                (Some(old), Some(new)) if Arc::ptr_eq(old, new) => {}
                _ => *slot = service.cloned(),
            }
        }
        self.id.store(id.number(), Ordering::Release);
    }

    /// It is at this point: an index of [`STATES`].
    pub fn at(&self, state: u8, bytes: u64) {
        self.state.store(state, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// It is over.
    pub fn end(&self) {
        self.id.store(0, Ordering::Release);
    }

    fn is_busy(&self) -> bool {
        self.id.load(Ordering::Acquire) != 0
    }

    fn now(&self) -> Option<Live> {
        let id = self.id.load(Ordering::Acquire);
        let began = self.began.load(Ordering::Relaxed);
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        (id != 0).then(|| Live {
            id: TransactionId::numbered(id),
            service: service.clone(),
            method: METHODS[usize::from(self.method.load(Ordering::Relaxed)) % METHODS.len()],
            client: self.client.to_string().into(),
            listener: Arc::clone(&self.listener),
            age_ms: now.saturating_sub(began),
            state: STATES[usize::from(self.state.load(Ordering::Relaxed)) % STATES.len()],
            bytes: self.bytes.load(Ordering::Relaxed),
        })
    }
}

/// What a connection waits for.
pub const STATES: [&str; 7] = [
    "work",
    "head",
    "preview",
    "body",
    "after-continue",
    "write",
    "drain",
];

const METHODS: [&str; 4] = ["unknown", "reqmod", "respmod", "options"];

/// Connections begin and end on all threads at once.
const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_is_listed_from_its_beginning_to_its_end_and_the_connection_leaves_nothing() {
        let register = Register::default();
        let peer = Peer {
            address: "127.0.0.1".parse().ok(),
            tls_identity: None,
        };
        let registered = register.connection(peer, "plain".into());
        assert!(register.list(10).is_empty());
        let id = TransactionId::next();
        let service: Arc<str> = "/reqmod".into();
        registered.entry.begin(id, Method::Reqmod, Some(&service));
        registered.entry.at(3, 17);
        let list = register.list(10);
        assert_eq!((list[0].id, list[0].state, list[0].bytes), (id, "body", 17));
        assert_eq!(&*list[0].client, "127.0.0.1");
        assert_eq!(list[0].service.as_deref(), Some("/reqmod"));
        assert!(register.list(0).is_empty());
        registered.entry.end();
        assert!(register.list(10).is_empty());
        drop(registered);
        assert!(
            register
                .shards
                .iter()
                .all(|shard| shard.lock().expect("free").is_empty())
        );
    }
}
