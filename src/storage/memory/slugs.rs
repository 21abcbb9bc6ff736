//! The slugs of pipelines: each is that of one pipeline of a tenant, and the id of no other.
//!
//! `pipeline_table` has them.

use super::pipeline_table::PipelineTable;
use super::rules;
use crate::error::Result;
use crate::model::{PipelineId, Qualified, Slug, StoredPipeline, TenantId};
use crate::storage::SlugChoice;

impl PipelineTable {
    /// Returns the pipeline of a tenant that has this slug.
    pub(super) fn owner_of(&self, slug: &Slug, tenant: Option<&TenantId>) -> Option<&PipelineId> {
        self.slugs
            .get(&Qualified::new(slug.clone(), tenant.cloned()))
    }

    pub(super) fn choose_slug(
        &self,
        choice: &SlugChoice,
        own: &Qualified<PipelineId>,
        before: Option<&StoredPipeline>,
    ) -> Result<Slug> {
        match choice {
            SlugChoice::Given(slug) if self.is_free(slug, own) => Ok(slug.clone()),
            SlugChoice::Given(slug) => Err(rules::already_exists(slug)),
            SlugChoice::Derived(base) => {
                if let Some(stored) = before
                    && rules::is_derived_from(&stored.slug, base)
                {
                    return Ok(stored.slug.clone());
                }
                (1..)
                    .map(|number| rules::numbered(base, number))
                    .find(|slug| self.is_free(slug, own))
                    .ok_or_else(|| rules::already_exists(base))
            }
        }
    }

    /// Returns whether no other pipeline of the tenant has this slug, as its slug or as its id.
    fn is_free(&self, slug: &Slug, own: &Qualified<PipelineId>) -> bool {
        let owner = self.owner_of(slug, own.tenant.as_ref());
        let same_id = PipelineId::new(slug.as_str()).ok();
        let same_id = same_id.map(|id| Qualified::new(id, own.tenant.clone()));
        let is_id_of_another =
            same_id.is_some_and(|other| other != *own && self.live(&other).is_some());
        owner.is_none_or(|owner| *owner == own.id) && !is_id_of_another
    }
}
