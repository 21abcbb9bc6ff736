//! What the client of a tenant reaches by the calls of Rust.

use floret::{Client, Error, EventKind, Pipeline, RunId};
use serde::Serialize;

use super::{Tenant, World};

/// Checks every call of the client of a tenant: none shows or changes an object of the other.
pub(super) async fn assert_reach_only_its_own(world: &World, tenant: Tenant) {
    let client = world.client(tenant);
    let foreign = world.names_of(tenant.other());
    for (call, text) in texts(&client, tenant).await {
        let leaked = foreign.iter().find(|name| text.contains(*name));
        assert_eq!(leaked, None, "{call} as {tenant:?}: {text}");
    }
    let others = world.runs.iter().filter(|(owner, _)| *owner != tenant);
    for (_, run) in others.take(3) {
        assert_absent(&client, run.parse().unwrap()).await;
    }
    assert_events_are_its_own(world, &client, tenant).await;
}

/// Returns what each list and overview answers, by the name of the call.
async fn texts(client: &Client, tenant: Tenant) -> Vec<(&'static str, String)> {
    vec![
        ("runs", text(&client.runs().page(100).await.unwrap().items)),
        ("pipelines", text(&client.pipelines().await.unwrap().items)),
        ("backfills", text(&client.backfills().await.unwrap().items)),
        (
            "connections",
            text(&client.connections().await.unwrap().items),
        ),
        ("variables", text(&client.variables().await.unwrap().items)),
        (
            "deliveries",
            text(&client.deliveries().await.unwrap().items),
        ),
        ("audit", text(&client.audit().await.unwrap().items)),
        ("calendar", text(&client.calendar().await.unwrap())),
        ("search", text(&client.search(tenant.name()).await.unwrap())),
        ("lineage", text(&client.lineage().await.unwrap())),
        ("dashboard", text(&client.dashboard().await.unwrap())),
        ("schedules", text(&client.schedules().await.unwrap())),
        ("info", text(&client.system().info().await.unwrap())),
        (
            "grid",
            found(client.pipelines().grid("shared-0").runs(100).await),
        ),
        ("node_history", {
            let node = format!("{}-node", tenant.name());
            let history = client.pipelines().node_history("shared-0", node);
            found(history.runs(100).await)
        }),
    ]
}

/// Returns the text of an answer about a pipeline, which the tenant may not have.
fn found(answer: Result<impl Serialize, Error>) -> String {
    answer.map_or_else(|error| error.to_string(), |value| text(&value))
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// Checks that no call about a run of the other tenant finds it.
async fn assert_absent(client: &Client, run: RunId) {
    let run = client.run_by_id(run);
    assert_missing(run.get().await);
    assert_missing(run.finished().await);
    assert_missing(run.edit().note("theirs").await);
    assert_missing(run.cancel().await);
    assert_missing(run.cancel().force().await);
    assert_missing(run.rerun().await);
    assert_missing(run.resume().await);
    assert_missing(run.logs().await);
    assert_missing(run.logs().stream().await);
    for tenant in [Tenant::Amber, Tenant::Birch] {
        let node = format!("{}-node", tenant.name());
        assert_missing(run.preview(&node).await);
        assert_missing(run.profile(&node).await);
        assert_missing(run.attempts(&node).await);
        assert_missing(run.dataset(&node).await);
    }
}

#[track_caller]
fn assert_missing<T>(answer: Result<T, Error>) {
    let slug = answer.err().map(|error| error.slug());
    assert_eq!(slug, Some("run-not-found"));
}

/// Checks that the client is sent every event of its own runs, and none of the other's.
async fn assert_events_are_its_own(world: &World, client: &Client, tenant: Tenant) {
    let last = Pipeline::new("last").node("last", "any");
    client.pipelines().create(last).await.unwrap();
    let last = client.run("last").await.unwrap();
    last.finished().await.unwrap();
    let mut events = client.events_after(0);
    let mut created = Vec::new();
    loop {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!(
            event.tenant.as_ref().map(AsRef::as_ref),
            Some(tenant.name())
        );
        if event.kind == EventKind::RunCreated {
            created.push(event.run_id);
        }
        if event.kind == EventKind::RunCompleted && event.run_id == last.id() {
            break;
        }
    }
    let own = world.runs.iter().filter(|(owner, _)| *owner == tenant);
    let own: Vec<RunId> = own.map(|(_, run)| run.parse().unwrap()).collect();
    assert!(
        own.iter().all(|run| created.contains(run)),
        "{own:?} {created:?}"
    );
}
