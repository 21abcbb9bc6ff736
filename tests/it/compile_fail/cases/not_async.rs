//! A function that is not async.

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

fn load(_: Ctx) -> Result<(), ExecutorError> {
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("load", load);
}
