//! The ends of upstream runs: how long they wait, by the rules of their dependent pipeline.
//!
//! `upstream_ends` has the answers.

use super::fixtures::{at, definition, put, run_id, save};
use super::gates::{end_run, put_rules};
use super::upstream_ends::{answer, answered, waiting, waiting_runs};
use crate::model::{DependencyRule, DependencyState, RunStatus};
use crate::storage::{EndAnswer, Purge, Storage};

/// The ends of mode `all` MUST wait unseen until there is one of each upstream.
pub async fn ends_of_mode_all_wait_for_one_another(storage: &dyn Storage) {
    save(storage, "load").await;
    save(storage, "clean").await;
    let rules = vec![DependencyRule::all("load"), DependencyRule::all("clean")];
    let report = put_rules(storage, "report", rules).await;
    end_run(storage, 1, "load", RunStatus::Success).await;
    end_run(storage, 2, "load", RunStatus::Success).await;
    assert_eq!(waiting(storage).await, []);
    end_run(storage, 3, "clean", RunStatus::Success).await;
    assert_eq!(waiting_runs(storage).await, [run_id(2), run_id(3)]);
    let joined = answer(&report, 11, &[2, 3]);
    assert_eq!(answered(storage, joined).await, EndAnswer::Created);
    end_run(storage, 4, "clean", RunStatus::Success).await;
    assert_eq!(waiting(storage).await, []);
    // Alone, the end of the other one is all that is needed.
    put_rules(storage, "report", vec![DependencyRule::all("clean")]).await;
    assert_eq!(waiting_runs(storage).await, [run_id(4)]);
}

/// An end MUST be forgotten with the rule that it has waited for: when the rule goes or gets
/// another state, and when the pipeline is disabled. Another mode MUST keep it.
pub async fn an_end_is_forgotten_with_its_rule(storage: &dyn Storage) {
    save(storage, "load").await;
    let any = || vec![DependencyRule::any("load")];
    put_rules(storage, "report", any()).await;
    end_run(storage, 1, "load", RunStatus::Success).await;
    put_rules(storage, "report", vec![DependencyRule::all("load")]).await;
    assert_eq!(waiting_runs(storage).await, [run_id(1)]);
    let completed = DependencyRule::any("load").state(DependencyState::Completed);
    put_rules(storage, "report", vec![completed]).await;
    assert_eq!(waiting(storage).await, []);
    end_run(storage, 2, "load", RunStatus::Success).await;
    put_rules(storage, "report", Vec::new()).await;
    put_rules(storage, "report", any()).await;
    assert_eq!(waiting(storage).await, []);
    end_run(storage, 3, "load", RunStatus::Success).await;
    assert_eq!(waiting_runs(storage).await, [run_id(3)]);
    let mut disabled = put("report");
    let definition = definition("report").disabled();
    disabled.definition = definition.dependency(DependencyRule::any("load")).into();
    storage.put_pipeline(disabled).await.unwrap();
    end_run(storage, 4, "load", RunStatus::Success).await;
    assert_eq!(waiting(storage).await, []);
    put_rules(storage, "report", any()).await;
    assert_eq!(waiting(storage).await, []);
    end_run(storage, 5, "load", RunStatus::Success).await;
    assert_eq!(waiting_runs(storage).await, [run_id(5)]);
}

/// The purge of an upstream run MUST end the wait of its end.
pub async fn a_purged_run_has_no_end_that_waits(storage: &dyn Storage) {
    save(storage, "load").await;
    put_rules(storage, "report", vec![DependencyRule::any("load")]).await;
    for n in 1..=2 {
        end_run(storage, n, "load", RunStatus::Success).await;
    }
    // Run 1 ended at second 1,001.
    let purge = Purge::new(at(1_002), 10);
    storage.purge(purge).await.unwrap();
    assert_eq!(waiting_runs(storage).await, [run_id(2)]);
}

/// The purge of an upstream run MUST leave the ends of mode `all` incomplete that waited with its
/// end, and no other pipeline.
pub async fn a_purged_run_leaves_the_ends_beside_it_incomplete(storage: &dyn Storage) {
    save(storage, "load").await;
    save(storage, "clean").await;
    let both = || vec![DependencyRule::all("load"), DependencyRule::all("clean")];
    let report = put_rules(storage, "report", both()).await;
    put_rules(storage, "other", vec![DependencyRule::all("clean")]).await;
    end_run(storage, 1, "load", RunStatus::Success).await;
    end_run(storage, 2, "clean", RunStatus::Success).await;
    assert_eq!(waiting_runs(storage).await, [run_id(1), run_id(2)]);
    storage.purge(Purge::new(at(1_002), 10)).await.unwrap();
    let waiting = waiting(storage).await;
    let pipelines: Vec<_> = waiting.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(pipelines, ["other"]);
    end_run(storage, 3, "load", RunStatus::Success).await;
    assert_eq!(waiting_runs(storage).await, [run_id(2), run_id(3)]);
    let joined = answer(&report, 11, &[2, 3]);
    assert_eq!(answered(storage, joined).await, EndAnswer::Created);
}
