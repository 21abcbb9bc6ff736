//! Rows without a `Result`.

use floret::executor::Ctx;
use floret::{Floret, storage::MemoryStorage};

async fn load(_: Ctx) -> Vec<String> {
    Vec::new()
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("load", load);
}
