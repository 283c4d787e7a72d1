//! Looking for what is wrong: what it leads to, and what to do.
//!
//! What never happens here: a secret in what is told; a change of anything.

mod addresses;
mod inside;
mod outside;

use switchboard_api::admin::{Check, Verdict};

pub(crate) use inside::Inside;
pub(crate) use outside::checks as outside;

pub(crate) fn ok(name: &str, found: &str) -> Check {
    check(name, Verdict::Ok, found, ["", ""])
}

pub(crate) fn skip(name: &str, found: &str) -> Check {
    check(name, Verdict::Skip, found, ["", ""])
}

pub(crate) fn warn(name: &str, found: &str, leads_to: &str, fix: &str) -> Check {
    check(name, Verdict::Warn, found, [leads_to, fix])
}

pub(crate) fn fail(name: &str, found: &str, leads_to: &str, fix: &str) -> Check {
    check(name, Verdict::Fail, found, [leads_to, fix])
}

fn check(name: &str, status: Verdict, found: &str, [leads_to, fix]: [&str; 2]) -> Check {
    Check {
        name: name.to_owned(),
        status,
        found: found.to_owned(),
        leads_to: leads_to.to_owned(),
        fix: fix.to_owned(),
    }
}
