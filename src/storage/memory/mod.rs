//! Stub.
/// Stub.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {}
