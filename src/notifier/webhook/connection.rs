//! Connects to a target: resolves its name, refuses addresses that are not allowed, and connects to
//! the very address that it has checked.
//!
//! A name may have another address at the next look-up. So there is no second one.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::address::{Reach, reach};
use super::resolver::Resolve;
use super::target::{Host, Target};
use crate::clock::Clock;
use crate::notifier::NotifierError;

/// How long a connection to one address may take. 5 s: two repeats of a lost packet.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How many addresses of a name are tried. 4: two of each version.
const ADDRESSES_MAX: usize = 4;

/// Which addresses are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reachable {
    PublicOnly,
    PublicAndPrivate,
}

/// Connects to targets.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) resolver: Arc<dyn Resolve>,
    pub(super) reachable: Reachable,
    pub(super) clock: Clock,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reachable.fmt(f)
    }
}

impl Connector {
    /// Connects to the first address that accepts.
    ///
    /// # Errors
    /// Returns a retryable error, also if an address of the host is not allowed: a name may get
    /// another one.
    pub(super) async fn connect(&self, target: &Target) -> Result<TcpStream, NotifierError> {
        let addresses = self.addresses(target).await?;
        for address in &addresses {
            let allowed = self.reachable.check(address.ip());
            allowed.map_err(|refusal| {
                NotifierError::retryable(format!("the host of {target} is at {refusal}"))
            })?;
        }
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            let connecting = TcpStream::connect(address);
            match self.clock.timeout(CONNECT_TIMEOUT, connecting).await {
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last = error,
                None => last = io::Error::from(io::ErrorKind::TimedOut),
            }
        }
        let message = format!("cannot connect to {target}: {last}");
        Err(NotifierError::retryable(message))
    }

    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, NotifierError> {
        let name = match &target.host {
            Host::Address(address) => return Ok(vec![SocketAddr::new(*address, target.port)]),
            Host::Name(name) => name,
        };
        let resolved = self.resolver.addresses(name, target.port).await;
        match resolved {
            Ok(addresses) if addresses.is_empty() => {
                let message = format!("the host {name} has no address");
                Err(NotifierError::retryable(message))
            }
            Ok(addresses) => Ok(addresses),
            Err(error) => {
                let message = format!("cannot resolve the host {name}: {error}");
                Err(NotifierError::retryable(message))
            }
        }
    }
}

impl Reachable {
    /// Refuses an address that is not allowed. One such address refuses the whole name: the order
    /// of addresses is chance.
    pub(super) fn check(self, address: IpAddr) -> Result<(), String> {
        match (reach(address), self) {
            (Reach::Public, _) | (Reach::Private(_), Self::PublicAndPrivate) => Ok(()),
            (Reach::Private(what), Self::PublicOnly) => Err(format!(
                "{address}, {what}, which the host would have to allow (allow_private)"
            )),
            (Reach::Never(what), _) => Err(format!("{address}, {what}")),
        }
    }
}
