//! The functions that fuzzers feed: one per parser, each with the properties of every input.
//!
//! A function returns if all properties hold, and panics otherwise. The fuzzers are in `fuzz/`, and
//! the tests replay the inputs in `fuzz/seeds/`.
//!
//! ```
//! for (_, target) in floret::testing::targets::ALL {
//!     target(b"any bytes");
//! }
//! ```

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a target reports a broken promise by a panic"
)]

mod cron;
mod dataset;
mod definition;
#[cfg(feature = "websocket")]
mod frames;
mod host;
mod request;
#[cfg(feature = "sqlite")]
mod row;
mod template;

pub use cron::cron;
pub use dataset::dataset;
pub use definition::definition;
#[cfg(feature = "websocket")]
pub use frames::frames;
pub use request::request;
#[cfg(feature = "sqlite")]
pub use row::row;
pub use template::template;

/// A function that takes any bytes and panics if a promise is broken.
pub type Target = fn(&[u8]);

/// All targets with their names.
pub const ALL: &[(&str, Target)] = &[
    ("cron", cron),
    ("dataset", dataset),
    ("definition", definition),
    #[cfg(feature = "websocket")]
    ("frames", frames),
    ("request", request),
    #[cfg(feature = "sqlite")]
    ("row", row),
    ("template", template),
];
