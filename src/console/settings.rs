//! What a host sets of its console.

use serde::Serialize;

use super::headers::Policies;

/// What a host sets of its console. The page reads it as JSON, without the policies.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Settings {
    pub(super) title: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) links: Vec<Link>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) login_url: Option<String>,
    /// What a browser may do with the page.
    #[serde(skip)]
    pub(super) policies: Policies,
}

/// A link of the host in the head of the page.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Link {
    pub(super) name: String,
    pub(super) url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            title: "Floret".to_owned(),
            links: Vec::new(),
            login_url: None,
            policies: Policies::default(),
        }
    }
}
