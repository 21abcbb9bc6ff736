//! The stub at the root, which goes on to the first page.
//!
//! Some routers hand `/x` and `/x/` on alike as `/`. Only the browser knows which of them it shows,
//! so no relative link, redirect or file of the stub would be right for both.

/// The stub. `headers` has the hash of its script.
pub(super) const HTML: &str = include_str!("stub.html");
