//! Which URLs a webhook may have, before any request.
//!
//! Where a name leads is decided for each request, in `connection`.

use super::connection::Reachable;
use super::target::{Host, Scheme, Target};

/// What a host allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowed {
    pub(super) reachable: Reachable,
    pub(super) http: bool,
}

impl Default for Allowed {
    fn default() -> Self {
        Self {
            reachable: Reachable::PublicOnly,
            http: false,
        }
    }
}

impl Allowed {
    /// Reads a URL, and returns what is wrong with it. No text repeats a part of it.
    pub(super) fn target(self, url: &str) -> (Option<Target>, Vec<String>) {
        let target = match Target::new(url) {
            Ok(target) => target,
            Err(detail) => return (None, vec![detail.to_owned()]),
        };
        let mut faults = Vec::new();
        if target.scheme == Scheme::Http && !self.http {
            faults.push(
                "the URL must begin with https://, unless the host allows others (allow_http)"
                    .to_owned(),
            );
        }
        if let Host::Address(address) = target.host
            && let Err(refusal) = self.reachable.check(address)
        {
            faults.push(format!("the URL is at {refusal}"));
        }
        (Some(target), faults)
    }
}
