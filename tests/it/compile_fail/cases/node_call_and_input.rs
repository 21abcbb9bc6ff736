//! A `NodeCall`, which has all inputs, beside an input.

use floret::executor::{ExecutorError, NodeCall};
use floret::{Dataset, Floret, storage::MemoryStorage};

async fn join(_: NodeCall, _: Dataset) -> Result<(), ExecutorError> {
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("join", join);
}
