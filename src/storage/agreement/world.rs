//! Runs commands on both storages and compares their answers.
//!
//! Questions are left to `questions`.

use std::fmt::Debug;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::command::Command;
use crate::error::{Problem, Result};
use crate::model::{
    AuditAction, AuditSubject, BackfillId, Cancel, LabelChanges, OwnerId, RunId, Scope,
};
use crate::storage::{CancelBackfill, CancelRequest, EditRun, NewAudit, Purge, PurgeMode, Storage};
use crate::testing::contract::fixtures::{at, backfill_id, owner, run_id, scope};
use crate::testing::contract::snapshot::snapshot_in;

/// Makes the right storage fail.
#[async_trait]
pub(super) trait Faults: Sync {
    /// Injects the fault of [`Command::Fault`].
    async fn inject(&self, kind: u8);
}

/// Both storages, and the items that commands refer to.
pub(super) struct World<'a> {
    pub(super) left: &'a dyn Storage,
    pub(super) right: &'a dyn Storage,
    /// Injects faults into the right storage, if it can fail.
    pub(super) faults: Option<&'a dyn Faults>,
    pub(super) seconds: i64,
    pub(super) runs: u64,
    pub(super) backfills: u64,
    pub(super) owners: [u64; 3],
    /// All claims, lost ones included.
    pub(super) drivers: Vec<Driver>,
}

/// A claim in both storages. Its epochs may differ.
#[derive(Clone, Copy)]
pub(super) struct Driver {
    pub(super) run: RunId,
    pub(super) owner: OwnerId,
    pub(super) epochs: [u64; 2],
    pub(super) position: u64,
}

/// Describes an answer without the parts that may differ.
fn describe<T: Debug>(answer: &Result<T>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("refused: {:?}, {}", error.kind(), error.slug()),
    }
}

/// Runs an expression on both storages, compares the answers, and returns the left one.
macro_rules! both {
    ($world:expr, $command:expr, |$storage:ident, $side:ident| $ask:expr) => {{
        let (left, right) = {
            let ($storage, $side) = ($world.left, 0);
            let left = $ask.await;
            let ($storage, $side) = ($world.right, 1);
            let first = $ask.await;
            // A commit that failed without effect is repeated, as every caller does.
            let right = match $world.has_failed(&first) {
                true => $ask.await,
                false => first,
            };
            (left, right)
        };
        $world.compare($command, &left, &right);
        left
    }};
}
pub(super) use both;

impl<'a> World<'a> {
    pub(super) fn new(
        left: &'a dyn Storage,
        right: &'a dyn Storage,
        faults: Option<&'a dyn Faults>,
    ) -> Self {
        Self {
            left,
            right,
            faults,
            seconds: 10,
            runs: 0,
            backfills: 0,
            owners: [1, 2, 3],
            drivers: Vec::new(),
        }
    }

    /// Saves pipelines, connections and variables without a tenant and of two tenants, under two
    /// names.
    pub(super) async fn put_items(&mut self) {
        let of_three = [3, 1, 2].map(|scope| (0, scope));
        let of_two = [1, 2].map(|scope| (1, scope));
        for (number, scope) in of_three.into_iter().chain(of_two) {
            let put = Command::Put {
                pipeline: number,
                variant: 0,
                slug: number,
                expect: 0,
                saved_by: 0,
                scope,
            };
            self.run_command(&put).await;
            let setting = Command::Setting {
                number,
                variant: 0,
                expect: Some(0),
                scope,
            };
            self.run_command(&setting).await;
        }
    }

    /// Returns whether a call failed because of an injected fault.
    pub(super) fn has_failed<T>(&self, answer: &Result<T>) -> bool {
        let problem = answer.as_ref().err().map(crate::Error::problem);
        self.faults.is_some() && problem == Some(Problem::StorageBusy)
    }

    pub(super) fn compare<T: Debug>(
        &self,
        command: &dyn Debug,
        left: &Result<T>,
        right: &Result<T>,
    ) {
        let (left, right) = (describe(left), describe(right));
        assert!(
            left == right,
            "the storages disagree on {command:?}:\n{left}\n{right}"
        );
    }

    pub(super) async fn compare_all(&self) {
        for number in 0..4 {
            let scope = scope_of(number);
            let left = snapshot_in(self.left, &scope).await;
            let right = snapshot_in(self.right, &scope).await;
            assert!(
                left == right,
                "the storages disagree on {scope:?} at the end:\n{left:#?}\n{right:#?}"
            );
            self.ask_names(number).await;
        }
        for run in (1..=self.runs).map(run_id) {
            for node_index in 0..3 {
                drop(both!(self, &"the end", |storage, _side| storage
                    .find_output(run, node_index, &Scope::All)));
            }
        }
    }

    /// Returns the entry of a command. Its caller and its object depend on the time.
    pub(super) fn audit(&self, action: AuditAction) -> NewAudit {
        let subject = match self.seconds % 3 {
            0 => AuditSubject::System,
            number => AuditSubject::Run(run_id(number.unsigned_abs())),
        };
        let mut audit = NewAudit::new(action, subject, self.now());
        audit.by = (self.seconds % 2 == 0).then(|| "alice".into());
        audit
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        at(self.seconds)
    }

    /// Returns a run, or an id that was never used.
    pub(super) fn run(&self, number: u8) -> RunId {
        run_id(u64::from(number) % (self.runs + 1) + 1)
    }

    /// Returns a backfill, or an id that was never used.
    pub(super) fn backfill(&self, number: u8) -> BackfillId {
        backfill_id(u64::from(number) % (self.backfills + 1) + 1)
    }

    pub(super) fn owner(&self, number: u8) -> OwnerId {
        owner(self.owners[usize::from(number)])
    }

    /// Returns a claim, counted from the newest.
    pub(super) fn driver(&self, number: u8) -> Option<Driver> {
        let newest = self.drivers.iter().rev();
        newest.cycle().nth(usize::from(number)).copied()
    }

    pub(super) async fn run_command(&mut self, command: &Command) {
        match *command {
            Command::Put { .. } => self.put(command).await,
            Command::Delete { pipeline, scope } => self.delete(command, pipeline, scope).await,
            Command::Pause { .. } => self.pause(command).await,
            Command::Setting { .. } => self.put_settings(command).await,
            Command::Trigger { .. } => self.trigger(command).await,
            Command::Tick { .. } => self.tick(command).await,
            Command::Answer { .. } => self.answer(command).await,
            Command::Resume { run, inherit, key } => self.resume(command, run, inherit, key).await,
            Command::Cancel { run, forced, scope } => {
                let mut request = CancelRequest::new(self.run(run), cancel_of(forced), self.now());
                request.scope = scope_of(scope);
                request.reason = Some(format!("reason {}", self.seconds));
                request.audit = Some(self.audit(AuditAction::RunCancel));
                drop(both!(self, command, |storage, _side| storage
                    .request_cancel(request.clone())));
            }
            Command::Edit { .. } => self.edit_run(command).await,
            Command::Backfill { .. } => self.backfill_dates(command).await,
            Command::PauseBackfill { .. } => self.pause_backfill(command).await,
            Command::CancelBackfill {
                backfill,
                forced,
                scope,
            } => {
                let mut cancel =
                    CancelBackfill::new(self.backfill(backfill), cancel_of(forced), self.now());
                cancel.scope = scope_of(scope);
                cancel.audit = Some(self.audit(AuditAction::BackfillCancel));
                drop(both!(self, command, |storage, _side| storage
                    .cancel_backfill(cancel.clone())));
            }
            Command::Claim { .. } => self.claim(command).await,
            Command::Progress { driver, pick } => self.progress(command, driver, pick).await,
            Command::Append { .. } => self.append_any(command).await,
            Command::Chunk {
                driver,
                node_index,
                index,
            } => {
                self.put_chunk(command, driver, node_index, index).await;
            }
            Command::Renew { owner } | Command::Release { owner } => {
                self.renew_or_release(command, owner).await
            }
            Command::Crash { owner } => self.owners[usize::from(owner)] += 10,
            Command::Purge { .. } => self.purge(command).await,
            Command::Audit { age, count_max } => self.trim_audit(command, age, count_max).await,
            Command::Attend { names, stays } => self.attend(command, names, stays).await,
            Command::Deliver { .. } => self.deliver(command).await,
            Command::Clock { seconds } => self.seconds += seconds,
            Command::Fault { kind } => {
                if let Some(faults) = self.faults {
                    faults.inject(kind).await;
                }
            }
            Command::Ask(ref question) => self.ask(question).await,
        }
    }

    async fn purge(&self, command: &Command) {
        let &Command::Purge {
            age,
            count_max,
            keep_last,
            scope,
        } = command
        else {
            return;
        };
        let before = at(self.seconds - i64::from(age) * 50);
        let mut purge = Purge::new(before, count_max);
        purge.scope = scope_of(scope);
        purge.keep_last = keep_last;
        purge.audit = Some(self.audit(AuditAction::SystemPurge));
        purge.mode = PurgeMode::Preview;
        drop(both!(self, command, |storage, _side| storage.purge(purge.clone())));
        purge.mode = PurgeMode::Delete;
        drop(both!(self, command, |storage, _side| storage.purge(purge.clone())));
    }

    async fn edit_run(&self, command: &Command) {
        let &Command::Edit {
            run,
            labels,
            note,
            scope,
        } = command
        else {
            return;
        };
        let mut edit = EditRun::new(self.run(run));
        edit.scope = scope_of(scope);
        edit.labels = changes_of(labels);
        edit.audit = Some(self.audit(AuditAction::RunEdit));
        edit.note = note.map(|number| "x".repeat(usize::from(number)));
        drop(both!(self, command, |storage, _side| storage
            .edit_run(edit.clone())));
    }
}

const fn cancel_of(forced: bool) -> Cancel {
    if forced {
        Cancel::Forced
    } else {
        Cancel::Plain
    }
}

/// Returns the changes of an edit. A change is the number of a value, 2 to remove the label, or
/// more to leave it.
fn changes_of(labels: [u8; 2]) -> LabelChanges {
    let numbered = (0..).zip(labels).filter(|(_, change)| *change <= 2);
    numbered
        .map(|(name, change)| {
            let value = (change < 2).then(|| format!("value {change}"));
            (format!("label {name}"), value)
        })
        .collect()
}

pub(super) fn name_of(pipeline: u8) -> String {
    format!("p{pipeline}")
}

/// Returns the cursor of a pipeline, a connection or a variable.
pub(super) fn cursor_of(number: u8) -> String {
    let name = name_of(number % 4);
    match number / 4 % 3 {
        1 => format!("ann/{name}"),
        2 => format!("ben/{name}"),
        _ => name,
    }
}

pub(super) fn scope_of(number: u8) -> Scope {
    match number {
        1 => scope("ann"),
        2 => scope("ben"),
        3 => Scope::NoTenant,
        _ => Scope::All,
    }
}
