//! `Builder::check` and `Builder::read_only`: what a storage holds, seen without a start.

use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::query::{Finding, NewConnection, NewVariable};
use floret::storage::{MemoryStorage, SqliteStorage, Storage};
use floret::{
    Builder, ErrorKind, Floret, ParamDef, Pipeline, RunStatus, Scope, Secret, SecretKey, TenantId,
};
use serde_json::json;

use crate::harness::with_timeout;

async fn load(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

fn host(storage: impl Storage) -> Builder {
    Floret::builder(storage).node("load", load)
}

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes([byte; 32])
}

fn secret<T>(value: T) -> Secret<T> {
    Secret::new(value)
}

/// Returns what a builder finds, as lines.
async fn found(builder: Builder) -> Vec<String> {
    let found = builder.check().await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

/// Stores a pipeline, two connections and two variables, one of each for a tenant, a run that has
/// finished and one that waits.
async fn stored() -> MemoryStorage {
    let storage = MemoryStorage::default();
    let floret = host(storage.clone())
        .secret_key(key(1))
        .start()
        .await
        .unwrap();
    let acme = floret.scoped(Scope::Tenant(TenantId::new("acme").unwrap()));
    let daily = Pipeline::new("daily").node("load", "load");
    acme.pipelines().create(daily).await.unwrap();
    let warehouse = NewConnection::new("warehouse", "postgres").password(secret("canary".into()));
    let warehouse = warehouse.extra(secret(json!({"token": "canary"})));
    floret.connections().create(warehouse).await.unwrap();
    let open = NewConnection::new("open", "http").host("example.org");
    acme.connections().create(open).await.unwrap();
    let token = NewVariable::secret("TOKEN", secret("canary".into()));
    acme.variables().create(token).await.unwrap();
    let plain = NewVariable::new("PLAIN", "text");
    floret.variables().create(plain).await.unwrap();
    let later = Pipeline::new("later").node("load", "load");
    let later = later.param_def(ParamDef::string("token").secret());
    floret.pipelines().create(later).await.unwrap();
    let done = floret.run("later").param("token", "canary");
    done.await.unwrap().finished().await.unwrap();
    floret.pipelines().pause("later").await.unwrap();
    let run = floret.run("later").param("token", "canary");
    run.await.unwrap();
    storage
}

#[tokio::test]
async fn what_the_host_can_run_and_open_has_no_finding() {
    let storage = stored().await;
    assert_eq!(
        found(host(storage.clone()).secret_key(key(1))).await,
        [""; 0]
    );
    let rotated = host(storage).secret_key(key(2)).old_secret_key(key(1));
    assert_eq!(found(rotated).await, [""; 0]);
}

#[tokio::test]
async fn each_secret_without_its_key_is_found() {
    let storage = stored().await;
    for (builder, expected) in [
        (host(storage.clone()), "no encryption key is configured"),
        (
            host(storage).secret_key(key(2)),
            "a key that is not configured",
        ),
    ] {
        let lines = found(builder).await;
        let subjects = [
            "connection warehouse: the password cannot be opened: ",
            "connection warehouse: the extra cannot be opened: ",
            "variable TOKEN of the tenant acme: the value cannot be opened: ",
            "run 0",
            "the finished runs: no key opens the parameters of 1 of them, such as run 0",
        ];
        assert_eq!(lines.len(), subjects.len(), "{lines:?}");
        for (line, subject) in lines.iter().zip(subjects) {
            assert!(line.starts_with(subject), "{line}");
            assert!(
                line.contains(expected) || line.starts_with("the finished runs"),
                "{line}"
            );
            assert!(!line.contains("canary"), "{line}");
        }
    }
}

#[tokio::test]
async fn a_host_that_runs_finds_what_it_cannot_open_in_its_scope() {
    let storage = stored().await;
    let floret = host(storage).secret_key(key(2)).start().await.unwrap();
    let lines = |found: Vec<Finding>| found.iter().map(ToString::to_string).collect::<Vec<_>>();
    let all = lines(floret.system().check().await.unwrap());
    assert_eq!(all.len(), 4, "{all:?}");
    assert!(all[3].starts_with("run 0"), "{all:?}");
    let acme = floret.scoped(Scope::Tenant(TenantId::new("acme").unwrap()));
    let own = lines(acme.system().check().await.unwrap());
    assert_eq!(own.len(), 1, "{own:?}");
    assert!(
        own[0].starts_with("variable TOKEN of the tenant acme: "),
        "{own:?}"
    );
}

#[tokio::test]
async fn each_pipeline_that_cannot_run_is_found_however_many_there_are() {
    let storage = MemoryStorage::default();
    let floret = host(storage.clone())
        .node("old", load)
        .start()
        .await
        .unwrap();
    for number in 0..120 {
        let pipeline = Pipeline::new(format!("p{number}"));
        let pipeline = pipeline.node("a", "load").node("b", "old").after("a");
        floret.pipelines().create(pipeline).await.unwrap();
    }
    let lines = found(host(storage.clone())).await;
    assert_eq!(lines.len(), 120);
    let expected = "pipeline p119: at /nodes/1/type: ";
    assert!(
        lines.iter().any(|line| line.starts_with(expected)),
        "{}",
        lines[0]
    );
    // A pipeline of the code that is invalid is no finding about the storage.
    let invalid = Pipeline::new("new").node("a", "absent");
    let error = host(storage).pipeline(invalid).check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_check_and_a_look_change_nothing_and_start_nothing() {
    let folder = floret::testing::scratch();
    let file = folder.path().join("runs.db");
    let daily = Pipeline::new("daily").node("load", "load");
    let floret = host(SqliteStorage::open(&file).await.unwrap());
    let floret = floret.pipeline(daily.clone()).start().await.unwrap();
    let finished = floret.run("daily").await.unwrap();
    finished.finished().await.unwrap();
    let mut limits = floret.limits();
    limits.runs_max = 0;
    floret.set_limits(&limits).unwrap();
    let waiting = floret.run("daily").await.unwrap();
    floret.shutdown(Duration::from_secs(10)).await.unwrap();
    drop(floret);
    let before = std::fs::read(&file).unwrap();
    let storage = SqliteStorage::open_read_only(&file).await.unwrap();
    let builder = || host(storage.clone()).pipeline(daily.clone().schedule("@daily"));
    assert_eq!(builder().check().await.unwrap(), []);
    let client = builder().read_only().await.unwrap();
    let run = client.run_by_id(finished.id());
    assert_eq!(run.get().await.unwrap().run.status, RunStatus::Success);
    assert!(!run.logs().await.unwrap().lines.is_empty());
    let pending = client.run_by_id(waiting.id());
    assert_eq!(pending.get().await.unwrap().run.status, RunStatus::Pending);
    // A wait ends, since nothing happens any more.
    let ended = with_timeout("the wait", pending.finished()).await;
    assert_eq!(ended.unwrap_err().slug(), "shutting-down");
    for error in [
        client.run("daily").await.unwrap_err(),
        client.pipelines().create(daily.clone()).await.unwrap_err(),
        pending.cancel().await.unwrap_err(),
    ] {
        assert_eq!(error.slug(), "shutting-down", "{error}");
    }
    let stored = client.pipelines().get("daily").await.unwrap();
    assert_eq!(stored.definition.schedule, None);
    drop((client, run, pending, stored));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
