//! The console: a page for people over the Runs API, served from inside the host.
//!
//! `service` takes the requests, and `place` says what is served at a path. `page` writes the page,
//! whose files are in `assets`; `stub` leads from the root to it. `headers` says what a browser may
//! do with each of them, and `encoding` reads what it accepts. `api` answers everything that the
//! page asks for, and decides what a caller may do.

mod assets;
mod encoding;
mod headers;
mod page;
mod place;
mod service;
mod settings;
mod stub;

pub use service::{ConsoleFuture, ConsoleService};
