//! One round of one peer, as a process of its own.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Jobs, Load, Peer, Report, measure};

/// The round that the arguments of a program ask for.
#[derive(Debug)]
pub struct Round {
    /// The settings of the peer. Each peer has its own names for them.
    pub mode: String,
    /// An empty folder on the disk to measure.
    pub folder: PathBuf,
    load: Load,
}

impl Round {
    /// Reads the arguments `MODE FOLDER JOBS SINGLES`.
    ///
    /// From then on a panic ends the process: a task that panics would leave the clock waiting.
    ///
    /// # Panics
    /// If the arguments are others.
    #[must_use]
    pub fn from_arguments(arguments: impl Iterator<Item = String>) -> Self {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            default(panic);
            std::process::exit(101);
        }));
        let arguments: Vec<_> = arguments.collect();
        let [mode, folder, jobs, singles] = &arguments[..] else {
            panic!("the arguments are MODE FOLDER JOBS SINGLES, not {arguments:?}");
        };
        let number = |text: &str| text.parse().expect("JOBS and SINGLES are numbers");
        Self {
            mode: mode.clone(),
            folder: folder.into(),
            load: Load {
                jobs: number(jobs),
                singles: number(singles),
            },
        }
    }

    /// Measures the round.
    ///
    /// `open` opens the peer's file in a folder with a number of jobs that may execute at the same
    /// time. With 0, nothing executes.
    pub async fn measure<P: Peer>(
        &self,
        open: impl AsyncFn(PathBuf, usize, Arc<Jobs>) -> P,
    ) -> Report {
        measure::measure(&self.folder, self.load, open).await
    }
}

/// Returns the version of a crate in a lock file: `effectum 0.7.0`.
///
/// # Panics
/// If the lock file does not have the crate.
#[must_use]
pub fn crate_version(lock_file: &str, name: &str) -> String {
    let after = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock_file
        .split_once(&after)
        .unwrap_or_else(|| panic!("the lock file has {name}"));
    let version = rest.split('"').next().unwrap_or_default();
    format!("{name} {version}")
}
