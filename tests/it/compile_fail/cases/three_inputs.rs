//! More inputs than two.

use floret::executor::{Ctx, ExecutorError};
use floret::{Dataset, Floret, storage::MemoryStorage};

async fn join(_: Ctx, _: Dataset, _: Dataset, _: Dataset) -> Result<(), ExecutorError> {
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("join", join);
}
