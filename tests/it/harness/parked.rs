//! Dead letters of a notifier that is not registered, so that nothing but a test changes them.

use floret::RunId;
use floret::storage::{Deliveries, EventFilter, Events, ParkedEvent, PutDeliveries};

/// Parks an event of a run as a dead letter: the first, the second and so on, from 0. Returns the
/// id of its delivery.
pub(crate) async fn park_dead_letter(
    storage: &(impl Deliveries + Events),
    notifier: &str,
    run: RunId,
    nth: usize,
) -> String {
    let mut of_run = EventFilter::default();
    of_run.run = Some(run);
    let event = storage
        .events(of_run, 0, 100)
        .await
        .unwrap()
        .events
        .remove(nth);
    let newest = storage.newest_seq().await.unwrap();
    let mut put = PutDeliveries::new(notifier.to_owned(), newest, event.timestamp);
    let mut parked = ParkedEvent::new(run, event.seq, event.timestamp);
    (parked.tries, parked.is_dead) = (3, true);
    put.parked = vec![parked];
    storage.put_deliveries(put).await.unwrap();
    format!("{notifier}.{}", event.seq)
}
