//! The workers over a real store, with real HTTP bots on loopback.
#![allow(clippy::unwrap_used)] // Helpers of tests may panic as tests may.

mod channel;
mod examples;
mod failure;
mod order;
mod pace;
mod restart;
mod support;
