//! Describes a webhook, and reports all problems of the description at once.
//!
//! What a webhook does is left to the other files.

use std::sync::Arc;
use std::time::Duration;

use super::connection::{Connector, Reachable};
use super::resolver::{Resolve, SystemResolver};
use super::rules::Allowed;
use super::sender::Sender;
use super::signature::SigningKey;
use super::target::{Scheme, Target};
use super::{Format, Webhook, tls};
use crate::clock::Clock;
use crate::error::{Error, Issue, Problem, Result};
use crate::model::EventKind;
use crate::notifier::{RetrySchedule, Wanted};
use crate::secret::Secret;

/// Secrets of a webhook. 4: a rotation needs two, and the header of more is long.
const SECRETS_MAX: usize = 4;
/// How long a request may take. 20 s: Standard Webhooks recommends 15 to 30.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);

/// The description of a [`Webhook`], from [`Webhook::builder`].
///
/// Its `Debug` shows neither a secret nor the path of the URL.
#[derive(Debug, Clone)]
#[must_use = "nothing is sent before it is built and registered"]
pub struct WebhookBuilder {
    url: Secret<String>,
    secrets: Vec<Secret<String>>,
    kinds: Vec<EventKind>,
    is_slack: bool,
    runs_url: Option<String>,
    allowed: Allowed,
    roots: Vec<Vec<u8>>,
    timeout: Duration,
    retries: RetrySchedule,
    clock: Clock,
}

impl WebhookBuilder {
    pub(super) fn new(url: String) -> Self {
        Self {
            url: Secret::new(url),
            secrets: Vec::new(),
            kinds: vec![
                EventKind::RunCompleted,
                EventKind::RunFailed,
                EventKind::RunCancelled,
            ],
            is_slack: false,
            runs_url: None,
            allowed: Allowed::default(),
            roots: Vec::new(),
            timeout: TIMEOUT,
            retries: RetrySchedule::standard_webhooks(),
            clock: Clock::system(),
        }
    }

    /// Adds a secret: `whsec_` and base64 of 24 to 64 bytes, which the receiver knows, too.
    ///
    /// Each request has a signature of each secret, at most four. To rotate a secret, add the new
    /// one, and remove the old one once the receiver knows the new one.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(Secret::new(secret.into()));
        self
    }

    /// Sends the events of these kinds. Without this call, these are the events of finished runs.
    pub fn events(mut self, kinds: impl IntoIterator<Item = EventKind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }

    /// Sends messages for an incoming webhook of Slack, which needs no secret.
    pub const fn slack(mut self) -> Self {
        self.is_slack = true;
        self
    }

    /// Sets the page of runs, to which messages for Slack link: the id of the run is added to it
    /// after a slash.
    pub fn runs_url(mut self, url: impl Into<String>) -> Self {
        self.runs_url = Some(url.into());
        self
    }

    /// Allows receivers in the own network: private, shared, loopback and unique local addresses.
    /// Link-local, multicast and reserved addresses stay refused, and so do those at which clouds
    /// hand out credentials.
    pub const fn allow_private(mut self) -> Self {
        self.allowed.reachable = Reachable::PublicAndPrivate;
        self
    }

    /// Allows a URL that begins with `http://`. Anybody on the way can read and change what it
    /// carries.
    pub const fn allow_http(mut self) -> Self {
        self.allowed.http = true;
        self
    }

    /// Trusts the authorities of a PEM text, beside those of this machine.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Sets how long a request may take, from the look-up of the name to the answer. 20 s.
    ///
    /// A shorter [`Limits::notifier_timeout`](crate::Limits) applies as well.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets when failed deliveries are retried. By default as
    /// [`RetrySchedule::standard_webhooks`] says.
    pub fn retries(mut self, retries: RetrySchedule) -> Self {
        self.retries = retries;
        self
    }

    /// Sets the clock of the timestamps and the timeouts. Tests set it.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Checks the description, and reads the certificates that this machine trusts.
    ///
    /// # Errors
    /// `Invalid` (`invalid-field`) with every problem. No text repeats a part of the URL or of a
    /// secret.
    pub fn build(self) -> Result<Webhook> {
        self.build_with(Arc::new(SystemResolver))
    }

    pub(super) fn build_with(self, resolver: Arc<dyn Resolve>) -> Result<Webhook> {
        let mut issues = Vec::new();
        let target = self.target(&mut issues);
        let keys = self.keys(&mut issues);
        self.check_runs_url(&mut issues);
        let is_https = target.as_ref().is_some_and(|it| it.scheme == Scheme::Https);
        let tls = is_https.then(|| tls::config(&self.roots)).transpose();
        let tls = tls.unwrap_or_else(|detail| {
            issues.push(Issue::pointer("/root_certificates", detail));
            None
        });
        let Some(target) = target.filter(|_| issues.is_empty()) else {
            return Err(Error::invalid(Problem::InvalidField, issues));
        };
        let format = if self.is_slack {
            Format::Slack {
                runs_url: self.runs_url,
            }
        } else {
            Format::Standard
        };
        let connector = Connector {
            resolver,
            reachable: self.allowed.reachable,
            clock: self.clock,
        };
        Ok(Webhook {
            target,
            keys,
            format,
            wanted: Wanted::Of(self.kinds),
            retries: self.retries,
            sender: Sender {
                connector,
                tls,
                timeout: self.timeout,
            },
        })
    }

    fn target(&self, issues: &mut Vec<Issue>) -> Option<Target> {
        let (target, faults) = self.allowed.target(self.url.expose());
        let faults = faults.into_iter();
        issues.extend(faults.map(|detail| Issue::pointer("/url", detail)));
        target
    }

    fn keys(&self, issues: &mut Vec<Issue>) -> Vec<SigningKey> {
        if self.secrets.is_empty() && !self.is_slack {
            let detail = "a webhook needs a secret, which signs its requests: whsec_ and base64";
            issues.push(Issue::pointer("/secrets", detail));
        }
        if self.secrets.len() > SECRETS_MAX {
            let detail = format!("a webhook has at most {SECRETS_MAX} secrets");
            issues.push(Issue::pointer("/secrets", detail));
        }
        let mut keys = Vec::new();
        for (index, secret) in self.secrets.iter().take(SECRETS_MAX).enumerate() {
            match SigningKey::new(secret.expose()) {
                Ok(key) => keys.push(key),
                Err(detail) => issues.push(Issue::pointer(format!("/secrets/{index}"), detail)),
            }
        }
        keys
    }

    fn check_runs_url(&self, issues: &mut Vec<Issue>) {
        let Some(url) = &self.runs_url else {
            return;
        };
        if let Err(detail) = Target::new(url) {
            issues.push(Issue::pointer("/runs_url", detail));
        }
    }
}
