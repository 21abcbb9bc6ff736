//! An input whose rows do not implement `Deserialize`.

use floret::executor::{Ctx, ExecutorError};
use floret::{Floret, storage::MemoryStorage};

struct Order {
    amount: i64,
}

async fn save(_: Ctx, orders: Vec<Order>) -> Result<(), ExecutorError> {
    drop(orders);
    Ok(())
}

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).sink("save", save);
}
