//! Who is measured, and how durable each is.

/// A peer with its settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spec {
    /// Its name in the arguments and the tables.
    pub(crate) name: &'static str,
    /// What an acknowledged write survives.
    pub(crate) durability: &'static str,
    /// The floor with the same `synchronous`.
    pub(crate) floor: &'static str,
    /// The folder of its package; `None` for a peer of this program.
    pub(crate) package: Option<&'static str>,
    /// The mode of its program.
    pub(crate) mode: &'static str,
}

/// The peer that the second ratio refers to.
pub(crate) const RIVAL: &str = "effectum-wal";

const FLOOR_NORMAL: &str = "floor-normal";
const FLOOR_FULL: &str = "floor-full";
const NORMAL: &str = "WAL, NORMAL: a crash of the process";
const FULL: &str = "WAL, FULL: a power loss";

/// All peers, in the order of a round.
pub(crate) const PEERS: [Spec; 6] = [
    own(FLOOR_NORMAL, NORMAL, FLOOR_NORMAL),
    own(FLOOR_FULL, FULL, FLOOR_FULL),
    own("floret-normal", NORMAL, FLOOR_NORMAL),
    own("floret-full", FULL, FLOOR_FULL),
    Spec {
        name: "effectum",
        durability: "rollback journal, NORMAL: a crash of the process, nearly a power loss",
        floor: FLOOR_NORMAL,
        package: Some("effectum"),
        mode: "shipped",
    },
    Spec {
        name: RIVAL,
        durability: NORMAL,
        floor: FLOOR_NORMAL,
        package: Some("effectum"),
        mode: "wal",
    },
];

/// A peer of this program. Its mode is its name.
const fn own(name: &'static str, durability: &'static str, floor: &'static str) -> Spec {
    Spec {
        name,
        durability,
        floor,
        package: None,
        mode: name,
    }
}
