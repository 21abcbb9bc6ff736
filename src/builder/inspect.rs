//! Looks at what a storage holds, without a start: reads it as a client does, and checks it.
//!
//! `engine/check` checks the objects.

use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use super::start::Assembled;
use crate::delivery::Delivery;
use crate::engine::{CheckedRuns, Finding};
use crate::error::Result;
use crate::floret::Client;
use crate::model::Scope;

impl Builder {
    /// Returns a client that reads what the storage holds, without starting anything: no run
    /// executes, no schedule fires, nothing is delivered, and the pipelines of this builder are not
    /// saved.
    ///
    /// Its commands are refused as `ShuttingDown`, as those of a Floret that was shut down.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use floret::{Pipeline, executor::Ctx};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let folder = floret::testing::scratch();
    /// # let file = folder.path().join("runs.db");
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = Floret::open(&file).await?.node("load", load).pipeline(daily).start().await?;
    /// # let id = floret.run("daily").await?.finished().await?.run.id;
    /// # floret.shutdown(Duration::from_secs(10)).await?;
    /// # drop(floret);
    /// use floret::{Floret, storage::SqliteStorage};
    ///
    /// let storage = SqliteStorage::open_read_only(&file).await?;
    /// let client = Floret::builder(storage).read_only().await?;
    /// let log = client.run_by_id(id).logs().await?;
    /// assert!(!log.lines.is_empty());
    /// assert_eq!(client.run("daily").await.unwrap_err().slug(), "shutting-down");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - `Invalid` if a node type is registered twice, or if a state is missing or given twice.
    /// - `Unavailable`, and any other error of storage.
    pub async fn read_only(self) -> Result<Client> {
        let Assembled {
            storage,
            engine,
            views,
            pipelines: _,
            notifiers: _,
            sleeper: _,
        } = self.assemble().await?;
        // Before anything has begun, so that this waits for nothing.
        engine.events().close();
        engine.shutdown(Duration::ZERO).await;
        engine.events().release_waiters();
        let delivery = Delivery::idle(
            Arc::clone(&storage),
            engine.clock().clone(),
            engine.limits().clone(),
        );
        Ok(Client::inspecting(engine, views, storage, delivery))
    }

    /// Checks what the storage holds against this builder, without starting or changing anything.
    ///
    /// It finds the pipelines that cannot run, because of a node type that is not registered, a
    /// config that its executor refuses or a limit, and the secrets that no key of this builder
    /// opens. Only the newest version of a pipeline is checked, and every run that was not purged.
    /// [`System::check`](crate::query::System::check) checks a host that runs. For the file of a
    /// SQLite store, see [`SqliteStorage::check`](crate::storage::SqliteStorage::check).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Floret, Pipeline, executor::Ctx, storage::MemoryStorage};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// let storage = MemoryStorage::default();
    /// let floret = Floret::builder(storage.clone()).node("load", load).start().await?;
    /// floret.pipelines().create(Pipeline::new("daily").node("load", "load")).await?;
    ///
    /// // The next version of the host has no node type `load` any more.
    /// let found = Floret::builder(storage).check().await?;
    /// assert_eq!(found[0].subject, "pipeline daily");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - `Invalid` if a node type is registered twice, if a state is missing or given twice, or if
    ///   pipelines of the builder are invalid.
    /// - `Unavailable`, and any other error of storage.
    pub async fn check(self) -> Result<Vec<Finding>> {
        let assembled = self.assemble().await?;
        assembled.engine.check_pipelines(&assembled.pipelines)?;
        let engine = assembled.engine;
        engine.check_stored(&Scope::All, CheckedRuns::All).await
    }
}
