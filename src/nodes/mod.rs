//! Built-in node types: files of a data directory, and commands.
//!
//! The host registers them under names of its choice. The engine handles retries, timeouts and
//! templates.
//!
//! ```
//! use std::sync::Arc;
//! use floret::Clock;
//! use floret::executor::Registry;
//! use floret::nodes::{CommandNode, DataDir, SinkFile, SourceFile};
//!
//! let dir = DataDir::open("examples/data")?;
//! let mut nodes = Registry::default();
//! nodes.insert("source_file", Arc::new(SourceFile::new(dir.clone())));
//! nodes.insert("sink_file", Arc::new(SinkFile::new(dir)));
//! nodes.insert("command", Arc::new(CommandNode::new(Clock::system())));
//! # Ok::<_, floret::Error>(())
//! ```

mod blocking;
mod column_types;
mod command;
mod compression;
mod config;
mod data_dir;
mod dialect;
mod encoding;
mod format;
mod process;
mod read;
mod replacement;
mod schemas;
mod sink_file;
mod source_file;
#[cfg(test)]
mod tests;
mod working_dir;
mod write;

pub use command::CommandNode;
pub use data_dir::DataDir;
pub use process::hide_process;
pub use sink_file::SinkFile;
pub use source_file::SourceFile;
