//! A notifier that sends each event as a signed request (Standard Webhooks), or as a message to
//! Slack.
//!
//! `delivery` decides when events are sent, and retries them.

mod address;
mod answer;
mod builder;
mod connection;
mod hook;
mod message;
mod resolver;
mod rules;
mod sender;
mod signature;
mod slack;
mod target;
#[cfg(test)]
mod tests;
mod tls;

pub use builder::WebhookBuilder;
pub(crate) use hook::HookClient;
pub use hook::HookPolicy;

use async_trait::async_trait;
use http::HeaderMap;

use self::sender::Sender;
use self::signature::SigningKey;
use self::target::Target;
use super::{Notifier, NotifierError, RetrySchedule, Wanted};
use crate::error::{LogSpan, log};
use crate::model::{Event, TraceParent};

/// Sends each event as a request to a URL, signed as [Standard Webhooks] defines it.
///
/// - `POST` with the body `{"type","timestamp","data"}`: the kind of the event, its time, and the
///   event itself, as `GET /events` shows it.
/// - `webhook-id` is the same for each try of an event. `webhook-timestamp` is the time of the try.
///   `webhook-signature` has an HMAC-SHA256 for each secret.
/// - `traceparent` continues the trace of the run, if its request named one
///   ([`Run::traceparent`](crate::Run::traceparent)). `tracestate` is not sent.
/// - Any answer of 2xx is success. Redirects are not followed. After an answer of 410, the
///   [notifier is disabled](NotifierError::gone). Any other failure is retried, ten times within
///   three days, and not before a `Retry-After` of the receiver.
/// - Requests go to public addresses over HTTPS alone, unless the builder allows others. The name
///   is looked up for each request, and the request goes to the very address that was checked.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::EventKind;
/// use floret::notifier::Webhook;
///
/// let hook = Webhook::builder("https://example.com/hooks/floret")
///     .secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
///     .events([EventKind::RunFailed])
///     .build()?;
/// let floret = floret::testing::memory().notifier("example", hook).start().await?;
/// # drop(floret);
/// # Ok(())
/// # }
/// ```
///
/// [Standard Webhooks]: https://www.standardwebhooks.com
#[derive(Debug, Clone)]
pub struct Webhook {
    target: Target,
    keys: Vec<SigningKey>,
    format: Format,
    wanted: Wanted,
    retries: RetrySchedule,
    sender: Sender,
}

/// What the requests say.
#[derive(Debug, Clone)]
enum Format {
    Standard,
    Slack { runs_url: Option<String> },
}

impl Webhook {
    /// Describes a webhook that sends to a URL.
    pub fn builder(url: impl Into<String>) -> WebhookBuilder {
        WebhookBuilder::new(url.into())
    }
}

/// Posts headers and a body about an event, as a part of the trace of its run, if it has one.
///
/// # Errors
/// Those of [`Sender::post`].
async fn post_in_trace(
    sender: &Sender,
    target: &Target,
    (mut headers, body): (HeaderMap, String),
    event: &Event,
) -> Result<(), NotifierError> {
    let Some(parent) = message::trace_parent(event) else {
        return sender.post(target, headers, body).await;
    };
    headers.extend([message::trace_header(parent)?]);
    let sent = sender.post(target, headers, body);
    trace_span(event, parent).instrument(sent).await
}

/// Returns the span of a request that continues a trace. Its parent is the span of the run.
fn trace_span(event: &Event, parent: TraceParent) -> LogSpan {
    log::info_span!(
        "webhook",
        run_id = %event.run_id,
        seq = event.seq,
        traceparent = %parent,
        parent_span_id = %parent.of_run(event.run_id).span_id()
    )
}

#[async_trait]
impl Notifier for Webhook {
    async fn notify(&self, event: &Event) -> Result<(), NotifierError> {
        let body = match &self.format {
            Format::Standard => message::body(event)?,
            Format::Slack { runs_url } => slack::body(event, runs_url.as_deref()),
        };
        let now = self.sender.connector.clock.now();
        let headers = message::headers(&message::id(event), &body, &self.keys, now)?;
        post_in_trace(&self.sender, &self.target, (headers, body), event).await
    }

    fn wants(&self, event: &Event) -> bool {
        self.wanted.includes(event.kind)
    }

    fn retries(&self) -> RetrySchedule {
        self.retries.clone()
    }
}
