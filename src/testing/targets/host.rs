//! The service that targets ask: one a thread, on memory, with a pipeline whose node does nothing.
//!
//! What is asked is each target's.

use std::mem::ManuallyDrop;

use tokio::runtime::{Builder, Runtime};

use crate::api::{Access, RunsService};
use crate::executor::{ExecutorError, NodeCall, Output};
use crate::floret::Floret;
use crate::model::Pipeline;
use crate::storage::MemoryStorage;

thread_local! {
    // Never dropped: the end of a runtime needs thread-locals that may have gone before this one.
    static HOST: ManuallyDrop<(Runtime, RunsService)> = ManuallyDrop::new(host());
}

/// Asks the thread's service.
pub(super) fn with(ask: impl AsyncFnOnce(&RunsService)) {
    HOST.with(|host| {
        let (runtime, service) = &**host;
        runtime.block_on(ask(service));
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
