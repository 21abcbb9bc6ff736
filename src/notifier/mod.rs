//! Who is told what happened: the trait that a host implements, and two notifiers that are ready.
//!
//! When an event is delivered, in which order and how often it is tried is left to `delivery`.

mod channel;
mod failure;
mod log;
mod registry;

pub use channel::{ChannelNotifier, Notifications};
pub use failure::NotifierError;
pub use log::LogNotifier;
pub(crate) use registry::Notifiers;

use async_trait::async_trait;

use crate::model::{Event, EventKind};

/// Brings events to somewhere else: a chat, a queue, a webhook.
///
/// Registered under a name ([`Builder::notifier`](crate::Builder::notifier)), which keeps its place over restarts. A new name begins with what happens from then on.
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
///         // Whoever must not act twice remembers `event.seq`.
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
    /// The events of one run come one at a time in the order of their numbers, those of different runs at the same time. An event MAY come again
    /// with the same `seq`. What takes longer than [`Limits::notifier_timeout`](crate::Limits) is dropped and counts as failed.
    ///
    /// It should not block its thread; what can only be had so belongs into `tokio::task::spawn_blocking`. One that blocks holds up its own events
    /// alone and takes one thread of the host's runtime, whatever is on its way: a runtime with a single thread stands still meanwhile. A shutdown
    /// leaves it behind once its grace is over.
    ///
    /// # Errors
    /// A [`NotifierError`]: after a retryable one it is tried again, later each time; after a permanent one, or too many, the event is given up
    /// as a dead letter. A panic counts as a retryable one.
    async fn notify(&self, event: &Event) -> Result<(), NotifierError>;

    /// Whether the event is delivered at all. Asked for every event, so it MUST be cheap, and it MUST answer the same each time.
    fn wants(&self, event: &Event) -> bool;
}

/// Which kinds of events are wanted.
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
