//! A value that is no function.

use floret::{Floret, storage::MemoryStorage};

struct Load;

fn main() {
    let _ = Floret::builder(MemoryStorage::default()).node("load", Load);
}
