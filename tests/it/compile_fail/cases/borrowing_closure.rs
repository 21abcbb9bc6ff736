//! An async closure that lends what it has captured.

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

fn main() {
    let table = String::from("orders");
    let load = async move |ctx: Ctx| {
        ctx.log.info(table.clone()).await;
        Ok::<_, ExecutorError>(())
    };
    let _ = Floret::builder(MemoryStorage::default()).node("load", load);
}
