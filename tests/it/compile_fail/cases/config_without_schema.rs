//! A config that does not implement `JsonSchema`.

use floret::executor::{Config, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

#[derive(serde::Deserialize)]
struct Fetch {
    table: String,
}

async fn fetch(Config(own): Config<Fetch>) -> Result<(), ExecutorError> {
    drop(own.table);
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("fetch", fetch);
}
