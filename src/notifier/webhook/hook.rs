//! Sends events to the receivers that the hooks of pipelines name, within what the host allows.
//!
//! Which hook an event calls is decided in the module `hooks`.

use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio_rustls::rustls::ClientConfig;

use super::builder::TIMEOUT;
use super::connection::{Connector, Reachable};
use super::resolver::SystemResolver;
use super::rules::Allowed;
use super::sender::Sender;
use super::signature::SigningKey;
use super::target::{Scheme, Target};
use super::{message, post_in_trace, tls};
use crate::clock::Clock;
use crate::error::{Error, Issue, Problem, Result};
use crate::model::Event;
use crate::notifier::NotifierError;
use crate::secret::Secret;

/// Which receivers the hooks of pipelines may name. [`Builder::hooks`](crate::Builder::hooks) sets
/// it.
///
/// By default, these are public addresses over HTTPS alone, as for a
/// [`Webhook`](super::Webhook): a caller who may save a pipeline chooses the URL.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// # use floret::{executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// use floret::notifier::HookPolicy;
/// use floret::{Hook, Pipeline};
///
/// let inner = || Hook::webhook("https://10.0.0.7/hooks");
/// let daily = || Pipeline::new("daily").node("load", "load").on_failure(inner());
/// let refused = memory().node("load", load).pipeline(daily()).start().await.unwrap_err();
/// assert!(refused.to_string().contains("a private address"));
///
/// let policy = HookPolicy::default().allow_private();
/// let floret = memory().node("load", load).pipeline(daily()).hooks(policy).start().await?;
/// # drop(floret);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "it has no effect before a builder has it"]
pub struct HookPolicy {
    allowed: Allowed,
    roots: Vec<Vec<u8>>,
}

impl HookPolicy {
    /// Allows receivers in the own network, as
    /// [`WebhookBuilder::allow_private`](super::WebhookBuilder::allow_private) does.
    pub const fn allow_private(mut self) -> Self {
        self.allowed.reachable = Reachable::PublicAndPrivate;
        self
    }

    /// Allows URLs that begin with `http://`. Anybody on the way can read and change what they
    /// carry.
    pub const fn allow_http(mut self) -> Self {
        self.allowed.http = true;
        self
    }

    /// Trusts the authorities of a PEM text, beside those of this machine.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }
}

/// Sends events to the receivers of hooks. Clones share the certificates.
#[derive(Debug, Clone)]
pub(crate) struct HookClient {
    allowed: Allowed,
    roots: Arc<Vec<Vec<u8>>>,
    connector: Connector,
    // Read at the first request over HTTPS, so that a host without hooks reads no certificate.
    tls: Arc<OnceCell<Arc<ClientConfig>>>,
}

impl HookClient {
    /// Creates a client.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) if a certificate of the policy cannot be read.
    pub(crate) fn new(policy: HookPolicy, clock: Clock) -> Result<Self> {
        let HookPolicy { allowed, roots } = policy;
        let tls = if roots.is_empty() {
            OnceCell::new()
        } else {
            let config = tls::config(&roots).map_err(|detail| {
                let issues = vec![Issue::pointer("/root_certificates", detail)];
                Error::invalid(Problem::InvalidField, issues)
            })?;
            OnceCell::new_with(Some(config))
        };
        Ok(Self {
            connector: Connector {
                resolver: Arc::new(SystemResolver),
                reachable: allowed.reachable,
                clock,
            },
            allowed,
            roots: Arc::new(roots),
            tls: Arc::new(tls),
        })
    }

    /// Returns what is wrong with a URL. No text repeats a part of it.
    pub(crate) fn url_faults(&self, url: &str) -> Vec<String> {
        self.allowed.target(url).1
    }

    /// Returns the host of a URL with its port, or nothing for what is no URL.
    pub(crate) fn host(&self, url: &str) -> String {
        let target = self.allowed.target(url).0;
        target.map(|target| target.authority()).unwrap_or_default()
    }

    /// Returns what is wrong with a secret. The text repeats no part of it.
    pub(crate) fn secret_fault(secret: &str) -> Option<&'static str> {
        SigningKey::new(secret).err()
    }

    /// Sends an event to a URL, signed if there is a secret.
    ///
    /// # Errors
    /// Returns a permanent error if the URL or the secret is not allowed, and that of
    /// [`Sender::post`].
    pub(crate) async fn send(
        &self,
        url: &str,
        secret: Option<&Secret<String>>,
        event: &Event,
    ) -> Result<(), NotifierError> {
        let (target, faults) = self.allowed.target(url);
        let target = target.filter(|_| faults.is_empty());
        let target = target.ok_or_else(|| NotifierError::permanent(faults.join("; ")))?;
        let key = secret.map(|secret| SigningKey::new(secret.expose()));
        let key = key.transpose().map_err(NotifierError::permanent)?;
        let body = message::body(event)?;
        let keys: Vec<_> = key.into_iter().collect();
        let now = self.connector.clock.now();
        let headers = message::headers(&message::id(event), &body, &keys, now)?;
        let sender = Sender {
            connector: self.connector.clone(),
            tls: self.tls_for(&target).await?,
            timeout: TIMEOUT,
        };
        post_in_trace(&sender, &target, (headers, body), event).await
    }

    async fn tls_for(&self, target: &Target) -> Result<Option<Arc<ClientConfig>>, NotifierError> {
        if target.scheme == Scheme::Http {
            return Ok(None);
        }
        let read = async {
            let roots = Arc::clone(&self.roots);
            tokio::task::spawn_blocking(move || tls::config(&roots))
                .await
                .map_err(NotifierError::from)?
                .map_err(NotifierError::retryable)
        };
        self.tls.get_or_try_init(|| read).await.cloned().map(Some)
    }
}
