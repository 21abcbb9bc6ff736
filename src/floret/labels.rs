//! Edits of a run's labels and note from the host's own code.

use futures_core::future::BoxFuture;

use super::{Client, RunHandle};
use crate::error::Result;
use crate::storage::{EditRun, RunDetail};

/// An edit of a run, from [`RunHandle::edit`].
///
/// Awaiting it changes the labels and the note of the run, and nothing else. A run can be edited at
/// any time, also after it has finished.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> floret::Result<()> {
/// # use floret::{Pipeline, executor::Ctx, testing::memory};
/// # async fn load(_: Ctx) -> Result<(), std::io::Error> { Ok(()) }
/// # let daily = Pipeline::new("daily").node("load", "load");
/// # let floret = memory().node("load", load).pipeline(daily).start().await?;
/// let run = floret.run("daily").label("team", "data").label("draft", "yes").await?;
/// run.finished().await?;
/// let edit = run.edit().label("reviewed", "Ann").remove_label("draft").note("looks right");
/// let edited = edit.await?.run;
/// let labels: Vec<_> = edited.labels.iter().collect();
/// assert_eq!(labels, [("reviewed", "Ann"), ("team", "data")]);
/// assert_eq!(edited.note.as_deref(), Some("looks right"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is changed before it is awaited"]
pub struct EditBuilder {
    client: Client,
    edit: EditRun,
}

impl RunHandle {
    /// Prepares an edit of the run's labels and note. Awaiting the result changes them.
    pub fn edit(&self) -> EditBuilder {
        let client = self.client().clone();
        let mut edit = EditRun::new(self.id());
        edit.scope = client.scope().clone();
        EditBuilder { client, edit }
    }
}

impl EditBuilder {
    /// Sets a label. Its bounds are those of [`RunBuilder::label`](crate::RunBuilder::label).
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.edit.labels.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a label, if the run has it.
    pub fn remove_label(mut self, name: impl Into<String>) -> Self {
        self.edit.labels.insert(name.into(), None);
        self
    }

    /// Sets the note, of at most 2,000 characters. An empty note removes it.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.edit.note = Some(note.into());
        self
    }
}

impl IntoFuture for EditBuilder {
    /// The run after the edit, which is durable.
    ///
    /// # Errors
    /// - `NotFound` if there is no such run.
    /// - `Invalid` if a label or the note is out of bounds, or the run would have more than 16
    ///   labels.
    /// - `ShuttingDown` or `Unavailable`.
    type Output = Result<RunDetail>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let run = self.client.run_by_id(self.edit.run);
            let by = self.client.name().cloned();
            self.client.engine().edit_run(self.edit, by).await?;
            run.get().await
        })
    }
}
