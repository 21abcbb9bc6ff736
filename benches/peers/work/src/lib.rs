//! The work that Floret and its peers do alike, and the clock that measures it.
//!
//! A peer implements [`Peer`], and its program calls [`Round::measure`]. The program
//! `floret-peers` starts one process for each peer and round, and reads the [`Report`] that the
//! process prints.

mod ends;
mod jobs;
mod measure;
mod report;
mod round;

pub use ends::count_ends;
pub use jobs::Jobs;
pub use measure::{Load, Peer};
pub use report::{Figure, Report};
pub use round::{Round, crate_version};
