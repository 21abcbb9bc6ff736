//! Builds the programs of the peers and runs one process for each peer and round. A process of its
//! own gives each round fresh memory, and each peer the SQLite library that it was built with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use peers_work::Report;

use crate::arguments::Arguments;
use crate::peers::Spec;

/// The first argument of this program when it measures one round itself.
pub(crate) const ROUND: &str = "round";

/// A round that takes longer hangs.
const ROUND_TIME_MAX: Duration = Duration::from_secs(600);

/// Builds the packages of the peers into the target folder of this program.
pub(crate) fn build(peers: &[Spec]) {
    let packages: BTreeSet<_> = peers.iter().filter_map(|peer| peer.package).collect();
    for package in packages {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(package)
            .join("Cargo.toml");
        let status = std::process::Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(manifest)
            .arg("--target-dir")
            .arg(programs().parent().unwrap())
            .status()
            .unwrap();
        assert!(status.success(), "{package} does not build");
    }
}

/// The folder of the programs: `target/release`.
fn programs() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.parent().unwrap().to_owned()
}

/// Measures one round of a peer. Its files are beside the programs, thus on a disk.
pub(crate) async fn measure(peer: Spec, arguments: &Arguments) -> Report {
    let folder = tempfile::tempdir_in(programs()).unwrap();
    let jobs = arguments.jobs.min(peer.jobs_max);
    let mut command = match peer.package {
        Some(package) => tokio::process::Command::new(programs().join(format!("peer-{package}"))),
        None => {
            let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
            command.arg(ROUND);
            command
        }
    };
    command
        .arg(peer.mode)
        .arg(folder.path())
        .args([jobs, arguments.singles].map(|count| count.to_string()))
        .stderr(std::process::Stdio::inherit())
        .kill_on_drop(true);
    let output = tokio::time::timeout(ROUND_TIME_MAX, command.output())
        .await
        .unwrap_or_else(|_| panic!("{} hangs", peer.name))
        .unwrap();
    assert!(
        output.status.success(),
        "{} fails: {}",
        peer.name,
        output.status
    );
    let report = String::from_utf8(output.stdout).unwrap();
    let mut report: Report = report.parse().unwrap();
    if jobs < arguments.jobs {
        report.versions.push(format!("{jobs} jobs"));
    }
    report
}
