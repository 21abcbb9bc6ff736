//! Callers that leave before they are answered, and handles that are dropped.
//!
//! What is found afterwards by the next process is in `reopening`.

use super::*;

#[tokio::test]
async fn a_claim_whose_caller_has_left_is_released_uncharged() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let busy = Busy::new(&storage).await;
    let mut asked = Box::pin(claim(&storage, 1, 5));
    let is_pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx).is_pending()));
    assert!(is_pending.await);
    drop(asked);
    busy.release().await;
    // A later step was answered, so that the claim was too.
    storage.create_runs(create(2)).await.unwrap();
    let claims = claim(&storage, 2, 1).await;
    let claimed = &claims.claimed[0];
    assert_eq!(claimed.run.id, run_id(1));
    assert_eq!((claimed.epoch, claimed.claim_count), (2, 1));
}

#[tokio::test]
async fn a_claim_that_arrives_after_its_caller_has_left_is_released_too() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let mut asked = Box::pin(claim(&storage, 1, 5));
    let is_pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx).is_pending()));
    assert!(is_pending.await);
    // A later step was answered, so that the claim's answer lies in its channel.
    storage.create_runs(create(2)).await.unwrap();
    drop(asked);
    let claims = claim(&storage, 2, 5).await;
    let epochs: Vec<_> = claims.claimed.iter().map(|claimed| claimed.epoch).collect();
    assert_eq!(epochs, [2, 1]);
    assert!(
        claims
            .claimed
            .iter()
            .all(|claimed| claimed.claim_count == 1)
    );
}

#[tokio::test]
async fn a_step_whose_caller_has_left_is_done() {
    let (_dir, storage) = store().await;
    let busy = Busy::new(&storage).await;
    let mut asked = Box::pin(storage.create_runs(create(1)));
    let is_pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(asked.as_mut().poll(cx).is_pending()));
    assert!(is_pending.await);
    drop(asked);
    busy.release().await;
    storage.create_runs(create(2)).await.unwrap();
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
}

#[tokio::test]
async fn a_handle_that_is_dropped_loses_nothing_and_frees_the_file() {
    let (dir, storage) = store().await;
    for n in 1..=100 {
        storage.create_runs(create(n)).await.unwrap();
    }
    drop(storage);
    let again = open(dir.path()).await;
    assert_eq!(event_count(&again).await, 100);
    assert_eq!(again.newest_run().await.unwrap(), Some(run_id(100)));
}
