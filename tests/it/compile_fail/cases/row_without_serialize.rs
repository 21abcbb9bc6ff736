//! Rows that do not implement `Serialize`.

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

struct Total {
    amount: i64,
}

async fn total(_: Ctx) -> Result<Vec<Total>, ExecutorError> {
    Ok(vec![Total { amount: 7 }])
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("total", total);
}
