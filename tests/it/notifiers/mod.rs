//! Notifiers: every event that one wants reaches it, in order a run, whatever it does and whenever
//! Floret stops.
//!
//! Real processes under `kill -9` are in `notifier_kills`.

mod absence;
mod blocking;
mod deaths;
mod faults;
mod order;
mod pager;
mod stops;

use std::time::Duration;

use floret::testing::Step;
use floret::{Event, RunId};

use crate::harness::{Host, Store, World, chain};
use pager::Pager;

/// Two pipelines of two nodes each; a notifier may take as long as it likes.
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

/// The numbers of a run's events.
fn seqs_of(events: &[Event], run: RunId) -> Vec<u64> {
    let own = events.iter().filter(|event| event.run_id == run);
    own.map(|event| event.seq).collect()
}

/// Turns the clock from one sleeper to the next, those within `bound`, until the future ends.
async fn turn_until<T>(world: &World, bound: Duration, future: impl Future<Output = T>) -> T {
    tokio::pin!(future);
    loop {
        tokio::select! {
            biased;
            output = &mut future => return output,
            _ = world.turn_within(bound) => {}
        }
    }
}
