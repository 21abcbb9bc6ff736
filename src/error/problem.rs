//! The one table of the problems that Floret reports: slug, status, title and kind of each.
//!
//! The answer over HTTP is left to `api/problem`, the message of one case to `Error`.

use super::ErrorKind;

/// Makes the enum and its questions from the table.
///
/// - `on_the_wire`: variant, status, slug, title, kind.
/// - `for_hosts`: variant, slug, kind, and the problem that a client gets in its place.
macro_rules! problems {
    (
        on_the_wire {
            $($(#[$wire_doc:meta])* $wire:ident: $status:literal $wire_slug:literal $title:literal $wire_kind:ident,)*
        }
        for_hosts {
            $($(#[$host_doc:meta])* $host:ident: $host_slug:literal $host_kind:ident $({ $($data:tt)* })? as $answer:ident,)*
        }
    ) => {
        /// What went wrong, from the closed vocabulary of the wire contract and the Rust API.
        ///
        /// A host acts on [`Error::kind`](crate::Error::kind), or on the problem where the kind is
        /// too coarse.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Problem {
            $($(#[$wire_doc])* $wire,)*
            $($(#[$host_doc])* $host,)*
        }

        impl Problem {
            /// Every problem, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$wire,)* $(Self::$host,)*];

            /// Returns the slug, which ends the `type` of a problem on the wire.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self {
                    $(Self::$wire => $wire_slug,)*
                    $(Self::$host => $host_slug,)*
                }
            }

            /// Returns the HTTP status that a client gets.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$wire => $status,)*
                    $(Self::$host => Self::$answer.status(),)*
                }
            }

            /// Returns the title that a client gets.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self {
                    $(Self::$wire => $title,)*
                    $(Self::$host => Self::$answer.title(),)*
                }
            }

            /// Returns the kind that a host acts on.
            ///
            /// `Internal` stands for the kinds with data that only the constructors of
            /// [`Error`](crate::Error) know.
            #[must_use]
            pub const fn kind(self) -> ErrorKind {
                match self {
                    $(Self::$wire => ErrorKind::$wire_kind,)*
                    $(Self::$host => ErrorKind::$host_kind $({ $($data)* })?,)*
                }
            }

            /// Returns the problem that a client gets: this one, or the one that stands for it.
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
        /// The body is not JSON, not UTF-8 or truncated.
        InvalidJson: 400 "invalid-json" "Invalid json" Malformed,
        /// The body nests arrays and objects too deep.
        JsonTooDeep: 400 "json-too-deep" "Json too deep" Malformed,
        /// An object of the body has a key twice.
        DuplicateKey: 400 "duplicate-key" "Duplicate key" Malformed,
        /// The content type is missing or not the one of JSON.
        UnsupportedMediaType: 415 "unsupported-media-type" "Unsupported media type" Malformed,
        /// The body has too many bytes.
        BodyTooLarge: 413 "body-too-large" "Body too large" Malformed,
        /// The body did not arrive in time.
        RequestTimeout: 408 "request-timeout" "Request timeout" Malformed,
        /// The path and the query are too long.
        UriTooLong: 414 "uri-too-long" "Uri too long" Malformed,
        /// The body has a field that nothing reads.
        UnknownField: 422 "unknown-field" "Unknown field" Invalid,
        /// A field has the wrong type or a value out of range.
        InvalidField: 422 "invalid-field" "Invalid field" Invalid,
        /// A query parameter or a header is unknown, malformed or out of range.
        InvalidParameter: 400 "invalid-parameter" "Invalid parameter" Malformed,
        /// Nothing is at this path.
        NotFound: 404 "not-found" "Not found" NotFound,
        /// The path exists and does not take this method.
        MethodNotAllowed: 405 "method-not-allowed" "Method not allowed" MethodNotAllowed,
        /// No pipeline has this id or slug.
        PipelineNotFound: 404 "pipeline-not-found" "Pipeline not found" NotFound,
        /// No run has this id.
        RunNotFound: 404 "run-not-found" "Run not found" NotFound,
        /// The run has no node of this id.
        NodeNotFound: 404 "node-not-found" "Node not found" NotFound,
        /// The node has no preview.
        PreviewNotFound: 404 "preview-not-found" "Preview not found" NotFound,
        /// The node has no profile.
        ProfileNotFound: 404 "profile-not-found" "Profile not found" NotFound,
        /// No backfill has this id.
        BackfillNotFound: 404 "backfill-not-found" "Backfill not found" NotFound,
        /// No connection has this id.
        ConnectionNotFound: 404 "connection-not-found" "Connection not found" NotFound,
        /// No variable has this key.
        VariableNotFound: 404 "variable-not-found" "Variable not found" NotFound,
        /// The idempotency key is malformed.
        InvalidIdempotencyKey: 400 "invalid-idempotency-key" "Invalid idempotency key" Malformed,
        /// The idempotency key was used with another body.
        IdempotencyKeyReused: 422 "idempotency-key-reused" "Idempotency key reused" Invalid,
        /// The first request with this idempotency key is still in progress.
        ///
        /// It is left to backends that cannot wait.
        IdempotencyInProgress: 409 "idempotency-in-progress" "Idempotency in progress" Conflict,
        /// The graph has a cycle.
        GraphCycle: 422 "graph-cycle" "Graph cycle" Invalid,
        /// The graph has a self edge, a duplicate, or an edge with an unknown end.
        GraphInvalid: 422 "graph-invalid" "Graph invalid" Invalid,
        /// The graph has no nodes.
        GraphEmpty: 422 "graph-empty" "Graph empty" Invalid,
        /// The graph has too many nodes or edges.
        GraphTooLarge: 422 "graph-too-large" "Graph too large" Invalid,
        /// No executor is registered for a node's type.
        NodeTypeUnknown: 422 "node-type-unknown" "Node type unknown" Invalid,
        /// The schedule is not a cron expression.
        CronInvalid: 422 "cron-invalid" "Cron invalid" Invalid,
        /// The schedule is too long.
        CronTooLong: 422 "cron-too-long" "Cron too long" Invalid,
        /// The schedule names a day that never comes.
        CronNeverFires: 422 "cron-never-fires" "Cron never fires" Invalid,
        /// The IANA database has no such time zone.
        TimezoneUnknown: 422 "timezone-unknown" "Timezone unknown" Invalid,
        /// The range of the backfill has too many dates.
        BackfillTooLarge: 422 "backfill-too-large" "Backfill too large" Invalid,
        /// The range of the backfill ends before it starts, or in the future.
        RangeInvalid: 422 "range-invalid" "Range invalid" Invalid,
        /// The run or the backfill has ended and cannot be cancelled.
        RunFinished: 409 "run-finished" "Run finished" RunFinished,
        /// The run has not failed, or another run of its chain is in the way.
        RunNotResumable: 409 "run-not-resumable" "Run not resumable" Conflict,
        /// The pipeline has active runs and cannot be deleted.
        PipelineActive: 409 "pipeline-active" "Pipeline active" Conflict,
        /// The id or the slug is taken.
        AlreadyExists: 409 "already-exists" "Already exists" Conflict,
        /// A secret was given and no encryption key is configured.
        EncryptionKeyMissing: 409 "encryption-key-missing" "Encryption key missing" Conflict,
        /// The request has no credentials that are known.
        Unauthenticated: 401 "unauthenticated" "Unauthenticated" Unauthenticated,
        /// The caller does not have the permission.
        Forbidden: 403 "forbidden" "Forbidden" Forbidden,
        /// A page of another site sent the request.
        CrossOrigin: 403 "cross-origin" "Cross origin" Forbidden,
        /// The request names a host that this server does not answer for.
        Misdirected: 421 "misdirected" "Misdirected" Malformed,
        /// The events that were to follow were purged.
        EventsExpired: 410 "events-expired" "Events expired" Gone,
        /// Too many streams are open.
        TooManyStreams: 503 "too-many-streams" "Too many streams" TooManyRequests,
        /// The request does not ask for the upgrade to a WebSocket.
        UpgradeRequired: 426 "upgrade-required" "Upgrade required" Malformed,
        /// Too many dry runs are in progress; stands for a full queue too.
        TooManyRequests: 429 "too-many-requests" "Too many requests" TooManyRequests,
        /// Storage is busy or failed for the moment.
        StorageBusy: 503 "storage-busy" "Storage busy" Unavailable,
        /// Floret is shutting down.
        ShuttingDown: 503 "shutting-down" "Shutting down" ShuttingDown,
        /// The disk is full.
        StorageFull: 507 "storage-full" "Storage full" StorageFull,
        /// `If-Match` or an expected version is stale.
        PreconditionFailed: 412 "precondition-failed" "Precondition failed" Conflict,
        /// The id of the path and the id of the body differ.
        IdMismatch: 400 "id-mismatch" "Id mismatch" Malformed,
        /// Floret or the machine is at fault.
        InternalError: 500 "internal-error" "Internal error" Internal,
    }
    for_hosts {
        /// The queue of runs is full.
        QueueFull: "too-many-requests" QueueFull as TooManyRequests,
        /// The epoch is stale: the run belongs to another claim.
        StaleEpoch: "stale-epoch" StaleEpoch as InternalError,
        /// The run was asked to cancel: it can only end cancelled.
        CancelRequested: "cancel-requested" CancelRequested as InternalError,
        /// The transition table does not have this change.
        IllegalTransition: "illegal-transition" IllegalTransition as InternalError,
        /// The pipeline already has a run for this instant of its schedule.
        TickTaken: "tick-taken" Conflict as InternalError,
        /// The output was not kept, or no longer is.
        OutputDropped: "output-dropped" OutputDropped as InternalError,
        /// A key for the encryption of secrets cannot be read.
        InvalidKey: "invalid-key" Invalid as InternalError,
        /// A node type was registered twice.
        NodeTypeTwice: "node-type-twice" Invalid as InternalError,
        /// A notifier's name was registered twice.
        NotifierTwice: "notifier-twice" Invalid as InternalError,
        /// Another process has the store open.
        StoreInUse: "store-in-use" StoreInUse { pid: None } as InternalError,
        /// A newer Floret wrote the store.
        SchemaTooNew: "schema-too-new" Internal as InternalError,
        /// The linked SQLite has a bug that can corrupt the store.
        SqliteTooOld: "sqlite-too-old" Internal as InternalError,
        /// The file is not a database, or not one of Floret's.
        NotADatabase: "not-a-database" NotADatabase as InternalError,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_title_is_the_slug_in_words() {
        for problem in Problem::ALL {
            let slug = problem.on_wire().slug();
            let (first, rest) = slug.split_at(1);
            let words = first.to_uppercase() + &rest.replace('-', " ");
            assert_eq!(problem.title(), words);
        }
    }

    #[test]
    fn a_slug_stands_once_on_the_wire() {
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
    fn what_is_too_much_for_now_may_succeed_later() {
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
