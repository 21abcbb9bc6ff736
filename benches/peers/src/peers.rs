//! Who is measured, how durable each is, and whom it is compared with.

/// A peer with its settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    /// Its name in the arguments and the tables.
    pub(crate) name: &'static str,
    /// What an acknowledged write survives.
    pub(crate) durability: &'static str,
    /// The least that the same work takes, with the same durability.
    pub(crate) limit: &'static str,
    /// What a user would pick instead of Floret.
    pub(crate) rival: &'static str,
    /// The folder of its package; `None` for a peer of this program.
    pub(crate) package: Option<&'static str>,
    /// The mode of its program.
    pub(crate) mode: &'static str,
    /// The most jobs that it enqueues and drains, if its round would otherwise take minutes.
    pub(crate) jobs_max: usize,
}

const FLOOR_NORMAL: &str = "floor-normal";
const FLOOR_FULL: &str = "floor-full";
const EFFECTUM_WAL: &str = "effectum-wal";

const NORMAL: &str = "WAL, NORMAL: a crash of the process";
const FULL: &str = "WAL, FULL: a power loss";
const ROLLBACK: &str =
    "rollback journal, NORMAL: a crash of the process, nearly always a power loss";
const COMMIT: &str = "synchronous_commit on: a power loss";
const NONE: &str = "nothing: it is in memory";

/// All peers, in the order of a round.
pub(crate) const PEERS: [Spec; 17] = [
    queue(FLOOR_NORMAL, NORMAL, FLOOR_NORMAL),
    queue(FLOOR_FULL, FULL, FLOOR_FULL),
    queue("floret-normal", NORMAL, FLOOR_NORMAL),
    queue("floret-full", FULL, FLOOR_FULL),
    queue("effectum", ROLLBACK, FLOOR_NORMAL).of("effectum", "shipped"),
    queue(EFFECTUM_WAL, NORMAL, FLOOR_NORMAL).of("effectum", "wal"),
    queue("flexiq", NORMAL, FLOOR_NORMAL).of("flexiq", "tuned"),
    queue("durare", NORMAL, FLOOR_NORMAL).of("durare", "tuned"),
    queue("apalis", NORMAL, FLOOR_NORMAL).of("apalis", "tuned"),
    queue("cloacina", FULL, FLOOR_FULL)
        .of("cloacina", "tuned")
        .at_most(1_000),
    queue("graphile", COMMIT, FLOOR_FULL).of("graphile", "tuned"),
    in_memory("joinset", "joinset", "dagrs"),
    in_memory("floret-memory", "joinset", "dagrs"),
    in_memory("dagrs", "joinset", "dagrs"),
    in_memory("dagx", "joinset", "dagrs"),
    in_memory("floret-service", "axum", "axum"),
    in_memory("axum", "axum", "axum"),
];

/// A durable queue in this program. Its mode is its name.
const fn queue(name: &'static str, durability: &'static str, limit: &'static str) -> Spec {
    Spec {
        name,
        durability,
        limit,
        rival: EFFECTUM_WAL,
        package: None,
        mode: name,
        jobs_max: usize::MAX,
    }
}

/// What executes in memory, in this program.
const fn in_memory(name: &'static str, limit: &'static str, rival: &'static str) -> Spec {
    Spec {
        name,
        durability: NONE,
        limit,
        rival,
        package: None,
        mode: name,
        jobs_max: usize::MAX,
    }
}

impl Spec {
    /// Moves the peer to the program of a package.
    const fn of(self, package: &'static str, mode: &'static str) -> Self {
        Self {
            package: Some(package),
            mode,
            ..self
        }
    }

    const fn at_most(self, jobs_max: usize) -> Self {
        Self { jobs_max, ..self }
    }
}
