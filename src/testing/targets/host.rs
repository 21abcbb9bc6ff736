//! The service that targets call: one per thread, in memory, with a pipeline whose node does
//! nothing.
//!
//! The requests are left to each target.

use std::mem::ManuallyDrop;

use tokio::runtime::{Builder, Runtime};

use crate::api::{Access, RunsService};
use crate::executor::{ExecutorError, NodeCall, Output};
use crate::floret::Floret;
use crate::model::Pipeline;
use crate::storage::MemoryStorage;

thread_local! {
    // Never dropped, because dropping a runtime needs thread-locals that may already be gone.
    static HOST: ManuallyDrop<(Runtime, RunsService)> = ManuallyDrop::new(host());
}

/// Runs a future on the service of this thread.
pub(super) fn with_service(run: impl AsyncFnOnce(&RunsService)) {
    HOST.with(|host| {
        let (runtime, service) = &**host;
        runtime.block_on(run(service));
    });
}

async fn load(_: NodeCall) -> Result<Output, ExecutorError> {
    Ok(Output::Nothing)
}

fn host() -> (Runtime, RunsService) {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime can be built");
    let service = runtime.block_on(async {
        let floret = Floret::builder(MemoryStorage::default())
            .node("load", load)
            .pipeline(Pipeline::new("daily").node("load", "load"))
            .start()
            .await;
        floret
            .expect("a Floret in memory starts")
            .service(Access::allow_all())
    });
    (runtime, service)
}
