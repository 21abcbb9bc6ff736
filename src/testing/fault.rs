//! Which calls of a storage fail, when and how.
//!
//! Carrying it out is left to `faulty_storage`.

use crate::error::{Error, Problem};

/// The enum of the methods, and the list of them all.
macro_rules! methods {
    ($($name:ident,)*) => {
        /// A method of [`Storage`](crate::storage::Storage).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each is the method of its name")]
        #[non_exhaustive]
        pub enum Method {
            $($name,)*
        }

        impl Method {
            /// Every method.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

methods! {
    PutPipeline,
    FindPipeline,
    ListPipelines,
    DeletePipeline,
    PutConnection,
    FindConnection,
    ListConnections,
    DeleteConnection,
    PutVariable,
    FindVariable,
    ListVariables,
    DeleteVariable,
    CreateRuns,
    FindIdempotent,
    FindRun,
    FindChain,
    ListRuns,
    RequestCancel,
    FindBackfill,
    ListBackfills,
    CancelBackfill,
    FindPreview,
    FindProfile,
    NewestRun,
    Claim,
    Renew,
    Release,
    Append,
    PutOutputChunk,
    FindOutput,
    Events,
    NewestSeq,
    ClaimCursors,
    PutDeliveries,
    Schedules,
    Advance,
    Stats,
    Figures,
    Purge,
    Close,
}

/// Which calls fail, when and how.
#[derive(Debug, Clone)]
pub struct Fault {
    method: Option<Method>,
    pub(super) when: When,
    problem: Problem,
    source: Option<String>,
    skip: u64,
    times: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

impl Fault {
    const fn new(method: Option<Method>, when: When, problem: Problem) -> Self {
        Self {
            method,
            when,
            problem,
            source: None,
            skip: 0,
            times: 1,
        }
    }

    /// The next call of `method` fails and has no effect.
    #[must_use]
    pub const fn before(method: Method, problem: Problem) -> Self {
        Self::new(Some(method), When::Before, problem)
    }

    /// The next call of `method` has its effect and answers an error all the same.
    #[must_use]
    pub const fn after(method: Method, problem: Problem) -> Self {
        Self::new(Some(method), When::After, problem)
    }

    /// The next call of any method fails and has no effect, and so do all that follow: the process
    /// is gone.
    #[must_use]
    pub const fn end() -> Self {
        Self::new(None, When::Before, Problem::StorageBusy).times(u64::MAX)
    }

    /// Lets so many calls pass before.
    #[must_use]
    pub const fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// Fails so many calls, one after another.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// Gives the error a cause with this text, as a driver's has, which nobody but a log may be
    /// told.
    #[must_use]
    pub fn because(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What a call that it strikes answers.
    pub(super) fn failure(&self, method: Method) -> Error {
        let failure = Error::new(self.problem, format!("{method:?} fails on cue"));
        match &self.source {
            Some(source) => failure.with_source(source.clone()),
            None => failure,
        }
    }

    /// Whether this call fails; counts it.
    pub(super) fn strikes(&mut self, method: Method) -> bool {
        if self.times == 0 || self.method.is_some_and(|own| own != method) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}
