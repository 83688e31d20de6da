//! How much of everything is accepted from a peer. Every field is checked while the bytes arrive.

use crate::wire::framing::HeadLimits;

/// The protocol's limits. Defaults are those that real clients never meet and that an attacker gains nothing from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The ICAP head: 32 KiB, 100 lines, 8 KiB a line (Squid sends under 2 KiB; 2,000 connections × 32 KiB = 64 MiB).
    pub icap_head: HeadLimits,
    /// The value of `Encapsulated`: 256 bytes (the grammar allows three parts).
    pub encapsulated_bytes: usize,
    /// An embedded HTTP head: 128 KiB, 500 lines, 64 KiB a line (browsers and CDNs allow 16 to 128 KiB).
    pub http_head: HeadLimits,
    /// A chunk-size line with its extensions: 4 KiB.
    pub chunk_line_bytes: usize,
    /// One chunk's declared size: 2 GiB. Clients send at most 64 KiB; nothing is ever allocated from it.
    pub chunk_bytes: u64,
    /// Chunk extensions of one body, beyond half the body's bytes: 16 KiB (Go CVE-2023-39326).
    pub extension_bytes: u64,
    /// A trailer section: 8 KiB, 32 lines.
    pub trailers: HeadLimits,
    /// `Preview` declared, and preview bytes sent: 1 MiB.
    pub preview_bytes: u64,
    /// Requests on one connection: 10,000; the last answer announces the close.
    pub requests: u64,
    /// Stray CRLF and `0` lines tolerated before one request: 8 (Axway sends two after an answer).
    pub stray_lines: usize,
    /// Body bytes thrown away after an error answer, so that the connection can live on: 64 KiB.
    pub error_drain_bytes: u64,
    /// Received bytes that are held unread while an answer is outstanding: 64 KiB; then the socket has to wait.
    pub input_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            icap_head: HeadLimits {
                bytes: 32 * KIB,
                lines: 100,
                first_line_bytes: 8 * KIB,
                line_bytes: 8 * KIB,
            },
            encapsulated_bytes: 256,
            http_head: HeadLimits {
                bytes: 128 * KIB,
                lines: 500,
                first_line_bytes: 64 * KIB,
                line_bytes: 64 * KIB,
            },
            chunk_line_bytes: 4 * KIB,
            chunk_bytes: 1 << 31,
            extension_bytes: 16 * 1024,
            trailers: HeadLimits {
                bytes: 8 * KIB,
                lines: 32,
                first_line_bytes: 8 * KIB,
                line_bytes: 8 * KIB,
            },
            preview_bytes: 1 << 20,
            requests: 10_000,
            stray_lines: 8,
            error_drain_bytes: 64 * 1024,
            input_bytes: 64 * KIB,
        }
    }
}

const KIB: usize = 1024;
