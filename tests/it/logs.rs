//! Logs: bounded lines, senders that wait, and order.

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{Gate, Step};
use floret::{Clock, EventKind, Level, Pipeline, RunStatus};
use tokio::sync::mpsc;

use crate::harness::{STEP, Store, World, chain, kinds, lines, step};

on_every_backend! {
    a_long_line_is_cut,
    lines_are_stored_in_order_before_their_attempt_finishes,
    a_tiny_journal_makes_senders_wait_and_loses_no_line,
    a_journal_of_few_bytes_makes_senders_wait_and_loses_no_line,
    a_task_that_logs_after_its_attempt_does_not_delay_the_run,
    a_line_is_stored_while_its_node_executes,
}

async fn a_long_line_is_cut(store: Store) {
    let mut world = World::new(store).pipeline(chain("p", &["a"]));
    world.limits.log_line_bytes_max = 64;
    world
        .script
        .script("a", [Step::pass_on().logs("é".repeat(1_000_000))]);
    let host = world.start().await;
    let finished = host.run("p").await;
    let events = host.events_of(finished.run.id).await;
    let line = lines(&events)[0];
    assert!(line.len() <= 64 && line.ends_with("… (cut)"), "{line}");
}

async fn lines_are_stored_in_order_before_their_attempt_finishes(store: Store) {
    let pipeline =
        Pipeline::new("p").with(step("a").config("max_retries", 1).config("retry_delay", 0));
    let world = World::new(store).pipeline(pipeline);
    let first = Step::retryable("not yet").logs("1").logs("2");
    world
        .script
        .script("a", [first, Step::pass_on().logs("3").logs("4")]);
    let host = world.start().await;
    let finished = host.run("p").await;
    let events = host.events_of(finished.run.id).await;
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
    let info = |attempt| (Some(attempt), Some(Level::Info));
    assert_eq!(attempts, [info(1), info(1), info(2), info(2)]);
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
    let finished = host.run("p").await;
    assert_eq!(finished.run.status, RunStatus::Success);
    let events = host.events_of(finished.run.id).await;
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

/// Spawns a task that outlives its attempt and logs until `stop` opens.
async fn spawn_chatter(ctx: Ctx, stop: Gate, gone: mpsc::Sender<()>) -> Result<(), ExecutorError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the executor plays a host that does not own its tasks"
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

async fn a_task_that_logs_after_its_attempt_does_not_delay_the_run(store: Store) {
    let pipeline = Pipeline::new("p")
        .node("a", "spawns")
        .node("b", STEP)
        .after("a");
    let world = World::new(store);
    let stop = Gate::new();
    let (gone, mut all_gone) = mpsc::channel(1);
    let signal = stop.clone();
    let spawns = move |ctx| spawn_chatter(ctx, signal.clone(), gone.clone());
    let host = world
        .start_with(|builder| builder.node("spawns", spawns).pipeline(pipeline))
        .await;
    for _ in 0..20 {
        let finished = host.run("p").await;
        assert_eq!(finished.run.status, RunStatus::Success);
        let kinds = kinds(&host.events_of(finished.run.id).await);
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
