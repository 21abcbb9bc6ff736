//! Executors of the host that panic when they are dropped for the last time: neither a host that
//! stops nor one that unwinds loses anything.
//!
//! Panics during a run are left to `host_panics`.

use async_trait::async_trait;
use floret::executor::{Asset, Effect, Executor, ExecutorError, NodeCall, Output};
use floret::{Issue, Node, Pipeline, RunStatus};
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::harness::{Host, Store, World};

on_every_backend! {
    an_executor_that_panics_when_dropped_costs_a_stopped_host_nothing,
    an_executor_that_panics_when_dropped_costs_a_crashed_host_nothing,
    an_executor_that_panics_when_dropped_does_not_end_an_unwinding_host,
}

/// Counts its drops and panics in each.
struct Fragile(watch::Sender<usize>);

impl Drop for Fragile {
    fn drop(&mut self) {
        self.0.send_modify(|drops| *drops += 1);
        panic!("fragile drop");
    }
}

#[async_trait]
impl Executor for Fragile {
    async fn execute(&self, _: NodeCall) -> Result<Output, ExecutorError> {
        Ok(Output::Nothing)
    }

    fn effect(&self, _: &Node) -> Effect {
        Effect::Transform
    }

    fn validate(&self, _: &Map<String, Value>) -> Vec<Issue> {
        Vec::new()
    }

    fn assets(&self, _: &Node) -> Vec<Asset> {
        Vec::new()
    }
}

/// A world with one executor that panics when it is dropped.
struct FragileWorld {
    world: World,
    drops: watch::Sender<usize>,
}

impl FragileWorld {
    fn new(store: Store) -> Self {
        let pipeline = Pipeline::new("p").node("a", "fragile");
        Self {
            world: World::quiet(store).pipeline(pipeline),
            drops: watch::Sender::new(0),
        }
    }

    /// Starts a host and finishes a run on it.
    async fn start(&self) -> Host {
        let fragile = Fragile(self.drops.clone());
        let host = self
            .world
            .start_with(|builder| builder.executor("fragile", fragile))
            .await;
        assert_eq!(host.run("p").await.run.status, RunStatus::Success);
        host
    }

    /// Waits until the executors of this many hosts were dropped, then starts another host, which
    /// reads all earlier runs.
    async fn assert_nothing_is_lost(&self, hosts: usize) {
        let mut drops = self.drops.subscribe();
        drops.wait_for(|drops| *drops == hosts).await.unwrap();
        let host = self.start().await;
        let runs = host.runs().await;
        assert_eq!(runs.len(), hosts + 1);
        assert!(runs.iter().all(|run| run.status == RunStatus::Success));
        assert_eq!(host.floret.abandoned(), 0);
        host.stop().await;
        drops.wait_for(|drops| *drops == hosts + 1).await.unwrap();
    }
}

async fn an_executor_that_panics_when_dropped_costs_a_stopped_host_nothing(store: Store) {
    let fragile = FragileWorld::new(store);
    fragile.start().await.stop().await;
    fragile.start().await.stop().await;
    fragile.assert_nothing_is_lost(2).await;
}

async fn an_executor_that_panics_when_dropped_costs_a_crashed_host_nothing(store: Store) {
    let fragile = FragileWorld::new(store);
    fragile.start().await.crash().await;
    fragile.world.expire_leases();
    fragile.assert_nothing_is_lost(1).await;
}

/// A panic that left the drop of an unwinding host would end the process.
async fn an_executor_that_panics_when_dropped_does_not_end_an_unwinding_host(store: Store) {
    let fragile = FragileWorld::new(store);
    let host = fragile.start().await;
    host.floret
        .shutdown(std::time::Duration::ZERO)
        .await
        .unwrap();
    let unwinding = tokio::task::spawn_blocking(move || {
        let _host = host;
        panic!("the host unwinds");
    });
    let panic = unwinding.await.unwrap_err().into_panic();
    let message = panic.downcast_ref::<&str>().copied();
    assert_eq!(message, Some("the host unwinds"));
    fragile.assert_nothing_is_lost(1).await;
}
