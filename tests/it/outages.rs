//! Outages of storage that last longer than a lease: what a host executes, it executes once.
//!
//! Shorter outages and lost leases are left to `faults`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use floret::storage::{RunDetail, SqliteOptions, SqliteStorage};
use floret::testing::{Fault, FaultyStorage, Gate, Method, Step, scratch};
use floret::{Clock, EventKind, Problem, RunHandle, RunStatus};
use rusqlite::Connection;

use crate::harness::{Host, Store, World, chain, with_timeout};

on_every_backend! {
    calls_that_fail_for_three_leases_execute_nothing_twice,
    answers_that_are_lost_for_three_leases_execute_nothing_twice,
}

/// More than the claims that poison a run.
const OUTAGES: usize = 4;
/// The pause of the queue after a claim that failed.
const RETRY: Duration = Duration::from_millis(200);
/// The longest pause of a run that repeats an append.
const APPEND_RETRY: Duration = Duration::from_secs(2);

fn new_world(store: Store, lease: Duration) -> (World, Gate) {
    let mut world = World::new(store)
        .pipeline(chain("held", &["sink"]))
        .pipeline(chain("waiting", &["next"]));
    (world.limits.lease, world.limits.runs_max) = (lease, 2);
    let gate = Gate::new();
    world.script.script("sink", [Step::pass_on().at(&gate)]);
    (world, gate)
}

/// Triggers a run whose sink executes until the gate opens.
async fn start_held(world: &World, host: &Host) -> RunHandle {
    let held = host.trigger("held").await;
    world.script.started("sink").await;
    host.wait_for_events(EventKind::NodeStarted, 1).await;
    held
}

/// Triggers a run while every claim fails, except one that the end of an earlier run has begun.
async fn trigger_without_claim(host: &Host, fault: fn(Method, Problem) -> Fault) -> RunHandle {
    let fault = fault(Method::Claim, Problem::StorageBusy);
    host.storage.fail(fault.times(u64::MAX));
    host.trigger("waiting").await
}

/// Asserts that the held run succeeds after `outages`, with its sink executed once.
async fn assert_executed_once(world: &World, gate: &Gate, held: &RunHandle, outages: usize) {
    gate.open();
    let RunDetail { run, .. } = held.finished().await.unwrap();
    assert_eq!(run.status, RunStatus::Success, "{:?}", run.error);
    assert_eq!((world.calls()["sink"], world.calls()["next"]), (1, outages));
}

async fn outlast(store: Store, fault: fn(Method, Problem) -> Fault) {
    let lease = Duration::from_secs(6);
    let (world, gate) = new_world(store, lease);
    let host = world.start().await;
    let held = start_held(&world, &host).await;
    for outage in 1..=OUTAGES {
        let waiting = trigger_without_claim(&host, fault).await;
        for method in Method::ALL {
            let fault = fault(*method, Problem::StorageBusy);
            host.storage.fail(fault.times(u64::MAX));
        }
        let calls = || [Method::Claim, Method::Renew].map(|method| host.storage.calls(method));
        let before = calls();
        let clock = world.clock.clock();
        let ends_at = clock.elapsed() + 3 * lease;
        while clock.elapsed() < ends_at {
            world.advance_within(RETRY).await;
        }
        let during = calls();
        assert!(during[0] > before[0] && during[1] > before[1], "{during:?}");
        host.storage.heal();
        // If a claim had begun before the outage, the run repeats its append by now.
        let finished = world.advance_until(APPEND_RETRY, waiting.finished());
        let finished = finished.await.unwrap();
        assert_eq!(finished.run.status, RunStatus::Success);
        assert_eq!((world.calls()["sink"], world.calls()["next"]), (1, outage));
    }
    assert_executed_once(&world, &gate, &held, OUTAGES).await;
    assert!(world.script.executing_max() <= 2);
}

async fn calls_that_fail_for_three_leases_execute_nothing_twice(store: Store) {
    outlast(store, Fault::before).await;
}

async fn answers_that_are_lost_for_three_leases_execute_nothing_twice(store: Store) {
    outlast(store, Fault::after).await;
}

const LOCKED_FILE: &str = "FLORET_TEST_LOCKED_FILE";
const ENTRY: &str = "outages::the_process_that_holds_the_write_lock";

/// Holds the write lock of the file in the environment until its input ends.
#[test]
fn the_process_that_holds_the_write_lock() {
    let Some(path) = std::env::var_os(LOCKED_FILE) else {
        // An ordinary run of the tests, which has no file to lock.
        return;
    };
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(30)).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut output = std::io::stdout();
    writeln!(output, "\nlocked").unwrap();
    output.flush().unwrap();
    let rest = std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(rest, 0);
    connection.execute_batch("ROLLBACK").unwrap();
}

/// Another process that holds the write lock. It is killed when dropped.
struct Locker {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Locker {
    fn start(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", ENTRY, "--nocapture"])
            .env(LOCKED_FILE, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        assert!(
            output
                .by_ref()
                .lines()
                .any(|line| line.unwrap() == "locked")
        );
        Self { child, output }
    }

    fn unlock(mut self) {
        drop(self.child.stdin.take());
        // The process ends only if its output is read.
        self.output.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Locker {
    fn drop(&mut self) {
        // An error means that the process is already gone.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits in real time until `method` was called `count` more times.
#[expect(
    clippy::disallowed_methods,
    reason = "the lock of another process does not follow a manual clock"
)]
async fn called_again(storage: &FaultyStorage, method: Method, count: u64) {
    let last = storage.calls(method) + count;
    while storage.calls(method) < last {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Another process holds the write lock of the file for three leases, while a sink executes.
async fn outlast_a_write_lock() {
    let folder = scratch();
    let path = folder.path().join("locked.db");
    let (world, gate) = new_world(Store::memory(), Duration::from_secs(1));
    let options = SqliteOptions::default().busy_timeout(Duration::from_millis(100));
    let storage = SqliteStorage::open_with(&path, options).await.unwrap();
    let storage = FaultyStorage::new(Arc::new(storage));
    let host = world
        .start_on(storage, |builder| builder.clock(Clock::system()))
        .await;
    let held = start_held(&world, &host).await;
    let waiting = trigger_without_claim(&host, Fault::before).await;
    let locker = Locker::start(&path);
    host.storage.heal();
    // Leases are renewed three times in each lease, and claims are repeated all the time.
    called_again(&host.storage, Method::Renew, 10).await;
    called_again(&host.storage, Method::Claim, 2).await;
    locker.unlock();
    let finished = waiting.finished().await.unwrap();
    assert_eq!(finished.run.status, RunStatus::Success);
    assert_executed_once(&world, &gate, &held, 1).await;
}

#[tokio::test]
async fn a_write_lock_of_another_process_for_three_leases_executes_nothing_twice() {
    with_timeout("the write lock", Box::pin(outlast_a_write_lock())).await;
}
