//! A future that is not `Send`, since a value lives across an await.

use std::rc::Rc;

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

async fn load(ctx: Ctx) -> Result<(), ExecutorError> {
    let name = Rc::new("orders");
    ctx.log.info("loads").await;
    drop(name);
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("load", load);
}
