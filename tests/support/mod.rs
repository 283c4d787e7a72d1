//! What black-box tests stand on: the server under test, and everything around it.

pub(crate) mod api;
pub(crate) mod bot;
pub(crate) mod http;
pub(crate) mod node;
pub(crate) mod notes;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod server;
pub(crate) mod telegram;
pub(crate) mod wait;

pub(crate) use api::{Api, message, texts};
pub(crate) use bot::{Bot, Reply};
pub(crate) use server::Server;
