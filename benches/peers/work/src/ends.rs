//! The ends of a peer that does not report them: they are counted in its store.

use std::sync::Arc;
use std::time::Duration;

use crate::Jobs;

/// The error of a drain, and what a peer pays for being asked.
const PAUSE: Duration = Duration::from_millis(1);

/// Notes the ends of all jobs. `count` reads from the store how many jobs have ended.
///
/// The store is asked each millisecond, and only while all jobs have started that the clock waits
/// for, so that the questions cost the peer nothing before.
pub async fn count_ends<F>(jobs: Arc<Jobs>, count: impl Fn() -> F)
where
    F: Future<Output = usize>,
{
    let mut ended = 0;
    while ended < jobs.count() {
        tokio::time::sleep(PAUSE).await;
        if jobs.only_ends_are_missing() {
            let count = count().await;
            (ended..count).for_each(|job| jobs.end(job));
            ended = count;
        }
    }
}
