//! An argument that nothing is converted to.

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

async fn load(_: Ctx, table: String) -> Result<(), ExecutorError> {
    drop(table);
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("load", load);
}
