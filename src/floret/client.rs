//! A client of a Floret: every call of host code that a scope restricts.
//!
//! `floret` is the host's own handle. The files of the nouns add the calls of each.

use std::sync::Arc;

use crate::delivery::Delivery;
use crate::engine::{Author, Engine};
use crate::error::Result;
use crate::events::Subscription;
use crate::model::{CallerName, PipelineId, Scope};
use crate::storage::{EventFilter, Storage};
use crate::views::Views;

/// The calls that host code makes in the name of a client. It sees and changes only the objects of
/// one scope, whatever it asks for.
///
/// [`Floret::scoped`](crate::Floret::scoped) returns one. A [`Floret`](crate::Floret) is a client
/// with [`Scope::All`]: it has all these methods, too. No method of a client widens its scope, so
/// a handler that holds nothing else reaches no object of another tenant. Objects outside the scope
/// appear not to exist.
///
/// Clones are cheap, and each keeps Floret running.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use floret::{executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// use floret::{Client, Pipeline, RunId, Scope, TenantId};
///
/// /// A handler of the host: it cancels a run for the tenant that asks.
/// async fn cancel(client: Client, run: RunId) -> floret::Result<()> {
///     client.run_by_id(run).cancel().await.map(drop)
/// }
///
/// let (acme, globex) = (TenantId::new("acme")?, TenantId::new("globex")?);
/// let daily = Pipeline::new("daily").node("load", "load").tenant(acme);
/// let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").start().await?;
///
/// let foreign = floret.scoped(Scope::Tenant(globex));
/// let error = cancel(foreign, run.id()).await.unwrap_err();
/// assert_eq!(error.slug(), "run-not-found");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    parts: Arc<Parts>,
    scope: Scope,
    name: Option<CallerName>,
}

/// The parts of a running Floret.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) engine: Engine,
    pub(super) views: Views,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) delivery: Delivery,
}

impl Client {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts: Arc::new(parts),
            scope: Scope::All,
            name: None,
        }
    }

    /// Creates a client of parts that were never started.
    pub(crate) fn inspecting(
        engine: Engine,
        views: Views,
        storage: Arc<dyn Storage>,
        delivery: Delivery,
    ) -> Self {
        Self::new(Parts {
            engine,
            views,
            storage,
            delivery,
        })
    }

    pub(super) fn within(&self, scope: Scope) -> Self {
        Self {
            parts: Arc::clone(&self.parts),
            scope,
            name: self.name.clone(),
        }
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.parts.engine
    }

    /// Returns the author of the commands of this client.
    pub(super) fn author(&self) -> Author {
        self.author_in(self.scope.clone())
    }

    /// Returns the author of a command that is narrowed to a scope.
    pub(super) fn author_in(&self, scope: Scope) -> Author {
        let by = self.name.clone();
        Author { scope, by }
    }

    pub(super) fn views(&self) -> &Views {
        &self.parts.views
    }

    pub(super) fn storage(&self) -> &dyn Storage {
        &*self.parts.storage
    }

    /// Returns the id of the pipeline that a list names by its id or slug, and the scope of the
    /// list.
    pub(super) async fn named_pipeline(
        &self,
        key: Option<String>,
    ) -> Result<(Scope, Option<PipelineId>)> {
        let Some(key) = key else {
            return Ok((self.scope.clone(), None));
        };
        let (scope, id) = self.views().named_pipeline(&key, &self.scope).await?;
        Ok((scope, Some(id)))
    }

    /// Returns the same client in the name of a caller: the runs that it creates say so
    /// ([`Run::created_by`](crate::Run::created_by)), and so does the [audit](Self::audit).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use floret::{Pipeline, executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// # let daily = Pipeline::new("daily").node("load", "load");
    /// # let floret = memory().node("load", load).pipeline(daily).start().await?;
    /// let run = floret.by("alice").run("daily").await?.get().await?.run;
    /// assert_eq!(run.created_by.expect("a name").as_str(), "alice");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn by(&self, name: impl Into<CallerName>) -> Self {
        Self {
            name: Some(name.into()),
            ..self.clone()
        }
    }

    /// Returns the name of the caller, if the host has given one.
    #[must_use]
    pub const fn name(&self) -> Option<&CallerName> {
        self.name.as_ref()
    }

    /// Returns the scope of the objects that this client sees and changes.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Subscribes to the events from now on.
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
    /// use floret::EventKind;
    ///
    /// let mut events = floret.events();
    /// let run = floret.run("daily").start().await?;
    /// let first = events.next().await.expect("Floret is running")?;
    /// assert_eq!((first.kind, first.run_id), (EventKind::RunCreated, run.id()));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events(&self) -> Subscription {
        self.events_after(self.engine().events().newest())
    }

    /// Subscribes to the events after a sequence number: stored events first, then live ones,
    /// without a gap. 0 starts at the oldest event.
    #[must_use]
    pub fn events_after(&self, seq: u64) -> Subscription {
        self.events_of(EventFilter::default(), seq)
    }

    /// Subscribes to the events that match a filter, after a sequence number.
    ///
    /// The scope of the filter counts only for a client of [`Scope::All`]. Any other client reads
    /// the events of its own scope.
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
    /// use floret::{EventKind, storage::EventFilter};
    ///
    /// let run = floret.run("daily").start().await?;
    /// let mut filter = EventFilter::default();
    /// filter.run = Some(run.id());
    /// filter.kinds = vec![EventKind::RunCompleted];
    /// let event = floret.events_of(filter, 0).next().await.expect("Floret is running")?;
    /// assert_eq!(event.run_id, run.id());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn events_of(&self, mut filter: EventFilter, seq: u64) -> Subscription {
        if self.scope != Scope::All {
            filter.scope = self.scope.clone();
        }
        self.engine().events().subscribe(filter, seq)
    }
}
