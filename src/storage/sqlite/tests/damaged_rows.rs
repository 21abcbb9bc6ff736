//! Damages every column of every table in turn: whatever it is, the store opens, and everything but
//! the damaged row goes on.
//!
//! A damaged log or page of the file is left to SQLite and to `damage` of the outer tests.

use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::model::{
    AuditAction, AuditSubject, ConnectionFields, ConnectionId, DependencyRule, Managed, NodeStatus,
    PageRequest, Preview, VariableFields, VariableKey, VariableValue, WaitReason,
};
use crate::storage::{
    AnswerEnds, AuditFilter, Audits, Backfills, CancelRequest, ClaimCursors, ConnectionFilter,
    Connections, CursorClaimKind, Deliveries, Dependencies, EditRun, Expect, FinishedNode,
    NewestRuns, NodeRuns, ParkedEvent, PipelineFilter, Purge, PurgeMode, PutConnection,
    PutDeliveries, PutVariable, RunFilter, SavedBy, Schedules, SearchText, VariableFilter,
    Variables,
};
use crate::testing::contract::audited_commands::entry;
use crate::testing::contract::fixtures::{
    self, Driver, claim_one, figures_of_2024, finished_run, new_backfill, node_started, put,
    run_finished, run_id, save_for, started_run, with_key,
};
use crate::testing::contract::gates::{end_run, put_rules};
use crate::testing::contract::profiles::profile;

/// The finished and the pending run of the pipeline `spare`, which is never damaged.
const SPARE_FINISHED: u64 = 901;
const SPARE_PENDING: u64 = 902;

/// Writes a row of every table for `daily`, and a healthy neighbor of each for `spare`.
pub(super) async fn write_history(storage: &SqliteStorage) {
    for id in ["daily", "spare"] {
        let mut scheduled = put(id);
        scheduled.definition = Arc::new(fixtures::definition(id).schedule("@daily"));
        storage.put_pipeline(scheduled).await.unwrap();
        put_settings(storage, id).await;
    }
    save_for(storage, "hourly", "ann").await;
    storage.create_runs(with_key(1, "once", 1)).await.unwrap();
    let mut failed = Driver::new(&claim_one(storage, fixtures::claim(1, 10), run_id(1)).await);
    failed.succeed(storage, 0, b"one").await;
    write_payloads(storage, &mut failed).await;
    let outcome = run_finished(1, RunStatus::Failed);
    failed.append(storage, [outcome]).await;
    finished_run(storage, 2, RunStatus::Success).await;
    let mut running = started_run(storage, 3).await;
    running.succeed(storage, 0, b"two").await;
    running.append(storage, [node_started(1, 1)]).await;
    running.put_chunks(storage, 1, &[b"part"]).await;
    let create = CreateRuns::new(vec![NewRun::new(fixtures::new_run(4, "hourly"))]);
    storage.create_runs(create).await.unwrap();
    storage
        .create_runs(new_backfill(1, "daily", 5, 3))
        .await
        .unwrap();
    for n in [SPARE_FINISHED, SPARE_PENDING] {
        let create = CreateRuns::new(vec![NewRun::new(fixtures::new_run(n, "spare"))]);
        storage.create_runs(create).await.unwrap();
        if n == SPARE_FINISHED {
            finish_spare(storage).await;
        }
    }
    put_parked(storage).await;
}

/// Makes the code manage the pipelines with a schedule.
async fn save_by_code(storage: &SqliteStorage) {
    for id in ["daily", "spare"] {
        let mut put = put(id);
        put.definition = Arc::new(fixtures::definition(id).schedule("@daily"));
        put.saved_by = SavedBy::Code;
        let saved = storage.put_pipeline(put).await.unwrap();
        assert_eq!(saved.managed, Managed::Code);
    }
}

async fn finish_spare(storage: &SqliteStorage) {
    let run = run_id(SPARE_FINISHED);
    let cancel = CancelRequest::new(run, crate::Cancel::Plain, fixtures::at(40));
    storage.request_cancel(cancel).await.unwrap();
}

/// Gives node 0 a profile, and fails node 1 with a preview.
async fn write_payloads(storage: &SqliteStorage, driver: &mut Driver) {
    let mut failed = FinishedNode::new(1, NodeStatus::Failed, fixtures::at(40));
    failed.preview = Some(Preview::new(vec!["n".to_owned()], Vec::new(), 3, true));
    let entries = [
        Entry::Profile {
            node_index: 0,
            profile: Box::new(profile(3)),
        },
        node_started(1, 1),
        Entry::NodeFinished(Box::new(failed)),
    ];
    driver.append(storage, entries).await;
}

async fn put_settings(storage: &SqliteStorage, id: &str) {
    let connection = PutConnection::new(
        ConnectionId::new(id).unwrap(),
        ConnectionFields::default(),
        fixtures::at(0),
    );
    storage.put_connection(connection).await.unwrap();
    let fields = VariableFields {
        value: VariableValue::Plain("1".to_owned()),
        description: String::new(),
    };
    let key = VariableKey::new(id).unwrap();
    let mut variable = PutVariable::new(key.clone(), fields, fixtures::at(0));
    variable.audit = Some(entry(
        AuditAction::VariableEdit,
        AuditSubject::Variable(key),
        1,
    ));
    storage.put_variable(variable).await.unwrap();
}

/// Parks an event for each of two notifiers.
async fn put_parked(storage: &SqliteStorage) {
    for name in ["daily", "spare"] {
        let mut put = PutDeliveries::new(name.to_owned(), 2, fixtures::at(1));
        put.parked = vec![ParkedEvent::new(run_id(1), 1, fixtures::at(2))];
        storage.put_deliveries(put).await.unwrap();
    }
}

/// Stands for a text that is no UTF-8.
const NO_UTF8: &str = "???";

/// A column of a row with a damage that its type allows.
#[derive(Debug)]
struct Damage {
    table: String,
    column: String,
    /// The row, counted from 0 in the order of the table.
    row: usize,
    value: Value,
}

impl Damage {
    /// Returns a damage of each kind for every column of a table.
    fn of_table(shell: &Connection, table: &str, rows: usize) -> Vec<Self> {
        let sql = "SELECT name, type FROM pragma_table_info(?)";
        let mut columns = shell.prepare(sql).unwrap();
        let columns = columns.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)));
        let columns: Vec<(String, String)> = columns.unwrap().map(Result::unwrap).collect();
        let mut damages = Vec::new();
        for (column, kind) in columns {
            for row in 0..rows {
                damages.extend(values_of(&kind).into_iter().map(|value| Self {
                    table: table.to_owned(),
                    column: column.clone(),
                    row,
                    value,
                }));
            }
        }
        damages
    }

    /// Damages the closed store.
    fn apply(&self, file: &Path) {
        let shell = Connection::open(file).unwrap();
        shell.pragma_update(None, "foreign_keys", false).unwrap();
        let Self {
            table,
            column,
            row,
            value,
        } = self;
        let keys = match table.as_str() {
            "meta" => "name",
            "counted_days" => "number",
            "daily" => "(day, pipeline, tenant)",
            "labels" => "(name, value, run)",
            "totals" => "(tenant, unit, at)",
            "parked" => "(notifier, seq)",
            "dependencies" => "(pipeline, upstream, mode)",
            "waiting_ends" => "(pipeline, run)",
            "schedules" | "latest_ends" | "answerable" => "pipeline",
            "journal" => "seq",
            "sweeps" => "(kind, key)",
            _ => "key",
        };
        let columns = keys.trim_matches(['(', ')']);
        let set = match value {
            // Only SQL itself can make a text that is no UTF-8.
            Value::Text(text) if text == NO_UTF8 => "CAST(x'ff' AS TEXT) || substr(?, 4)",
            _ => "?",
        };
        let sql = format!(
            "UPDATE OR REPLACE {table} SET {column} = {set} WHERE {keys} = (SELECT {columns} FROM {table} ORDER BY {columns} LIMIT 1 OFFSET {row})"
        );
        let changed = shell.execute(&sql, [value]).unwrap();
        assert_eq!(changed, 1, "{self:?}");
    }
}

/// Returns values that a column of this type takes and that no code writes.
fn values_of(kind: &str) -> Vec<Value> {
    let numbers = [i64::MIN, i64::MAX].map(Value::Integer);
    let texts = ["{", NO_UTF8].map(|text| Value::Text(text.to_owned()));
    let blobs = [vec![0xff, 0]].map(Value::Blob);
    match kind {
        "INTEGER" => numbers.to_vec(),
        "TEXT" => texts.to_vec(),
        "BLOB" => blobs.to_vec(),
        other => {
            assert_eq!(other, "ANY");
            [numbers.to_vec(), texts.to_vec(), blobs.to_vec()].concat()
        }
    }
}

/// Turns a failure into a text that names the step.
trait Step<T> {
    fn step(self, name: &str) -> std::result::Result<T, String>;
}

impl<T> Step<T> for Result<T> {
    fn step(self, name: &str) -> std::result::Result<T, String> {
        self.map_err(|error| format!("{name}: {error}, {:?}", std::error::Error::source(&error)))
    }
}

fn ensure(is_true: bool, what: &str) -> std::result::Result<(), String> {
    is_true.then_some(()).ok_or_else(|| what.to_owned())
}

/// Opens a damaged store, uses everything of it, and opens it again.
async fn check(file: &Path) -> std::result::Result<(), String> {
    let options = || SqliteOptions::default().durability(Durability::Normal);
    let open = || SqliteStorage::open_with(file, options());
    let storage = open().await.step("open")?;
    ask_why_each_waits(&storage).await?;
    claim_all(&storage).await?;
    read_all(&storage).await?;
    write_all(&storage).await?;
    purge_all(&storage).await?;
    storage.close().await.step("close")?;
    let storage = open().await.step("open again")?;
    read_all(&storage).await?;
    for id in ["daily", "hourly", "spare"] {
        let mut put = put(id);
        put.expect = Expect::Any;
        put.definition = Arc::new(fixtures::definition(id).name("new"));
        let saved = storage.put_pipeline(put).await.step("save")?;
        let scope = Scope::of(saved.tenant.as_ref());
        let found = storage.find_pipeline(id, &scope).await.step("find")?;
        ensure(
            found == Some(saved),
            "a saved pipeline reads back differently",
        )?;
    }
    storage.close().await.step("close again")
}

/// Asks why each pending run waits. A damaged value hides no run.
async fn ask_why_each_waits(storage: &SqliteStorage) -> std::result::Result<(), String> {
    for n in [4, 5, 6, 7, SPARE_PENDING] {
        let asked = storage.waiting(run_id(n), &Scope::All, fixtures::at(100));
        let waiting = asked.await.step("waiting")?;
        ensure(
            waiting.is_some() || n != SPARE_PENDING,
            "the healthy run does not wait",
        )?;
    }
    Ok(())
}

/// Claims until each damaged run is poisoned. The healthy pending run is claimed at once.
async fn claim_all(storage: &SqliteStorage) -> std::result::Result<(), String> {
    let mut unreadable = Vec::new();
    let mut is_claimed = false;
    for seconds in [100, 200, 300, 400, 500] {
        let mut claim = fixtures::claim(9, seconds);
        claim.runs_max = 100;
        let claims = storage.claim(claim).await.step("claim")?;
        let is_spare = |run: RunId| run == run_id(SPARE_PENDING);
        is_claimed |= claims
            .claimed
            .iter()
            .any(|claimed| is_spare(claimed.run.id));
        ensure(is_claimed, "the healthy run was not claimed")?;
        unreadable.extend(claims.unreadable);
    }
    let stats = storage.stats(&Scope::All).await.step("stats")?;
    ensure(
        unreadable.is_empty() || stats.unreadable_count > 0,
        "an unreadable run was not counted",
    )
}

async fn read_audit(storage: &SqliteStorage) -> std::result::Result<(), String> {
    let page = PageRequest::Newest { limit: 100 };
    let audit = storage.list_audit(AuditFilter::default(), page);
    let audit = audit.await.step("audit")?.items;
    ensure(
        audit
            .iter()
            .any(|found| found.subject.to_string() == "variable:spare"),
        "no entry of the audit",
    )
}

async fn read_all(storage: &SqliteStorage) -> std::result::Result<(), String> {
    let page = || PageRequest::Newest { limit: 100 };
    let runs = storage.list_runs(Default::default(), page()).await;
    let is_listed = |run: &Run| run.id == run_id(SPARE_PENDING);
    ensure(runs.step("runs")?.items.iter().any(is_listed), "no run")?;
    let mut one_by_one = PageRequest::After {
        cursor: None,
        limit: 1,
    };
    let mut listed = 0;
    loop {
        let runs = storage.list_runs(Default::default(), one_by_one).await;
        let runs = runs.step("page of runs")?;
        listed += runs.items.len();
        let Some(next) = runs.next else { break };
        one_by_one = PageRequest::After {
            cursor: Some(next),
            limit: 1,
        };
    }
    ensure(listed >= 1, "no pages")?;
    let pipelines = storage.list_pipelines(PipelineFilter::default(), page());
    let pipelines = pipelines.await.step("pipelines")?.items;
    ensure(
        pipelines.iter().any(|found| found.id.as_str() == "spare"),
        "no pipeline",
    )?;
    let tagged = PipelineFilter {
        tag: Some("odd".to_owned()),
        ..PipelineFilter::default()
    };
    storage.list_pipelines(tagged, page()).await.step("tags")?;
    let with_text = PipelineFilter {
        text: Some(SearchText::new("SPARE")),
        ..PipelineFilter::default()
    };
    let pipelines = storage.list_pipelines(with_text, page());
    let pipelines = pipelines.await.step("text")?.items;
    ensure(
        pipelines.iter().any(|found| found.id.as_str() == "spare"),
        "no text",
    )?;
    let connections = storage.list_connections(ConnectionFilter::default(), page());
    let connections = connections.await.step("connections")?.items;
    ensure(
        connections.iter().any(|found| found.id.as_str() == "spare"),
        "no connection",
    )?;
    let variables = storage.list_variables(VariableFilter::default(), page());
    let variables = variables.await.step("variables")?.items;
    ensure(
        variables.iter().any(|found| found.key.as_str() == "spare"),
        "no variable",
    )?;
    read_audit(storage).await?;
    let backfills = storage.list_backfills(Default::default(), page());
    backfills.await.step("backfills")?;
    storage.schedules(&Scope::All).await.step("schedules")?;
    read_events(storage).await?;
    read_nodes(storage).await?;
    storage.figures(figures_of_2024()).await.step("figures")?;
    let mut by_pipeline = figures_of_2024();
    by_pipeline.by = crate::storage::FiguresBy::FailingPipeline { count_max: 9 };
    storage.figures(by_pipeline).await.step("by pipeline")?;
    storage.stats(&Scope::All).await.step("stats")?;
    storage.newest_run().await.step("newest run").map(drop)
}

/// Reads the events in both directions.
async fn read_events(storage: &SqliteStorage) -> std::result::Result<(), String> {
    let events = storage.events(EventFilter::default(), 0, 10_000).await;
    let is_spare = |event: &crate::Event| event.run_id == run_id(SPARE_PENDING);
    ensure(
        events.step("events")?.events.iter().any(is_spare),
        "no event",
    )?;
    let before = storage.events_before(EventFilter::default(), u64::MAX, 10_000);
    ensure(
        before
            .await
            .step("events before")?
            .events
            .iter()
            .any(is_spare),
        "no event before",
    )
}

/// Reads the nodes of the newest runs. A damaged value hides no other run.
async fn read_nodes(storage: &SqliteStorage) -> std::result::Result<(), String> {
    for id in ["daily", "spare"] {
        let runs = NewestRuns::new(fixtures::without_tenant(id), 100);
        let found = storage.list_run_nodes(runs.clone()).await.step("nodes")?;
        let is_found = found.iter().any(|run| run.run == run_id(SPARE_PENDING));
        ensure(is_found == (id == "spare"), "no nodes of the healthy run")?;
        let load = fixtures::node_id("load");
        let past = storage.list_past_node_runs(runs, &load);
        let past = past.await.step("past nodes")?;
        let is_found = past.iter().any(|past| past.run == run_id(SPARE_PENDING));
        ensure(is_found == (id == "spare"), "no node of the healthy run")?;
    }
    Ok(())
}

async fn write_all(storage: &SqliteStorage) -> std::result::Result<(), String> {
    let create = CreateRuns::new(vec![NewRun::new(fixtures::new_run(950, "spare"))]);
    storage.create_runs(create).await.step("create")?;
    let cancel = CancelRequest::new(run_id(950), crate::Cancel::Plain, fixtures::at(900));
    storage.request_cancel(cancel).await.step("cancel")?;
    for waiting in storage.waiting_ends().await.step("ends")? {
        let runs = waiting.ends.iter().map(|end| end.run).collect();
        let answer = AnswerEnds::new(&waiting.pipeline, runs);
        storage.answer_ends(answer).await.step("answer")?;
    }
    let mut claim = ClaimCursors::new(
        vec!["spare".to_owned()],
        fixtures::at(1_000_000),
        fixtures::at(1_000_001),
    );
    claim.kind = CursorClaimKind::Start;
    storage.claim_cursors(claim).await.step("cursors").map(drop)
}

/// Purges everything that is finished. A damaged run must not keep the healthy one.
async fn purge_all(storage: &SqliteStorage) -> std::result::Result<(), String> {
    let mut purge = Purge::new(fixtures::at(2_000_000), 3);
    purge.mode = PurgeMode::Preview;
    storage.purge(purge.clone()).await.step("preview")?;
    purge.mode = PurgeMode::Delete;
    for _ in 0..10 {
        let purged = storage.purge(purge.clone()).await.step("purge")?;
        purge.after = purged.next;
        if purged.next.is_none() {
            break;
        }
    }
    ensure(purge.after.is_none(), "the purge does not end")?;
    let spare = storage
        .find_run(run_id(SPARE_FINISHED), &Scope::All)
        .await
        .step("find")?;
    ensure(spare.is_none(), "the healthy run was not purged")
}

/// The tables with the number of rows of each that are damaged.
const TABLES: [(&str, usize); 28] = [
    ("answerable", 1),
    ("audit", 1),
    ("backfills", 1),
    ("chunks", 1),
    ("connections", 1),
    ("counted_days", 1),
    ("daily", 2),
    ("definitions", 1),
    ("dependencies", 1),
    ("idempotency", 1),
    ("journal", 2),
    ("labels", 1),
    ("latest_ends", 1),
    ("meta", 5),
    ("node_runs", 2),
    ("notifiers", 1),
    ("outputs", 1),
    ("parked", 1),
    ("pipelines", 1),
    ("previews", 1),
    ("profiles", 1),
    ("runs", 5),
    ("schedules", 1),
    ("staged", 1),
    ("sweeps", 1),
    ("totals", 2),
    ("variables", 1),
    ("waiting_ends", 1),
];

#[tokio::test]
async fn one_damaged_value_costs_no_more_than_its_row() {
    let dir = scratch();
    let whole = dir.path().join("whole.db");
    let options = SqliteOptions::default().durability(Durability::Normal);
    let storage = SqliteStorage::open_with(&whole, options).await.unwrap();
    end_upstream(&storage).await;
    write_history(&storage).await;
    save_by_code(&storage).await;
    label(&storage).await;
    storage.close().await.unwrap();
    let shell = Connection::open(&whole).unwrap();
    shell
        .execute_batch("INSERT INTO sweeps VALUES (0, 99); PRAGMA wal_checkpoint(TRUNCATE)")
        .unwrap();
    assert_eq!(table_names(&shell), TABLES.map(|(name, _)| name));
    let mut failures = Vec::new();
    let damages = TABLES.iter();
    let damages = damages.flat_map(|(table, rows)| Damage::of_table(&shell, table, *rows));
    for (index, damage) in damages.enumerate() {
        let file = dir.path().join(format!("{index}.db"));
        std::fs::copy(&whole, &file).unwrap();
        damage.apply(&file);
        if let Err(failure) = check(&file).await {
            failures.push(format!("{damage:?}: {failure}"));
        }
        std::fs::remove_file(&file).unwrap();
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Ends a run that a dependent pipeline has to answer.
async fn end_upstream(storage: &SqliteStorage) {
    fixtures::save(storage, "up").await;
    let rules = vec![DependencyRule::gate("up"), DependencyRule::any("up")];
    put_rules(storage, "down", rules).await;
    end_run(storage, 0, "up", RunStatus::Success).await;
}

/// Gives a run labels and a note.
async fn label(storage: &SqliteStorage) {
    let mut edit = EditRun::new(run_id(1));
    edit.labels
        .insert("team".to_owned(), Some("data".to_owned()));
    edit.note = Some("noted".to_owned());
    storage.edit_run(edit).await.unwrap();
}

fn table_names(shell: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let mut names = shell.prepare(sql).unwrap();
    let names = names.query_map([], |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_gate_whose_latest_end_is_damaged_is_closed_for_a_claim_and_for_a_caller() {
    let (dir, storage) = store().await;
    fixtures::save(&storage, "up").await;
    put_rules(&storage, "down", vec![DependencyRule::gate("up")]).await;
    end_run(&storage, 0, "up", RunStatus::Success).await;
    let new = NewRun::new(fixtures::new_run(9, "down"));
    let create = CreateRuns::new(vec![new]);
    storage.create_runs(create).await.unwrap();
    storage.close().await.unwrap();
    let shell = Connection::open(dir.path().join("runs.db")).unwrap();
    let damaged = shell.execute("UPDATE latest_ends SET status = 99", []);
    assert_eq!(damaged.unwrap(), 1);
    drop(shell);
    let storage = open(dir.path()).await;
    let claims = storage.claim(fixtures::claim(9, 100)).await.unwrap();
    assert!(claims.claimed.is_empty(), "{claims:?}");
    let asked = storage.waiting(run_id(9), &Scope::All, fixtures::at(100));
    let waiting = asked.await.unwrap().unwrap();
    assert_eq!(waiting.reason, WaitReason::Dependency);
}

#[tokio::test]
async fn a_run_whose_pipeline_is_missing_is_counted_and_hides_no_other() {
    let (dir, storage) = store().await;
    fixtures::save(&storage, "gone").await;
    for (n, pipeline) in [(1, "daily"), (2, "gone")] {
        let new = NewRun::new(fixtures::new_run(n, pipeline));
        storage
            .create_runs(CreateRuns::new(vec![new]))
            .await
            .unwrap();
    }
    storage.close().await.unwrap();
    let shell = Connection::open(dir.path().join("runs.db")).unwrap();
    shell
        .execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM pipelines WHERE id = 'gone'")
        .unwrap();
    drop(shell);
    let storage = open(dir.path()).await;
    let before = storage.stats(&Scope::All).await.unwrap().unreadable_count;
    let page = PageRequest::Newest { limit: 9 };
    let listed = storage.list_runs(RunFilter::default(), page).await.unwrap();
    let ids: Vec<_> = listed.items.iter().map(|run| run.id).collect();
    assert_eq!(ids, [run_id(1)]);
    let after = storage.stats(&Scope::All).await.unwrap().unreadable_count;
    assert!(after > before, "{after} rows");
}
