//! The progress of a run: a line for each thing that happens to a node, and on a terminal a bar
//! below them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Stdout, Write};

use clap::ValueEnum;
use floret::storage::RunDetail;
use floret::{Event, EventKind, Level, Run};

use crate::failure::Failure;
use crate::output::{one_line, written};

/// The width of the bar.
const CELLS: usize = 20;

/// The most nodes that are named beside the bar.
const NAMED_MAX: usize = 3;

/// Clears the line of the cursor and moves to its start.
const CLEAR: &str = "\r\u{1b}[K";

/// The values of `--progress`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressForm {
    /// A bar if standard output is a terminal
    Auto,
    /// Lines, and a bar below them
    Bar,
    /// Lines alone
    Lines,
}

/// Shows a run on standard output.
pub(super) struct Progress {
    has_bar: bool,
    /// Whether a bar is on the line of the cursor.
    has_drawn: bool,
    width: usize,
    total: usize,
    done: BTreeSet<String>,
    running: BTreeMap<String, u32>,
    stdout: Stdout,
}

impl Progress {
    pub(super) fn new(detail: &RunDetail, form: ProgressForm) -> Self {
        let stdout = std::io::stdout();
        let nodes = &detail.definition.nodes;
        let widths = nodes.iter().map(|node| node.id.chars().count());
        Self {
            has_bar: match form {
                ProgressForm::Auto => stdout.is_terminal(),
                ProgressForm::Bar => true,
                ProgressForm::Lines => false,
            },
            has_drawn: false,
            width: widths.max().unwrap_or_default(),
            total: nodes.len(),
            done: BTreeSet::new(),
            running: BTreeMap::new(),
            stdout,
        }
    }

    /// Shows an event of the run.
    pub(super) fn show(&mut self, event: &Event) -> Result<(), Failure> {
        self.count(event);
        let (Some(node), Some(text)) = (&event.node_id, text(event)) else {
            return self.note_run(event);
        };
        let (node, width) = (node.as_str(), self.width);
        self.line(&format!("{node:width$}  {text}"))
    }

    /// Shows a note of the program itself.
    pub(super) fn note(&mut self, text: &str) -> Result<(), Failure> {
        self.line(text)
    }

    /// Shows the outcome of the run, and removes the bar.
    pub(super) fn finish(&mut self, run: &Run) -> Result<(), Failure> {
        self.has_bar = false;
        let clear = if std::mem::take(&mut self.has_drawn) {
            CLEAR
        } else {
            ""
        };
        let took = run
            .started_at
            .zip(run.finished_at)
            .map(|(from, to)| to - from);
        let took = took.and_then(|took| took.to_std().ok());
        let took = took.map_or_else(String::new, |took| {
            format!(" in {:.1} s", took.as_secs_f64())
        });
        let error = run.error.as_deref().map(one_line);
        let error = error.map_or_else(String::new, |error| format!(": {error}"));
        self.write(&format!(
            "{clear}run {} {}{took}{error}\n",
            run.id,
            run.status.as_str()
        ))
    }

    fn note_run(&mut self, event: &Event) -> Result<(), Failure> {
        match event.kind {
            EventKind::RunCreated => self.line(&format!("run {} created", event.run_id)),
            _ => Ok(()),
        }
    }

    fn count(&mut self, event: &Event) {
        let Some(node) = event.node_id.as_ref().map(|node| node.as_str().to_owned()) else {
            return;
        };
        match event.kind {
            EventKind::NodeStarted => {
                self.running.insert(node, event.attempt.unwrap_or(1));
            }
            EventKind::NodeCompleted
            | EventKind::NodeFailed
            | EventKind::NodeSkipped
            | EventKind::NodeCancelled => {
                self.running.remove(&node);
                self.done.insert(node);
            }
            _ => {}
        }
    }

    fn line(&mut self, text: &str) -> Result<(), Failure> {
        let clear = if self.has_drawn { CLEAR } else { "" };
        let bar = if self.has_bar {
            self.bar()
        } else {
            String::new()
        };
        self.has_drawn = self.has_bar;
        self.write(&format!("{clear}{text}\n{bar}"))
    }

    fn bar(&self) -> String {
        let done = self.done.len();
        let filled = (done * CELLS)
            .checked_div(self.total)
            .unwrap_or(CELLS)
            .min(CELLS);
        let (full, empty) = ("#".repeat(filled), "-".repeat(CELLS - filled));
        let named: Vec<_> = self
            .running
            .keys()
            .take(NAMED_MAX)
            .map(String::as_str)
            .collect();
        let more = self.running.len() - named.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!(
            "[{full}{empty}] {done}/{} {}{more}",
            self.total,
            named.join(", ")
        )
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let mut stdout = self.stdout.lock();
        written(
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush()),
        )
    }
}

/// Returns what happened to a node, or `None` if nobody needs to see it.
fn text(event: &Event) -> Option<String> {
    let error = || one_line(event.error.as_deref().unwrap_or("no reason is known"));
    let seconds = event.duration_ms.map_or(0.0, |ms| ms as f64 / 1_000.0);
    Some(match event.kind {
        EventKind::NodeStarted => match event.attempt {
            Some(attempt @ 2..) => format!("started, attempt {attempt}"),
            _ => "started".to_owned(),
        },
        EventKind::NodeCompleted => match event.row_count {
            Some(count) => format!("success, {count} rows in {seconds:.1} s"),
            None => format!("success in {seconds:.1} s"),
        },
        EventKind::NodeFailed => format!("failed: {}", error()),
        EventKind::NodeRetrying => format!("retries in {seconds:.1} s: {}", error()),
        EventKind::NodeRecovered => format!("starts again: {}", error()),
        EventKind::NodeSkipped => "skipped".to_owned(),
        EventKind::NodeCancelled => "cancelled".to_owned(),
        EventKind::Log => {
            let level = event.level.filter(|level| *level >= Level::Warning)?;
            let message = one_line(event.message.as_deref().unwrap_or_default());
            format!("{}: {message}", level.as_str())
        }
        _ => return None,
    })
}
