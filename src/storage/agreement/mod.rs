//! Two storages that are given the same commands answer the same, whatever the commands are: memory
//! is the specification.
//!
//! What must hold of each alone is the contract.

mod command;
mod creations;
mod deliveries;
mod executions;
mod questions;
mod settings;
mod ticks;
mod world;

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use self::command::{Command, command};
use self::world::World;
use super::{MemoryOptions, MemoryStorage, Storage};
use crate::testing::{Fault, FaultyStorage, Method};

/// Gives both the same commands and compares every answer and, in the end, all that readers see.
async fn agree(left: &dyn Storage, right: &dyn Storage, commands: &[Command]) {
    let mut world = World::new(left, right);
    world.begin().await;
    for command in commands {
        world.carry_out(command).await;
    }
    world.compare_all().await;
}

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn memory_agrees_with_itself_behind_another_face(commands in vec(command(), 1..80)) {
        let faced = FaultyStorage::new(Arc::new(MemoryStorage::default()));
        run(agree(&MemoryStorage::default(), &faced, &commands));
    }
}

#[cfg(feature = "sqlite")]
proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sqlite_agrees_with_memory(commands in vec(command(), 1..80)) {
        use super::{Durability, SqliteOptions, SqliteStorage, System as _};
        let dir = crate::testing::scratch();
        run(async {
            let options = SqliteOptions::default().durability(Durability::Normal);
            let path = dir.path().join("runs.db");
            let sqlite = SqliteStorage::open_with(path, options).await.unwrap();
            agree(&MemoryStorage::default(), &sqlite, &commands).await;
            sqlite.close().await.unwrap();
        });
    }
}

/// A history in which three runs end.
fn three_ends() -> Vec<Command> {
    let mut commands = Vec::new();
    for run in 0..3 {
        commands.push(Command::Trigger {
            pipeline: 0,
            trigger: 0,
            count: 1,
            key: None,
            tick: None,
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
fn a_storage_that_forgets_a_run_is_found_out() {
    let forgetful = MemoryStorage::new(MemoryOptions::default().runs_max(2));
    run(agree(&MemoryStorage::default(), &forgetful, &three_ends()));
}

#[test]
#[should_panic(expected = "disagree")]
fn a_storage_that_refuses_once_is_found_out() {
    let faulty = FaultyStorage::new(Arc::new(MemoryStorage::default()));
    faulty.fail(Fault::before(Method::RequestCancel, crate::Problem::StorageBusy).skip(2));
    run(agree(&MemoryStorage::default(), &faulty, &three_ends()));
}
