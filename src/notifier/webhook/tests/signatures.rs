//! The signatures of requests, as the reference library of Standard Webhooks verifies them.

use http::HeaderMap;

use super::super::message::{body, headers, id};
use super::super::signature::SigningKey;
use super::receiver::{Answer, Receiver};
use super::{OLD_SECRET, SECRET, event, local};
use crate::clock::Clock;
use crate::notifier::Notifier;

fn verifies(secret: &str, body: &str, headers: &HeaderMap) -> bool {
    let verifier = standardwebhooks::Webhook::new(secret).unwrap();
    verifier.verify(body.as_bytes(), headers).is_ok()
}

#[test]
fn a_thousand_bodies_verify_with_both_secrets_of_a_rotation() {
    let keys = [SECRET, OLD_SECRET].map(|secret| SigningKey::new(secret).unwrap());
    let now = Clock::system().now();
    for seq in 0..1_000 {
        let mut event = event(seq);
        let letter = char::from_u32(u32::try_from(seq * 61).unwrap()).unwrap_or('\u{1f4a5}');
        event.error = Some(letter.to_string().repeat(usize::try_from(seq).unwrap()));
        let (id, body) = (id(&event), body(&event).unwrap());
        let signed = headers(&id, &body, &keys, now).unwrap();
        let signature = signed["webhook-signature"].to_str().unwrap();
        assert_eq!(signature.split(' ').count(), 2, "{signature}");
        assert!(
            signature.split(' ').all(|one| one.starts_with("v1,")),
            "{signature}"
        );
        for secret in [SECRET, OLD_SECRET] {
            assert!(verifies(secret, &body, &signed), "{body}");
        }
        let altered = body.replacen("daily", "other", 1);
        assert!(!verifies(SECRET, &altered, &signed), "{altered}");
    }
}

#[test]
fn the_signature_is_that_of_the_reference_library() {
    let verifier = standardwebhooks::Webhook::new(SECRET).unwrap();
    let key = SigningKey::new(SECRET).unwrap();
    let at = chrono::DateTime::from_timestamp(1_614_265_330, 0).unwrap();
    let signed = headers("msg_1", "{}", &[key], at).unwrap();
    let expected = verifier.sign("msg_1", 1_614_265_330, b"{}").unwrap();
    assert_eq!(signed["webhook-signature"], expected.as_str());
    assert_eq!(signed["webhook-timestamp"], "1614265330");
}

#[tokio::test]
async fn a_request_verifies_as_it_arrives_and_a_repeat_has_the_same_id() {
    let receiver = Receiver::start(Answer::status(204, "", "")).await;
    let webhook = local(receiver.port).secret(OLD_SECRET).build().unwrap();
    for seq in [7, 7, 8] {
        assert_eq!(webhook.notify(&event(seq)).await, Ok(()));
    }
    let received = receiver.received();
    for request in &received {
        assert_eq!(request.line, "POST /hooks/hunter2?token=hunter3 HTTP/1.1");
        assert_eq!(request.headers["content-type"], "application/json");
        assert_eq!(
            request.headers["host"],
            format!("127.0.0.1:{}", receiver.port)
        );
        for secret in [SECRET, OLD_SECRET] {
            assert!(
                verifies(secret, &request.body, &request.headers),
                "{request:?}"
            );
        }
    }
    let ids: Vec<_> = received
        .iter()
        .map(|it| &it.headers["webhook-id"])
        .collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    assert_eq!(received[0].body, body(&event(7)).unwrap());
}

#[tokio::test]
async fn a_message_for_slack_needs_no_secret() {
    let receiver = Receiver::start(Answer::status(200, "", "ok")).await;
    let url = format!("http://127.0.0.1:{}/services/T0/B0/x", receiver.port);
    let slack = super::Webhook::builder(url)
        .slack()
        .runs_url("https://console.example/runs");
    let webhook = slack.allow_http().allow_private().build().unwrap();
    assert_eq!(webhook.notify(&event(7)).await, Ok(()));
    let request = receiver.received().remove(0);
    assert!(!request.headers.contains_key("webhook-signature"));
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["text"], "daily failed");
    assert!(
        request.body.contains("https://console.example/runs/"),
        "{body}"
    );
}
