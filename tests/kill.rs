//! The promise: what was acknowledged is there after a SIGKILL, exactly once, and whatever was under
//! way is finished by the next start. A round: load, a kill at a random moment, a new start.

mod over_http;
mod over_telegram;
