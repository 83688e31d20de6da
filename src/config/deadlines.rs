//! How long each state of a connection may last; `server::deadline` keeps the clock.

use std::time::Duration;

/// How long each state may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the accept to the end of the TLS handshake, a PROXY protocol header included.
    pub handshake: Duration,
    /// From the accept, or the handshake's end, to the first byte.
    pub first_byte: Duration,
    /// From a request's first byte to the end of its heads; not extended by bytes.
    pub head: Duration,
    /// Between two pieces of a preview. Short: a client that copies a typo of RFC 3507 (errata e9) leaves out the last
    /// CRLF of a preview and waits.
    pub preview: Duration,
    /// Between two pieces of a body.
    pub body_idle: Duration,
    /// Before the minimum rate is asked for.
    pub rate_grace: Duration,
    /// Bytes of body a second, on average, after the grace.
    pub rate_bytes: u64,
    /// For a whole body, however fast.
    pub body: Duration,
    /// From `100 Continue` to the first piece.
    pub after_continue: Duration,
    /// While our bytes wait and the peer takes none.
    pub write_stall: Duration,
    /// Between two requests.
    pub idle: Duration,
    /// For draining what the client still sends after an early answer.
    pub drain: Duration,
    /// Between our half-close and the peer's.
    pub linger: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(15),
            head: Duration::from_secs(15),
            preview: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            rate_grace: Duration::from_secs(30),
            rate_bytes: 1024,
            body: Duration::from_secs(3600),
            after_continue: Duration::from_secs(30),
            write_stall: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            linger: Duration::from_secs(1),
        }
    }
}
