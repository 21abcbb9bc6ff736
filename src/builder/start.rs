//! Starts what a builder describes: checks it, puts the parts together and saves the pipelines.
//!
//! This is the only place that knows every part.

use std::sync::Arc;

use super::Builder;
use crate::compute::Compute;
use crate::delivery::{self, Delivery, Sleeper};
use crate::engine::{Engine, EngineParts};
use crate::error::{Error, Issue, Problem, Result};
use crate::events::Events;
use crate::floret::Floret;
#[cfg(feature = "webhook")]
use crate::hooks::HookNotifier;
use crate::metrics;
use crate::model::Pipeline;
#[cfg(feature = "webhook")]
use crate::notifier::HookClient;
use crate::notifier::Notifiers;
use crate::scheduler;
use crate::storage::Storage;
use crate::views::Views;

/// The parts of a Floret that has not started.
pub(super) struct Assembled {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) engine: Engine,
    pub(super) views: Views,
    /// The pipelines of the code, which are not saved yet.
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) notifiers: Notifiers,
    /// The notifier that calls the hooks of pipelines.
    pub(super) sleeper: Option<Sleeper>,
}

impl Builder {
    /// Saves the pipelines and starts to execute runs, beginning with those that a crash
    /// interrupted.
    ///
    /// # Errors
    /// - `Invalid` if a node type or a notifier is registered twice, if a state is missing or given
    ///   twice, or if pipelines are invalid.
    ///   The error has every problem, and no pipeline is saved.
    /// - `Conflict` if a pipeline's id or slug is taken.
    /// - `Unavailable`, and any other error of storage.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use floret::{ErrorKind, Floret, Pipeline, storage::MemoryStorage};
    ///
    /// let started = Floret::builder(MemoryStorage::default())
    ///     .pipeline(Pipeline::new("daily").node("load", "load"))
    ///     .start()
    ///     .await;
    /// let error = started.expect_err("no executor is registered for the node type load");
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(self) -> Result<Floret> {
        let Assembled {
            storage,
            engine,
            views,
            pipelines,
            notifiers,
            sleeper,
        } = self.assemble().await?;
        metrics::begin();
        engine.check_pipelines(&pipelines)?;
        // Opened first, so that notifiers do not miss the events that follow.
        let delivery = Delivery::open(delivery::DeliveryParts {
            storage: Arc::clone(&storage),
            clock: engine.clock().clone(),
            limits: engine.limits().clone(),
            notifiers,
            sleeper,
            newest: engine.events().watch_newest(),
            requests: Arc::clone(engine.retry_requests()),
            dropped: engine.dropped(),
        })
        .await?;
        engine.set_pipelines(pipelines).await?;
        engine.start();
        scheduler::start(&engine);
        let delivery = delivery.start();
        Ok(Floret::new(engine, views, storage, delivery))
    }

    /// Puts the parts together. Nothing is stored and nothing executes.
    pub(super) async fn assemble(self) -> Result<Assembled> {
        self.refuse_registrations()?;
        let Self {
            storage,
            registry,
            keyring,
            pipelines,
            limits,
            clock,
            notifiers,
            twice: _,
            notifiers_twice: _,
            states: _,
            retention,
            scheduled,
            code_policy,
            #[cfg(feature = "webhook")]
            hook_policy,
        } = self;
        #[cfg(feature = "webhook")]
        let hook_client = HookClient::new(hook_policy, clock.clone())?;
        #[cfg(feature = "webhook")]
        let hooks = HookNotifier::new(
            Arc::clone(&storage),
            keyring.clone(),
            hook_client.clone(),
            clock.clone(),
        );
        if let Some(newest) = storage.newest_run().await? {
            clock.seed(newest);
        }
        let events = Events::open(Arc::clone(&storage), &limits).await?;
        let compute = Compute::new(limits.compute_max);
        let views = Views::new(
            (Arc::clone(&storage), clock.clone()),
            registry.clone(),
            scheduled,
            compute.clone(),
            &limits,
        );
        let engine = Engine::new(EngineParts {
            storage: Arc::clone(&storage),
            registry,
            keyring,
            limits,
            clock,
            events,
            compute,
            retention,
            scheduled,
            code_policy,
            #[cfg(feature = "webhook")]
            hook_client,
        });
        #[cfg(feature = "webhook")]
        let sleeper = Some(Sleeper {
            notifier: Arc::new(hooks),
            awakening: Arc::clone(engine.hooks()),
        });
        #[cfg(not(feature = "webhook"))]
        let sleeper = None;
        Ok(Assembled {
            storage,
            engine,
            views,
            pipelines,
            notifiers,
            sleeper,
        })
    }

    fn refuse_registrations(&self) -> Result<()> {
        refuse(&self.twice, Problem::NodeTypeTwice, "node type")?;
        refuse(&self.notifiers_twice, Problem::NotifierTwice, "notifier")?;
        self.states.check()?;
        self.registry.check_names()
    }
}

/// Refuses names that were registered more than once.
fn refuse(twice: &[String], problem: Problem, what: &str) -> Result<()> {
    let issue = |name: &String| {
        let detail = format!("the {what} {name} is registered twice");
        Issue::parameter(name.clone(), detail)
    };
    let issues: Vec<_> = twice.iter().map(issue).collect();
    if issues.is_empty() {
        return Ok(());
    }
    Err(Error::invalid(problem, issues))
}
