//! Slugs: chooses that of a pipeline, and finds whether another one has it.
//!
//! `rules` decides what a derived slug is. `put_pipeline` saves.

use super::naming::tenant_text;
use super::searched_pipelines::PipelineChange;
use super::store_error::StoreError;
use super::tx::Tx;
use super::values::pipeline_id;
use crate::model::{PipelineId, Qualified, Slug, StoredPipeline};
use crate::storage::{PutPipeline, SlugChoice, rules};

impl Tx {
    pub(super) fn choose_slug(
        &mut self,
        put: &PutPipeline,
        own: &Qualified<PipelineId>,
        before: Option<&StoredPipeline>,
    ) -> Result<Slug, StoreError> {
        match &put.slug {
            SlugChoice::Given(slug) if self.is_name_taken(slug, own)? => {
                Err(rules::already_exists(slug).into())
            }
            SlugChoice::Given(slug) => Ok(slug.clone()),
            SlugChoice::Derived(base) => {
                let current = before.map(|before| &before.slug);
                if let Some(current) = current.filter(|slug| rules::is_derived_from(slug, base)) {
                    return Ok(current.clone());
                }
                self.first_free_slug(base, own)
            }
        }
    }

    fn first_free_slug(
        &mut self,
        base: &Slug,
        own: &Qualified<PipelineId>,
    ) -> Result<Slug, StoreError> {
        let mut number = 1;
        loop {
            let slug = rules::numbered(base, number);
            if !self.is_name_taken(&slug, own)? {
                return Ok(slug);
            }
            number += 1;
        }
    }

    /// Returns whether another pipeline of the same tenant has this text as its slug or its id.
    fn is_name_taken(
        &mut self,
        slug: &Slug,
        own: &Qualified<PipelineId>,
    ) -> Result<bool, StoreError> {
        let tenant = tenant_text(own.tenant.as_ref());
        let is_id = self.row(
            "SELECT 1 FROM pipelines WHERE id = ? AND coalesce(tenant, '') = ? AND id <> ? AND slug IS NOT NULL",
            [slug.as_str(), tenant, own.id.as_str()],
            |_| Ok(()),
        )?;
        Ok(is_id.is_some() || self.is_slug_of_another(slug.as_str(), own)?)
    }

    /// Returns whether another pipeline of the same tenant has this text as its slug.
    ///
    /// A pipeline whose id cannot be read loses its slug, because nobody can delete it.
    pub(super) fn is_slug_of_another(
        &mut self,
        text: &str,
        own: &Qualified<PipelineId>,
    ) -> Result<bool, StoreError> {
        let sql =
            "SELECT id, key FROM pipelines WHERE slug = ? AND coalesce(tenant, '') = ? AND id <> ?";
        let values = [text, tenant_text(own.tenant.as_ref()), own.id.as_str()];
        let found = self.row(sql, values, |row| {
            let id = row.get::<_, String>(0).map_err(StoreError::from);
            let id = id.and_then(|id| pipeline_id(&id));
            Ok((
                self.unreadable.skip("a pipeline", text, id)?,
                row.get::<_, i64>(1)?,
            ))
        })?;
        match found {
            None => Ok(false),
            Some((Some(_), _)) => Ok(true),
            Some((None, key)) => {
                self.write("UPDATE pipelines SET slug = NULL WHERE key = ?", [key])?;
                self.state.pipelines.note(PipelineChange::Removed(key));
                Ok(false)
            }
        }
    }
}
