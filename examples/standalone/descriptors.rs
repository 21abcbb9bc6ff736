//! The limit on open descriptors: raises the soft limit of this process.
//!
//! Each connection, stream, file and program needs descriptors, and the soft limit of a shell is
//! often 1,024. It exists for programs that use `select`, which this one does not.

/// The soft limit that this process asks for. Programs of nodes inherit it, and some of them visit
/// every descriptor below it.
#[cfg(unix)]
const SOFT_LIMIT: u64 = 65_536;

/// Raises the soft limit of this process, as far as the hard limit allows.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(SOFT_LIMIT, |maximum| maximum.min(SOFT_LIMIT));
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let raised = Rlimit {
        current: Some(wanted),
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, ?current, "the limit on open descriptors cannot be raised");
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) const fn raise_limit() {}
