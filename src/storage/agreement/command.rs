//! The commands for both storages, and how proptest generates them.
//!
//! A number names the item with that position among those that exist. `world` runs the commands.

use proptest::prelude::*;

const CONFLICTS: u8 = 3;

/// A command or a question.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Put {
        pipeline: u8,
        variant: u8,
        slug: u8,
        expect: u8,
        saved_by: u8,
        scope: u8,
    },
    Delete {
        pipeline: u8,
        scope: u8,
    },
    /// Pauses a pipeline, or ends its pause.
    Pause {
        pipeline: u8,
        pauses: bool,
        scope: u8,
    },
    /// Saves or deletes a connection and the variable of the same number.
    Setting {
        number: u8,
        variant: u8,
        /// `None` deletes it.
        expect: Option<u8>,
        scope: u8,
    },
    Trigger {
        pipeline: u8,
        trigger: u8,
        count: u8,
        key: Option<(u8, u8)>,
        tick: Option<u8>,
        /// Its priority, and for how many seconds it stays pending.
        place: (u8, Option<u8>),
        /// A concurrency key, its maximum, and what happens while it is taken.
        concurrency: Option<(u8, u32, u8)>,
        scope: u8,
    },
    Tick {
        pipeline: u8,
        seconds: i64,
        has_run: bool,
        is_stale: bool,
        /// Which of the schedules with the id of the pipeline.
        owner: u8,
    },
    /// An answer to ends that wait for a pipeline. Bit n of `picked` is end n.
    Answer {
        pipeline: u8,
        picked: u8,
        has_run: bool,
        is_stale: bool,
    },
    Resume {
        run: u8,
        inherit: bool,
        key: bool,
    },
    Cancel {
        run: u8,
        forced: bool,
        scope: u8,
    },
    /// Sets (0, 1), removes (2) or leaves (3) the label of a number.
    Edit {
        run: u8,
        labels: [u8; 2],
        note: Option<u8>,
        scope: u8,
    },
    Backfill {
        pipeline: u8,
        count: u8,
        limits: (u8, u8),
        unit: u8,
        flags: [bool; 3],
        concurrency: Option<(u8, u32, u8)>,
        key: Option<(u8, u8)>,
        scope: u8,
    },
    PauseBackfill {
        backfill: u8,
        pauses: bool,
        scope: u8,
    },
    CancelBackfill {
        backfill: u8,
        forced: bool,
        scope: u8,
    },
    Claim {
        owner: u8,
        count_max: u32,
        runs_max: u32,
        suspects: bool,
        /// Bit n of these is the owner's claim n, counted from the newest.
        held: u8,
        broken_off: u8,
    },
    /// A legal next step of a claimed run.
    Progress {
        driver: u8,
        pick: u8,
    },
    /// An arbitrary entry at an arbitrary position, under any epoch.
    Append {
        driver: u8,
        entry: u8,
        node_index: u16,
        skew: i8,
        is_stale: bool,
    },
    Chunk {
        driver: u8,
        node_index: u16,
        index: u32,
    },
    Renew {
        owner: u8,
    },
    Release {
        owner: u8,
    },
    /// The owner's process dies. Another owner gets its number.
    Crash {
        owner: u8,
    },
    Purge {
        age: u8,
        count_max: u32,
        keep_last: u32,
        scope: u8,
    },
    /// Records a refusal, and trims the audit.
    Audit {
        age: u8,
        count_max: u32,
    },
    /// Notifiers arrive or stay. Bit n of `names` is name n, bit n + 2 that it is
    /// dormant if it is not present.
    Attend {
        names: u8,
        stays: bool,
    },
    /// The delivery of an event: parked (0), parked again (1), dead (2) or delivered (3).
    Deliver {
        name: u8,
        seq: u64,
        outcome: u8,
    },
    Clock {
        seconds: i64,
    },
    /// The next commit of the right storage fails before (0) or after (1) its effect, or a group of
    /// its steps is rolled back (2).
    Fault {
        kind: u8,
    },
    Ask(Question),
}

/// A question, which changes nothing.
#[derive(Debug, Clone)]
pub(super) enum Question {
    Runs {
        pipeline: Option<u8>,
        status: Option<u8>,
        trigger: Option<u8>,
        label: Option<(u8, u8)>,
        backfill: Option<u8>,
        page: Paging,
        scope: u8,
    },
    Pipelines {
        is_tagged: bool,
        enabled: Option<bool>,
        is_of_code: Option<bool>,
        text: Option<u8>,
        page: Paging,
        scope: u8,
    },
    Backfills {
        pipeline: Option<u8>,
        backfill: u8,
        page: Paging,
        scope: u8,
    },
    Settings {
        page: Paging,
        scope: u8,
    },
    Events {
        run: Option<u8>,
        pipeline: Option<u8>,
        kind: Option<u8>,
        after: u8,
        limit: u32,
        scope: u8,
    },
    Node {
        run: u8,
        node_index: u16,
        scope: u8,
    },
    Figures {
        pipeline: Option<u8>,
        days: (i64, i64),
        scope: u8,
    },
    Key {
        pipeline: u8,
        key: u8,
        body: u8,
    },
    Overview {
        pipeline: u8,
        limit: u32,
    },
    System {
        scope: u8,
    },
    /// Bit n of `conditions` is condition n.
    Audit {
        conditions: u8,
        page: Paging,
        scope: u8,
    },
}

/// The part of a list that a question reads.
#[derive(Debug, Clone)]
pub(super) enum Paging {
    Newest(u32),
    Numbered(u32, u32),
    After(Option<u8>, u32),
}

/// Mostly every scope, rarely that of one tenant or of none.
fn any_scope() -> impl Strategy<Value = u8> {
    prop_oneof![6 => Just(0u8), 2 => Just(1), 1 => Just(2), 1 => Just(3)]
}

/// The scope of a save: tenants, and the host, save items with the same few ids.
fn saving_scope() -> impl Strategy<Value = u8> {
    0..4u8
}

/// Mostly one of the two ids that have pipelines from the start.
fn any_pipeline() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(0u8), 3 => Just(1), 1 => Just(2)]
}

pub(super) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => definitions(),
        6 => creations(),
        14 => executions(),
        2 => deliveries(),
        1 => (0..3u8).prop_map(|kind| Command::Fault { kind }),
        1 => (0..4u8, 1..5u32, prop_oneof![3 => Just(0), 1 => 1..3u32], any_scope()).prop_map(
            |(age, count_max, keep_last, scope)| Command::Purge { age, count_max, keep_last, scope }
        ),
        1 => (0..4u8, 1..4u32).prop_map(|(age, count_max)| Command::Audit { age, count_max }),
        3 => prop_oneof![Just(1), Just(30), Just(61), Just(40_000)].prop_map(|seconds| Command::Clock { seconds }),
        4 => question().prop_map(Command::Ask),
    ]
}

fn definitions() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => (any_pipeline(), 0..4u8, 0..5u8, 0..5u8, 0..4u8, saving_scope()).prop_map(
            |(pipeline, variant, slug, expect, saved_by, scope)| Command::Put { pipeline, variant, slug, expect, saved_by, scope }
        ),
        1 => (any_pipeline(), saving_scope()).prop_map(|(pipeline, scope)| Command::Delete { pipeline, scope }),
        2 => (any_pipeline(), any::<bool>(), saving_scope())
            .prop_map(|(pipeline, pauses, scope)| Command::Pause { pipeline, pauses, scope }),
        3 => (0..2u8, 0..3u8, proptest::option::weighted(0.8, 0..5u8), saving_scope()).prop_map(
            |(number, variant, expect, scope)| Command::Setting { number, variant, expect, scope }
        ),
    ]
}

fn creations() -> impl Strategy<Value = Command> {
    let key = || proptest::option::weighted(0.3, (0..2u8, 0..2u8));
    let tick = proptest::option::weighted(0.2, 0..3u8);
    let place = (0..3u8, proptest::option::weighted(0.3, 0..4u8));
    let concurrency = || proptest::option::weighted(0.5, (0..2u8, 1..3u32, 0..CONFLICTS));
    prop_oneof![
        4 => (any_pipeline(), 0..7u8, 1..4u8, key(), tick, place, concurrency(), any_scope()).prop_map(
            |(pipeline, trigger, count, key, tick, place, concurrency, scope)| {
                Command::Trigger { pipeline, trigger, count, key, tick, place, concurrency, scope }
            }
        ),
        3 => (any_pipeline(), 0..4i64, prop::bool::weighted(0.8), prop::bool::weighted(0.1), 0..3u8).prop_map(
            |(pipeline, seconds, has_run, is_stale, owner)| Command::Tick { pipeline, seconds, has_run, is_stale, owner }
        ),
        2 => (any_pipeline(), any::<u8>(), prop::bool::weighted(0.8), prop::bool::weighted(0.1)).prop_map(
            |(pipeline, picked, has_run, is_stale)| Command::Answer { pipeline, picked, has_run, is_stale }
        ),
        2 => (any::<u8>(), any::<bool>(), any::<bool>())
            .prop_map(|(run, inherit, key)| Command::Resume { run, inherit, key }),
        1 => (any::<u8>(), any::<bool>(), any_scope())
            .prop_map(|(run, forced, scope)| Command::Cancel { run, forced, scope }),
        2 => (any::<u8>(), any::<[u8; 2]>(), proptest::option::weighted(0.4, 0..3u8), any_scope()).prop_map(
            |(run, labels, note, scope)| Command::Edit { run, labels: labels.map(|change| change % 4), note, scope }
        ),
        2 => (any_pipeline(), 1..5u8, (1..3u8, 0..3u8), 0..3u8, any::<[bool; 3]>(), concurrency(), key(), any_scope()).prop_map(
            |(pipeline, count, limits, unit, flags, concurrency, key, scope)| {
                Command::Backfill { pipeline, count, limits, unit, flags, concurrency, key, scope }
            }
        ),
        1 => (any::<u8>(), any::<bool>(), any_scope())
            .prop_map(|(backfill, pauses, scope)| Command::PauseBackfill { backfill, pauses, scope }),
        1 => (any::<u8>(), any::<bool>(), any_scope())
            .prop_map(|(backfill, forced, scope)| Command::CancelBackfill { backfill, forced, scope }),
    ]
}

fn executions() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => (0..3u8, 0..4u32, 2..8u32, prop::bool::weighted(0.8), held(), 0..4u8).prop_map(
            |(owner, count_max, runs_max, suspects, held, broken_off)|
            Command::Claim { owner, count_max, runs_max, suspects, held, broken_off }
        ),
        20 => (0..3u8, any::<u8>()).prop_map(|(driver, pick)| Command::Progress { driver, pick }),
        2 => (0..4u8, 0..10u8, 0..3u16, -2..2i8, prop::bool::weighted(0.2)).prop_map(
            |(driver, entry, node_index, skew, is_stale)| Command::Append { driver, entry, node_index, skew, is_stale }
        ),
        2 => (0..4u8, 0..3u16, 0..3u32)
            .prop_map(|(driver, node_index, index)| Command::Chunk { driver, node_index, index }),
        1 => (0..3u8).prop_map(|owner| Command::Renew { owner }),
        1 => (0..3u8).prop_map(|owner| Command::Release { owner }),
        1 => (0..3u8).prop_map(|owner| Command::Crash { owner }),
    ]
}

fn deliveries() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => (0..16u8, any::<bool>()).prop_map(|(names, stays)| Command::Attend { names, stays }),
        3 => (0..2u8, 0..40u64, 0..4u8)
            .prop_map(|(name, seq, outcome)| Command::Deliver { name, seq, outcome }),
    ]
}

fn runs_question() -> impl Strategy<Value = Question> {
    let some = |values: std::ops::Range<u8>| proptest::option::of(values);
    (
        some(0..3),
        some(0..5),
        some(0..7),
        label(),
        proptest::option::weighted(0.3, 0..255u8),
        paging(),
        any_scope(),
    )
        .prop_map(
            |(pipeline, status, trigger, label, backfill, page, scope)| Question::Runs {
                pipeline,
                status,
                trigger,
                label,
                backfill,
                page,
                scope,
            },
        )
}

fn question() -> impl Strategy<Value = Question> {
    let some = |values: std::ops::Range<u8>| proptest::option::of(values);
    prop_oneof![
        runs_question(),
        pipelines_question(),
        (
            proptest::option::weighted(0.3, 0..255u8),
            proptest::option::weighted(0.3, 0..3u8),
            proptest::option::weighted(0.3, 0..13u8),
            0..30u8,
            1..50u32,
            0..4u8
        )
            .prop_map(
                |(run, pipeline, kind, after, limit, scope)| Question::Events {
                    run,
                    pipeline,
                    kind,
                    after,
                    limit,
                    scope
                }
            ),
        (any::<u8>(), 0..3u16, any_scope()).prop_map(|(run, node_index, scope)| Question::Node {
            run,
            node_index,
            scope
        }),
        (some(0..3), (0..4i64, 0..2i64), 0..4u8).prop_map(|(pipeline, days, scope)| {
            Question::Figures {
                pipeline,
                days,
                scope,
            }
        }),
        (0..3u8, 0..2u8, 0..2u8).prop_map(|(pipeline, key, body)| Question::Key {
            pipeline,
            key,
            body
        }),
        (some(0..3), any::<u8>(), paging(), any_scope()).prop_map(
            |(pipeline, backfill, page, scope)| Question::Backfills {
                pipeline,
                backfill,
                page,
                scope
            }
        ),
        (paging(), any_scope()).prop_map(|(page, scope)| Question::Settings { page, scope }),
        (0..3u8, 1..30u32).prop_map(|(pipeline, limit)| Question::Overview { pipeline, limit }),
        any_scope().prop_map(|scope| Question::System { scope }),
        audit_question(),
    ]
}

fn audit_question() -> impl Strategy<Value = Question> {
    (any::<u8>(), paging(), any_scope()).prop_map(|(conditions, page, scope)| Question::Audit {
        conditions,
        page,
        scope,
    })
}

/// Sometimes the numbers of a label's name and value.
fn label() -> impl Strategy<Value = Option<(u8, u8)>> {
    proptest::option::weighted(0.3, (0..2u8, 0..2u8))
}

fn pipelines_question() -> impl Strategy<Value = Question> {
    let text = proptest::option::of(0..5u8);
    let choice = any::<Option<bool>>;
    let conditions = (any::<bool>(), choice(), choice(), text);
    (conditions, paging(), any_scope()).prop_map(
        |((is_tagged, enabled, is_of_code, text), page, scope)| Question::Pipelines {
            is_tagged,
            enabled,
            is_of_code,
            text,
            page,
            scope,
        },
    )
}

fn paging() -> impl Strategy<Value = Paging> {
    prop_oneof![
        (1..6u32).prop_map(Paging::Newest),
        (1..4u32, 1..4u32).prop_map(|(page, per_page)| Paging::Numbered(page, per_page)),
        (any::<Option<u8>>(), 1..5u32).prop_map(|(cursor, limit)| Paging::After(cursor, limit)),
    ]
}

/// Mostly, an owner holds all of its claims.
fn held() -> impl Strategy<Value = u8> {
    prop_oneof![5 => Just(u8::MAX), 1 => any::<u8>()]
}
