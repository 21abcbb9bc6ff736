//! A boxed error that is not `Send + Sync`.

use std::error::Error;

use floret::executor::Ctx;
use floret::{Floret, storage::MemoryStorage};

async fn load(_: Ctx) -> Result<(), Box<dyn Error>> {
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("load", load);
}
