//! Tests of the bounds of a read: the rows that it examines, its time, and a caller that leaves.
//!
//! What a page returns is in the contract.

use std::task::Poll;
use std::time::Duration;

use super::*;
use crate::model::EventKind;
use crate::storage::rules::EVENTS_EXAMINED_MAX;

/// A query that never ends.
const ENDLESS: &str =
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c";

async fn read_endlessly(storage: &SqliteStorage, signal: oneshot::Sender<()>) -> Result<i64> {
    let read = |reader: &Reader| {
        signal.send(()).unwrap();
        let found = reader.row(ENDLESS, [], |row| Ok(row.get(0)?))?;
        Ok(found.unwrap_or(0))
    };
    storage.read(read).await
}

#[tokio::test]
async fn a_read_that_takes_too_long_fails_and_the_next_one_succeeds() {
    let timeout = Duration::from_millis(20);
    let options = SqliteOptions::default().readers_max(1);
    let (_dir, storage) = store_with(options.read_timeout(timeout)).await;
    let (signal, _started) = oneshot::channel();
    let error = read_endlessly(&storage, signal).await.unwrap_err();
    assert_eq!(error.problem(), Problem::StorageBusy);
    assert!(storage.stats(&Scope::All).await.is_ok());
}

#[tokio::test]
async fn a_read_ends_once_its_caller_has_left() {
    let options = SqliteOptions::default().readers_max(1);
    let timeout = Duration::from_secs(1_000_000);
    let (_dir, storage) = store_with(options.read_timeout(timeout)).await;
    let (signal, started) = oneshot::channel();
    let mut reading = Box::pin(read_endlessly(&storage, signal));
    let is_pending = std::future::poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx).is_pending()));
    assert!(is_pending.await);
    started.await.unwrap();
    drop(reading);
    // The only reader is free again.
    assert!(storage.stats(&Scope::All).await.is_ok());
}

#[tokio::test]
async fn a_filtered_read_examines_a_bounded_number_of_rows() {
    let (_dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    let rows = i64::try_from(EVENTS_EXAMINED_MAX).unwrap() * 3;
    let step = move |tx: &mut Tx| {
        tx.write(
            "INSERT INTO journal (seq, run, n, body) \
             WITH RECURSIVE c(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM c WHERE n < ?) \
             SELECT n, 1, 1, '[{\"type\":\"log\",\"level\":\"info\",\"message\":\"m\",\"at\":1}]' FROM c",
            [rows],
        )?;
        tx.state.next_seq = rows + 1;
        Ok(())
    };
    storage.step(step).await.unwrap();
    storage.create_runs(create(2)).await.unwrap();
    let filter = EventFilter {
        kinds: vec![EventKind::RunCreated],
        ..EventFilter::default()
    };
    let newest = storage.newest_seq().await.unwrap();
    let (mut found, mut after, mut pages) = (Vec::new(), 0, 0);
    while after < newest {
        let page = storage.events(filter.clone(), after, 10).await.unwrap();
        let examined = usize::try_from(page.up_to - after).unwrap();
        assert!(examined <= EVENTS_EXAMINED_MAX + 512, "{examined}");
        found.extend(page.events.iter().map(|event| event.run_id));
        (after, pages) = (page.up_to, pages + 1);
    }
    assert_eq!((found, pages), (vec![run_id(1), run_id(2)], 4));
}
