//! Whether the store answers.
//!
//! Whether the engine still takes commands is the engine's to say.

use super::Views;
use crate::error::Result;

impl Views {
    /// Asks storage its cheapest question.
    ///
    /// # Errors
    /// `Unavailable` when storage cannot answer.
    pub(crate) async fn check_storage(&self) -> Result<()> {
        self.storage.newest_seq().await.map(drop)
    }
}
