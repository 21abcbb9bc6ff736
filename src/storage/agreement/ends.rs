//! Commands that answer the ends of upstream runs, and the question for those that wait.
//!
//! Saving the dependencies is left to `creations`.

use super::command::{Command, Question};
use super::creations::with_key;
use super::world::{World, both, name_of};
use crate::error::Result;
use crate::model::Trigger;
use crate::storage::{AnswerEnds, EndAnswer, Storage, WaitingEnds};
use crate::testing::contract::fixtures::new_run;

/// Returns the ends that wait, by dependent pipeline.
async fn waiting(storage: &dyn Storage) -> Result<Vec<WaitingEnds>> {
    let mut waiting = storage.waiting_ends().await?;
    waiting.sort_by_key(|waiting| waiting.pipeline.qualified_id());
    Ok(waiting)
}

impl World<'_> {
    pub(super) async fn ask_ends(&self, question: &Question) {
        drop(both!(self, question, |storage, _side| waiting(storage)));
    }

    /// Answers some of the ends that wait for a pipeline: bit n of `picked` is end n.
    pub(super) async fn answer(&mut self, command: &Command) {
        let Command::Answer {
            pipeline,
            picked,
            has_run,
            is_stale,
        } = *command
        else {
            unreachable!("{command:?} is no answer");
        };
        let all = both!(self, command, |storage, _side| waiting(storage));
        let name = name_of(pipeline);
        let mut all = all.unwrap().into_iter();
        let Some(waiting) = all.find(|one| one.pipeline.id.as_str() == name) else {
            return;
        };
        let key = (picked % 3 > 0).then_some((0, 2, picked % 3));
        let ends = waiting.ends.iter().enumerate();
        let picked = ends.filter(|(n, _)| *n < 8 && picked & (1 << n) != 0);
        let ends: Vec<_> = picked.map(|(_, end)| end.run).collect();
        let mut answer = AnswerEnds::new(&waiting.pipeline, ends);
        answer.version += u32::from(is_stale);
        if has_run {
            let mut run = new_run(self.runs + 1, &name);
            run.pipeline_version = waiting.pipeline.version;
            run.trigger = Trigger::Dependency;
            run.created_at = self.now();
            run.upstream_run_id = answer.ends.last().copied();
            answer.run = Some(with_key(run, key));
        }
        (answer.queued_pipeline_max, answer.queued_max) = (5, 8);
        let answered = both!(self, command, |storage, _side| storage
            .answer_ends(answer.clone()));
        if answered.is_ok_and(|answered| answered.answer == EndAnswer::Created) {
            self.runs += 1;
        }
    }
}
