//! Dry runs from the host's own code.
//!
//! `engine/dry_run` carries them out.

use chrono::NaiveDate;
use futures_core::future::BoxFuture;
use serde::Serialize;

use super::Client;
use super::given_params::GivenParams;
use crate::engine::DryRunRequest;
use crate::error::Result;
use crate::model::{DATE_PARAM, DryRun};

/// A dry run to execute, from [`Client::dry_run`].
///
/// Awaiting it executes the pipeline on a few rows per node. It stores nothing and skips sinks.
/// Dropping the future stops it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
///
/// async fn load(_: Ctx) -> Result<Vec<serde_json::Value>, std::io::Error> {
///     Ok((0..1_000).map(|n| serde_json::json!({"id": n})).collect())
/// }
/// let floret = Floret::builder(MemoryStorage::default())
///     .node("load", load)
///     .pipeline(Pipeline::new("daily").node("load", "load"))
///     .start()
///     .await?;
/// let found = floret.dry_run("daily").param("date", "2024-01-15").await?;
/// assert!(found.node("load").is_some_and(|node| node.rows.len() == 10));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is executed before it is awaited"]
pub struct DryRunBuilder {
    client: Client,
    pipeline: String,
    params: GivenParams,
}

impl Client {
    /// Prepares a dry run of the pipeline with this id or slug. Awaiting the result executes it.
    pub fn dry_run(&self, pipeline: impl Into<String>) -> DryRunBuilder {
        DryRunBuilder {
            client: self.clone(),
            pipeline: pipeline.into(),
            params: GivenParams::default(),
        }
    }
}

impl DryRunBuilder {
    /// Sets a parameter, which overrides the pipeline's own.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name, value);
        self
    }

    /// Sets a parameter for each field of a struct or entry of a map, as
    /// [`DryRunBuilder::param`] sets one.
    ///
    /// The struct derives `serde::Serialize`. Its fields are texts, numbers, booleans, dates, times
    /// or enums without data. A field that is `None` is left out, so that the run gets the default.
    pub fn params(mut self, params: &(impl Serialize + ?Sized)) -> Self {
        self.params.extend(params);
        self
    }

    /// Sets the date of the run, as [`RunBuilder::date`](super::RunBuilder::date) does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// async fn load(ctx: Ctx) -> Result<Vec<serde_json::Value>, std::io::Error> {
    ///     Ok(vec![serde_json::json!({"day": ctx.date.to_string()})])
    /// }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let found = floret.dry_run("daily").date("2024-01-15".parse()?).await?;
    /// assert_eq!(found.node("load").unwrap().rows[0]["day"], "2024-01-15");
    /// # Ok(())
    /// # }
    /// ```
    pub fn date(self, date: NaiveDate) -> Self {
        self.param(DATE_PARAM, date.to_string())
    }

    /// Executes the pipeline and returns the result of each node.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Invalid` if a node type has no executor, or a parameter does not fit its definition
    ///   (`param-invalid`) or is no scalar.
    /// - `QueueFull` while [`Limits::dry_runs_max`](crate::Limits::dry_runs_max) dry runs are
    ///   executing.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(self) -> Result<DryRun> {
        let request = DryRunRequest {
            pipeline: self.pipeline,
            params: self.params.into_texts()?,
            scope: self.client.scope().clone(),
        };
        self.client.engine().dry_run(request).await
    }
}

impl IntoFuture for DryRunBuilder {
    /// The result of each node.
    ///
    /// # Errors
    /// The same as [`DryRunBuilder::start`].
    type Output = Result<DryRun>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
