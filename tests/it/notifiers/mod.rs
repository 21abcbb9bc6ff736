//! Notifiers: each one receives every event that it wants, in order for each run, despite failures
//! and restarts.
//!
//! Real processes under `kill -9` are in `notifier_kills`.

mod absence;
mod blocking;
mod deaths;
mod faults;
mod order;
mod pager;
mod shutdowns;

use std::time::Duration;

use floret::testing::Step;
use floret::{Event, RunId};

use crate::harness::{Host, Store, World, chain};
use pager::Pager;

/// A world with a pipeline of two nodes, one of a single node, and a long timeout for notifiers.
fn world(store: Store) -> World {
    let mut world = World::quiet(store)
        .pipeline(chain("p", &["a", "b"]))
        .pipeline(chain("q", &["c"]));
    world.limits.notifier_timeout = Duration::from_secs(4 * 3_600);
    world.script.script("a", [Step::pass_on().logs("line")]);
    world
}

async fn start(world: &World, pager: &Pager) -> Host {
    let pager = pager.clone();
    world
        .start_with(|builder| builder.notifier("pager", pager))
        .await
}

/// Returns the sequence numbers of the events of a run.
fn seqs_of(events: &[Event], run: RunId) -> Vec<u64> {
    let events = events.iter().filter(|event| event.run_id == run);
    events.map(|event| event.seq).collect()
}
