//! Notifiers: the trait that a host implements, and the built-in notifiers.
//!
//! `delivery` decides when and in which order events are delivered, and retries them.

mod awakening;
mod channel;
mod failure;
mod log;
mod registry;
mod requests;
mod retries;
#[cfg(feature = "webhook")]
mod webhook;

pub(crate) use awakening::Awakening;
pub use channel::{ChannelNotifier, Notifications};
pub use failure::NotifierError;
pub use log::LogNotifier;
pub(crate) use registry::Notifiers;
pub(crate) use requests::RetryRequests;
pub use retries::RetrySchedule;
#[cfg(feature = "webhook")]
pub(crate) use webhook::HookClient;
#[cfg(feature = "webhook")]
pub use webhook::{HookPolicy, Webhook, WebhookBuilder};

use async_trait::async_trait;

use crate::model::{Event, EventKind};

/// Sends events to another system: a chat, a queue, a webhook.
///
/// A notifier is registered under a name ([`Builder::notifier`](crate::Builder::notifier)). The
/// cursor of the name is stored across restarts. A new name starts with the events after its
/// registration.
///
/// ```
/// use floret::notifier::{Notifier, NotifierError};
/// use floret::{Event, EventKind};
///
/// struct Pager;
///
/// #[async_trait::async_trait]
/// impl Notifier for Pager {
///     async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
///         // An event may arrive twice: `event.seq` identifies it.
///         let text = format!("run {} failed", event.run_id);
///         page(&text).await?;
///         Ok(())
///     }
///
///     fn wants(&self, event: &Event) -> bool {
///         event.kind == EventKind::RunFailed
///     }
/// }
/// # async fn page(_: &str) -> std::io::Result<()> { Ok(()) }
/// ```
#[async_trait]
pub trait Notifier: Send + Sync + 'static {
    /// Delivers one event.
    ///
    /// Events of one run arrive one at a time, in the order of their numbers. Events of different
    /// runs arrive concurrently. An event MAY arrive again with the same `seq`. A call that takes
    /// longer than [`Limits::notifier_timeout`](crate::Limits) is dropped and counts as failed. The
    /// time during which another call of this notifier blocks its thread does not count.
    ///
    /// It should not block its thread: blocking calls belong in `tokio::task::spawn_blocking`. A
    /// notifier that blocks delays only its own events and takes one thread of the host's runtime.
    /// A runtime with a single thread stops meanwhile. A shutdown abandons the call when its grace
    /// period is over.
    ///
    /// # Errors
    /// Returns a [`NotifierError`]. A retryable one is retried as [`Notifier::retries`] says. After
    /// a permanent one, or too many tries, the event becomes a dead letter. After one of a receiver
    /// that is [gone](NotifierError::gone), all events do. A panic counts as a retryable error.
    async fn notify(&self, event: &Event) -> Result<(), NotifierError>;

    /// Returns whether the notifier wants this event.
    ///
    /// It is called for every event, so it MUST be cheap. It MUST always return the same for an
    /// event. No other code of this notifier runs at the same time.
    fn wants(&self, event: &Event) -> bool;

    /// Returns when a failed delivery is retried. It is called once, at the start.
    ///
    /// By default, the delays double, from [`Limits::notifier_delay`](crate::Limits) to
    /// `notifier_delay_max`, for `notifier_tries_max` tries: about an hour.
    fn retries(&self) -> RetrySchedule {
        RetrySchedule::default()
    }
}

/// Which kinds of events a notifier wants.
#[derive(Debug, Clone)]
enum Wanted {
    Any,
    Of(Vec<EventKind>),
}

impl Wanted {
    fn includes(&self, kind: EventKind) -> bool {
        match self {
            Self::Any => true,
            Self::Of(kinds) => kinds.contains(&kind),
        }
    }
}
