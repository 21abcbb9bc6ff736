//! Tests that the threads of a store survive what panics in the host's code, and that a thread that
//! ends is noticed.
//!
//! Steps that panic are left to `commits`.

use std::future::poll_fn;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;

/// A runtime that panics when it is woken.
struct PanickingRuntime;

impl Wake for PanickingRuntime {
    fn wake(self: Arc<Self>) {
        panic!("the runtime is gone");
    }
}

#[tokio::test]
async fn a_runtime_that_panics_costs_no_other_caller_its_answer() {
    let (_dir, storage) = store().await;
    let busy = Busy::new(&storage).await;
    let mut first = Box::pin(storage.create_runs(create(1)));
    let waker = Waker::from(Arc::new(PanickingRuntime));
    let polled = first.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    let second = storage.create_runs(create(2));
    let (second, ()) = tokio::join!(second, busy.release());
    second.unwrap();
    storage.create_runs(create(3)).await.unwrap();
    let first = poll_fn(|context| first.as_mut().poll(context)).await;
    assert_eq!(first.unwrap().run_ids, [run_id(1)]);
}

#[tokio::test]
async fn a_writer_that_ends_fails_what_waits_and_what_comes() {
    let (dir, storage) = store().await;
    storage.create_runs(create(1)).await.unwrap();
    storage.newest_seq().await.unwrap();
    let busy = Busy::new(&storage).await;
    storage.end_writer();
    let waiting = storage.create_runs(create(2));
    let (waiting, ()) = tokio::join!(waiting, busy.release());
    assert_eq!(waiting.unwrap_err().kind(), ErrorKind::Unavailable);
    let later = storage.create_runs(create(3)).await.unwrap_err();
    assert_eq!(later.kind(), ErrorKind::Unavailable);
    let newest = storage.newest_seq().await.unwrap_err();
    assert_eq!(newest.kind(), ErrorKind::Unavailable);
    assert_eq!(status(&storage, 1).await, Some(RunStatus::Pending));
    storage.close().await.unwrap_err();
    let again = open(dir.path()).await;
    assert_eq!(event_count(&again).await, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_fails_the_health_check() {
    let (dir, storage) = store().await;
    let path = dir.path().join("runs.db");
    let elsewhere = dir.path().join("elsewhere.db");
    std::fs::rename(&path, &elsewhere).unwrap();
    let error = storage.newest_seq().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    std::fs::rename(&elsewhere, &path).unwrap();
    storage.newest_seq().await.unwrap();
}

/// A subscriber that panics at every log line.
struct PanickingSubscriber;

impl Subscriber for PanickingSubscriber {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        panic!("cannot log {}", event.metadata().name());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Lets the threads of a store log every kind of trouble.
async fn cause_trouble() {
    let (_dir, storage) = store().await;
    storage.fail_next_commit(CommitFault::AfterEffect);
    storage.create_runs(create(1)).await.unwrap();
    storage.fail_next_commit(CommitFault::BeforeEffect);
    let error = storage.create_runs(create(2)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let busy = Busy::new(&storage).await;
    let panics = storage.step(|_| -> Result<(), StoreError> { panic!("on purpose") });
    let created = storage.create_runs(create(2));
    let (panicked, created, ()) = tokio::join!(panics, created, busy.release());
    assert_eq!(panicked.unwrap_err().kind(), ErrorKind::Internal);
    created.unwrap();
    storage.damage_run(run_id(1)).await.unwrap();
    let claims = claim(&storage, 1, 5).await;
    assert_eq!(claims.unreadable, [run_id(1)]);
    let page = crate::PageRequest::Newest { limit: 9 };
    let listed = storage.list_runs(Default::default(), page).await.unwrap();
    assert_eq!(listed.items.len(), 1);
    storage.close().await.unwrap();
}

/// The variable of the process that has the subscriber.
const CHILD: &str = "FLORET_TEST_PANICKING_SUBSCRIBER";

/// The subscriber of a thread that the store starts is that of the whole process, so that this test
/// has a process of its own.
#[test]
fn a_subscriber_that_panics_ends_no_thread() {
    if std::env::var_os(CHILD).is_some() {
        tracing::subscriber::set_global_default(PanickingSubscriber).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(cause_trouble());
    }
    let mut child = Command::new(std::env::current_exe().unwrap());
    let name = "storage::sqlite::tests::threads::a_subscriber_that_panics_ends_no_thread";
    let output = child
        .args(["--exact", name])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{text}");
}
