//! Logs: bounded lines, senders that wait, order.

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{Gate, Step};
use floret::{Clock, EventKind, Level, Pipeline, RunStatus};
use tokio::sync::mpsc;

use crate::harness::{STEP, Store, World, chain, kinds, lines, step};

on_every_backend! {
    a_long_line_is_cut,
    lines_come_in_order_and_before_the_end_of_their_attempt,
    a_tiny_journal_makes_senders_wait_and_loses_no_line,
    a_journal_of_few_bytes_makes_senders_wait_and_loses_no_line,
    whoever_logs_after_its_attempt_does_not_keep_the_run_from_ending,
    a_line_is_stored_while_its_node_executes,
}

async fn a_long_line_is_cut(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.log_line_bytes_max = 64;
    world
        .script
        .script("a", [Step::pass_on().logs("é".repeat(1_000_000))]);
    let host = world.start().await;
    let ended = host.run("p").await;
    let events = host.events_of(ended.run.id).await;
    let line = lines(&events)[0];
    assert!(line.len() <= 64 && line.ends_with("… (cut)"), "{line}");
}

async fn lines_come_in_order_and_before_the_end_of_their_attempt(store: Store) {
    let pipeline =
        Pipeline::new("p").with(step("a").config("max_retries", 1).config("retry_delay", 0));
    let world = World::new(store).pipeline(pipeline);
    let first = Step::retryable("not yet").logs("1").logs("2");
    world
        .script
        .script("a", [first, Step::pass_on().logs("3").logs("4")]);
    let host = world.start().await;
    let ended = host.run("p").await;
    let events = host.events_of(ended.run.id).await;
    assert_eq!(lines(&events), ["1", "2", "3", "4"]);
    use EventKind::{
        Log, NodeCompleted, NodeRetrying, NodeStarted, RunCompleted, RunCreated, RunStarted,
    };
    let expected = [
        RunCreated,
        RunStarted,
        NodeStarted,
        Log,
        Log,
        NodeRetrying,
        NodeStarted,
        Log,
        Log,
        NodeCompleted,
        RunCompleted,
    ];
    assert_eq!(kinds(&events), expected);
    let logged = events.iter().filter(|event| event.kind == Log);
    let attempts: Vec<_> = logged.map(|event| (event.attempt, event.level)).collect();
    let of = |attempt| (Some(attempt), Some(Level::Info));
    assert_eq!(attempts, [of(1), of(1), of(2), of(2)]);
}

/// Writes a thousand lines.
async fn chatter(ctx: Ctx) -> Result<(), ExecutorError> {
    for line in 0..1_000 {
        ctx.log.info(format!("{} {line}", ctx.node.id)).await;
    }
    Ok(())
}

async fn assert_no_line_is_lost(world: World) {
    let names = ["w", "x", "y", "z"];
    let pipeline = names.iter().fold(Pipeline::new("p"), |pipeline, name| {
        pipeline.node(*name, "chatter")
    });
    let host = world
        .start_with(|builder| builder.node("chatter", chatter).pipeline(pipeline))
        .await;
    let ended = host.run("p").await;
    assert_eq!(ended.run.status, RunStatus::Success);
    let events = host.events_of(ended.run.id).await;
    let lines = lines(&events);
    for name in names {
        let own: Vec<_> = lines.iter().filter(|line| line.starts_with(name)).collect();
        let expected: Vec<_> = (0..1_000).map(|line| format!("{name} {line}")).collect();
        assert_eq!(own.len(), 1_000);
        assert!(own.iter().zip(&expected).all(|(own, line)| *own == line));
    }
}

async fn a_tiny_journal_makes_senders_wait_and_loses_no_line(store: Store) {
    let mut world = World::new(store);
    world.limits.journal_entries_max = 4;
    assert_no_line_is_lost(world).await;
}

async fn a_journal_of_few_bytes_makes_senders_wait_and_loses_no_line(store: Store) {
    let mut world = World::new(store);
    world.limits.journal_bytes_max = 200;
    assert_no_line_is_lost(world).await;
}

/// Leaves a task behind that logs on and on until it is told to end.
async fn leaves_a_chatterer(
    ctx: Ctx,
    stop: Gate,
    gone: mpsc::Sender<()>,
) -> Result<(), ExecutorError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "an executor of a host that owns its tasks badly"
    )]
    tokio::spawn(async move {
        let _gone = gone;
        let chatter = async {
            loop {
                ctx.log.info("still here").await;
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = chatter => {}
            () = stop.passed() => {}
        }
    });
    Ok(())
}

async fn whoever_logs_after_its_attempt_does_not_keep_the_run_from_ending(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("a", "leaves")
        .node("b", STEP)
        .after("a");
    let world = World::new(store);
    let stop = Gate::new();
    let (gone, mut all_gone) = mpsc::channel(1);
    let signal = stop.clone();
    let leaves = move |ctx| leaves_a_chatterer(ctx, signal.clone(), gone.clone());
    let host = world
        .start_with(|builder| builder.node("leaves", leaves).pipeline(pipeline))
        .await;
    for _ in 0..20 {
        let ended = host.run("p").await;
        assert_eq!(ended.run.status, RunStatus::Success);
        let kinds = kinds(&host.events_of(ended.run.id).await);
        assert_eq!(kinds.last(), Some(&EventKind::RunCompleted));
    }
    stop.open();
    host.crash().await;
    assert!(all_gone.recv().await.is_none());
}

async fn a_line_is_stored_while_its_node_executes(store: Store) {
    let world = World::new(store).pipeline(chain("p", &["a"]));
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::pass_on().logs("here").at(&gate)]);
    let host = world
        .start_with(|builder| builder.clock(Clock::system()))
        .await;
    let run = host.trigger("p").await;
    host.wait_for_events(EventKind::Log, 1).await;
    assert_eq!(host.stored(&run).await.run.status, RunStatus::Running);
    gate.open();
    run.finished().await.unwrap();
}
