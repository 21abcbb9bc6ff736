//! Labels and notes of runs: kept, edited at any time, and found by lists.

use super::fixtures::{
    all_events, assert_problem, at, create, finished_run, list_run_ids, new_run, pending_run,
    pipeline_id, purge_all, read_run, run_finished, run_id, save, save_for, scope, snapshot,
    started_run,
};
use crate::error::Problem;
use crate::model::{Labels, PageRequest, RunId, RunStatus, Scope};
use crate::storage::{EditRun, RunFilter, Storage};

/// Returns an edit that sets the labels with a value and removes the others.
fn edit(run: RunId, labels: &[(&str, Option<&str>)], note: Option<&str>) -> EditRun {
    let mut edit = EditRun::new(run);
    for (name, value) in labels {
        let value = value.map(str::to_owned);
        edit.labels.insert((*name).to_owned(), value);
    }
    edit.note = note.map(str::to_owned);
    edit
}

fn with_labels(labels: &[(&str, &str)]) -> RunFilter {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    RunFilter {
        labels: labels.iter().map(owned).collect(),
        ..RunFilter::default()
    }
}

async fn labelled(storage: &dyn Storage, n: u64, pipeline: &str, labels: &[(&str, &str)]) {
    let mut run = new_run(n, pipeline);
    run.labels = Labels::from_iter(labels.iter().copied());
    create(storage, run).await.unwrap();
}

/// A list MUST contain the runs that have all labels of its filter, and its other conditions MUST
/// hold as well.
pub async fn a_list_contains_the_runs_with_all_labels(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    save_for(storage, "hourly", "ben").await;
    labelled(storage, 1, "daily", &[("team", "data"), ("order", "17")]).await;
    labelled(storage, 2, "daily", &[("team", "data")]).await;
    labelled(storage, 3, "daily", &[("team", "DATA"), ("order", "")]).await;
    labelled(storage, 4, "hourly", &[("order", "17"), ("team", "data")]).await;
    labelled(storage, 5, "daily", &[]).await;
    for (labels, expected) in [
        (&[("team", "data")][..], &[4, 2, 1][..]),
        (&[("team", "data"), ("order", "17")], &[4, 1]),
        (&[("order", "17"), ("team", "data")], &[4, 1]),
        (&[("team", "data"), ("team", "data")], &[4, 2, 1]),
        (&[("team", "data"), ("team", "DATA")], &[]),
        (&[("team", "DATA")], &[3]),
        (&[("order", "")], &[3]),
        (&[("data", "team")], &[]),
        (&[("team", "%")], &[]),
    ] {
        let expected: Vec<_> = expected.iter().copied().map(run_id).collect();
        let found = list_run_ids(storage, with_labels(labels)).await;
        assert_eq!(found, expected, "{labels:?}");
    }
    let mut filter = with_labels(&[("team", "data")]);
    filter.scope = scope("ann");
    assert_eq!(
        list_run_ids(storage, filter.clone()).await,
        [2, 1].map(run_id)
    );
    filter.pipeline = Some(pipeline_id("daily"));
    filter.from = Some(at(2));
    assert_eq!(list_run_ids(storage, filter.clone()).await, [run_id(2)]);
    filter.run = Some(run_id(2));
    assert_eq!(list_run_ids(storage, filter.clone()).await, [run_id(2)]);
    filter.statuses = vec![RunStatus::Failed];
    assert_eq!(list_run_ids(storage, filter).await, []);
}

/// Pages of a list by label MUST follow one another, and count what the filter admits.
pub async fn pages_by_label_follow_one_another(storage: &dyn Storage) {
    save(storage, "daily").await;
    for n in 1..=7 {
        let labels: &[_] = if n == 4 { &[] } else { &[("team", "data")] };
        labelled(storage, n, "daily", labels).await;
    }
    let filter = with_labels(&[("team", "data")]);
    let (mut cursor, mut found) = (None, Vec::new());
    loop {
        let page = PageRequest::After { cursor, limit: 2 };
        let page = storage.list_runs(filter.clone(), page).await.unwrap();
        found.extend(page.items.iter().map(|run| run.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, [7, 6, 5, 3, 2, 1].map(run_id));
    let numbered = PageRequest::Numbered {
        page: 2,
        per_page: 4,
    };
    let page = storage.list_runs(filter, numbered).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|run| run.id).collect();
    assert_eq!((ids, page.total), ([2, 1].map(run_id).to_vec(), Some(6)));
}

/// An edit MUST set and remove labels, MUST leave the others and everything else as they are, and
/// MUST have no event, whatever the status of the run.
pub async fn an_edit_changes_labels_and_note_only(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut created = new_run(1, "daily");
    created.labels = Labels::from_iter([("a", "1"), ("b", "2"), ("c", "3")]);
    created.note = Some("first".to_owned());
    finished_run(storage, 2, RunStatus::Failed).await;
    let mut driver = started_run(storage, 3).await;
    create(storage, created).await.unwrap();
    pending_run(storage, 4).await;
    let events = all_events(storage).await;
    for n in 1..=4 {
        let mut expected = read_run(storage, run_id(n)).await;
        let changes = [("a", Some("9")), ("b", None), ("d", Some("\u{1f980}"))];
        let change = edit(run_id(n), &changes, Some("second"));
        storage.edit_run(change).await.unwrap();
        expected.run.labels = match n {
            1 => Labels::from_iter([("a", "9"), ("c", "3"), ("d", "\u{1f980}")]),
            _ => Labels::from_iter([("a", "9"), ("d", "\u{1f980}")]),
        };
        expected.run.note = Some("second".to_owned());
        assert_eq!(read_run(storage, run_id(n)).await, expected, "run {n}");
    }
    assert_eq!(all_events(storage).await, events);
    let unchanged = snapshot(storage).await;
    storage.edit_run(edit(run_id(1), &[], None)).await.unwrap();
    assert_eq!(snapshot(storage).await, unchanged);
    let cleared = edit(
        run_id(1),
        &[("a", None), ("c", None), ("d", None)],
        Some(""),
    );
    storage.edit_run(cleared).await.unwrap();
    let run = read_run(storage, run_id(1)).await.run;
    assert_eq!((run.labels, run.note), (Labels::new(), None));
    // What a running run appends later leaves the edit as it is.
    driver
        .append(storage, [run_finished(9, RunStatus::Success)])
        .await;
    let run = read_run(storage, driver.run).await.run;
    assert_eq!(run.labels.get("a"), Some("9"));
    assert_eq!(run.note.as_deref(), Some("second"));
}

/// A list that begins after an edit MUST find the run by its labels, and not by earlier ones. What
/// an earlier read knows of a finished run MUST end.
pub async fn a_read_after_an_edit_finds_the_run_as_edited(storage: &dyn Storage) {
    finished_run(storage, 1, RunStatus::Success).await;
    let first = edit(run_id(1), &[("team", Some("data"))], None);
    storage.edit_run(first).await.unwrap();
    let before = read_run(storage, run_id(1)).await;
    let second = edit(run_id(1), &[("team", Some("sales"))], None);
    storage.edit_run(second).await.unwrap();
    assert!(!before.unchanged.is_some_and(|known| known.holds()));
    let found = list_run_ids(storage, with_labels(&[("team", "data")])).await;
    assert_eq!(found, []);
    let found = list_run_ids(storage, with_labels(&[("team", "sales")])).await;
    assert_eq!(found, [run_id(1)]);
}

/// An edit that leaves a run with more than 16 labels MUST be refused and change nothing.
pub async fn more_labels_than_a_run_may_have_are_refused(storage: &dyn Storage) {
    save(storage, "daily").await;
    let mut run = new_run(1, "daily");
    run.labels = (0..16).map(|n| (format!("{n:02}"), "x")).collect();
    create(storage, run).await.unwrap();
    let before = snapshot(storage).await;
    let one_more = edit(run_id(1), &[("16", Some("x"))], Some("note"));
    assert_problem(storage.edit_run(one_more).await, Problem::InvalidField);
    assert_eq!(snapshot(storage).await, before);
    let in_place = edit(run_id(1), &[("16", Some("x")), ("00", None)], None);
    storage.edit_run(in_place).await.unwrap();
    assert_eq!(read_run(storage, run_id(1)).await.run.labels.len(), 16);
}

/// An edit of a run that does not exist or belongs to another tenant MUST be refused.
pub async fn an_edit_of_a_missing_run_is_not_found(storage: &dyn Storage) {
    save_for(storage, "daily", "ann").await;
    pending_run(storage, 1).await;
    let before = snapshot(storage).await;
    for (run, scope) in [(2, Scope::All), (1, scope("ben")), (1, Scope::NoTenant)] {
        let mut edit = edit(run_id(run), &[("a", Some("1"))], None);
        edit.scope = scope;
        assert_problem(storage.edit_run(edit).await, Problem::RunNotFound);
    }
    assert_eq!(snapshot(storage).await, before);
}

/// A purge MUST delete the labels of its runs.
pub async fn a_purged_run_leaves_no_label(storage: &dyn Storage) {
    finished_run(storage, 1, RunStatus::Success).await;
    labelled(storage, 2, "daily", &[("team", "data")]).await;
    storage
        .edit_run(edit(run_id(1), &[("team", Some("data"))], None))
        .await
        .unwrap();
    assert_eq!(purge_all(storage).await, 1);
    let filter = with_labels(&[("team", "data")]);
    let page = PageRequest::Numbered {
        page: 1,
        per_page: 9,
    };
    let page = storage.list_runs(filter, page).await.unwrap();
    let ids: Vec<_> = page.items.iter().map(|run| run.id).collect();
    assert_eq!((ids, page.total), (vec![run_id(2)], Some(1)));
}
