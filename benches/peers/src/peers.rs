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
}

const FLOOR_NORMAL: &str = "floor-normal";
const FLOOR_FULL: &str = "floor-full";
const EFFECTUM_WAL: &str = "effectum-wal";

const NORMAL: &str = "WAL, NORMAL: a crash of the process";
const FULL: &str = "WAL, FULL: a power loss";
const ROLLBACK: &str =
    "rollback journal, NORMAL: a crash of the process, nearly always a power loss";
const NONE: &str = "nothing: it is in memory";

/// All peers, in the order of a round.
pub(crate) const PEERS: [Spec; 14] = [
    queue(FLOOR_NORMAL, NORMAL, FLOOR_NORMAL),
    queue(FLOOR_FULL, FULL, FLOOR_FULL),
    queue("floret-normal", NORMAL, FLOOR_NORMAL),
    queue("floret-full", FULL, FLOOR_FULL),
    queue("effectum", ROLLBACK, FLOOR_NORMAL).of("effectum", "shipped"),
    queue(EFFECTUM_WAL, NORMAL, FLOOR_NORMAL).of("effectum", "wal"),
    queue("flexiq", NORMAL, FLOOR_NORMAL).of("flexiq", "tuned"),
    queue("durare", NORMAL, FLOOR_NORMAL).of("durare", "tuned"),
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
}
