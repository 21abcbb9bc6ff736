//! Stub.
/// How safe an acknowledged write is from loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Durability {
    /// Stub.
    #[default]
    Full,
    /// Stub.
    Normal,
}
/// Stub.
#[derive(Debug, Clone)]
pub struct SqliteOptions {}
/// Stub.
#[derive(Debug, Clone)]
pub struct SqliteStorage {}
