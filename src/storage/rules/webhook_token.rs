//! The token of a pipeline's webhook after a save.

use crate::model::TokenHash;
use crate::storage::{SavedBy, TokenChange};

/// The token that applies, and what the latest save by code had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::storage) struct WebhookTokens {
    pub(in crate::storage) current: Option<TokenHash>,
    pub(in crate::storage) by_code: Option<TokenHash>,
}

impl WebhookTokens {
    /// Returns the tokens after a save.
    ///
    /// The latest change wins: an operator's, or one in the code.
    pub(in crate::storage) fn after_save(self, saved_by: SavedBy, change: TokenChange) -> Self {
        let given = match change {
            TokenChange::Keep => return self,
            TokenChange::Remove => None,
            TokenChange::Set(hash) => Some(hash),
        };
        match saved_by {
            SavedBy::Code if given == self.by_code => self,
            SavedBy::Code => Self {
                current: given,
                by_code: given,
            },
            SavedBy::Caller | SavedBy::Removal => Self {
                current: given,
                ..self
            },
        }
    }
}
