//! Which jobs have started and ended: what the clock waits for, and the proof that each job ran
//! exactly once.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{Notify, watch};

/// The jobs of one measurement, numbered from 0.
pub struct Jobs {
    jobs: Box<[Job]>,
    started: Progress,
    ended: Progress,
    gate: watch::Sender<bool>,
}

#[derive(Default)]
struct Job {
    starts: AtomicU32,
    ends: AtomicU32,
    started_at: OnceLock<Instant>,
}

/// A counter that wakes one waiter when it reaches what the waiter waits for.
struct Progress {
    count: AtomicUsize,
    awaited: AtomicUsize,
    reached: Notify,
}

impl Progress {
    const fn new() -> Self {
        Self {
            count: AtomicUsize::new(0),
            awaited: AtomicUsize::new(usize::MAX),
            reached: Notify::const_new(),
        }
    }

    fn add(&self) {
        let count = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        if count >= self.awaited.load(Ordering::SeqCst) {
            self.reached.notify_one();
        }
    }

    /// Returns whether it has reached what the waiter of another counter waits for.
    fn has_reached(&self, awaited: &Self) -> bool {
        self.count.load(Ordering::SeqCst) >= awaited.awaited.load(Ordering::SeqCst)
    }

    async fn reach(&self, count: usize) {
        self.awaited.store(count, Ordering::SeqCst);
        while self.count.load(Ordering::SeqCst) < count {
            self.reached.notified().await;
        }
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Jobs")
            .field("count", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

impl Jobs {
    /// Creates jobs that wait in [`Jobs::start`] until [`Jobs::open_gate`].
    pub(crate) fn new(count: usize) -> Self {
        Self {
            jobs: std::iter::repeat_with(Job::default).take(count).collect(),
            started: Progress::new(),
            ended: Progress::new(),
            gate: watch::Sender::new(false),
        }
    }

    /// The job itself: notes that it executes, and returns once the gate is open.
    ///
    /// # Panics
    /// If the job executes for the second time.
    pub async fn start(&self, job: usize) {
        let now = Instant::now();
        let repeated = self.jobs[job].started_at.set(now).is_err();
        self.jobs[job].starts.fetch_add(1, Ordering::SeqCst);
        assert!(!repeated, "job {job} executes again");
        self.started.add();
        let mut gate = self.gate.subscribe();
        if !*gate.borrow_and_update() {
            gate.wait_for(|is_open| *is_open)
                .await
                .expect("the gate exists");
        }
    }

    /// Notes that the end of a job is durable. A peer calls it after the commit, never earlier.
    pub fn end(&self, job: usize) {
        self.jobs[job].ends.fetch_add(1, Ordering::SeqCst);
        self.ended.add();
    }

    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    pub(crate) async fn wait_for_starts(&self, count: usize) {
        self.started.reach(count).await;
    }

    pub(crate) async fn wait_for_ends(&self, count: usize) {
        self.ended.reach(count).await;
    }

    pub(crate) fn started_at(&self, job: usize) -> Instant {
        *self.jobs[job]
            .started_at
            .get()
            .expect("the job has started")
    }

    /// Returns whether all jobs have started whose ends the clock waits for.
    pub(crate) fn only_ends_are_missing(&self) -> bool {
        self.started.has_reached(&self.ended)
    }

    pub(crate) fn count(&self) -> usize {
        self.jobs.len()
    }

    /// Panics unless each job has started once and ended once.
    pub(crate) fn check(&self) {
        for (number, job) in self.jobs.iter().enumerate() {
            let starts = job.starts.load(Ordering::SeqCst);
            let ends = job.ends.load(Ordering::SeqCst);
            assert_eq!((starts, ends), (1, 1), "starts and ends of job {number}");
        }
    }
}
