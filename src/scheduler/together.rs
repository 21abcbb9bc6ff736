//! Decides many things at once, so that they share commits.

use tokio::task::JoinSet;

use crate::engine::SchedulerHandle;
use crate::error::{Error, Result};

/// Decides each item, some of them at once. Calls `decide` in the order of the items. Leaves the
/// rest once the engine drains.
///
/// A failure does not keep the other items from being decided.
///
/// # Errors
/// The first of all failures.
pub(super) async fn decide_all<T, D, F>(
    handle: &SchedulerHandle,
    items: Vec<T>,
    decide: impl Fn(SchedulerHandle, T) -> F,
) -> Result<Vec<D>>
where
    D: Send + 'static,
    F: Future<Output = Result<D>> + Send + 'static,
{
    let parallel_max = handle.limits().ticks_parallel_max.max(1);
    let mut deciding = JoinSet::new();
    let mut outcome = Ok(Vec::new());
    let mut items = items.into_iter();
    loop {
        while deciding.len() < parallel_max
            && !handle.is_draining()
            && let Some(item) = items.next()
        {
            deciding.spawn(decide(handle.clone(), item));
        }
        let Some(decided) = deciding.join_next().await else {
            return outcome;
        };
        let decided = decided.unwrap_or_else(|error| {
            Err(Error::internal("a decision of the scheduler panicked").with_source(error))
        });
        match (&mut outcome, decided) {
            (Ok(all), Ok(one)) => all.push(one),
            (Ok(_), Err(error)) => outcome = Err(error),
            (Err(_), _) => {}
        }
    }
}
