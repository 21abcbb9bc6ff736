//! Tests of lists by text: with and without room in memory, and after failed commits.
//!
//! What a list by text has is left to the contract.

use super::super::search_cache::Cached;
use super::*;
use crate::model::PageRequest;
use crate::storage::{DeletePipeline, PipelineFilter, SearchText};
use crate::testing::contract::fixtures::{pipeline_id, put};
use crate::testing::contract::pipeline_lists;

async fn found(storage: &SqliteStorage, text: &str) -> Vec<String> {
    let filter = PipelineFilter {
        text: Some(SearchText::new(text)),
        ..PipelineFilter::default()
    };
    let newest = PageRequest::Newest { limit: 100 };
    let page = storage.list_pipelines(filter, newest).await.unwrap();
    page.items.iter().map(|item| item.id.to_string()).collect()
}

/// Saves a pipeline with this number as its age.
async fn save(storage: &SqliteStorage, number: u32) -> Result<()> {
    let mut put = put(&format!("p{number}"));
    put.now = at(i64::from(number));
    storage.put_pipeline(put).await.map(drop)
}

async fn delete(storage: &SqliteStorage, number: u32) -> Result<()> {
    let id = pipeline_id(&format!("p{number}"));
    storage
        .delete_pipeline(DeletePipeline::new(id, at(99)))
        .await
}

fn cached(storage: &SqliteStorage) -> Cached {
    storage.0.published.search_cache.find()
}

/// Returns a new store whose memory has no room for a pipeline.
async fn without_room() -> (Scratch, SqliteStorage) {
    let dir = scratch();
    let storage = open(dir.path()).await;
    storage.0.published.search_cache.limit_to(0);
    (dir, storage)
}

#[tokio::test]
async fn without_room_in_memory_the_rows_keep_the_promises() {
    let (_dir, storage) = without_room().await;
    pipeline_lists::a_text_is_found_in_each_text_of_a_pipeline(&storage).await;
    let (_dir, storage) = without_room().await;
    pipeline_lists::a_text_is_found_as_the_last_change_has_left_it(&storage).await;
    let (_dir, storage) = without_room().await;
    pipeline_lists::a_list_by_text_has_pages(&storage).await;
    assert!(matches!(cached(&storage), Cached::TooLarge));
    let (_dir, storage) = without_room().await;
    pipeline_lists::a_list_by_text_beside_saves_has_each_saved_pipeline(&storage).await;
}

#[tokio::test]
async fn a_list_is_the_same_while_the_pipelines_outgrow_the_memory() {
    let dir = scratch();
    let storage = open(dir.path()).await;
    save(&storage, 1).await.unwrap();
    assert_eq!(found(&storage, "P").await, ["p1"]);
    let Cached::Pipelines(one) = cached(&storage) else {
        panic!("there is room");
    };
    storage.0.published.search_cache.limit_to(3 * one.bytes());
    let mut saved = vec!["p1".to_owned()];
    for number in 2..=5 {
        save(&storage, number).await.unwrap();
        saved.insert(0, format!("p{number}"));
        assert_eq!(found(&storage, "P").await, saved);
        let has_room = matches!(cached(&storage), Cached::Pipelines(_));
        assert_eq!(has_room, number <= 3, "{number}");
    }
    for number in 1..=4 {
        delete(&storage, number).await.unwrap();
        saved.pop();
        assert_eq!(found(&storage, "P").await, saved);
        let has_room = matches!(cached(&storage), Cached::Pipelines(_));
        assert_eq!(has_room, number >= 2, "{number}");
    }
}

#[tokio::test]
async fn a_change_with_an_unknown_outcome_is_found_as_it_ended() {
    let (_dir, storage) = store().await;
    for (number, fault, is_effective) in [
        (1, CommitFault::AfterEffect, true),
        (2, CommitFault::BeforeEffect, false),
    ] {
        assert_eq!(found(&storage, "P").await, [""; 0]);
        storage.fail_next_commit(fault);
        assert_eq!(save(&storage, number).await.is_ok(), is_effective);
        let id = format!("p{number}");
        let expected = is_effective.then(|| id.clone());
        assert_eq!(found(&storage, &id).await, Vec::from_iter(expected));
        if is_effective {
            storage.fail_next_commit(fault);
            delete(&storage, number).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_refused_change_leaves_what_is_found() {
    let (_dir, storage) = store().await;
    assert_eq!(found(&storage, "DAILY").await, ["daily"]);
    storage.create_runs(create(1)).await.unwrap();
    let delete = DeletePipeline::new(pipeline_id("daily"), at(1));
    assert!(storage.delete_pipeline(delete).await.is_err());
    assert_eq!(found(&storage, "DAILY").await, ["daily"]);
}

#[tokio::test]
async fn the_first_list_reads_the_pipelines_and_later_ones_what_they_find() {
    let (_dir, storage) = store().await;
    assert!(matches!(cached(&storage), Cached::Unknown(_)));
    assert_eq!(found(&storage, "missing").await, [""; 0]);
    let Cached::Pipelines(one) = cached(&storage) else {
        panic!("there is room");
    };
    assert_eq!(one.newest_first(None).count(), 1);
    save(&storage, 1).await.unwrap();
    let Cached::Pipelines(two) = cached(&storage) else {
        panic!("a change keeps the others");
    };
    assert_eq!(two.newest_first(None).count(), 2);
}

/// A definition that cannot be read costs its own pipeline, in memory and in the rows.
#[tokio::test]
async fn a_damaged_definition_is_skipped_and_counted() {
    for bytes_max in [usize::MAX, 0] {
        let (_dir, storage) = store().await;
        storage.0.published.search_cache.limit_to(bytes_max);
        save(&storage, 1).await.unwrap();
        let damage = |tx: &mut Tx| {
            let sql = "UPDATE definitions SET body = '{' WHERE pipeline = \
                       (SELECT key FROM pipelines WHERE id = 'p1')";
            tx.write(sql, []).map(drop)
        };
        storage.step(damage).await.unwrap();
        assert_eq!(found(&storage, "").await, ["daily"]);
        let stats = storage.stats(&Scope::All).await.unwrap();
        assert_eq!(stats.unreadable_count, 1);
    }
}
