//! Requests of the hooks of pipelines: what they carry, and where they may not lead.

use super::super::hook::{HookClient, HookPolicy};
use super::super::message::body;
use super::receiver::{Answer, Receiver};
use super::{SECRET, event};
use crate::clock::Clock;
use crate::secret::Secret;

fn client(policy: HookPolicy) -> HookClient {
    HookClient::new(policy, Clock::system()).unwrap()
}

fn local() -> HookPolicy {
    HookPolicy::default().allow_http().allow_private()
}

#[tokio::test]
async fn a_request_of_a_hook_is_signed_as_that_of_a_webhook() {
    let receiver = Receiver::start(Answer::status(200, "", "")).await;
    let client = client(local());
    let url = format!("http://127.0.0.1:{}/a?b=c", receiver.port);
    let secret = Secret::new(SECRET.to_owned());
    assert_eq!(client.send(&url, Some(&secret), &event(7)).await, Ok(()));
    assert_eq!(client.send(&url, None, &event(8)).await, Ok(()));
    let [signed, unsigned] = &receiver.received()[..] else {
        panic!("two requests");
    };
    assert_eq!(signed.line, "POST /a?b=c HTTP/1.1");
    assert_eq!(signed.body, body(&event(7)).unwrap());
    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    let verified = verifier.verify(signed.body.as_bytes(), &signed.headers);
    assert!(verified.is_ok(), "{signed:?}");
    assert_ne!(signed.headers["webhook-id"], unsigned.headers["webhook-id"]);
    assert!(!unsigned.headers.contains_key("webhook-signature"));
}

#[tokio::test]
async fn a_hook_reaches_no_receiver_that_is_not_allowed() {
    let receiver = Receiver::start(Answer::status(200, "", "")).await;
    let port = receiver.port;
    let http_only = HookPolicy::default().allow_http();
    for (policy, host) in [
        (HookPolicy::default(), "127.0.0.1"),
        (HookPolicy::default().allow_private(), "127.0.0.1"),
        (http_only.clone(), "127.0.0.1"),
        (http_only.clone(), "[::ffff:127.0.0.1]"),
        (http_only.clone(), "0x7f.1"),
        (http_only.clone(), "user@127.0.0.1"),
        (http_only, "localhost"),
    ] {
        let url = format!("http://{host}:{port}/hunter2");
        let error = client(policy)
            .send(&url, None, &event(7))
            .await
            .unwrap_err();
        assert!(!error.is_retryable(), "{host}: {error}");
        assert!(!error.message().contains("hunter2"), "{error}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn a_certificate_that_cannot_be_read_is_refused() {
    let policy = HookPolicy::default().root_certificates("no PEM");
    let refused = HookClient::new(policy, Clock::system()).unwrap_err();
    assert_eq!(refused.issues()[0].detail, "there is no certificate in it");
}
