//! Resolves the names of hosts.
//!
//! Which of the addresses are allowed is decided in `address`.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;

/// Resolves the names of hosts, anew for each request.
#[async_trait]
pub(super) trait Resolve: Send + Sync {
    /// Returns the addresses of a name, with the port.
    async fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The resolver of the operating system.
pub(super) struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn addresses(&self, name: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, port)).await?.collect())
    }
}
