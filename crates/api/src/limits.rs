//! How much a caller may ask of the server, in bytes, seconds and connections.

use std::time::Duration;

/// The longest head of a request, from its first byte to the empty line, in bytes. A chunked body's
/// trailers are held to it too.
pub const HEAD_LIMIT: usize = 64 << 10;
/// The longest path with its query, in bytes: enough for a hundred ids and tags in one filter.
pub const URI_LIMIT: usize = 32 << 10;

/// What can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are open at a time.
    pub connections: usize,
    /// How long a request's head may take to come, and how long its body.
    pub read: Duration,
    /// How long a connection stays open on which nothing is asked.
    pub idle: Duration,
    /// How long a request may take from its head to the head of its answer.
    pub request: Duration,
    /// How long a caller may take nothing of an answer that is there, and how long a file may
    /// bring nothing.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            read: Duration::from_secs(30),
            // Longer than proxies keep theirs, so that no request meets a connection that closes.
            idle: Duration::from_secs(150),
            request: Duration::from_mins(1),
            stall: Duration::from_secs(30),
        }
    }
}
