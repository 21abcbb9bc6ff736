//! What fuzzers feed: one function a parser, each takes any bytes and holds what must be true of
//! every input.
//!
//! The fuzzers are in `fuzz/`; the inputs in `fuzz/seeds/` are replayed by the tests. A function
//! that returns found nothing.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a target panics when a promise is broken: that is its answer"
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

/// A function that takes any input and panics when a promise is broken.
pub type Target = fn(&[u8]);

/// Every target with its name.
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
