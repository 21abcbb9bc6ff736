//! Gets the connection from the host after the 101: directly from hyper, or through [`Upgrade`].
//!
//! `session` runs the stream over the connection.

use std::fmt;
use std::sync::Arc;

use http::Extensions;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// A connection after its upgrade from HTTP.
pub(super) trait UpgradedConnection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> UpgradedConnection for T {}

/// Lets a host hand over the connection of a request. An adapter puts it into the request's
/// extensions.
///
/// Hosts on hyper, such as axum, do not need it: the service uses hyper's own extension, if the
/// host serves connections with upgrades.
///
/// ```
/// use floret::Upgrade;
/// let (upgrade, handover) = Upgrade::channel();
/// let mut request = http::Request::get("/api/ws").body(String::new())?;
/// request.extensions_mut().insert(upgrade);
/// // If the service responds with 101, the adapter sends it and then hands over the connection.
/// let (connection, _client) = tokio::io::duplex(64);
/// handover.hand_over(connection);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct Upgrade(Arc<Mutex<Option<ConnectionReceiver>>>);

/// Receives the connection that an adapter hands over.
type ConnectionReceiver = oneshot::Receiver<Box<dyn UpgradedConnection>>;

/// The sending half of an [`Upgrade`], which the adapter keeps.
///
/// ```
/// use floret::Upgrade;
///
/// let (upgrade, handover) = Upgrade::channel();
/// let mut request = http::Request::get("/api/ws").body(String::new())?;
/// request.extensions_mut().insert(upgrade);
/// // The adapter calls this after it has sent the 101 of the service.
/// let (connection, _client) = tokio::io::duplex(64);
/// handover.hand_over(connection);
/// # Ok::<(), http::Error>(())
/// ```
pub struct Handover(oneshot::Sender<Box<dyn UpgradedConnection>>);

impl Upgrade {
    /// Returns an upgrade for the extensions of a request, and the half that the adapter keeps.
    #[must_use]
    pub fn channel() -> (Self, Handover) {
        let (sender, receiver) = oneshot::channel();
        let upgrade = Self(Arc::new(Mutex::new(Some(receiver))));
        (upgrade, Handover(sender))
    }
}

impl Handover {
    /// Hands over the connection after the 101 was sent.
    ///
    /// The connection is dropped if the service did not respond with 101 or Floret has stopped.
    pub fn hand_over(self, connection: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        // If the receiver is gone, the connection is dropped, which closes it.
        let _ = self.0.send(Box::new(connection));
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").finish_non_exhaustive()
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").finish_non_exhaustive()
    }
}

/// A connection that the host has not handed over yet.
pub(super) enum Pending {
    Hyper(OnUpgrade),
    Adapter(ConnectionReceiver),
}

impl Pending {
    /// Takes the pending connection from the extensions of a request.
    ///
    /// # Errors
    /// `Internal` when the host has put none there.
    pub(super) fn take(extensions: &mut Extensions) -> Result<Self> {
        let own = extensions.remove::<Upgrade>();
        if let Some(receiver) = own.and_then(|own| own.0.lock().take()) {
            return Ok(Self::Adapter(receiver));
        }
        match extensions.remove::<OnUpgrade>() {
            Some(upgrade) => Ok(Self::Hyper(upgrade)),
            None => Err(Error::internal("a connection cannot be upgraded").with_source(
                "the host has put neither hyper's `OnUpgrade` nor `floret::Upgrade` into the request's extensions",
            )),
        }
    }

    /// Waits for the connection, which the host hands over after the 101.
    ///
    /// # Errors
    /// `Internal` when the host does not hand it over.
    pub(super) async fn connection(self) -> Result<Box<dyn UpgradedConnection>> {
        const REFUSED: &str = "the host did not hand over a connection (hyper does with `serve_connection_with_upgrades`)";
        match self {
            Self::Hyper(upgrade) => match upgrade.await {
                Ok(upgraded) => Ok(Box::new(TokioIo::new(upgraded))),
                Err(error) => Err(Error::internal(REFUSED).with_source(error)),
            },
            Self::Adapter(receiver) => receiver
                .await
                .map_err(|error| Error::internal(REFUSED).with_source(error)),
        }
    }
}
