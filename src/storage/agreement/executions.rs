//! Commands that execute runs: claims, renewals, releases, appends, chunks.
//!
//! Creating the runs is left to `creations`.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::command::Command;
use super::world::{Driver, World, both};
use crate::model::{InheritedOutput, NodeStatus, OwnerId, Preview, RunStatus, Scope};
use crate::storage::{Append, Claim, ClaimedRun, Entry, FinishedNode, HeldRun, OutputChunk};
use crate::testing::contract::fixtures::{
    at, hash, log_line, node_finished, node_retrying, node_started, node_succeeded,
    node_succeeded_with, output_ref,
};

impl World<'_> {
    pub(super) async fn claim(&mut self, command: &Command) {
        let Command::Claim {
            owner,
            count_max,
            runs_max,
            suspects,
            held,
            broken_off,
        } = *command
        else {
            unreachable!("{command:?} is no claim");
        };
        let mut claim = Claim::new(self.owner(owner), count_max, self.now());
        (claim.runs_max, claim.suspects) = (runs_max, suspects);
        let claim_on = |side: usize| {
            let mut claim = claim.clone();
            claim.broken_off = self.claims_of(claim.owner, broken_off, side);
            let mut held = self.claims_of(claim.owner, held, side);
            held.retain(|held| !claim.broken_off.contains(held));
            claim.held = held;
            claim
        };
        let mut left = self.left.claim(claim_on(0)).await.unwrap();
        let mut right = self.right.claim(claim_on(1)).await;
        if self.has_failed(&right) {
            right = self.right.claim(claim_on(1)).await;
        }
        let mut right = right.unwrap();
        for outcome in [&mut left, &mut right] {
            outcome.lost.iter_mut().for_each(|held| held.epoch = 0);
        }
        let drivers = left
            .claimed
            .iter_mut()
            .zip(&mut right.claimed)
            .map(|(left, right)| Driver {
                run: left.run.id,
                owner: claim.owner,
                epochs: [take_epoch(left), take_epoch(right)],
                position: left.position,
            });
        self.drivers.extend(drivers.collect::<Vec<_>>());
        self.compare(command, &Ok(left), &Ok(right));
    }

    /// Returns claims of an owner: the bits of `chosen` are its claims, counted from the newest.
    fn claims_of(&self, owner: OwnerId, chosen: u8, side: usize) -> Vec<HeldRun> {
        let own = self.drivers.iter().rev();
        let own = own.filter(|driver| driver.owner == owner).zip(0..8);
        own.filter(|(_, bit)| chosen >> bit & 1 == 1)
            .map(|(driver, _)| HeldRun::new(driver.run, driver.epochs[side]))
            .collect()
    }

    pub(super) async fn renew_or_release(&mut self, command: &Command, owner: u8) {
        let owner = self.owner(owner);
        let drivers: Vec<_> = self
            .drivers
            .iter()
            .filter(|driver| driver.owner == owner)
            .copied()
            .collect();
        let held = |side: usize| {
            drivers
                .iter()
                .map(|driver| HeldRun::new(driver.run, driver.epochs[side]))
                .collect::<Vec<_>>()
        };
        let mut lost = Vec::new();
        for (side, storage) in [self.left, self.right].into_iter().enumerate() {
            let ask = async || {
                if matches!(command, Command::Renew { .. }) {
                    let lease = Duration::from_secs(60);
                    storage.renew(owner, held(side), lease, self.now()).await
                } else {
                    storage.release(owner, held(side)).await
                }
            };
            let mut answer = ask().await;
            if self.has_failed(&answer) {
                answer = ask().await;
            }
            lost.push(answer.map(|lost| lost.iter().map(|held| held.run).collect::<Vec<_>>()));
        }
        self.compare(command, &lost[0], &lost[1]);
    }

    /// Appends the same entries to both. The position grows if they are accepted.
    async fn append(
        &mut self,
        command: &Command,
        driver: Driver,
        entries: Vec<Entry>,
        result_bytes_max: u64,
    ) {
        let count = entries.len() as u64;
        let appended = both!(self, command, |storage, side| {
            let entries = entries.clone();
            let mut append = Append::new(driver.run, driver.epochs[side], driver.position, entries);
            append.result_bytes_max = result_bytes_max;
            storage.append(append)
        });
        if appended.is_ok()
            && let Some(own) = self
                .drivers
                .iter_mut()
                .find(|own| own.run == driver.run && own.epochs == driver.epochs)
            && own.position == driver.position
        {
            own.position += count;
        }
    }

    pub(super) async fn append_any(&mut self, command: &Command) {
        let Command::Append {
            driver,
            entry,
            node_index,
            skew,
            is_stale,
        } = *command
        else {
            unreachable!("{command:?} is no append");
        };
        let (now, n) = (self.now(), self.runs);
        let Some(mut driver) = self.driver(driver) else {
            return;
        };
        driver.position = driver.position.saturating_add_signed(i64::from(skew));
        if is_stale {
            driver.epochs = driver.epochs.map(|epoch| epoch + 1);
        }
        let entry = match entry {
            0 => node_started(node_index, 1),
            1 => node_retrying(node_index, 2),
            2 => node_finished(node_index, NodeStatus::Success),
            3 => node_finished(node_index, NodeStatus::Failed),
            4 => node_finished(node_index, NodeStatus::Skipped),
            5 => node_finished(node_index, NodeStatus::Cancelled),
            6 => log_line(Some(node_index), "late"),
            7 => node_finished(node_index, NodeStatus::Running),
            8 => run_finished(RunStatus::Success, now),
            _ => run_finished(
                if n % 2 == 0 {
                    RunStatus::Failed
                } else {
                    RunStatus::Cancelled
                },
                now,
            ),
        };
        self.append(command, driver, vec![entry], 4).await;
    }

    pub(super) async fn put_chunk(
        &mut self,
        command: &Command,
        driver: u8,
        node_index: u16,
        index: u32,
    ) {
        let Some(driver) = self.driver(driver) else {
            return;
        };
        let bytes: &'static [u8] = b"chunk";
        drop(both!(self, command, |storage, side| {
            let epoch = driver.epochs[side];
            storage.put_output_chunk(OutputChunk::new(
                driver.run,
                epoch,
                node_index,
                index,
                bytes.into(),
            ))
        }));
    }

    pub(super) async fn progress(&mut self, command: &Command, driver: u8, pick: u8) {
        let Some(driver) = self.driver(driver) else {
            return;
        };
        let Some(detail) = self.left.find_run(driver.run, &Scope::All).await.unwrap() else {
            return;
        };
        let status = |node_index: u16| {
            let row = detail
                .nodes
                .iter()
                .find(|node| node.node_index == node_index);
            row.map_or(NodeStatus::Pending, |node| node.status)
        };
        let node_index = (0..3).find(|node_index| !status(*node_index).is_terminal());
        let now = self.now();
        let outcome = if detail.run.cancel.is_some() {
            RunStatus::Cancelled
        } else {
            RunStatus::Success
        };
        let entries = match (node_index, pick % 8) {
            (_, 7) if detail.run.cancel.is_none() => vec![run_finished(RunStatus::Failed, now)],
            (None, _) => vec![run_finished(outcome, now)],
            (Some(node_index), pick) if status(node_index) == NodeStatus::Pending => match pick {
                0 => vec![node_reused(node_index, &detail.run.inherited)],
                _ => vec![
                    node_started(node_index, 1),
                    log_line(Some(node_index), "on"),
                ],
            },
            (Some(node_index), 0) => vec![node_retrying(node_index, 2)],
            (Some(node_index), 1) => vec![node_finished(node_index, NodeStatus::Failed)],
            (Some(node_index), pick @ 6..) => {
                let bytes = &b"seventeen"[..usize::from(pick)];
                let entry = node_succeeded_with(node_index, bytes);
                vec![with_preview(entry, bytes)]
            }
            (Some(node_index), pick) => {
                let bytes = &b"seventeen"[..usize::from(pick)];
                drop(both!(self, command, |storage, side| {
                    let epoch = driver.epochs[side];
                    storage.put_output_chunk(OutputChunk::new(
                        driver.run,
                        epoch,
                        node_index,
                        0,
                        bytes.into(),
                    ))
                }));
                vec![with_preview(
                    node_succeeded(node_index, output_ref(&[bytes])),
                    bytes,
                )]
            }
        };
        self.append(command, driver, entries, 4).await;
    }
}

fn take_epoch(claimed: &mut ClaimedRun) -> u64 {
    std::mem::take(&mut claimed.epoch)
}

fn run_finished(status: RunStatus, at: DateTime<Utc>) -> Entry {
    let error = (status == RunStatus::Failed).then(|| "no disk".to_owned());
    Entry::RunFinished { status, error, at }
}

fn node_reused(node_index: u16, inherited: &[InheritedOutput]) -> Entry {
    let mut finished = FinishedNode::new(node_index, NodeStatus::Skipped, at(40));
    let own = inherited
        .iter()
        .find(|inherited| inherited.node_index == node_index);
    finished.reused_from = own.map(|inherited| inherited.from_run);
    Entry::NodeFinished(Box::new(finished))
}

fn with_preview(entry: Entry, bytes: &[u8]) -> Entry {
    let Entry::NodeFinished(mut finished) = entry else {
        return entry;
    };
    finished.branch = bytes.first().map(|_| bytes.len().is_multiple_of(2));
    finished.preview = Some(Preview::new(
        vec![format!("{:?}", hash(bytes))],
        Vec::new(),
        3,
        true,
    ));
    Entry::NodeFinished(finished)
}
