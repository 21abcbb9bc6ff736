//! Distinguishes the end of the runtime from the end of a task.
//!
//! A host may drop its runtime without a shutdown. Its tasks are then dropped one by one, while
//! others are still polled: what these see is no result of a run.

use std::any::Any;

use tokio::task::JoinError;

/// Returns what a task returned, or the payload of its panic.
///
/// Never returns if the task was dropped before it ended. The engine aborts no such task, so the
/// runtime ends, and the next start continues the run.
pub(super) async fn joined<T>(task: Result<T, JoinError>) -> Result<T, Box<dyn Any + Send>> {
    match task.map_err(JoinError::try_into_panic) {
        Ok(returned) => Ok(returned),
        Err(Ok(payload)) => Err(payload),
        Err(Err(_)) => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    use super::*;
    use crate::error::panic_message;

    #[tokio::test]
    async fn a_result_and_a_panic_are_returned_and_a_dropped_task_is_not() {
        assert_eq!(
            joined(tokio::task::spawn_blocking(|| 7).await)
                .await
                .unwrap(),
            7
        );
        let panicked = tokio::task::spawn_blocking(|| panic!("broken")).await;
        let payload = joined(panicked).await.map(|()| 0).unwrap_err();
        assert_eq!(panic_message(payload), "broken");
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(std::future::pending::<()>()).abort();
        let dropped = tasks.join_next().await.unwrap();
        let mut ending = Box::pin(joined(dropped));
        let polled = poll_fn(|cx| Poll::Ready(ending.as_mut().poll(cx).is_pending()));
        assert!(polled.await);
    }
}
