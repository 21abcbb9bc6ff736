//! A Floret in memory, for tests of the pipelines of a host.
//!
//! A single node needs no Floret: a test can call its function or executor directly.

use crate::builder::Builder;
use crate::error::Result;
use crate::floret::{Floret, RunHandle};
use crate::model::{Pipeline, RunStatus};
use crate::storage::{MemoryStorage, RunDetail};

/// Returns a builder of a Floret that stores everything in memory.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// use floret::Access;
///
/// let floret = floret::testing::memory().start().await?;
/// let service = floret.service(Access::allow_all());
/// # drop(service);
/// # Ok(())
/// # }
/// ```
pub fn memory() -> Builder {
    Floret::builder(MemoryStorage::default())
}

/// A run that has finished, with the Floret that executed it.
#[derive(Debug)]
#[non_exhaustive]
pub struct FinishedRun {
    /// The run with its nodes.
    pub detail: RunDetail,
    /// The handle of the run, which reads the outputs of its last nodes ([`RunHandle::output`]).
    pub handle: RunHandle,
    /// The Floret that executed the run, for its logs, previews and further runs.
    pub floret: Floret,
}

impl FinishedRun {
    /// Returns the final status of the run.
    #[must_use]
    pub const fn status(&self) -> RunStatus {
        self.detail.run.status
    }
}

/// Starts a Floret, runs `pipeline` once with its default parameters, and waits until it finishes.
///
/// A run that fails is no error: check [`FinishedRun::status`].
///
/// ```
/// use floret::executor::{Ctx, ExecutorError};
/// use floret::testing::{memory, run_to_end};
/// use floret::{Pipeline, RunStatus};
///
/// async fn numbers(_: Ctx) -> Result<Vec<serde_json::Value>, ExecutorError> {
///     Ok(vec![serde_json::json!({"n": 1})])
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// let pipeline = Pipeline::new("daily").node("one", "numbers");
/// let finished = run_to_end(memory().node("numbers", numbers), pipeline).await?;
/// assert_eq!(finished.status(), RunStatus::Success);
/// let rows = finished.handle.output::<serde_json::Value>("one").await?;
/// assert_eq!(rows[0]["n"], 1);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The errors of [`Builder::start`] (for example, an invalid pipeline) and of
/// [`RunBuilder::start`](crate::RunBuilder::start).
pub async fn run_to_end(builder: Builder, pipeline: Pipeline) -> Result<FinishedRun> {
    let id = pipeline.id.clone();
    let floret = builder.pipeline(pipeline).start().await?;
    let handle = floret.run(id).start().await?;
    let detail = handle.finished().await?;
    Ok(FinishedRun {
        detail,
        handle,
        floret,
    })
}
