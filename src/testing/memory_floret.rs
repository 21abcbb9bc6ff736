//! A Floret in memory, for tests of the pipelines of a host.
//!
//! A single node needs no Floret: a test can call its function or executor directly.

use chrono::NaiveDate;
use futures_core::future::BoxFuture;
use serde::Serialize;

use crate::builder::Builder;
use crate::error::Result;
use crate::floret::{Floret, GivenParams, RunHandle};
use crate::model::{DATE_PARAM, Pipeline, RunStatus};
use crate::storage::{MemoryOptions, MemoryStorage, RunDetail};

/// Returns a builder of a Floret that stores everything in memory.
///
/// Its finished runs keep the outputs of all nodes, so that a test reads any of them with
/// [`RunHandle::output`]. An output is still not stored if it exceeds `Limits::output_bytes_max` or
/// contains a secret.
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
    Floret::builder(MemoryStorage::new(MemoryOptions::default().keep_outputs()))
}

/// A run that has finished, with the Floret that executed it.
#[derive(Debug)]
#[non_exhaustive]
pub struct FinishedRun {
    /// The run with its nodes.
    pub detail: RunDetail,
    /// The handle of the run, which reads the outputs of its nodes ([`RunHandle::output`]).
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

/// Prepares one run of `pipeline`. Awaiting the result starts a Floret, runs the pipeline and waits
/// until the run finishes.
///
/// A run that fails is no error: check [`FinishedRun::status`].
///
/// ```
/// use floret::executor::{Ctx, ExecutorError};
/// use floret::testing::{memory, run_to_end};
/// use floret::{Pipeline, RunStatus};
/// use serde_json::{Value, json};
///
/// async fn numbers(ctx: Ctx) -> Result<Vec<Value>, ExecutorError> {
///     let count: i64 = ctx.params["count"].parse()?;
///     Ok((0..count).map(|n| json!({"n": n})).collect())
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// let pipeline = Pipeline::new("daily").node("numbers", "numbers").param("count", "1");
/// let builder = memory().node("numbers", numbers);
/// let finished = run_to_end(builder, pipeline).param("count", "3").await?;
/// assert_eq!(finished.status(), RunStatus::Success);
/// let rows = finished.handle.output::<Value>("numbers").await?;
/// assert_eq!(rows[2]["n"], 2);
/// # Ok(())
/// # }
/// ```
pub fn run_to_end(builder: Builder, pipeline: Pipeline) -> RunToEnd {
    RunToEnd {
        builder,
        pipeline,
        params: GivenParams::default(),
    }
}

/// A run of a pipeline that a test awaits, from [`run_to_end`].
#[derive(Debug)]
#[must_use = "nothing runs before it is awaited"]
pub struct RunToEnd {
    builder: Builder,
    pipeline: Pipeline,
    params: GivenParams,
}

impl RunToEnd {
    /// Sets a parameter of the run, which overrides the pipeline's own.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name, value);
        self
    }

    /// Sets a parameter for each field of a struct, as
    /// [`RunBuilder::params`](crate::RunBuilder::params) does.
    pub fn params(mut self, params: &(impl Serialize + ?Sized)) -> Self {
        self.params.extend(params);
        self
    }

    /// Sets the date of the run, as [`RunBuilder::date`](crate::RunBuilder::date) does.
    pub fn date(self, date: NaiveDate) -> Self {
        self.param(DATE_PARAM, date.to_string())
    }

    async fn finish(self) -> Result<FinishedRun> {
        let Self {
            builder,
            pipeline,
            params,
        } = self;
        let id = pipeline.id.clone();
        let floret = builder.pipeline(pipeline).start().await?;
        let handle = floret.run(id).given(params).start().await?;
        let detail = handle.finished().await?;
        Ok(FinishedRun {
            detail,
            handle,
            floret,
        })
    }
}

impl IntoFuture for RunToEnd {
    /// The finished run.
    ///
    /// # Errors
    /// The errors of [`Builder::start`] (for example, an invalid pipeline) and of
    /// [`RunBuilder::start`](crate::RunBuilder::start).
    type Output = Result<FinishedRun>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.finish())
    }
}
