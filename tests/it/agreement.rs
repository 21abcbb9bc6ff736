//! Agreement of the backends: each one stores the same history for the same work.

use std::collections::BTreeMap;

use floret::testing::Step;
use floret::{Event, RunId, RunStatus};
use serde_json::{Value, json};

use crate::harness::{Store, World, chain};

on_every_backend! {
    two_hundred_chains_store_the_same_rows_and_events_as_in_memory,
}

/// Returns the events as JSON, with each run's number in place of its id.
fn comparable(events: Vec<Event>, runs: &BTreeMap<RunId, usize>) -> Vec<Value> {
    let mut comparable = Vec::new();
    for event in events {
        let run = runs[&event.run_id];
        let mut event = serde_json::to_value(event).unwrap();
        event["run_id"] = json!(run);
        comparable.push(event);
    }
    comparable
}

async fn history(store: Store) -> (Vec<Value>, Vec<Value>) {
    let world = World::new(store).pipeline(chain("p", &["a", "b", "c", "d", "e"]));
    world.script.script(
        "a",
        [Step::rows([json!({"x": 1, "y": [null, "z"]})]).logs("one")],
    );
    let host = world.start().await;
    let mut runs = BTreeMap::new();
    let mut rows = Vec::new();
    for number in 0..200 {
        let run = host.trigger("p").await;
        runs.insert(run.id(), number);
        let finished = run.finished().await.unwrap();
        assert_eq!(finished.run.status, RunStatus::Success);
        rows.push(json!(run.output::<Value>("e").await.unwrap()));
        for mut row in finished.nodes {
            row.id = String::new();
            rows.push(json!(row));
        }
    }
    (rows, comparable(host.events().await, &runs))
}

async fn two_hundred_chains_store_the_same_rows_and_events_as_in_memory(store: Store) {
    let (rows, events) = history(store).await;
    let (expected_rows, expected_events) = history(Store::memory()).await;
    assert_eq!(rows, expected_rows);
    for (event, expected) in events.iter().zip(&expected_events) {
        assert_eq!(event, expected);
    }
    assert_eq!(events.len(), 200 * (3 + 5 * 2 + 1));
}
