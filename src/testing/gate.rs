//! A gate that a test opens.
//!
//! Which calls wait at it is left to the steps (`scripted_executor`) and to `faulty_storage`.

use tokio_util::sync::CancellationToken;

/// A gate that is closed until a test opens it, and then stays open.
///
/// Clones are the same gate.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use floret::testing::Gate;
///
/// let gate = Gate::new();
/// let waiting = tokio::spawn({
///     let gate = gate.clone();
///     async move { gate.passed().await }
/// });
/// gate.open();
/// waiting.await.unwrap();
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Gate(CancellationToken);

impl Gate {
    /// Returns a closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate for all present and future waiters.
    pub fn open(&self) {
        self.0.cancel();
    }

    /// Waits until the gate is open.
    pub async fn passed(&self) {
        self.0.cancelled().await;
    }
}
