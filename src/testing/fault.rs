//! Faults: which calls of a storage fail, when, and with which error.
//!
//! Applying a fault to a call is left to `faulty_storage`.

use crate::error::{Error, Problem};

/// Defines the enum of the methods and the list of all of them.
macro_rules! methods {
    ($($name:ident,)*) => {
        /// A method of [`Storage`](crate::storage::Storage).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each variant is the method of its name")]
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
    SetPause,
    DeletePipeline,
    PutConnection,
    FindConnection,
    ListConnections,
    DeleteConnection,
    PutVariable,
    FindVariables,
    ListVariables,
    DeleteVariable,
    CreateRuns,
    FindIdempotent,
    FindRun,
    FindChain,
    ListRuns,
    RequestCancel,
    EditRun,
    ListRunNodes,
    ListPastNodeRuns,
    ListVersions,
    FindVersion,
    FindBackfill,
    ListBackfills,
    CancelBackfill,
    SetBackfillPause,
    FindPreview,
    FindProfile,
    NewestRun,
    Claim,
    Renew,
    Release,
    Waiting,
    Append,
    PutOutputChunk,
    FindOutput,
    Events,
    EventsBefore,
    NewestSeq,
    ClaimCursors,
    PutDeliveries,
    ListDeliveries,
    FindDelivery,
    ChangeDeadLetter,
    Schedules,
    Advance,
    WaitingEnds,
    AnswerEnds,
    RecordRefusal,
    ListAudit,
    TrimAudit,
    Stats,
    Figures,
    Purge,
    Close,
}

/// A failure that a [`FaultyStorage`](super::FaultyStorage) injects into chosen calls.
///
/// By default, exactly one call fails: the next one. [`skip`](Self::skip) and
/// [`times`](Self::times) choose others.
///
/// ```
/// use floret::Problem;
/// use floret::testing::{Fault, Method};
///
/// // The third and the fourth claim find the storage busy.
/// let fault = Fault::before(Method::Claim, Problem::StorageBusy).skip(2).times(2);
/// # drop(fault);
/// ```
#[derive(Debug, Clone)]
pub struct Fault {
    method: Option<Method>,
    pub(super) when: When,
    problem: Problem,
    source: Option<String>,
    is_panic: bool,
    skip: u64,
    times: u64,
}

/// Whether a fault or a gate comes before or after the effect of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// How a call fails.
#[derive(Debug)]
pub(super) enum Failure {
    Error(Error),
    Panic(Method),
}

impl Failure {
    /// Returns the error.
    ///
    /// # Panics
    /// If the fault asks for a panic.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Error(error) => error,
            Self::Panic(method) => panic!("{method:?} panics on cue"),
        }
    }
}

impl Fault {
    const fn new(method: Option<Method>, when: When, problem: Problem) -> Self {
        Self {
            method,
            when,
            problem,
            source: None,
            is_panic: false,
            skip: 0,
            times: 1,
        }
    }

    /// Makes the next call of `method` fail without any effect.
    #[must_use]
    pub const fn before(method: Method, problem: Problem) -> Self {
        Self::new(Some(method), When::Before, problem)
    }

    /// Makes the next call of `method` take effect and then return an error.
    ///
    /// The caller cannot know the outcome, as when a connection breaks after a commit.
    #[must_use]
    pub const fn after(method: Method, problem: Problem) -> Self {
        Self::new(Some(method), When::After, problem)
    }

    /// Makes the next call of any method and all later calls fail without any effect, as if the
    /// process had died.
    #[must_use]
    pub const fn crash() -> Self {
        Self::new(None, When::Before, Problem::StorageBusy).times(u64::MAX)
    }

    /// Lets `count` matching calls succeed first.
    #[must_use]
    pub const fn skip(mut self, count: u64) -> Self {
        self.skip = count;
        self
    }

    /// Fails `count` consecutive calls.
    #[must_use]
    pub const fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// Makes the calls panic instead of returning an error, as broken code of a backend does.
    #[must_use]
    pub const fn panics(mut self) -> Self {
        self.is_panic = true;
        self
    }

    /// Gives the error a cause with this text, as a database driver does.
    ///
    /// The text may appear in a log, but MUST NOT reach a client.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns how a call of `method` fails.
    pub(super) fn failure(&self, method: Method) -> Failure {
        if self.is_panic {
            return Failure::Panic(method);
        }
        let error = Error::new(self.problem, format!("{method:?} fails on cue"));
        Failure::Error(match &self.source {
            Some(source) => error.with_source(source.clone()),
            None => error,
        })
    }

    /// Counts a call of `method` and returns whether it fails.
    pub(super) fn fires_on(&mut self, method: Method) -> bool {
        if self.times == 0 || self.method.is_some_and(|chosen| chosen != method) {
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
