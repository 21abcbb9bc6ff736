//! The state of the system and purges from the host's own code.
//!
//! `engine/purge` carries the purges out.

use futures_core::future::BoxFuture;
use serde_json::Value;

use super::Client;
use super::paging::within;
use crate::api::{Capabilities, Permission, document_below};
use crate::engine::{CheckedRuns, Finding, PURGE_DAYS, PURGE_DAYS_MAX, PurgeMode, PurgeRequest};
use crate::error::Result;
use crate::views::{EngineFacts, SystemInfo};

/// The calls about the system, from [`Client::system`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// floret.system().health().await?;
/// assert_eq!(floret.system().info().await?.pipelines, 1);
/// assert_eq!(floret.system().purge().days(90).await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct System {
    client: Client,
}

impl Client {
    /// Returns the calls about the system. Its figures, and a purge, cover the scope only.
    #[must_use]
    pub fn system(&self) -> System {
        System {
            client: self.clone(),
        }
    }
}

impl System {
    /// Checks that Floret accepts commands and that storage answers.
    ///
    /// # Errors
    /// `ShuttingDown` or `Unavailable`.
    pub async fn health(&self) -> Result<()> {
        self.client.engine().refuse_in_shutdown()?;
        self.client.views().check_storage().await
    }

    /// Checks what the storage holds against this host: the pipelines, and the secrets of hooks,
    /// connections, variables and unfinished runs. It changes nothing.
    ///
    /// A host that calls it after its start learns at once that a key is missing, before a run
    /// fails for it. [`Builder::check`](crate::Builder::check) does the same without a start.
    ///
    /// # Errors
    /// `Unavailable`, and any other error of storage.
    pub async fn check(&self) -> Result<Vec<Finding>> {
        let (engine, scope) = (self.client.engine(), self.client.scope());
        engine.check_stored(scope, CheckedRuns::Unfinished).await
    }

    /// Returns figures about storage and the queue.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn info(&self) -> Result<SystemInfo> {
        let client = &self.client;
        let engine = EngineFacts {
            runs_max: client.engine().current_limits().runs_max,
            uptime: client.engine().uptime(),
        };
        client.views().system_info(client.scope(), engine).await
    }

    /// Returns what this Floret can execute for the client, such as its node types.
    #[must_use]
    pub fn capabilities(&self) -> Capabilities {
        let (engine, scope) = (self.client.engine(), self.client.scope());
        let name = self.client.name().cloned();
        Capabilities::of(engine, scope, name, Permission::ALL.to_vec())
    }

    /// Returns the OpenAPI 3.1 document of the service that a host mounts at this prefix.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let floret = floret::testing::memory().start().await?;
    /// let document = floret.system().openapi("/api")?;
    /// let run = &document["paths"]["/pipelines/{id}/run"]["post"];
    /// assert_eq!(run["x-permission"], "pipelines.run");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Internal` if the document that is part of this crate cannot be read.
    pub fn openapi(&self, prefix: &str) -> Result<Value> {
        document_below(prefix)
    }

    /// Prepares a purge of the runs that finished at least 30 days ago. Awaiting the result
    /// deletes them.
    pub fn purge(&self) -> PurgeBuilder {
        PurgeBuilder {
            client: self.client.clone(),
            days: PURGE_DAYS,
            reason: None,
            mode: PurgeMode::Delete,
        }
    }
}

/// A purge of old runs, from [`System::purge`].
///
/// Awaiting it deletes finished runs with their logs, previews, profiles and outputs. Runs that
/// have not finished stay.
#[derive(Debug, Clone)]
#[must_use = "nothing is deleted before it is awaited"]
pub struct PurgeBuilder {
    client: Client,
    days: u32,
    reason: Option<String>,
    mode: PurgeMode,
}

impl PurgeBuilder {
    /// Sets the days since a run finished, from 1 to 36,500. Newer runs stay.
    pub const fn days(mut self, days: u32) -> Self {
        self.days = days;
        self
    }

    /// Says why, in at most 500 characters. The [audit](crate::Client::audit) shows it.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Counts the runs without deleting them.
    pub const fn preview(mut self) -> Self {
        self.mode = PurgeMode::Preview;
        self
    }
}

impl IntoFuture for PurgeBuilder {
    /// The number of runs.
    ///
    /// # Errors
    /// - `Malformed` if the number of days is out of range, and `Invalid` if the reason is too
    ///   long.
    /// - `ShuttingDown` or `Unavailable`. What was deleted by then stays deleted.
    type Output = Result<u64>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let request = PurgeRequest {
                days: within("days", self.days, 1..=PURGE_DAYS_MAX)?,
                keep_last: 0,
                mode: self.mode,
                reason: self.reason,
                author: self.client.author(),
            };
            self.client.engine().purge(request).await
        })
    }
}
