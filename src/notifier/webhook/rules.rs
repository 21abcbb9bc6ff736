//! Which URLs a webhook may have, before any request.
//!
//! Where a name leads is decided for each request, in `connection`.

use std::net::{IpAddr, Ipv4Addr};

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
        if let Some(address) = known_address(&target.host)
            && let Err(refusal) = self.reachable.check(address)
        {
            faults.push(format!("the URL is at {refusal}"));
        }
        (Some(target), faults)
    }
}

/// Returns the address of a host, if no resolver is needed to know it. `localhost` and the names
/// below it are this machine (RFC 6761, section 6.3).
fn known_address(host: &Host) -> Option<IpAddr> {
    match host {
        Host::Address(address) => Some(*address),
        Host::Name(name) if name == "localhost" || name.ends_with(".localhost") => {
            Some(Ipv4Addr::LOCALHOST.into())
        }
        Host::Name(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_this_machine_are_refused_like_its_addresses() {
        let private = Allowed {
            reachable: Reachable::PublicAndPrivate,
            ..Allowed::default()
        };
        for host in [
            "127.0.0.1",
            "[::1]",
            "localhost",
            "LocalHost:8443",
            "a.localhost",
        ] {
            let url = format!("https://{host}/hook");
            let faults = Allowed::default().target(&url).1;
            assert!(
                faults[0].contains("a loopback address"),
                "{host}: {faults:?}"
            );
            assert_eq!(private.target(&url).1, [""; 0], "{host}");
        }
        for host in ["example.com", "localhost.example.com", "mylocalhost"] {
            let url = format!("https://{host}/hook");
            assert_eq!(Allowed::default().target(&url).1, [""; 0], "{host}");
        }
    }
}
