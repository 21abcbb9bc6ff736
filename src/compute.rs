//! Long computations on datasets: on blocking threads, about as many at once as there are cores.
//!
//! The callers decide what is long, with [`is_small`] or their own knowledge.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use crate::error::LogSpan;
use crate::limits::Limits;
use crate::model::Dataset;

/// Cells and bytes up to which a dataset is converted on the async thread, which is faster.
const INLINE_CELLS_MAX: u64 = 2_000;
const INLINE_BYTES_MAX: u64 = 256 * 1024;

/// Runs long computations. Clones share their permits.
#[derive(Debug, Clone)]
pub(crate) struct Compute(Arc<Semaphore>);

impl Default for Compute {
    fn default() -> Self {
        Self::new(Limits::default().compute_max)
    }
}

impl Compute {
    pub(crate) fn new(parallel_max: usize) -> Self {
        let permits = parallel_max.clamp(1, Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(permits)))
    }

    /// Runs `work` on a blocking thread, once fewer computations than the maximum run.
    ///
    /// Dropping the future stops a computation that has not begun. One that has begun keeps its
    /// permit until it ends.
    ///
    /// # Errors
    /// The panic of `work`, or the shutdown of the runtime.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        // The semaphore is never closed. Without a permit the work would run all the same.
        let permit = Arc::clone(&self.0).acquire_owned().await.ok();
        let span = LogSpan::current();
        let task = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            span.in_scope(work)
        });
        AbortOnDropHandle::new(task).await
    }
}

/// Returns whether datasets are so small that a computation on them delays no other task.
pub(crate) fn is_small<'a>(datasets: impl IntoIterator<Item = &'a Dataset>) -> bool {
    let (mut cells, mut bytes) = (0_u64, 0_u64);
    for dataset in datasets {
        let columns = u64::try_from(dataset.columns().len()).unwrap_or(u64::MAX);
        cells = cells.saturating_add(dataset.row_count().saturating_mul(columns));
        bytes = bytes.saturating_add(dataset.memory_bytes());
    }
    cells <= INLINE_CELLS_MAX && bytes <= INLINE_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn computations_beyond_the_maximum_wait_although_a_caller_leaves() {
        let compute = Compute::new(1);
        let (release, released) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let mut first = Box::pin(compute.run(move || {
            begin.send(()).unwrap();
            released.recv().is_err()
        }));
        tokio::select! {
            biased;
            _ = &mut first => panic!("it waits for its release"),
            begun = begun => begun.unwrap(),
        }
        drop(first);
        assert_eq!(compute.0.available_permits(), 0);
        drop(release);
        assert_eq!(compute.run(|| 7).await.unwrap(), 7);
        let panicked = compute.run(|| panic!("no")).await;
        assert!(panicked.unwrap_err().is_panic());
        assert_eq!(compute.run(|| 8).await.unwrap(), 8);
    }

    #[test]
    fn datasets_are_small_together() {
        let rows = |count: i64| {
            let rows: Vec<_> = (0..count).map(|n| serde_json::json!({"n": n})).collect();
            Dataset::from_serialize(&rows).unwrap()
        };
        let (half, long) = (rows(1_000), serde_json::json!({"t": "x".repeat(300_000)}));
        assert!(is_small([&half, &half]));
        assert!(!is_small([&half, &half, &half]));
        assert!(!is_small([&Dataset::from_serialize(&[long]).unwrap()]));
    }
}
