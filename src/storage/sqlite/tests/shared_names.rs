//! Tests of names that several tenants use: an older store takes them, and look-ups stay bounded.
//!
//! What a name stands for is in the contract.

use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;

use super::super::cached_pipelines::CachedPipelines;
use super::super::connect::connect;
use super::super::definitions::Definition;
use super::super::idempotency::find_key;
use super::super::read_bound::count_instructions;
use super::*;
use crate::model::{
    ConnectionFields, ConnectionId, PageRequest, Qualified, StoredConnection, StoredVariable,
    TenantId, VariableFields, VariableKey, VariableValue,
};
use crate::storage::{
    Connections, DeletePipeline, Expect, FiguresFilter, IdempotentOperation, PipelineFilter,
    PutConnection, PutVariable, RunFilter, Variables,
};

/// The rows of a store of version 2. Ben uses the id `taken` after ann, who has runs of it, and the
/// connection `old` of ann is deleted.
const VERSION_2: &str = r#"
INSERT INTO pipelines (key, id, slug, tenant, version, enabled, created_at, updated_at, deleted_at) VALUES
  (1, 'daily', 'daily', NULL, 1, 1, 1000, 1000, NULL),
  (2, 'own', 'mine', 'ann', 3, 1, 1001, 1001, NULL),
  (3, 'taken', 'taken', 'ben', 2, 1, 1002, 1002, NULL),
  (4, 'gone', NULL, 'ann', 5, 1, 1003, 1003, 2000);
INSERT INTO definitions (key, pipeline, version, body) SELECT key, key, version,
  '{"name":"' || id || '","nodes":[{"id":"load","type":"load","name":"load"}],"edges":[]}' FROM pipelines;
INSERT INTO definitions (key, pipeline, version, body) SELECT 9, 3, 1, body FROM definitions WHERE key = 3;
INSERT INTO runs (key, id, pipeline, definition, tenant, status, priority, trigger, date, created_at, started_at, finished_at, epoch, claims, position)
VALUES
  (1, x'00000000000170008000000000000000', 3, 9, 'ann', 3, 0, 0, 738900, 1000, 2000, 3000, 1, 1, 0),
  (2, x'00000000000270008000000000000000', 3, 3, 'ben', 2, 0, 0, 738900, 1000, 2000, 3000, 1, 1, 0);
INSERT INTO backfills (key, id, pipeline, tenant, status, start_date, end_date, is_descending, max_parallel, created_at, finished_at,
  pending, running, success, failed, cancelled, ended_failed, ended_cancelled)
VALUES (1, x'00000000000970008000000000000000', 3, 'ann', 2, 738900, 738900, 0, 1, 1000, 3000, 0, 0, 0, 1, 0, 1, 0);
INSERT INTO daily (pipeline, tenant, day, pending, running, success, failed, cancelled) VALUES
  (3, 'ann', 719163, 0, 0, 0, 1, 0), (3, 'ben', 719163, 0, 0, 1, 0, 0),
  (0, 'ann', 719163, 0, 0, 0, 1, 0), (0, 'ben', 719163, 0, 0, 1, 0, 0), (0, '', 719163, 0, 0, 1, 1, 0);
INSERT INTO connections (id, tenant, version, created_at, updated_at, deleted_at, type, description, host, schema, login) VALUES
  ('warehouse', NULL, 1, 1000, 1000, NULL, 'postgres', '', '', '', ''),
  ('old', 'ann', 4, 1000, 1000, 2000, NULL, NULL, NULL, NULL, NULL);
INSERT INTO variables (id, tenant, version, created_at, updated_at, value, description) VALUES ('region', 'ann', 2, 1000, 1000, 'eu', '');
"#;

fn make_version_2(dir: &Path) {
    let conn = Connection::open(dir.join("runs.db")).unwrap();
    conn.pragma_update(None, "application_id", schema::APPLICATION_ID)
        .unwrap();
    for text in [
        include_str!("../migrations/1.sql"),
        include_str!("../migrations/2.sql"),
        VERSION_2,
    ] {
        conn.execute_batch(text).unwrap();
    }
    conn.pragma_update(None, "user_version", 2).unwrap();
    conn.close().unwrap();
}

fn scope(tenant: &str) -> Scope {
    Scope::of(TenantId::new(tenant).ok().as_ref())
}

fn pipeline_id(id: &str) -> PipelineId {
    PipelineId::new(id).unwrap()
}

fn put(id: &str, tenant: &str) -> PutPipeline {
    let definition = Arc::new(Pipeline::new(id).node("load", "load"));
    let slug = SlugChoice::Derived(Slug::new(id).unwrap());
    let mut put = PutPipeline::new(pipeline_id(id), slug, definition, at(0));
    put.expect = Expect::Absent;
    put.scope = scope(tenant);
    put
}

fn put_connection(id: &str, tenant: &str) -> PutConnection {
    let id = ConnectionId::new(id).unwrap();
    let mut put = PutConnection::new(id, ConnectionFields::default(), at(0));
    put.expect = Expect::Absent;
    put.scope = scope(tenant);
    put
}

fn put_variable(key: &str, tenant: &str) -> PutVariable {
    let fields = VariableFields::new(VariableValue::Plain(tenant.to_owned()));
    let mut put = PutVariable::new(VariableKey::new(key).unwrap(), fields, at(0));
    put.expect = Expect::Absent;
    put.scope = scope(tenant);
    put
}

/// Saves a pipeline of each of these tenants, where an empty name stands for none. Returns the
/// versions.
async fn put_all(storage: &SqliteStorage, id: &str, tenants: &[&str]) -> Vec<u32> {
    let mut versions = Vec::new();
    for tenant in tenants {
        let stored = storage.put_pipeline(put(id, tenant)).await.unwrap();
        assert_eq!(stored.slug.as_str(), id, "{tenant}");
        versions.push(stored.version);
    }
    versions
}

#[tokio::test]
async fn a_store_of_version_2_takes_the_names_of_its_rows_for_other_tenants() {
    let dir = scratch();
    make_version_2(dir.path());
    let storage = open(dir.path()).await;
    let all = PageRequest::Newest { limit: 9 };
    let listed = storage.list_pipelines(PipelineFilter::default(), all.clone());
    let listed = listed.await.unwrap().items;
    let ids: Vec<_> = listed.iter().map(|found| found.qualified_id()).collect();
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(ids, ["ben/taken", "ann/own", "daily"]);
    let own = storage.find_pipeline("mine", &Scope::All).await.unwrap();
    assert_eq!(own.unwrap().version, 3);

    assert_eq!(put_all(&storage, "daily", &["ann", "ben"]).await, [1, 1]);
    assert_eq!(put_all(&storage, "own", &["", "ben"]).await, [1, 1]);
    assert_eq!(put_all(&storage, "gone", &["ann", "ben"]).await, [6, 1]);
    let taken = storage.put_pipeline(put("daily", "")).await.unwrap_err();
    assert_eq!(taken.slug(), "already-exists");

    let mut versions = Vec::new();
    for (id, tenant) in [("warehouse", "ann"), ("old", "ann"), ("old", "ben")] {
        let saved = storage.put_connection(put_connection(id, tenant)).await;
        versions.push(saved.unwrap().version);
    }
    for tenant in ["", "ben"] {
        let saved = storage.put_variable(put_variable("region", tenant)).await;
        versions.push(saved.unwrap().version);
    }
    assert_eq!(versions, [1, 5, 1, 1, 1]);
    let kept = [VariableKey::new("region").unwrap()];
    let kept = storage.find_variables(&kept, &scope("ann")).await.unwrap();
    assert_eq!(kept[0].version, 2);
    let kept = ConnectionId::new("warehouse").unwrap();
    let kept = storage.find_connection(&kept, &Scope::All).await.unwrap();
    assert_eq!(kept.unwrap().fields.kind, "postgres");
}

/// In version 2, a tenant could take the row of a pipeline that another one had deleted.
#[tokio::test]
async fn the_runs_of_a_former_owner_get_a_pipeline_of_their_own() {
    let dir = scratch();
    make_version_2(dir.path());
    let storage = open(dir.path()).await;
    for (tenant, run, success, failed) in [("ann", 1, 0, 1), ("ben", 2, 1, 0)] {
        let filter = RunFilter {
            scope: scope(tenant),
            pipeline: Some(pipeline_id("taken")),
            ..RunFilter::default()
        };
        let page = PageRequest::Numbered {
            page: 1,
            per_page: 9,
        };
        let runs = storage.list_runs(filter, page).await.unwrap();
        let ids: Vec<_> = runs.items.iter().map(|run| run.id).collect();
        assert_eq!((ids, runs.total), (vec![run_id(run)], Some(1)), "{tenant}");
        let mut filter = FiguresFilter::new(at(0).date_naive(), at(0).date_naive());
        filter.from = chrono::NaiveDate::MIN;
        filter.scope = scope(tenant);
        filter.pipeline = Some(pipeline_id("taken"));
        let figures = storage.figures(filter).await.unwrap();
        let counts: Vec<_> = figures
            .iter()
            .map(|day| (day.success, day.failed))
            .collect();
        assert_eq!(counts, [(success, failed)], "{tenant}");
    }
    let filter = crate::storage::BackfillFilter {
        scope: scope("ann"),
        pipeline: Some(pipeline_id("taken")),
        ..Default::default()
    };
    let page = PageRequest::Newest { limit: 9 };
    let backfills = crate::storage::Backfills::list_backfills(&storage, filter, page).await;
    assert_eq!(backfills.unwrap().items.len(), 1);

    // The version continues after that of the row that was taken, and the old run can be resumed.
    let saved = storage.put_pipeline(put("taken", "ann")).await.unwrap();
    assert_eq!(saved.version, 3);
    let mut resume = new_run(3);
    resume.pipeline_id = pipeline_id("taken");
    resume.trigger = Trigger::Resume;
    (resume.resumed_from, resume.first_run) = (Some(run_id(1)), run_id(1));
    let mut create = CreateRuns::new(vec![NewRun::new(resume)]);
    create.scope = scope("ben");
    let error = storage.create_runs(create.clone()).await.unwrap_err();
    assert_eq!(error.slug(), "run-not-found");
    create.scope = scope("ann");
    storage.create_runs(create).await.unwrap();
    assert_eq!(status(&storage, 3).await, Some(RunStatus::Pending));
}

const TENANTS: u64 = 2_000;

/// A look-up has to read fewer instructions than a look at each row would take.
const INSTRUCTIONS_MAX: u64 = 500;

/// Gives every tenant a pipeline, a connection and a variable `shared`. Those of every other tenant
/// are deleted.
const SHARED: &str = "
CREATE TABLE names AS
  WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000)
  SELECT 't' || n AS tenant, iif(n % 2, 2000, NULL) AS deleted_at, n FROM c;
INSERT INTO pipelines (key, id, slug, tenant, version, enabled, created_at, updated_at, deleted_at)
  SELECT n + 10, 'shared', iif(deleted_at, NULL, 'shared'), tenant, 1, 1, 1000 + n, 1000, deleted_at FROM names;
INSERT INTO definitions (key, pipeline, version, body)
  SELECT n + 10, n + 10, 1, (SELECT body FROM definitions WHERE key = 1) FROM names;
INSERT INTO connections (id, tenant, version, created_at, updated_at, deleted_at, type, description, host, schema, login)
  SELECT 'shared', tenant, 1, 1000 + n, 1000, deleted_at, '', '', '', '', '' FROM names;
INSERT INTO variables (id, tenant, version, created_at, updated_at, deleted_at, value, description)
  SELECT 'shared', tenant, 1, 1000 + n, 1000, deleted_at, iif(deleted_at, NULL, ''), iif(deleted_at, NULL, '') FROM names;
DROP TABLE names;
";

/// Opens the file of a closed store that [`SHARED`] has filled.
async fn shared_names() -> (Scratch, Connection) {
    let (dir, storage) = store().await;
    storage.close().await.unwrap();
    let path = dir.path().join("runs.db");
    let conn = connect(&path, &SqliteOptions::default()).unwrap();
    conn.execute_batch(SHARED).unwrap();
    (dir, conn)
}

/// Asserts that a look-up executes few instructions.
fn bounded<T>(count: &AtomicU64, what: &str, look_up: impl FnOnce() -> T) -> T {
    count.store(0, Ordering::Relaxed);
    let found = look_up();
    let count = count.load(Ordering::Relaxed);
    assert!(0 < count && count < INSTRUCTIONS_MAX, "{what}: {count}");
    found
}

/// Returns the problem of a look-up that must fail.
fn problem<T>(found: std::result::Result<T, StoreError>) -> &'static str {
    found
        .err()
        .map_or("none", |error| Error::from(error).slug())
}

#[tokio::test]
async fn a_read_of_a_name_reads_few_rows_however_many_tenants_have_it() {
    let (_dir, mut conn) = shared_names().await;
    let count = count_instructions(&mut conn).unwrap();
    let reader = Reader {
        bound: ReadBound::of_connection(
            &mut Connection::open_in_memory().unwrap(),
            SqliteOptions::default().read_timeout,
        )
        .unwrap(),
        conn,
        definitions: Arc::default(),
        unreadable: Arc::default(),
    };
    let last = scope(&format!("t{TENANTS}"));
    let (all, none) = (Scope::All, Scope::NoTenant);
    let find = |scope| bounded(&count, "pipeline", || reader.pipeline("shared", scope));
    assert_eq!(problem(find(&all)), "tenant-required");
    assert!(find(&last).unwrap().is_some());
    assert!(find(&none).unwrap().is_none());
    let connection = ConnectionId::new("shared").unwrap();
    let variable = VariableKey::new("shared").unwrap();
    let find = |scope| {
        bounded(&count, "connection", || {
            reader.find_setting::<StoredConnection>(&connection, scope)
        })
    };
    assert_eq!(problem(find(&all)), "tenant-required");
    assert!(find(&last).unwrap().is_some());
    let find = |scope| {
        bounded(&count, "variable", || {
            reader.find_setting::<StoredVariable>(&variable, scope)
        })
    };
    assert_eq!(problem(find(&all)), "tenant-required");
    assert!(find(&last).unwrap().is_some());

    let own = Qualified::new(pipeline_id("shared"), last.tenant().cloned());
    let operation = IdempotentOperation::Run(own);
    let find = || find_key(&reader.conn, &operation, "once", 0);
    bounded(&count, "key", find).unwrap();

    let page = PageRequest::After {
        cursor: Some(format!("t{TENANTS}/shared")),
        limit: 1,
    };
    for scope in [&all, &last] {
        let filter = PipelineFilter {
            scope: scope.clone(),
            ..PipelineFilter::default()
        };
        bounded(&count, "pipelines", || reader.pipelines(&filter, &page)).unwrap();
        bounded(&count, "connections", || {
            reader.list_settings::<StoredConnection>(scope, &page)
        })
        .unwrap();
        bounded(&count, "variables", || {
            reader.list_settings::<StoredVariable>(scope, &page)
        })
        .unwrap();
        let filter = RunFilter {
            scope: scope.clone(),
            pipeline: Some(pipeline_id("daily")),
            ..RunFilter::default()
        };
        bounded(&count, "runs", || reader.runs(&filter, &page_of_runs())).unwrap();
    }
}

fn page_of_runs() -> PageRequest {
    PageRequest::Numbered {
        page: 1,
        per_page: 9,
    }
}

#[tokio::test]
async fn a_save_of_a_name_reads_few_rows_however_many_tenants_have_it() {
    let (_dir, mut conn) = shared_names().await;
    let count = count_instructions(&mut conn).unwrap();
    let mut tx = Tx::new(conn, Arc::default()).unwrap();
    let last = format!("t{TENANTS}");
    let id = pipeline_id("shared");
    let live = bounded(&count, "live", || {
        let from = (&tx.conn, &*tx.unreadable);
        CachedPipelines::default().live(from, &id, &Scope::All)
    });
    assert_eq!(live.unwrap().len(), 2);
    let definition = Arc::new(Pipeline::new("shared").node("load", "load"));
    let definition = Arc::new(Definition::new(definition, 1).unwrap());
    let body = values::text(&*definition.pipeline).unwrap();
    let connection = ConnectionId::new("shared").unwrap();
    let variable = VariableKey::new("shared").unwrap();

    let mut any = put("shared", "");
    (any.expect, any.scope) = (Expect::Any, Scope::All);
    let saved = bounded(&count, "save", || tx.put_pipeline(&any, &body, &definition));
    assert_eq!(problem(saved), "tenant-required");
    any.scope = scope(&last);
    let saved = bounded(&count, "save", || tx.put_pipeline(&any, &body, &definition));
    assert_eq!(saved.unwrap().version, 2);
    let delete = DeletePipeline::new(id, at(1));
    let deleted = bounded(&count, "delete", || tx.delete_pipeline(&delete));
    assert_eq!(problem(deleted), "tenant-required");

    let mut any = put_connection("shared", "");
    (any.expect, any.scope) = (Expect::Any, Scope::All);
    let any = any.into();
    let saved = bounded(&count, "connection", || {
        tx.put_setting::<StoredConnection>(&any)
    });
    assert_eq!(problem(saved), "tenant-required");
    let own = scope(&last);
    bounded(&count, "connection", || {
        tx.delete_setting::<StoredConnection>(&connection, &own, at(1))
    })
    .unwrap();
    let mut any = put_variable("shared", &last);
    any.expect = Expect::Any;
    let any = any.into();
    let saved = bounded(&count, "variable", || {
        tx.put_setting::<StoredVariable>(&any)
    });
    assert_eq!(saved.unwrap().version, 2);
    let deleted = bounded(&count, "variable", || {
        tx.delete_setting::<StoredVariable>(&variable, &Scope::All, at(1))
    });
    assert_eq!(problem(deleted), "tenant-required");
}

#[tokio::test]
async fn a_row_whose_tenant_cannot_be_read_hides_no_other() {
    let (dir, storage) = store().await;
    let connection = ConnectionId::new("daily").unwrap();
    for tenant in ["ann", "ben"] {
        storage.put_pipeline(put("daily", tenant)).await.unwrap();
        let put = put_connection("daily", tenant);
        storage.put_connection(put).await.unwrap();
    }
    storage.close().await.unwrap();
    let shell = Connection::open(dir.path().join("runs.db")).unwrap();
    // The damaged tenant comes first in the order of the indexes.
    shell
        .execute_batch(
            "UPDATE pipelines SET tenant = '!' WHERE tenant IS NULL;
             UPDATE connections SET tenant = '!' WHERE tenant = 'ben'",
        )
        .unwrap();
    drop(shell);
    let storage = open(dir.path()).await;
    let found = storage.find_pipeline("daily", &Scope::All).await;
    assert_eq!(found.unwrap_err().slug(), "tenant-required");
    let delete = |tenant: &str| {
        let mut delete = DeletePipeline::new(pipeline_id("daily"), at(1));
        delete.scope = scope(tenant);
        delete
    };
    storage.delete_pipeline(delete("ben")).await.unwrap();
    let found = storage.find_pipeline("daily", &Scope::All).await.unwrap();
    assert_eq!(found.unwrap().tenant.as_ref(), scope("ann").tenant());
    let found = storage.find_connection(&connection, &Scope::All).await;
    assert_eq!(
        found.unwrap().unwrap().tenant.as_ref(),
        scope("ann").tenant()
    );

    // Without another one, a save makes the damaged pipeline one without a tenant.
    storage.delete_pipeline(delete("ann")).await.unwrap();
    let mut any = put("daily", "");
    (any.expect, any.scope) = (Expect::Any, Scope::All);
    let saved = storage.put_pipeline(any).await.unwrap();
    assert_eq!((saved.tenant, saved.version), (None, 2));
}
