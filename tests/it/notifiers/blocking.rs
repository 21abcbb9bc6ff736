//! A notifier whose code blocks its thread, on a host with two of them: it holds up nothing but
//! itself.

use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use floret::notifier::{Notifier, NotifierError};
use floret::{Event, RunStatus};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::pager::Pager;
use super::{seqs_of, turn_until, world};
use crate::harness::{Host, Store, World};

on_every_backend! {
    one_that_blocks_its_thread_holds_up_nothing_else,
    one_that_blocks_its_thread_does_not_hold_up_a_shutdown,
}

const TIMEOUT: Duration = Duration::from_secs(30);

/// Blocks whatever thread brings it an event, until it is let go.
struct Blocks {
    let_go: Mutex<mpsc::Receiver<()>>,
    begun: watch::Sender<usize>,
}

/// Lets it go when it is dropped.
struct Hold {
    _let_go: mpsc::Sender<()>,
    begun: watch::Receiver<usize>,
}

fn blocking() -> (Blocks, Hold) {
    let (hold, let_go) = mpsc::channel();
    let (begun, begins) = watch::channel(0);
    let blocks = Blocks {
        let_go: Mutex::new(let_go),
        begun,
    };
    let hold = Hold {
        _let_go: hold,
        begun: begins,
    };
    (blocks, hold)
}

#[async_trait]
impl Notifier for Blocks {
    async fn notify(&self, _: &Event) -> Result<(), NotifierError> {
        self.begun.send_modify(|count| *count += 1);
        // An end of the channel is the sign.
        let _ = self.let_go.lock().recv();
        Ok(())
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind.is_terminal()
    }
}

/// A host with one that blocks and one that does not, once the first blocks.
async fn blocked(world: &World) -> (Host, Pager, Hold) {
    let (blocks, mut hold) = blocking();
    let healthy = Pager::new(world.clock.clock());
    let own = healthy.clone();
    let host = world
        .start_with(|builder| builder.notifier("blocks", blocks).notifier("healthy", own))
        .await;
    host.run("p").await;
    hold.begun.wait_for(|count| *count == 1).await.unwrap();
    (host, healthy, hold)
}

async fn one_that_blocks_its_thread_holds_up_nothing_else(store: Store) {
    let mut world = world(store);
    world.limits.notifier_timeout = TIMEOUT;
    let (host, healthy, hold) = blocked(&world).await;
    for _ in 0..3 {
        for _ in 0..5 {
            let other = host.run("q").await.run;
            assert_eq!(other.status, RunStatus::Success);
            healthy.ended(other.id).await;
            let stored = host.events_of(other.id).await;
            assert_eq!(
                seqs_of(&healthy.got(), other.id),
                seqs_of(&stored, other.id)
            );
        }
        // Its time is over, and it is tried again, with all that has gathered.
        world.clock.advance(TIMEOUT);
        for _ in 0..4 {
            world.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    }
    // One call: what comes later does not take further threads.
    assert_eq!(*hold.begun.borrow(), 1);
    let mut begun = hold.begun.clone();
    drop(hold);
    turn_until(&world, TIMEOUT, begun.wait_for(|count| *count > 15))
        .await
        .unwrap();
}

async fn one_that_blocks_its_thread_does_not_hold_up_a_shutdown(store: Store) {
    const GRACE: Duration = Duration::from_secs(10);
    let world = world(store);
    let (host, healthy, hold) = blocked(&world).await;
    let run = host.run("q").await.run.id;
    healthy.ended(run).await;
    let before = world.clock.clock().elapsed();
    let stopped = turn_until(&world, GRACE, host.floret.shutdown(GRACE)).await;
    stopped.unwrap();
    let took = world.clock.clock().elapsed().saturating_sub(before);
    // Once for the engine, once for the delivery.
    let most = GRACE + world.limits.stop_grace * 2;
    assert!(took <= most, "{took:?}");
    drop(hold);
    host.crash().await;
}
