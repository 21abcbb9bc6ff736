//! Tests of webhooks against receivers on this machine, with names that a test resolves.
//!
//! What is pure is tested beside its code.

mod answers;
mod hooks;
mod receiver;
mod secure;
mod signatures;
mod targets;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::resolver::Resolve;
use super::{Webhook, WebhookBuilder};
use crate::model::{Event, EventKind};
use crate::testing::contract::fixtures::{at, pipeline_id, run_id};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// A resolver that answers each look-up with the next of its addresses. The last one repeats.
struct Names {
    answers: Vec<Vec<IpAddr>>,
    lookups: AtomicUsize,
}

impl Names {
    fn new<const N: usize>(answers: [&[&str]; N]) -> Arc<Self> {
        let addresses = |texts: &&[&str]| texts.iter().map(|it| it.parse().unwrap()).collect();
        Arc::new(Self {
            answers: answers.iter().map(addresses).collect(),
            lookups: AtomicUsize::new(0),
        })
    }

    fn lookups(&self) -> usize {
        self.lookups.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Resolve for Names {
    async fn addresses(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let lookup = self.lookups.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.get(lookup).or_else(|| self.answers.last());
        let answer = answer.ok_or_else(|| io::Error::other("no such name"))?;
        Ok(answer
            .iter()
            .map(|address| SocketAddr::new(*address, port))
            .collect())
    }
}

/// Describes a webhook to a receiver on this machine.
fn local(port: u16) -> WebhookBuilder {
    Webhook::builder(format!(
        "http://127.0.0.1:{port}/hooks/hunter2?token=hunter3"
    ))
    .secret(SECRET)
    .allow_http()
    .allow_private()
}

fn event(seq: u64) -> Event {
    let daily = pipeline_id("daily");
    let mut event = Event::new(seq, EventKind::RunFailed, run_id(1), daily, at(0));
    event.error = Some("no disk".to_owned());
    event
}
