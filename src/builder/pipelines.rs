//! Adds the pipelines of the host's code, and says what becomes of the others.
//!
//! `engine/code_pipelines` saves them at the start.

use super::Builder;
use crate::model::{Pipeline, ScheduledPipelines};

impl Builder {
    /// Adds a pipeline, which may belong to a tenant ([`Pipeline::tenant`]). [`Builder::start`]
    /// saves it and replaces the stored pipeline of the same tenant and id.
    ///
    /// From then on the code manages it: callers can only disable and enable it, unless
    /// [`Builder::allow_pipeline_edits`] says otherwise. A pipeline that an operator has disabled
    /// or enabled stays so, until the code itself changes [`Pipeline::enabled`].
    ///
    /// A pipeline that a later start no longer adds stays, with its schedule, and callers can edit
    /// and delete it. [`Builder::prune_removed`] also disables it.
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> floret::Result<()> {
    /// # use floret::{executor::Ctx, testing::memory};
    /// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
    /// use floret::{Managed, Pipeline, Problem};
    ///
    /// let daily = Pipeline::new("daily").node("load", "load").schedule("@daily");
    /// let floret = memory().node("load", load).pipeline(daily.clone()).start().await?;
    /// assert_eq!(floret.pipelines().get("daily").await?.managed, Managed::Code);
    ///
    /// // An operator may pause it, and change nothing else.
    /// floret.pipelines().put(daily.clone().disabled()).await?;
    /// let refused = floret.pipelines().put(daily.schedule("@hourly")).await.unwrap_err();
    /// assert_eq!(refused.problem(), Problem::ManagedByCode);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipelines.push(pipeline);
        self
    }

    /// Lets callers edit and delete the pipelines of the code.
    ///
    /// The latest change wins: an edit stays until the code's definition itself changes. A deleted
    /// pipeline is back after the next start.
    pub const fn allow_pipeline_edits(mut self) -> Self {
        self.code_policy.allows_edits = true;
        self
    }

    /// Disables, at the start, the stored pipelines that earlier starts added and this one does
    /// not.
    ///
    /// They and their runs stay, and callers can edit and delete them. One that the code adds again
    /// is enabled again.
    pub const fn prune_removed(mut self) -> Self {
        self.code_policy.prunes_removed = true;
        self
    }

    /// Lets only the schedules of the pipelines fire that the host's code adds. No dependency
    /// starts a run of another one either.
    ///
    /// Any other stored pipeline, such as one that the code no longer has, stays stored. It can be
    /// run by hand, and the status of the scheduler shows it as disabled. Use this where no
    /// pipeline is created over HTTP.
    pub const fn only_these_pipelines(mut self) -> Self {
        self.scheduled = ScheduledPipelines::OfCode;
        self
    }

    /// Lets no schedule fire and no dependency start a run, for a process that executes what it is
    /// asked for and exits.
    ///
    /// The status of the scheduler shows every pipeline as disabled. For the next start with
    /// schedules, the ticks were missed, as during any downtime. The ends of upstream runs wait for
    /// it, as long as these runs are stored, and then start their runs.
    pub const fn no_schedules(mut self) -> Self {
        self.scheduled = ScheduledPipelines::None;
        self
    }
}
