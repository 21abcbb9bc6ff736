//! Commands that deliver events to notifiers.
//!
//! The purges in `world` show which runs are retained for notifiers.

use super::command::Command;
use super::world::{World, both};
use crate::storage::{ClaimCursors, CursorClaimKind, EventFilter, ParkedEvent, PutDeliveries};
use crate::testing::contract::fixtures::at;

const NAMES: [&str; 2] = ["mail", "slack"];

impl World<'_> {
    /// Claims cursors. A cursor is lost a day after its name was last seen.
    pub(super) async fn attend(&self, command: &Command, names: u8, stays: bool) {
        let chosen = |names: u8| {
            let chosen = (0..)
                .zip(NAMES)
                .filter(move |(bit, _)| names >> bit & 1 == 1);
            chosen.map(|(_, name)| name.to_owned()).collect()
        };
        let present = chosen(names);
        let mut claim = ClaimCursors::new(present, at(self.seconds - 86_400), self.now());
        claim.dormant = chosen(names >> 2 & !names);
        if stays {
            claim.kind = CursorClaimKind::Renewal;
        }
        drop(both!(self, command, |storage, _side| storage
            .claim_cursors(claim.clone())));
    }

    pub(super) async fn deliver(&self, command: &Command) {
        let Command::Deliver { name, seq, outcome } = *command else {
            unreachable!("{command:?} is no delivery");
        };
        let name = NAMES[usize::from(name)].to_owned();
        let mut put = PutDeliveries::new(name, seq, self.now());
        // Only an existing event can be parked, with its own run.
        let wanted = (seq / 2).max(1);
        let read = self.left.events(EventFilter::default(), wanted - 1, 1);
        let page = read.await.unwrap_or_default();
        let event = page.events.into_iter().next();
        let Some(event) = event.filter(|event| event.seq == wanted) else {
            return;
        };
        let mut parked = ParkedEvent::new(event.run_id, wanted, self.now());
        parked.tries = u32::from(outcome);
        parked.is_dead = outcome == 2;
        parked.error = (outcome > 0).then(|| format!("try {outcome}"));
        if outcome == 3 {
            put.delivered = vec![parked.seq];
        } else {
            put.parked = vec![parked];
        }
        drop(both!(self, command, |storage, _side| storage
            .put_deliveries(put.clone())));
    }
}
