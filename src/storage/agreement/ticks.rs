//! Commands that advance schedules.
//!
//! Creating the schedules is left to `creations`.

use super::command::Command;
use super::creations::with_key;
use super::world::{World, both, name_of};
use crate::model::{Scope, Trigger};
use crate::storage::{Advance, NewRun, StoredSchedule, TickOutcome};
use crate::testing::contract::fixtures::{at, new_run};

impl World<'_> {
    /// Advances the schedule of a pipeline to a second, from its current cursor or from an older
    /// one.
    pub(super) async fn tick(&mut self, command: &Command) {
        let Command::Tick {
            pipeline,
            seconds,
            has_run,
            is_stale,
            owner,
        } = *command
        else {
            unreachable!("{command:?} is no tick");
        };
        let all = both!(self, command, |storage, _side| storage
            .schedules(&Scope::All));
        let name = name_of(pipeline);
        let mut schedules = all.unwrap();
        schedules.retain(|one| one.pipeline.id.as_str() == name);
        let mut schedules = schedules.into_iter().cycle();
        let Some(mut schedule) = schedules.nth(usize::from(owner)) else {
            return;
        };
        if is_stale {
            schedule.cursor = at(-1);
        }
        let mut advance = Advance::new(&schedule, at(seconds));
        advance.run = has_run.then(|| self.run_of_tick(&schedule, seconds));
        (advance.queued_pipeline_max, advance.queued_max) = (5, 8);
        let advanced = both!(self, command, |storage, _side| storage
            .advance(advance.clone()));
        if advanced.is_ok_and(|advanced| advanced.tick == TickOutcome::Created) {
            self.runs += 1;
        }
    }

    fn run_of_tick(&self, schedule: &StoredSchedule, seconds: i64) -> NewRun {
        let mut run = new_run(self.runs + 1, schedule.pipeline.id.as_str());
        run.pipeline_version = schedule.pipeline.version;
        run.trigger = Trigger::Schedule;
        run.created_at = self.now();
        let key =
            (seconds > 0).then_some((0, 1, [0, 2, 1, 2][usize::try_from(seconds % 4).unwrap()]));
        let mut new = with_key(run, key);
        new.fire_at = Some(at(seconds));
        new
    }
}
