//! How many connections the system lets this process open.

/// The limit on open files, which connections are to it.
#[cfg(unix)]
pub(crate) fn limit() -> usize {
    use rustix::process::{Resource, getrlimit};
    let limit = getrlimit(Resource::Nofile).current;
    limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX)
    })
}

/// Elsewhere only memory limits them.
#[cfg(not(unix))]
pub(crate) fn limit() -> usize {
    usize::MAX
}
