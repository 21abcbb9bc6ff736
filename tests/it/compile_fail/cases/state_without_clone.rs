//! A state that cannot be cloned.

use floret::executor::{ExecutorError, State};
use floret::{Floret, storage::MemoryStorage};

struct Pool;

async fn fetch(State(pool): State<Pool>) -> Result<(), ExecutorError> {
    drop(pool);
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("fetch", fetch);
}
