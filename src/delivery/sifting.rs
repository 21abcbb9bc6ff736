//! Asks a notifier which events of a page it wants, with exclusive access to its code.
//!
//! `worker` reads the pages and goes on meanwhile.

use std::sync::Arc;

use super::exclusive::Exclusive;
use super::stopwatch::Stopwatch;
use crate::error::catch_panic_in;
use crate::model::Event;
use crate::notifier::Notifier;

/// The events of a page that a notifier wants, and the number up to which the page reaches.
pub(super) struct SiftedPage {
    pub(super) wanted: Vec<Event>,
    pub(super) read_to: u64,
}

/// Asks the notifier about each event of a page that reaches up to `read_to`.
pub(super) async fn sift(
    notifier: Arc<dyn Notifier>,
    exclusive: Exclusive,
    stopwatch: Stopwatch,
    (mut events, read_to): (Vec<Event>, u64),
) -> SiftedPage {
    let sifting = async move {
        // A notifier that panics here panics again in the attempt, where it counts as a failed try.
        events.retain(|event| catch_panic_in(|| notifier.wants(event)).unwrap_or(true));
        SiftedPage {
            wanted: events,
            read_to,
        }
    };
    exclusive.run(stopwatch, sifting).await
}
