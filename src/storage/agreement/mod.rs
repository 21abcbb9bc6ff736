//! Two storages that receive the same commands give the same answers, for any commands. Memory is
//! the specification.
//!
//! The contract states what each storage must do by itself.

mod audit;
mod command;
mod creations;
mod deliveries;
mod ends;
mod executions;
mod questions;
mod settings;
mod ticks;
mod world;

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use self::command::{Command, command};
use self::world::{Faults, World};
use super::{MemoryOptions, MemoryStorage, Storage};
use crate::testing::{Fault, FaultyStorage, Method};

/// Sends the same commands to both, and compares every answer and, at the end, everything that a
/// reader sees.
async fn agree(
    left: &dyn Storage,
    right: &dyn Storage,
    faults: Option<&dyn Faults>,
    commands: &[Command],
) {
    let mut world = World::new(left, right, faults);
    world.put_items().await;
    for command in commands {
        world.run_command(command).await;
    }
    world.compare_all().await;
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn memory_agrees_with_itself_behind_a_wrapper(commands in vec(command(), 1..80)) {
        let wrapped = FaultyStorage::new(Arc::new(MemoryStorage::default()));
        run(agree(&MemoryStorage::default(), &wrapped, None, &commands));
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn sqlite_agrees_with_memory(commands in vec(command(), 1..80)) {
        use super::{Durability, SqliteOptions, SqliteStorage, System as _};
        let dir = crate::testing::scratch();
        run(async {
            let options = SqliteOptions::default().durability(Durability::Normal);
            let path = dir.path().join("runs.db");
            let sqlite = SqliteStorage::open_with(path, options).await.unwrap();
            agree(&MemoryStorage::default(), &sqlite, Some(&sqlite), &commands).await;
            sqlite.close().await.unwrap();
        });
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_reopened_sqlite_agrees_with_a_restarted_memory(
        earlier in vec(command(), 1..60),
        later in vec(command(), 1..40),
    ) {
        run(agree_after_a_reopen(&earlier, &later));
    }
}

/// A mixed load, which asks everything at its end.
#[cfg(feature = "sqlite")]
#[test]
fn sqlite_prepares_no_statement_again() {
    use super::{Durability, SqliteOptions, SqliteStorage};
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let commands = vec(command(), 1_000).new_tree(&mut runner).unwrap();
    let dir = crate::testing::scratch();
    run(async {
        let options = SqliteOptions::default().durability(Durability::Normal);
        let path = dir.path().join("runs.db");
        let sqlite = SqliteStorage::open_with(path, options.readers_max(1));
        let sqlite = sqlite.await.unwrap();
        agree(
            &MemoryStorage::default(),
            &sqlite,
            None,
            &commands.current(),
        )
        .await;
        for counted in sqlite.statement_counts().await {
            assert!(counted.executed > 500, "{counted:?}");
            assert_eq!(counted.prepared_again, 0, "{counted:?}");
        }
    });
}

/// Like [`agree`], with a reopen in between. The drivers of the earlier process go on.
#[cfg(feature = "sqlite")]
async fn agree_after_a_reopen(earlier: &[Command], later: &[Command]) {
    use super::{Durability, SqliteOptions, SqliteStorage, System as _};
    let dir = crate::testing::scratch();
    let open = async || {
        let options = SqliteOptions::default().durability(Durability::Normal);
        let path = dir.path().join("runs.db");
        SqliteStorage::open_with(path, options).await.unwrap()
    };
    let memory = MemoryStorage::default();
    let first = open().await;
    let mut world = World::new(&memory, &first, Some(&first));
    world.put_items().await;
    for command in earlier {
        world.run_command(command).await;
    }
    first.close().await.unwrap();
    memory.restart();
    let second = open().await;
    world.right = &second;
    world.faults = Some(&second);
    world.compare_all().await;
    for command in later {
        world.run_command(command).await;
    }
    world.compare_all().await;
    second.close().await.unwrap();
}

#[cfg(feature = "sqlite")]
#[async_trait::async_trait]
impl Faults for super::SqliteStorage {
    async fn inject(&self, kind: u8) {
        use super::sqlite::CommitFault;
        match kind {
            0 => self.fail_next_commit(CommitFault::BeforeEffect),
            1 => self.fail_next_commit(CommitFault::AfterEffect),
            _ => self.roll_back_group().await,
        }
    }
}

/// Commands after which three runs are finished.
fn three_finished_runs() -> Vec<Command> {
    let mut commands = Vec::new();
    for run in 0..3 {
        commands.push(Command::Trigger {
            pipeline: 0,
            trigger: 0,
            count: 1,
            key: None,
            tick: None,
            place: (1, None),
            concurrency: None,
            scope: 0,
        });
        commands.push(Command::Cancel {
            run,
            forced: false,
            scope: 0,
        });
    }
    commands
}

#[test]
#[should_panic(expected = "disagree")]
fn a_storage_that_loses_a_run_is_detected() {
    let forgetful = MemoryStorage::new(MemoryOptions::default().runs_max(2));
    run(agree(
        &MemoryStorage::default(),
        &forgetful,
        None,
        &three_finished_runs(),
    ));
}

#[test]
#[should_panic(expected = "disagree")]
fn a_storage_that_fails_once_is_detected() {
    let faulty = FaultyStorage::new(Arc::new(MemoryStorage::default()));
    faulty.fail(Fault::before(Method::RequestCancel, crate::Problem::StorageBusy).skip(2));
    run(agree(
        &MemoryStorage::default(),
        &faulty,
        None,
        &three_finished_runs(),
    ));
}
