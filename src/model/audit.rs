//! The audit: which commands of people took effect or were refused, who gave them, and why.
//!
//! Storage writes an entry in the step of its command. `engine/audit` names the commands.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::{
    BackfillId, CallerName, ConnectionId, DeliveryId, IdError, PipelineId, RunId, TenantId,
    VariableKey,
};

/// The number of an entry of the audit. An entry has a greater number than all that were written
/// before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(u64);

impl AuditId {
    /// Creates the id of the entry with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for AuditId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // A number has one text, so that an id has one, too.
        let number = text.parse().ok().map(Self);
        let number = number.filter(|id| id.to_string() == text);
        number.ok_or(IdError::of_audit())
    }
}

/// Generates the enum of the actions from the table of their names.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident: $name:literal,)*) => {
        /// What a command of the audit does, such as `run.cancel`: a noun and a verb.
        ///
        /// ```
        /// use floret::AuditAction;
        ///
        /// assert_eq!(AuditAction::RunCancel.as_str(), "run.cancel");
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum AuditAction {
            $($(#[$doc])* $action,)*
        }

        impl AuditAction {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$action,)*];

            /// Returns the name on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)*
                }
            }
        }
    };
}

actions! {
    /// Creates a pipeline.
    PipelineCreate: "pipeline.create",
    /// Replaces the definition of a pipeline.
    PipelineEdit: "pipeline.edit",
    /// Saves an earlier version of a pipeline as its newest one.
    PipelineRollback: "pipeline.rollback",
    /// Pauses a pipeline.
    PipelinePause: "pipeline.pause",
    /// Ends the pause of a pipeline.
    PipelineUnpause: "pipeline.unpause",
    /// Deletes a pipeline.
    PipelineDelete: "pipeline.delete",
    /// Changes the labels or the note of a run.
    RunEdit: "run.edit",
    /// Cancels a run, whose executing nodes finish.
    RunCancel: "run.cancel",
    /// Cancels a run with force.
    RunForceCancel: "run.force_cancel",
    /// Creates a run that continues a failed one.
    RunResume: "run.resume",
    /// Creates a run that repeats a finished one.
    RunRerun: "run.rerun",
    /// Creates a backfill of a pipeline.
    BackfillCreate: "backfill.create",
    /// Pauses a backfill.
    BackfillPause: "backfill.pause",
    /// Ends the pause of a backfill.
    BackfillUnpause: "backfill.unpause",
    /// Cancels the unfinished runs of a backfill.
    BackfillCancel: "backfill.cancel",
    /// Cancels the unfinished runs of a backfill with force.
    BackfillForceCancel: "backfill.force_cancel",
    /// Creates a backfill that repeats a finished one.
    BackfillRerun: "backfill.rerun",
    /// Creates a connection.
    ConnectionCreate: "connection.create",
    /// Replaces a connection.
    ConnectionEdit: "connection.edit",
    /// Deletes a connection.
    ConnectionDelete: "connection.delete",
    /// Creates a variable.
    VariableCreate: "variable.create",
    /// Replaces a variable.
    VariableEdit: "variable.edit",
    /// Deletes a variable.
    VariableDelete: "variable.delete",
    /// Retries a dead letter.
    DeliveryRetry: "delivery.retry",
    /// Drops a dead letter.
    DeliveryDrop: "delivery.drop",
    /// Deletes finished runs.
    SystemPurge: "system.purge",
}

impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuditAction {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|action| action.as_str() == text)
            .ok_or(IdError::of_audit_action())
    }
}

/// The object that a command names. Its text is the kind and the id, such as `pipeline:orders`, or
/// `system`.
///
/// ```
/// use floret::{AuditSubject, PipelineId};
///
/// let subject: AuditSubject = "pipeline:orders".parse()?;
/// assert_eq!(subject, AuditSubject::Pipeline(PipelineId::new("orders")?));
/// assert_eq!(subject.to_string(), "pipeline:orders");
/// assert_eq!("system".parse(), Ok(AuditSubject::System));
/// # Ok::<(), floret::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AuditSubject {
    /// A pipeline.
    Pipeline(PipelineId),
    /// A run. A resume or a rerun names the earlier run.
    Run(RunId),
    /// A backfill. A rerun names the earlier backfill.
    Backfill(BackfillId),
    /// A connection.
    Connection(ConnectionId),
    /// A variable.
    Variable(VariableKey),
    /// A delivery that has not succeeded.
    Delivery(DeliveryId),
    /// Floret itself, for a purge.
    System,
}

impl fmt::Display for AuditSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipeline(id) => write!(f, "pipeline:{id}"),
            Self::Run(id) => write!(f, "run:{id}"),
            Self::Backfill(id) => write!(f, "backfill:{id}"),
            Self::Connection(id) => write!(f, "connection:{id}"),
            Self::Variable(key) => write!(f, "variable:{key}"),
            Self::Delivery(id) => write!(f, "delivery:{id}"),
            Self::System => f.write_str("system"),
        }
    }
}

impl FromStr for AuditSubject {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let Some((kind, id)) = text.split_once(':') else {
            return match text {
                "system" => Ok(Self::System),
                _ => Err(IdError::of_audit_subject()),
            };
        };
        let subject = match kind {
            "pipeline" => PipelineId::new(id).map(Self::Pipeline),
            "run" => id.parse().map(Self::Run),
            "backfill" => id.parse().map(Self::Backfill),
            "connection" => ConnectionId::new(id).map(Self::Connection),
            "variable" => VariableKey::new(id).map(Self::Variable),
            "delivery" => id.parse().map(Self::Delivery),
            _ => Err(IdError::of_audit_subject()),
        };
        // An error of the id alone would read as one of the subject.
        subject.map_err(|_| IdError::of_audit_subject())
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditOutcome {
    /// It took effect.
    Done,
    /// A rule refused it, with the problem that has this slug, such as `run-not-resumable`.
    Refused(String),
}

/// An entry of the audit, from [`Client::audit`](crate::Client::audit).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The number of the entry.
    pub id: AuditId,
    /// When the command was given.
    pub at: DateTime<Utc>,
    /// Who gave it, if the host knows the caller.
    pub by: Option<CallerName>,
    /// What it does.
    pub action: AuditAction,
    /// The object that it names.
    pub subject: AuditSubject,
    /// Why, in the words of the caller.
    pub reason: Option<String>,
    /// What became of it.
    pub outcome: AuditOutcome,
    /// The tenant of the object, if any.
    pub tenant: Option<TenantId>,
}

impl AuditEntry {
    /// Creates the entry of a command that took effect, without a caller, a reason or a tenant.
    #[must_use]
    pub const fn new(
        id: AuditId,
        action: AuditAction,
        subject: AuditSubject,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            at,
            by: None,
            action,
            subject,
            reason: None,
            outcome: AuditOutcome::Done,
            tenant: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_reads_back_from_its_text() {
        for text in [
            "pipeline:orders",
            "run:01890a5d-ac96-774b-bcce-b302099a8057",
            "backfill:01890a5d-ac96-774b-bcce-b302099a8057",
            "connection:warehouse",
            "variable:region",
            "delivery:ops.slack.7",
            "system",
        ] {
            let subject: AuditSubject = text.parse().unwrap();
            assert_eq!(subject.to_string(), text);
        }
        for text in ["", "orders", "system:", "run:7", "pipeline:a b", "node:a"] {
            let error = text.parse::<AuditSubject>().unwrap_err();
            assert_eq!(error, IdError::of_audit_subject(), "{text}");
        }
    }

    #[test]
    fn an_action_reads_back_from_its_name() {
        for action in AuditAction::ALL {
            assert_eq!(action.as_str().parse(), Ok(*action));
        }
        assert!("run.start".parse::<AuditAction>().is_err());
    }

    #[test]
    fn an_id_has_one_text() {
        assert_eq!("17".parse(), Ok(AuditId::new(17)));
        for text in ["", "017", "+17", "-1", "18446744073709551616", "x"] {
            assert!(text.parse::<AuditId>().is_err(), "{text}");
        }
    }
}
