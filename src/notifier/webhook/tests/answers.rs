//! What a webhook makes of each answer: of statuses, of redirects, of receivers that never end,
//! never answer or speak another language.

use std::time::Duration;

use super::receiver::{Answer, Receiver};
use super::{event, local};
use crate::notifier::{Notifier, NotifierError};
use crate::testing::ManualClock;
use crate::testing::contract::fixtures::at;

/// Returns the outcome of a delivery to a receiver with this answer.
async fn deliver(answer: Answer) -> Result<(), NotifierError> {
    let receiver = Receiver::start(answer).await;
    let outcome = local(receiver.port)
        .build()
        .unwrap()
        .notify(&event(7))
        .await;
    assert_eq!(receiver.connections(), 1);
    outcome
}

#[tokio::test]
async fn only_2xx_delivers_and_410_means_gone() {
    for status in [200, 201, 202, 204, 299] {
        let answer = Answer::status(status, "", "");
        assert_eq!(deliver(answer).await, Ok(()), "{status}");
    }
    for status in [300, 304, 400, 401, 404, 408, 410, 422, 429, 500, 503] {
        let error = deliver(Answer::status(status, "", "no\u{1b}[31m"))
            .await
            .unwrap_err();
        assert!(error.message().contains(&status.to_string()), "{error}");
        assert!(!error.message().contains('\u{1b}'), "{error}");
        assert_eq!(error.is_gone(), status == 410, "{error}");
        assert_eq!(error.is_retryable(), status != 410, "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let inner = Receiver::start(Answer::status(200, "", "")).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!(
            "location: http://127.0.0.1:{}/latest?token=hunter4\r\n",
            inner.port
        );
        let error = deliver(Answer::status(status, &location, ""))
            .await
            .unwrap_err();
        let expected = format!("it redirects to http://127.0.0.1:{}/latest,", inner.port);
        assert!(error.message().contains(&expected), "{error}");
        assert!(!error.message().contains("hunter4"), "{error}");
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn a_receiver_delays_the_retry() {
    let answer = Answer::status(429, "retry-after: 90\r\n", "slow down");
    let error = deliver(answer).await.unwrap_err();
    assert_eq!(error.delay_min(), Duration::from_secs(90));
    assert_eq!(error.message(), "the receiver answered 429: slow down");
}

#[tokio::test]
async fn an_endless_answer_is_read_to_a_bound() {
    let head = "HTTP/1.1 500 It\r\ncontent-length: 1073741824\r\n\r\n";
    let chunked = "HTTP/1.1 500 It\r\ntransfer-encoding: chunked\r\n\r\n40000000\r\n";
    let endless_head = "HTTP/1.1 200 It\r\nx: ";
    for head in [head, chunked, endless_head] {
        let receiver = Receiver::start(Answer::Endless(head.to_owned())).await;
        let webhook = local(receiver.port).build().unwrap();
        let error = webhook.notify(&event(7)).await.unwrap_err();
        assert!(error.message().chars().count() < 400, "{error}");
        // What the buffers of both sockets hold was taken, too.
        assert!(receiver.taken() < 64 << 20, "{}", receiver.taken());
    }
}

#[tokio::test]
async fn a_success_with_an_endless_body_is_a_success() {
    let head = "HTTP/1.1 200 It\r\ncontent-length: 1073741824\r\n\r\n";
    assert_eq!(deliver(Answer::Endless(head.to_owned())).await, Ok(()));
}

#[tokio::test]
async fn a_receiver_that_does_not_speak_http_fails() {
    for bytes in [
        "",
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/1.1 2000 It\r\n\r\n",
        "HTTP/1.1 200",
    ] {
        let error = deliver(Answer::Bytes(bytes.to_owned())).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert!(
            error
                .message()
                .starts_with("no answer from http://127.0.0.1:"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_fails_after_the_timeout() {
    let receiver = Receiver::start(Answer::Hang).await;
    let manual = ManualClock::new(at(0));
    let webhook = local(receiver.port).clock(manual.clock()).build().unwrap();
    let event = event(7);
    let mut notifying = webhook.notify(&event);
    // The request has arrived, so nothing but the whole time is left to pass.
    while receiver.received().is_empty() {
        tokio::select! {
            biased;
            outcome = &mut notifying => panic!("{outcome:?} before the timeout"),
            () = tokio::task::yield_now() => {}
        }
    }
    manual.advance(Duration::from_secs(20));
    let error = notifying.await.unwrap_err();
    assert!(
        error.is_retryable() && error.message().contains("did not answer within 20s"),
        "{error}"
    );
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_fails() {
    let receiver = Receiver::start(Answer::Hang).await;
    let port = receiver.port;
    drop(receiver);
    // The listener is closed once its task has ended.
    let webhook = local(port).build().unwrap();
    let error = loop {
        match webhook.notify(&event(7)).await {
            Err(error) if error.message().starts_with("cannot connect") => break error,
            Ok(()) | Err(_) => tokio::task::yield_now().await,
        }
    };
    assert!(error.is_retryable(), "{error}");
}

#[tokio::test]
async fn no_error_shows_the_path_of_the_url_or_a_secret() {
    for answer in [
        Answer::status(500, "", "no"),
        Answer::status(410, "", ""),
        Answer::status(302, "", ""),
        Answer::Bytes(String::new()),
    ] {
        let error = deliver(answer).await.unwrap_err();
        for hidden in ["hunter2", "hunter3", "whsec", "MfKQ9r8"] {
            assert!(!format!("{error:?}").contains(hidden), "{error:?}");
        }
    }
    let builder = local(80);
    let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
    for hidden in ["hunter2", "hunter3", "whsec", "MfKQ9r8"] {
        assert!(!shown.contains(hidden), "{shown}");
    }
}
