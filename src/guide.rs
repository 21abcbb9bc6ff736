//! Guides, to be read from top to bottom.
//!
//! The documentation of each item states its exact promises.

#[doc = include_str!("../docs/guides/console.md")]
#[cfg(feature = "console")]
pub mod console {}

#[doc = include_str!("../docs/guides/dependencies.md")]
pub mod dependencies {}

#[doc = include_str!("../docs/guides/embedding.md")]
pub mod embedding {}

#[doc = include_str!("../docs/guides/executors.md")]
pub mod executors {}

#[doc = include_str!("../docs/guides/files.md")]
pub mod files {}

#[doc = include_str!("../docs/guides/monitoring.md")]
pub mod monitoring {}

#[doc = include_str!("../docs/guides/operating.md")]
pub mod operating {}

#[doc = include_str!("../docs/guides/parameters.md")]
pub mod parameters {}

#[doc = include_str!("../docs/guides/recipes.md")]
pub mod recipes {}

#[doc = include_str!("../docs/guides/storage.md")]
pub mod storage {}

#[doc = include_str!("../docs/guides/tenants.md")]
pub mod tenants {}

#[doc = include_str!("../docs/guides/webhooks.md")]
pub mod webhooks {}
