//! Black-box tests: the built binary, official clients and third-party counterparts. A file a
//! promise; what they stand on is in `support`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the lints' allowance for tests leaves out their helpers"
)]

mod administration;
mod backup;
mod cases;
mod chat;
mod cli;
mod client;
mod contract;
mod doctor;
mod durable;
mod emulator;
mod examples;
mod explain;
mod faq;
mod first_start;
mod guides;
mod isolation;
mod javascript;
mod kill;
mod mishaps;
mod order;
mod race;
mod readme;
mod redelivery;
mod schemathesis;
mod sdk;
mod support;
mod telegram;
