//! How a connection comes from the host once the 101 was sent: from hyper by itself, from any other server through [`Upgrade`].
//!
//! What is said over it is left to `session`.

use std::fmt;
use std::sync::Arc;

use http::Extensions;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// A connection that speaks no HTTP any more.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Tells the service that the host can hand over the connection of a request. An adapter puts it into the request's extensions.
///
/// Hosts on hyper, axum among them, need none: what hyper puts there is found (where the host serves connections with upgrades).
///
/// ```
/// use floret::Upgrade;
/// let (upgrade, handover) = Upgrade::channel();
/// let mut request = http::Request::get("/api/ws").body(String::new())?;
/// request.extensions_mut().insert(upgrade);
/// // The service answers; where it is a 101, the adapter sends that and hands over the connection.
/// let (connection, _client) = tokio::io::duplex(64);
/// handover.hand_over(connection);
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct Upgrade(Arc<Mutex<Option<Coming>>>);

/// A connection that an adapter will hand over.
type Coming = oneshot::Receiver<Box<dyn Connection>>;

/// The adapter's end of an [`Upgrade`].
pub struct Handover(oneshot::Sender<Box<dyn Connection>>);

impl Upgrade {
    /// One for the extensions of a request, and the end that the adapter keeps.
    #[must_use]
    pub fn channel() -> (Self, Handover) {
        let (sender, receiver) = oneshot::channel();
        let upgrade = Self(Arc::new(Mutex::new(Some(receiver))));
        (upgrade, Handover(sender))
    }
}

impl Handover {
    /// Hands over the connection, after the 101 was sent. It is dropped where the service did not answer 101, or Floret has stopped meanwhile.
    pub fn hand_over(self, connection: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        // Whoever waited for it has gone: dropping it closes it.
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

/// A connection that will come.
pub(super) enum Pending {
    Hyper(OnUpgrade),
    Adapter(Coming),
}

impl Pending {
    /// What the host has put into the request.
    ///
    /// # Errors
    /// `Internal` when it has put nothing there.
    pub(super) fn of(extensions: &mut Extensions) -> Result<Self> {
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

    /// The connection, once the host has sent the 101.
    ///
    /// # Errors
    /// `Internal` when the host does not hand it over.
    pub(super) async fn connection(self) -> Result<Box<dyn Connection>> {
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
