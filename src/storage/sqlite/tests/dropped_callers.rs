//! Tests of callers that stop waiting for their result, and of dropped handles.
//!
//! `reopening` tests what the next process finds.

use super::*;

#[tokio::test]
async fn a_claim_of_a_dropped_caller_is_released_without_a_charge() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let busy = Busy::new(&storage).await;
    let mut call = Box::pin(claim(&storage, 1, 5));
    let is_pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending()));
    assert!(is_pending.await);
    drop(call);
    busy.release().await;
    // Steps are answered in order, so that the claim was answered before this one.
    storage.create_runs(create(2)).await.unwrap();
    let claims = claim(&storage, 2, 1).await;
    let claimed = &claims.claimed[0];
    assert_eq!(claimed.run.id, run_id(1));
    assert_eq!((claimed.epoch, claimed.claim_count), (2, 1));
}

#[tokio::test]
async fn a_claim_that_its_dropped_caller_never_received_is_released() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let mut call = Box::pin(claim(&storage, 1, 5));
    let is_pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending()));
    assert!(is_pending.await);
    // Steps are answered in order, so that the result of the claim is in its channel now.
    storage.create_runs(create(2)).await.unwrap();
    drop(call);
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
async fn a_step_of_a_dropped_caller_is_committed() {
    let (_dir, storage) = store().await;
    let busy = Busy::new(&storage).await;
    let mut call = Box::pin(storage.create_runs(create(1)));
    let is_pending =
        std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_pending()));
    assert!(is_pending.await);
    drop(call);
    busy.release().await;
    storage.create_runs(create(2)).await.unwrap();
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
}

#[tokio::test]
async fn a_dropped_handle_loses_nothing_and_frees_the_file() {
    let (dir, storage) = store().await;
    for n in 1..=100 {
        storage.create_runs(create(n)).await.unwrap();
    }
    drop(storage);
    let again = open(dir.path()).await;
    assert_eq!(event_count(&again).await, 100);
    assert_eq!(again.newest_run().await.unwrap(), Some(run_id(100)));
}
