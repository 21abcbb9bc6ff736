//! A notifier that blocks its thread, on a host with two threads, delays only itself.
//!
//! Notifiers that hang without blocking are in `faults`.

use std::sync::mpsc;
use std::time::Duration;

use async_trait::async_trait;
use floret::notifier::{Notifier, NotifierError};
use floret::{Event, RunStatus};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::pager::Pager;
use super::{seqs_of, world};
use crate::harness::{Host, Store, World};

on_every_backend! {
    a_notifier_that_blocks_its_thread_delays_nothing_else,
    a_notifier_that_blocks_its_thread_does_not_delay_a_shutdown,
    a_notifier_that_blocks_when_it_is_asked_delays_nothing_else,
    the_wait_for_a_blocked_notifier_is_no_time_out,
}

const TIMEOUT: Duration = Duration::from_secs(30);

/// A notifier that blocks the thread of each delivery until it is released.
struct BlockingNotifier {
    release: Mutex<mpsc::Receiver<()>>,
    started: watch::Sender<usize>,
}

/// Releases the notifier on drop.
struct Hold {
    _release: mpsc::Sender<()>,
    started: watch::Receiver<usize>,
}

fn blocking() -> (BlockingNotifier, Hold) {
    let (hold, release) = mpsc::channel();
    let (started, starts) = watch::channel(0);
    let blocks = BlockingNotifier {
        release: Mutex::new(release),
        started,
    };
    let hold = Hold {
        _release: hold,
        started: starts,
    };
    (blocks, hold)
}

#[async_trait]
impl Notifier for BlockingNotifier {
    async fn notify(&self, _: &Event) -> Result<(), NotifierError> {
        self.started.send_modify(|count| *count += 1);
        // The channel closes when the notifier is released.
        let _ = self.release.lock().recv();
        Ok(())
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind.is_terminal()
    }
}

/// Starts a host with a blocking and a healthy notifier, and waits until the first one blocks.
async fn blocked(world: &World) -> (Host, Pager, Hold) {
    let (blocks, mut hold) = blocking();
    let healthy = Pager::new(world.clock.clock());
    let registered = healthy.clone();
    let host = world
        .start_with(|builder| {
            builder
                .notifier("blocks", blocks)
                .notifier("healthy", registered)
        })
        .await;
    host.run("p").await;
    hold.started.wait_for(|count| *count == 1).await.unwrap();
    (host, healthy, hold)
}

async fn a_notifier_that_blocks_its_thread_delays_nothing_else(store: Store) {
    let mut world = world(store);
    world.limits.notifier_timeout = TIMEOUT;
    let (host, healthy, hold) = blocked(&world).await;
    for _ in 0..3 {
        for _ in 0..5 {
            let other = host.run("q").await.run;
            assert_eq!(other.status, RunStatus::Success);
            healthy.received_run(other.id).await;
            let stored = host.events_of(other.id).await;
            assert_eq!(
                seqs_of(&healthy.received(), other.id),
                seqs_of(&stored, other.id)
            );
        }
        // The attempt times out, and a retry is due together with the events that have accumulated.
        world.clock.advance(TIMEOUT);
        for _ in 0..4 {
            world.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
    }
    // Only one call was made: later events occupy no further threads.
    assert_eq!(*hold.started.borrow(), 1);
    let mut started = hold.started.clone();
    drop(hold);
    world
        .advance_until(TIMEOUT, started.wait_for(|count| *count > 15))
        .await
        .unwrap();
}

/// A notifier that blocks its thread when it is asked whether it wants an event.
struct BlocksWhenAsked(BlockingNotifier);

#[async_trait]
impl Notifier for BlocksWhenAsked {
    async fn notify(&self, _: &Event) -> Result<(), NotifierError> {
        Ok(())
    }

    fn wants(&self, _: &Event) -> bool {
        self.0.started.send_modify(|count| *count += 1);
        // The channel closes when the notifier is released.
        let _ = self.0.release.lock().recv();
        true
    }
}

async fn a_notifier_that_blocks_when_it_is_asked_delays_nothing_else(store: Store) {
    const GRACE: Duration = Duration::from_secs(10);
    let world = world(store);
    let (blocks, mut hold) = blocking();
    let healthy = Pager::new(world.clock.clock());
    let registered = healthy.clone();
    let host = world
        .start_with(|builder| {
            builder
                .notifier("blocks", BlocksWhenAsked(blocks))
                .notifier("healthy", registered)
        })
        .await;
    host.run("p").await;
    hold.started.wait_for(|count| *count == 1).await.unwrap();
    for _ in 0..5 {
        let other = host.run("q").await.run;
        healthy.received_run(other.id).await;
    }
    // It occupies one thread: nobody asks it about another event meanwhile.
    assert_eq!(*hold.started.borrow(), 1);
    let stopped = world
        .advance_until(GRACE, host.floret.shutdown(GRACE))
        .await;
    stopped.unwrap();
    drop(hold);
    host.crash().await;
}

async fn the_wait_for_a_blocked_notifier_is_no_time_out(store: Store) {
    let mut world = world(store);
    world.limits.notifier_timeout = TIMEOUT;
    let (host, healthy, hold) = blocked(&world).await;
    for _ in 0..5 {
        let other = host.run("q").await.run;
        healthy.received_run(other.id).await;
    }
    world.clock.advance(TIMEOUT * 2);
    let mut started = hold.started.clone();
    drop(hold);
    // Without a failed try, no event waits for the delay before the next one.
    started.wait_for(|count| *count == 6).await.unwrap();
}

async fn a_notifier_that_blocks_its_thread_does_not_delay_a_shutdown(store: Store) {
    const GRACE: Duration = Duration::from_secs(10);
    let world = world(store);
    let (host, healthy, hold) = blocked(&world).await;
    let run = host.run("q").await.run.id;
    healthy.received_run(run).await;
    let before = world.clock.clock().elapsed();
    let stopped = world
        .advance_until(GRACE, host.floret.shutdown(GRACE))
        .await;
    stopped.unwrap();
    let took = world.clock.clock().elapsed().saturating_sub(before);
    // The engine and the delivery each have this limit.
    let longest = GRACE + world.limits.stop_grace * 2;
    assert!(took <= longest, "{took:?}");
    drop(hold);
    host.crash().await;
}
