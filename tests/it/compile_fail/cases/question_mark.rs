//! `?` on a boxed error that is not `Send + Sync`.

use std::error::Error;

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

fn read() -> Result<(), Box<dyn Error>> {
    Ok(())
}

async fn load(_: Ctx) -> Result<(), ExecutorError> {
    read()?;
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("load", load);
}
