//! A gate that a test opens.
//!
//! Who waits at it is decided by the scripts and faults that it is given to.

use tokio_util::sync::CancellationToken;

/// Closed until it is opened, then open for good. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(CancellationToken);

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets everyone through, from now on.
    pub fn open(&self) {
        self.0.cancel();
    }

    /// Ends once the gate is open.
    pub async fn passed(&self) {
        self.0.cancelled().await;
    }
}
