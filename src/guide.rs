//! Guides in prose, for reading from top to bottom.
//!
//! What a single item promises stands on the item.

#[doc = include_str!("../docs/guides/embedding.md")]
pub mod embedding {}

#[doc = include_str!("../docs/guides/executors.md")]
pub mod executors {}

#[doc = include_str!("../docs/guides/operating.md")]
pub mod operating {}

#[doc = include_str!("../docs/guides/storage.md")]
pub mod storage {}
