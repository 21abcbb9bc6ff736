//! A Floret on memory for the tests of a host's own pipelines.
//!
//! What a single executor does can be tested without one, by calling it.

use crate::builder::Builder;
use crate::error::Result;
use crate::floret::{Floret, RunHandle};
use crate::model::{Pipeline, RunStatus};
use crate::storage::{MemoryStorage, RunDetail};

/// Begins a Floret that keeps everything in memory.
pub fn memory() -> Builder {
    Floret::builder(MemoryStorage::default())
}

/// A run that has ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ended {
    /// The run with its nodes.
    pub detail: RunDetail,
    /// Its handle, for [`RunHandle::output`] of its last nodes.
    pub handle: RunHandle,
    /// The Floret on which it ran, for its log, its previews and further runs.
    pub floret: Floret,
}

impl Ended {
    /// How it ended.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        self.detail.run.status
    }
}

/// Starts the Floret, runs the pipeline once with its own parameters, and waits for the end.
///
/// ```
/// use floret::executor::{Ctx, ExecutorError};
/// use floret::testing::{memory, run_to_end};
/// use floret::{Pipeline, RunStatus};
///
/// async fn numbers(_: Ctx) -> Result<Vec<serde_json::Value>, ExecutorError> {
///     Ok(vec![serde_json::json!({"n": 1})])
/// }
/// # #[tokio::main]
/// # async fn main() -> floret::Result<()> {
/// let ended = run_to_end(memory().node("numbers", numbers), Pipeline::new("daily").node("one", "numbers")).await?;
/// assert_eq!(ended.status(), RunStatus::Success);
/// assert_eq!(ended.handle.output::<serde_json::Value>("one").await?[0]["n"], 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Builder::start`] and [`RunBuilder::start`](crate::RunBuilder::start).
pub async fn run_to_end(builder: Builder, pipeline: Pipeline) -> Result<Ended> {
    let id = pipeline.id.clone();
    let floret = builder.pipeline(pipeline).start().await?;
    let handle = floret.run(id).start().await?;
    let detail = handle.finished().await?;
    Ok(Ended {
        detail,
        handle,
        floret,
    })
}
