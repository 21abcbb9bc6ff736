//! Tests that a store of version 1 keeps its rows of every kind and stays usable.
//!
//! The migration of schedules is left to `migrating`.

use std::time::Duration;

use super::*;
use crate::model::{Backfill, BackfillId, Qualified};
use crate::storage::{Backfills, IdempotencyKey, IdempotentOperation, NewBackfill, Purge};

/// The rows of a store of version 1: the pipeline `daily` with a successful, a running and a
/// pending run, and the idempotency key of the first.
const VERSION_1: &str = r#"
INSERT INTO pipelines (key, id, slug, version, enabled, created_at, updated_at) VALUES (1, 'daily', 'daily', 1, 1, 1000, 1000);
INSERT INTO definitions (key, pipeline, version, body) VALUES (1, 1, 1,
  '{"id":"daily","name":"daily","nodes":[{"id":"load","type":"load","name":"load"}],"edges":[]}');
INSERT INTO runs (key, id, pipeline, definition, status, priority, trigger, date, created_at, started_at, finished_at, epoch, claims, position, idempotency)
VALUES
  (1, x'00000000000170008000000000000000', 1, 1, 2, 0, 0, 738900, 1000, 2000, 3000, 1, 1, 1, 1),
  (2, x'00000000000270008000000000000000', 1, 1, 1, 1, 1, 738901, 1000, 2000, NULL, 1, 1, 0, NULL),
  (3, x'00000000000370008000000000000000', 1, 1, 0, 0, 0, 738902, 1000, NULL, NULL, 0, 0, 0, NULL);
INSERT INTO idempotency (key, pipeline, name, body_hash, run_ids, runs_left)
VALUES (1, 1, 'once', zeroblob(32), x'00000000000170008000000000000000', 1);
INSERT INTO journal (seq, run, n, body) VALUES
  (1, 1, 1, '[{"type":"run.created","status":"pending","at":1000}]'),
  (2, 2, 1, '[{"type":"run.created","status":"pending","at":1000}]'),
  (3, 3, 1, '[{"type":"run.created","status":"pending","at":1000}]');
INSERT INTO daily (pipeline, tenant, day, pending, running, success, failed, cancelled)
VALUES (1, '', 719163, 1, 1, 1, 0, 0), (0, '', 719163, 1, 1, 1, 0, 0);
"#;

fn make_version_1(dir: &Path) {
    let conn = rusqlite::Connection::open(dir.join("runs.db")).unwrap();
    conn.pragma_update(None, "application_id", schema::APPLICATION_ID)
        .unwrap();
    conn.pragma_update(None, "journal_mode", "WAL").unwrap();
    let text = include_str!("../migrations/1.sql");
    conn.execute_batch(text).unwrap();
    conn.execute_batch(VERSION_1).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    conn.close().unwrap();
}

fn daily() -> Qualified<PipelineId> {
    Qualified::new(PipelineId::new("daily").unwrap(), None)
}

fn once(operation: IdempotentOperation) -> IdempotencyKey {
    IdempotencyKey::new(operation, "once", [0; 32])
}

/// Creates a backfill of two dates. Its idempotency key has the name of the first run's key.
fn two_dates() -> CreateRuns {
    let id = BackfillId::from_uuid(*run_id(9).as_uuid());
    let pipeline = daily().id;
    let dates = [10, 11].map(|n| new_run(n).date);
    let backfill = Backfill::new(id, pipeline, dates.into(), at(0));
    let runs = [10, 11].map(|n| {
        let mut run = new_run(n);
        run.trigger = Trigger::Backfill;
        NewRun::new(run)
    });
    let mut create = CreateRuns::new(runs.into());
    create.backfill = Some(NewBackfill::new(backfill));
    create.idempotency = Some(once(IdempotentOperation::Backfill(daily())));
    create
}

#[tokio::test]
async fn a_store_of_version_1_keeps_its_data_and_stays_usable() {
    let dir = scratch();
    make_version_1(dir.path());
    let storage = open(dir.path()).await;
    for (n, expected) in [
        (1, RunStatus::Success),
        (2, RunStatus::Running),
        (3, RunStatus::Pending),
    ] {
        assert_eq!(status(&storage, n).await, Some(expected));
    }
    assert_eq!(event_count(&storage).await, 3);
    let run = IdempotentOperation::Run(daily());
    let key = once(run);
    let replay = storage.find_idempotent(&key.operation, &key.key).await;
    let replay = replay.unwrap().unwrap().created;
    assert_eq!((replay.run_ids, replay.backfill), (vec![run_id(1)], None));

    let created = storage.create_runs(two_dates()).await.unwrap();
    assert!(!created.is_replayed, "the key of a run is a different key");
    assert_eq!(created.run_ids, [10, 11].map(run_id));
    let claims = claim(&storage, 1, 9).await;
    let ids: Vec<_> = claims
        .claimed
        .iter()
        .map(|claimed| claimed.run.id)
        .collect();
    assert_eq!(ids, [2, 3, 10].map(run_id));
    for claimed in &claims.claimed {
        let finished = Entry::RunFinished {
            status: RunStatus::Success,
            error: None,
            at: at(5),
        };
        let append = Append::new(
            claimed.run.id,
            claimed.epoch,
            claimed.position,
            vec![finished],
        );
        storage.append(append).await.unwrap();
    }
    assert_eq!(claim(&storage, 1, 9).await.claimed[0].run.id, run_id(11));
    let stats = storage.stats(&Scope::All).await.unwrap();
    assert_eq!((stats.running_count, stats.pending_count), (1, 0));
    let purge = Purge::new(at(1_000), 10);
    assert_eq!(storage.purge(purge).await.unwrap().deleted, 4);
    let id = created.backfill.unwrap();
    let remaining = storage.find_backfill(id, &Scope::All).await.unwrap();
    assert_eq!(remaining.unwrap().runs.len(), 1);
}

#[tokio::test]
async fn stored_nodes_are_found_by_their_index() {
    const INHERITED: &str = r#"[{"place":0,"from_run":"00000000-0001-7000-8000-000000000000","from_place":1,"row_count":2,"has_dataset":true,"output_hash":null}]"#;
    const STARTED: &str =
        r#"[{"type":"node.started","place":0,"status":"running","attempt":1,"at":2000}]"#;
    let dir = scratch();
    make_version_1(dir.path());
    let conn = rusqlite::Connection::open(dir.path().join("runs.db")).unwrap();
    conn.execute("UPDATE runs SET inherited = ? WHERE key = 3", [INHERITED])
        .unwrap();
    let insert = "INSERT INTO journal (seq, run, n, body) VALUES (4, 1, 1, ?)";
    conn.execute(insert, [STARTED]).unwrap();
    conn.close().unwrap();
    let storage = open(dir.path()).await;
    let events = storage
        .events(EventFilter::default(), 3, 9)
        .await
        .unwrap()
        .events;
    let node_id = events[0].node_id.as_ref().map(|id| id.as_str());
    assert_eq!(node_id, Some("load"));
    let found = storage.find_run(run_id(3), &Scope::All).await.unwrap();
    let inherited = &found.unwrap().run.inherited[0];
    let indexes = (inherited.node_index, inherited.from_node_index);
    assert_eq!(indexes, (0, 1));
}

#[tokio::test]
async fn a_migrated_store_opens_again() {
    let dir = scratch();
    make_version_1(dir.path());
    open(dir.path()).await.close().await.unwrap();
    let storage = open(dir.path()).await;
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Success));
    let held = claim(&storage, 1, 1).await.claimed[0].epoch;
    let renewed = storage.renew(
        owner(1),
        vec![crate::storage::HeldRun::new(run_id(2), held)],
        Duration::from_secs(60),
        at(2),
    );
    assert_eq!(renewed.await.unwrap(), []);
}
