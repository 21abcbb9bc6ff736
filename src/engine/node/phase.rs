//! What a node's task does now, as its driver sees it.
//!
//! `driver/stopping` gives up the tasks that do not end, since the host's code holds their threads.

use parking_lot::Mutex;

use crate::engine::journal::LeaseLost;

/// The phase of one task, shared by the task and its driver.
#[derive(Debug, Default)]
pub(in crate::engine) struct NodePhase(
    // A mutex: either the task enters a phase or the driver gives the task up, never both.
    Mutex<Phase>,
);

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::engine) enum Phase {
    /// It waits for its permit. The host's services decide when they are ready.
    #[default]
    Waiting,
    /// It writes to storage.
    Storing,
    /// It makes an attempt, whose start is recorded, or lets the service of the attempt go.
    Attempting,
    /// Its driver no longer waits for it. It records nothing more.
    GivenUp,
}

impl NodePhase {
    /// Enters a phase.
    ///
    /// # Errors
    /// `LeaseLost` if the driver has given the task up: it may record nothing more.
    pub(in crate::engine) fn enter(&self, next: Phase) -> Result<(), LeaseLost> {
        let mut phase = self.0.lock();
        if *phase == Phase::GivenUp {
            return Err(LeaseLost);
        }
        *phase = next;
        Ok(())
    }

    /// Gives the task up, whatever it does. Returns what it did until then.
    pub(in crate::engine) fn give_up(&self) -> Phase {
        std::mem::replace(&mut *self.0.lock(), Phase::GivenUp)
    }

    /// Gives the task up unless it writes to storage. Returns what it did until then.
    pub(in crate::engine) fn give_up_unless_storing(&self) -> Option<Phase> {
        let mut phase = self.0.lock();
        match *phase {
            Phase::Storing => None,
            Phase::Waiting | Phase::Attempting | Phase::GivenUp => {
                Some(std::mem::replace(&mut *phase, Phase::GivenUp))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_given_up_enters_no_phase() {
        for phase in [Phase::Waiting, Phase::Attempting] {
            let task = NodePhase::default();
            task.enter(phase).unwrap();
            assert_eq!(task.give_up_unless_storing(), Some(phase));
            assert!(task.enter(Phase::Storing).is_err());
        }
    }

    #[test]
    fn a_task_that_writes_to_storage_is_given_up_by_force_only() {
        let task = NodePhase::default();
        task.enter(Phase::Storing).unwrap();
        assert_eq!(task.give_up_unless_storing(), None);
        task.enter(Phase::Storing).unwrap();
        assert_eq!(task.give_up(), Phase::Storing);
        assert!(task.enter(Phase::Waiting).is_err());
    }
}
