//! The table of all problems that Floret reports, with the slug, status, title and kind of each.
//!
//! `api/problem` builds the HTTP answer. [`Error`](super::Error) has the message of a single case.

use super::ErrorKind;

/// Generates the enum and its methods from the table.
///
/// - `on_the_wire`: variant, status, slug, title, kind.
/// - `for_hosts`: variant, slug, kind, and the problem that a client sees instead.
macro_rules! problems {
    (
        on_the_wire {
            $($(#[$wire_doc:meta])* $wire:ident: $status:literal $wire_slug:literal $title:literal $wire_kind:ident,)*
        }
        for_hosts {
            $($(#[$host_doc:meta])* $host:ident: $host_slug:literal $host_kind:ident $({ $($data:tt)* })? as $answer:ident,)*
        }
    ) => {
        /// What went wrong: an entry of the closed list of problems of the wire contract and the
        /// Rust API.
        ///
        /// A host acts on [`Error::kind`](crate::Error::kind), or on the problem where the kind is
        /// too coarse.
        ///
        /// ```
        /// use floret::{ErrorKind, Pipeline, Problem};
        ///
        /// let error = Pipeline::from_json(r#"{"id": "a", "id": "b"}"#).unwrap_err();
        /// assert_eq!(error.kind(), ErrorKind::Malformed);
        /// assert_eq!(error.problem(), Problem::DuplicateKey);
        /// assert_eq!(error.problem().status(), 400);
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Problem {
            $($(#[$wire_doc])* $wire,)*
            $($(#[$host_doc])* $host,)*
        }

        impl Problem {
            /// Every problem, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$wire,)* $(Self::$host,)*];

            /// Returns the slug, the last part of the `type` of a problem on the wire.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$wire => $wire_slug,)*
                    $(Self::$host => $host_slug,)*
                }
            }

            /// Returns the HTTP status of the answer to a client.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$wire => $status,)*
                    $(Self::$host => Self::$answer.status(),)*
                }
            }

            /// Returns the title of the answer to a client.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$wire => $title,)*
                    $(Self::$host => Self::$answer.title(),)*
                }
            }

            /// Returns the kind.
            ///
            /// A kind with data that only a constructor of [`Error`](crate::Error) knows is
            /// `Internal` here.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self {
                    $(Self::$wire => ErrorKind::$wire_kind,)*
                    $(Self::$host => ErrorKind::$host_kind $({ $($data)* })?,)*
                }
            }

            /// Returns the problem that a client sees: this one, or the one that replaces it on the
            /// wire.
            #[must_use]
            pub const fn on_wire(self) -> Self {
                match self {
                    $(Self::$wire => Self::$wire,)*
                    $(Self::$host => Self::$answer,)*
                }
            }
        }
    };
}

problems! {
    on_the_wire {
        /// The body is not JSON, is not UTF-8 or is truncated.
        InvalidJson: 400 "invalid-json" "Invalid json" Malformed,
        /// The body nests arrays and objects too deeply.
        JsonTooDeep: 400 "json-too-deep" "Json too deep" Malformed,
        /// An object of the body has a duplicate key.
        DuplicateKey: 400 "duplicate-key" "Duplicate key" Malformed,
        /// The content type is missing or is not JSON.
        UnsupportedMediaType: 415 "unsupported-media-type" "Unsupported media type" Malformed,
        /// The body is too large.
        BodyTooLarge: 413 "body-too-large" "Body too large" Malformed,
        /// The body did not arrive in time.
        RequestTimeout: 408 "request-timeout" "Request timeout" Malformed,
        /// The path and the query are too long.
        UriTooLong: 414 "uri-too-long" "Uri too long" Malformed,
        /// The body has an unknown field.
        UnknownField: 422 "unknown-field" "Unknown field" Invalid,
        /// A field has the wrong type or a value out of range.
        InvalidField: 422 "invalid-field" "Invalid field" Invalid,
        /// A query parameter or a header is unknown, malformed or out of range.
        InvalidParameter: 400 "invalid-parameter" "Invalid parameter" Malformed,
        /// The numbered page of a list has too many bytes.
        PageTooLarge: 400 "page-too-large" "Page too large" Malformed,
        /// No route has this path.
        NotFound: 404 "not-found" "Not found" NotFound,
        /// The path exists but does not support this method.
        MethodNotAllowed: 405 "method-not-allowed" "Method not allowed" MethodNotAllowed,
        /// No pipeline has this id or slug.
        PipelineNotFound: 404 "pipeline-not-found" "Pipeline not found" NotFound,
        /// No run has this id.
        RunNotFound: 404 "run-not-found" "Run not found" NotFound,
        /// The run has no node with this id.
        NodeNotFound: 404 "node-not-found" "Node not found" NotFound,
        /// The node has no preview.
        PreviewNotFound: 404 "preview-not-found" "Preview not found" NotFound,
        /// The node has no profile.
        ProfileNotFound: 404 "profile-not-found" "Profile not found" NotFound,
        /// The pipeline has no such version.
        VersionNotFound: 404 "version-not-found" "Version not found" NotFound,
        /// No backfill has this id.
        BackfillNotFound: 404 "backfill-not-found" "Backfill not found" NotFound,
        /// No connection has this id.
        ConnectionNotFound: 404 "connection-not-found" "Connection not found" NotFound,
        /// No variable has this key.
        VariableNotFound: 404 "variable-not-found" "Variable not found" NotFound,
        /// No delivery of this id waits or is dead, or the caller may not see it.
        DeliveryNotFound: 404 "delivery-not-found" "Delivery not found" NotFound,
        /// The idempotency key is malformed.
        InvalidIdempotencyKey: 400 "invalid-idempotency-key" "Invalid idempotency key" Malformed,
        /// The idempotency key was used before with a different body.
        IdempotencyKeyReused: 422 "idempotency-key-reused" "Idempotency key reused" Invalid,
        /// The first request with this idempotency key is still in progress.
        ///
        /// Only a storage backend that cannot wait for the first request reports it.
        IdempotencyInProgress: 409 "idempotency-in-progress" "Idempotency in progress" Conflict,
        /// The graph has a cycle.
        GraphCycle: 422 "graph-cycle" "Graph cycle" Invalid,
        /// The graph has a self edge, a duplicate node or edge, or an edge to an unknown node.
        GraphInvalid: 422 "graph-invalid" "Graph invalid" Invalid,
        /// The graph has no nodes.
        GraphEmpty: 422 "graph-empty" "Graph empty" Invalid,
        /// The graph has too many nodes or edges.
        GraphTooLarge: 422 "graph-too-large" "Graph too large" Invalid,
        /// Pipelines depend on one another in a circle.
        DependencyCycle: 422 "dependency-cycle" "Dependency cycle" Invalid,
        /// The definition has too many bytes, tags or variables.
        DefinitionTooLarge: 422 "definition-too-large" "Definition too large" Invalid,
        /// The parameters of a run are too many or too large.
        ParamsTooLarge: 422 "params-too-large" "Params too large" Invalid,
        /// A parameter is not defined by its pipeline, does not fit its definition, or is missing.
        ParamInvalid: 422 "param-invalid" "Param invalid" Invalid,
        /// No executor is registered for a node's type.
        NodeTypeUnknown: 422 "node-type-unknown" "Node type unknown" Invalid,
        /// The host has closed a node's type to the tenant of the pipeline.
        NodeTypeClosed: 422 "node-type-closed" "Node type closed" Invalid,
        /// The schedule is not a cron expression.
        CronInvalid: 422 "cron-invalid" "Cron invalid" Invalid,
        /// The schedule is too long.
        CronTooLong: 422 "cron-too-long" "Cron too long" Invalid,
        /// The schedule only matches days that do not exist.
        CronNeverFires: 422 "cron-never-fires" "Cron never fires" Invalid,
        /// The IANA database does not have this time zone.
        TimezoneUnknown: 422 "timezone-unknown" "Timezone unknown" Invalid,
        /// The range of the backfill has too many dates.
        BackfillTooLarge: 422 "backfill-too-large" "Backfill too large" Invalid,
        /// The range of the backfill ends before it starts, or in the future.
        RangeInvalid: 422 "range-invalid" "Range invalid" Invalid,
        /// The run has not finished yet.
        RunNotFinished: 409 "run-not-finished" "Run not finished" Conflict,
        /// The run or the backfill is finished and cannot be cancelled.
        RunFinished: 409 "run-finished" "Run finished" RunFinished,
        /// The run did not fail, or another run of its chain prevents a resume.
        RunNotResumable: 409 "run-not-resumable" "Run not resumable" Conflict,
        /// As many runs with the concurrency key of the new run are unfinished as may be.
        ConcurrencyKeyTaken: 409 "concurrency-key-taken" "Concurrency key taken" Conflict,
        /// The pipeline has active runs and cannot be deleted.
        PipelineActive: 409 "pipeline-active" "Pipeline active" Conflict,
        /// The delivery is not a dead letter: it waits for its next try.
        DeliveryWaiting: 409 "delivery-waiting" "Delivery waiting" Conflict,
        /// The host's code defines the pipeline, and the host allows no other edits of it.
        ManagedByCode: 409 "managed-by-code" "Managed by code" Conflict,
        /// Several tenants have an object with this id, and the request does not name one.
        TenantRequired: 409 "tenant-required" "Tenant required" Conflict,
        /// The id or the slug is already in use.
        AlreadyExists: 409 "already-exists" "Already exists" Conflict,
        /// The input has a secret but no encryption key is configured.
        EncryptionKeyMissing: 409 "encryption-key-missing" "Encryption key missing" Conflict,
        /// The request has no valid credentials.
        Unauthenticated: 401 "unauthenticated" "Unauthenticated" Unauthenticated,
        /// The caller does not have the permission.
        Forbidden: 403 "forbidden" "Forbidden" Forbidden,
        /// A page of another site sent the request.
        CrossOrigin: 403 "cross-origin" "Cross origin" Forbidden,
        /// The request names a host that this server does not serve.
        Misdirected: 421 "misdirected" "Misdirected" Malformed,
        /// The requested events were purged.
        EventsExpired: 410 "events-expired" "Events expired" Gone,
        /// Too many streams are open.
        TooManyStreams: 503 "too-many-streams" "Too many streams" TooManyRequests,
        /// The request does not ask for an upgrade to a WebSocket.
        UpgradeRequired: 426 "upgrade-required" "Upgrade required" Malformed,
        /// Too many dry runs are in progress, or the queue of pending runs is full.
        TooManyRequests: 429 "too-many-requests" "Too many requests" TooManyRequests,
        /// Storage is busy or temporarily unavailable.
        StorageBusy: 503 "storage-busy" "Storage busy" Unavailable,
        /// Floret is shutting down.
        ShuttingDown: 503 "shutting-down" "Shutting down" ShuttingDown,
        /// The disk is full.
        StorageFull: 507 "storage-full" "Storage full" StorageFull,
        /// `If-Match` or an expected version is stale.
        PreconditionFailed: 412 "precondition-failed" "Precondition failed" Conflict,
        /// The id in the path and the id in the body differ.
        IdMismatch: 400 "id-mismatch" "Id mismatch" Malformed,
        /// An internal fault of Floret or of the machine.
        InternalError: 500 "internal-error" "Internal error" Internal,
    }
    for_hosts {
        /// The queue of pending runs is full.
        QueueFull: "too-many-requests" QueueFull as TooManyRequests,
        /// The epoch is stale: a later claim has the run.
        StaleEpoch: "stale-epoch" StaleEpoch as InternalError,
        /// A cancel request exists for the run, so the run can only finish as cancelled.
        CancelRequested: "cancel-requested" CancelRequested as InternalError,
        /// The transition table does not contain this status change.
        IllegalTransition: "illegal-transition" IllegalTransition as InternalError,
        /// The pipeline already has a run for this tick of its schedule.
        TickTaken: "tick-taken" Conflict as InternalError,
        /// The output was not stored, or was dropped later.
        OutputDropped: "output-dropped" OutputDropped as InternalError,
        /// A dataset has too many bytes or columns, or too large a cell.
        DatasetTooLarge: "dataset-too-large" Invalid as InternalError,
        /// An encryption key for secrets cannot be read.
        InvalidKey: "invalid-key" Invalid as InternalError,
        /// A node type was registered twice.
        NodeTypeTwice: "node-type-twice" Invalid as InternalError,
        /// A function takes a state that the host has not given.
        StateMissing: "state-missing" Invalid as InternalError,
        /// Two states of one type were given.
        StateTwice: "state-twice" Invalid as InternalError,
        /// A notifier's name was registered twice.
        NotifierTwice: "notifier-twice" Invalid as InternalError,
        /// Another process has the store open.
        StoreInUse: "store-in-use" StoreInUse { pid: None } as InternalError,
        /// A newer version of Floret wrote the store.
        SchemaTooNew: "schema-too-new" Internal as InternalError,
        /// The linked SQLite has a bug that can corrupt the store.
        SqliteTooOld: "sqlite-too-old" Internal as InternalError,
        /// The file is not an SQLite database, or it belongs to another application.
        NotADatabase: "not-a-database" NotADatabase as InternalError,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_title_is_the_slug_as_words() {
        for problem in Problem::ALL {
            let slug = problem.on_wire().slug();
            let (first, rest) = slug.split_at(1);
            let words = first.to_uppercase() + &rest.replace('-', " ");
            assert_eq!(problem.title(), words);
        }
    }

    #[test]
    fn slugs_on_the_wire_are_unique() {
        let mut slugs = HashSet::new();
        for problem in Problem::ALL {
            let answer = problem.on_wire();
            assert_eq!(answer.on_wire(), answer, "{problem:?}");
            if answer == *problem {
                assert!(slugs.insert(problem.slug()), "{problem:?}");
            }
        }
    }

    #[test]
    fn overload_and_outages_are_transient() {
        let transient = Problem::ALL
            .iter()
            .filter(|problem| problem.kind().is_transient());
        let expected = [
            Problem::TooManyStreams,
            Problem::TooManyRequests,
            Problem::StorageBusy,
            Problem::StorageFull,
            Problem::QueueFull,
        ];
        assert!(transient.eq(&expected));
    }
}
