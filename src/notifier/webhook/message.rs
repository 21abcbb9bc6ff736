//! The message of an event: the body and the headers of Standard Webhooks.
//!
//! Its signature is left to `signature`.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

use super::signature::{SigningKey, signatures};
use crate::model::{Event, EventKind, TraceParent, rfc3339};
use crate::notifier::NotifierError;

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

#[derive(Serialize)]
struct Message<'a> {
    r#type: EventKind,
    #[serde(serialize_with = "rfc3339::serialize")]
    timestamp: DateTime<Utc>,
    data: &'a Event,
}

/// Returns the body: the kind and the time of the event, and the event as the API shows it.
///
/// # Errors
/// Returns an error of the serializer, which no event causes.
pub(super) fn body(event: &Event) -> Result<String, serde_json::Error> {
    let message = Message {
        r#type: event.kind,
        timestamp: event.timestamp,
        data: event,
    };
    serde_json::to_string(&message)
}

/// Returns the id of a message. It is the same for each try, and no two events of any Floret share
/// one.
pub(super) fn id(event: &Event) -> String {
    format!("evt_{}_{}", event.run_id.as_uuid().simple(), event.seq)
}

/// Returns the place of the request about an event in the distributed trace of its run.
///
/// It is the same for each try.
pub(super) fn trace_parent(event: &Event) -> Option<TraceParent> {
    let parent = event.traceparent?;
    Some(parent.of_event(event.run_id, event.seq))
}

/// Returns the header that continues a trace.
///
/// # Errors
/// Returns an error if the text is not printable, which no traceparent causes.
pub(super) fn trace_header(
    parent: TraceParent,
) -> Result<(HeaderName, HeaderValue), NotifierError> {
    Ok((TRACEPARENT, HeaderValue::try_from(parent.to_string())?))
}

/// Returns the headers that identify and sign a body at a time.
///
/// # Errors
/// Returns an error if the id is not printable.
pub(crate) fn headers(
    id: &str,
    body: &str,
    keys: &[SigningKey],
    now: DateTime<Utc>,
) -> Result<HeaderMap, NotifierError> {
    let seconds = now.timestamp();
    let mut headers = HeaderMap::from_iter([
        (ID, HeaderValue::try_from(id)?),
        (TIMESTAMP, HeaderValue::from(seconds)),
    ]);
    if !keys.is_empty() {
        let signed = signatures(keys, id, seconds, body);
        headers.insert(SIGNATURE, HeaderValue::try_from(signed)?);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::contract::fixtures::{at, node_id, pipeline_id, run_id};

    #[test]
    fn the_body_has_the_kind_the_time_and_the_event() {
        let mut event = Event::new(
            7,
            EventKind::NodeFailed,
            run_id(1),
            pipeline_id("daily"),
            at(0),
        );
        event.node_id = Some(node_id("load"));
        event.error = Some("no disk".to_owned());
        let body: serde_json::Value = serde_json::from_str(&body(&event).unwrap()).unwrap();
        let expected = serde_json::json!({
            "type": "node.failed",
            "timestamp": rfc3339::text(&at(0)),
            "data": serde_json::to_value(&event).unwrap(),
        });
        assert_eq!(body, expected);
        assert_eq!(body["data"]["seq"], 7);
    }

    #[test]
    fn a_message_keeps_its_id_and_changes_its_signature_with_the_time() {
        let event = Event::new(7, EventKind::Log, run_id(1), pipeline_id("daily"), at(0));
        let id = id(&event);
        assert!(
            id.starts_with("evt_") && id.ends_with("_7") && !id.contains('.'),
            "{id}"
        );
        let key = SigningKey::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let [one, two] = [1, 2]
            .map(|second| headers(&id, "{}", std::slice::from_ref(&key), at(second)).unwrap());
        assert_eq!(one[ID], two[ID]);
        assert_eq!(one[TIMESTAMP], at(1).timestamp().to_string().as_str());
        assert_ne!(one[SIGNATURE], two[SIGNATURE]);
        assert!(
            !headers(&id, "{}", &[], at(1))
                .unwrap()
                .contains_key(SIGNATURE)
        );
    }
}
