//! Triggers from the host's own code.
//!
//! `engine/trigger` creates the run, and `run_handle` has the calls about a run that exists.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use futures_core::future::BoxFuture;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::given_params::GivenParams;
use super::{Client, RunHandle};
use crate::engine::{Annotations, QueuePlace, RequestKey, RunRequest, hash_body};
use crate::error::Result;
use crate::model::{DATE_PARAM, Priority, RunId, TraceParent, WebhookToken, rfc3339};

impl Client {
    /// Prepares a run of the pipeline with this id or slug.
    ///
    /// [`RunBuilder::start`] creates the run.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let floret = Floret::builder(MemoryStorage::default())
    /// #     .node("load", load)
    /// #     .pipeline(Pipeline::new("daily").node("load", "load"))
    /// #     .start()
    /// #     .await?;
    /// let run = floret.run("daily").param("region", "eu").key("2024-01-15").start().await?;
    /// let detail = run.finished().await?;
    /// assert_eq!(detail.run.params["region"], "eu");
    ///
    /// // A repeated key creates nothing.
    /// let repeated = floret.run("daily").param("region", "eu").key("2024-01-15").start().await?;
    /// assert_eq!(repeated.id(), run.id());
    /// # Ok(())
    /// # }
    /// ```
    pub fn run(&self, pipeline: impl Into<String>) -> RunBuilder {
        RunBuilder {
            client: self.clone(),
            pipeline: pipeline.into(),
            params: GivenParams::default(),
            definition: None,
            annotations: Annotations::default(),
            priority: None,
            run_after: None,
            key: None,
            traceparent: None,
            webhook: None,
        }
    }

    /// Returns the handle of an existing run.
    ///
    /// The run is not looked up: the methods of the handle return `NotFound` if it does not exist.
    #[must_use]
    pub fn run_by_id(&self, run: RunId) -> RunHandle {
        RunHandle::new(self.clone(), run)
    }
}

/// A run to create, from [`Client::run`].
///
/// [`RunBuilder::start`] creates the run; to await the builder is the same.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let order = floret.run("daily").param("order", "17").key("order-17");
/// let run = order.clone().start().await?;
/// // The key makes a repeat safe: it returns the first run.
/// assert_eq!(order.start().await?.id(), run.id());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "no run is created before `start`"]
pub struct RunBuilder {
    client: Client,
    pipeline: String,
    params: GivenParams,
    definition: Option<u32>,
    annotations: Annotations,
    priority: Option<Priority>,
    run_after: Option<DateTime<Utc>>,
    key: Option<String>,
    traceparent: Option<TraceParent>,
    webhook: Option<WebhookToken>,
}

impl RunBuilder {
    /// Sets a parameter, which overrides the pipeline's own.
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.insert(name, value);
        self
    }

    /// Sets a parameter for each field of a struct or entry of a map, as
    /// [`RunBuilder::param`] sets one.
    ///
    /// The struct derives `serde::Serialize`. Its fields are texts, numbers, booleans, dates, times
    /// or enums without data. A field that is `None` is left out, so that the run gets the default.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// #[derive(serde::Serialize)]
    /// struct Daily { region: &'static str, rows: u32, note: Option<String> }
    ///
    /// let daily = Daily { region: "eu", rows: 10, note: None };
    /// let run = floret.run("daily").params(&daily).await?.finished().await?.run;
    /// assert_eq!((run.params["region"].as_str(), run.params["rows"].as_str()), ("eu", "10"));
    ///
    /// let nested = serde_json::json!({"tables": ["orders"]});
    /// let refused = floret.run("daily").params(&nested).await.unwrap_err();
    /// assert!(refused.to_string().contains("\"tables\" must be a text, a number or a boolean"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn params(mut self, params: &(impl Serialize + ?Sized)) -> Self {
        self.params.extend(params);
        self
    }

    /// Sets all parameters.
    #[cfg(feature = "testing")]
    pub(crate) fn given(mut self, params: GivenParams) -> Self {
        self.params = params;
        self
    }

    /// Sets the date of the run, which is also its parameter `date` and `${run.date}`.
    ///
    /// Without it, the date is the pipeline's parameter `date`, or else the day of the creation in
    /// the time zone of the pipeline's schedule.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let date = "2024-01-15".parse()?;
    /// let run = floret.run("daily").date(date).start().await?.finished().await?.run;
    /// assert_eq!((run.date, run.params["date"].as_str()), (date, "2024-01-15"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn date(self, date: NaiveDate) -> Self {
        self.param(DATE_PARAM, date.to_string())
    }

    /// Executes this version of the pipeline instead of its newest one.
    pub const fn definition(mut self, version: u32) -> Self {
        self.definition = Some(version);
        self
    }

    /// Sets a label, by which lists find the run.
    ///
    /// A run has at most 16 labels. A name has 1 to 128 characters and no colon, a value at most
    /// 128. A resume takes the labels of its run.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let run = floret.run("daily").label("order", "17").note("asked for by Ann").await?;
    /// let found = floret.runs().label("order", "17").await?.items;
    /// assert_eq!(found[0].id, run.id());
    /// assert_eq!(found[0].note.as_deref(), Some("asked for by Ann"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.labels.insert(name, value);
        self
    }

    /// Sets a note about the run, of at most 2,000 characters.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.annotations.note = Some(note.into());
        self
    }

    /// Sets the priority among the pending runs that callers have triggered.
    ///
    /// Normal if it is not set. A resume and a rerun take the priority of their run.
    pub const fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Keeps the run pending until this time, which is at most a year ahead. A time that has passed
    /// delays nothing.
    ///
    /// The run then starts as soon as the limits on runs allow it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{Pipeline, RunStatus, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let tonight = chrono::Utc::now() + chrono::TimeDelta::hours(8);
    /// let run = floret.run("daily").run_after(tonight).await?;
    /// assert_eq!(run.get().await?.run.status, RunStatus::Pending);
    /// # Ok(())
    /// # }
    /// ```
    pub const fn run_after(mut self, time: DateTime<Utc>) -> Self {
        self.run_after = Some(time);
        self
    }

    /// Continues a distributed trace, as the header `traceparent` of a request does.
    ///
    /// The spans of the run and of its attempts, and the webhooks about it, belong to that trace.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
    /// let run = floret.run("daily").traceparent(parent).await?;
    /// assert_eq!(run.get().await?.run.traceparent, Some(parent));
    /// # Ok(())
    /// # }
    /// ```
    pub const fn traceparent(mut self, parent: TraceParent) -> Self {
        self.traceparent = Some(parent);
        self
    }

    /// Sets the idempotency key.
    ///
    /// A key that was used before for this pipeline creates nothing: the result is the first run.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Starts the run as the webhook of the pipeline does: with its
    /// [`Pipeline::webhook_token`](crate::Pipeline::webhook_token), for a host whose own endpoint
    /// receives it.
    pub fn webhook(mut self, token: impl Into<String>) -> Self {
        self.webhook = Some(WebhookToken::from(token.into()));
        self
    }

    /// Creates the run. The run is durable when this method returns.
    ///
    /// # Errors
    /// - `NotFound` if there is no such pipeline in scope.
    /// - `Conflict` (`tenant-required`) if several tenants have such a pipeline.
    /// - `Invalid` if a node type has no executor, a parameter does not fit its definition
    ///   (`param-invalid`) or is no scalar, a label, the note or `run_after` is out of bounds, the
    ///   pipeline has no such version, or the key was used with other options.
    /// - `Unauthenticated` if [`RunBuilder::webhook`] was called, and no pipeline in scope has this
    ///   name and this token.
    /// - `Conflict` (`concurrency-key-taken`) if the pipeline skips runs whose
    ///   [concurrency key](crate::Concurrency) is taken.
    /// - `QueueFull` if too many runs are waiting.
    /// - `ShuttingDown` or `Unavailable`.
    pub async fn start(mut self) -> Result<RunHandle> {
        let params = std::mem::take(&mut self.params).into_texts()?;
        let key = self.key.take().map(|key| RequestKey {
            key,
            body_hash: hash_body(&self.body(&params)),
        });
        let place = QueuePlace {
            priority: self.priority.unwrap_or_default(),
            run_after: self.run_after,
        };
        let start = RunRequest {
            pipeline: self.pipeline,
            params,
            definition: self.definition,
            annotations: self.annotations,
            place,
            key,
            author: self.client.author(),
            traceparent: self.traceparent,
            webhook: self.webhook,
        };
        let started = self.client.engine().trigger(start).await?;
        Ok(self.client.run_by_id(started.run_id))
    }

    /// Returns the body that a client would send for the same run.
    fn body(&self, params: &BTreeMap<String, String>) -> Value {
        let mut body = Map::new();
        if !params.is_empty() {
            body.insert("params".to_owned(), json!(params));
        }
        if !self.annotations.labels.is_empty() {
            body.insert("labels".to_owned(), json!(self.annotations.labels));
        }
        if let Some(version) = self.definition {
            body.insert("definition".to_owned(), Value::from(version));
        }
        if let Some(note) = &self.annotations.note {
            body.insert("note".to_owned(), Value::from(note.as_str()));
        }
        if let Some(priority) = self.priority {
            body.insert("priority".to_owned(), Value::from(priority.as_str()));
        }
        if let Some(after) = &self.run_after {
            body.insert("run_after".to_owned(), rfc3339::text(after).into());
        }
        Value::Object(body)
    }
}

impl IntoFuture for RunBuilder {
    /// The handle of the new run, which is durable.
    ///
    /// # Errors
    /// The same as [`RunBuilder::start`].
    type Output = Result<RunHandle>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}
