//! The API in process: the router over the embedded store, a clock moved by hand, no network.

#![allow(
    clippy::unwrap_used,
    reason = "a helper of tests may fail as a test does"
)]

mod actions;
mod bad_input;
mod cases;
mod compatibility;
mod conversations;
mod errors;
mod events;
mod explain;
mod health;
mod messages;
mod openapi;
mod pages;
mod property;
mod reading;
mod server;
mod states;
mod support;
mod tags;
mod users;
mod webhook;
mod workflows;
