//! Secrets where a text is cut: the part before a cut must not show the beginning of one.
//!
//! `canaries` searches for whole secrets.

use floret::nodes::CommandNode;
use floret::{Builder, Clock, Node, ParamDef, Pipeline, RunStatus, SecretKey};
use serde_json::json;

use crate::harness::{Host, Store, World};

/// With a quote, a backslash and a space, which encodings change.
const SECRET: &str = "zq9\"wX\\k '/l&%+\u{e4}-abcdefghijklmnopqrstuvwxyz";

/// How much of it may be seen: shorter secrets are not masked either.
const SHOWN_MAX: usize = 3;

/// A program that writes a pad, the secret and a rest in one line.
fn writes(pad: usize, form: &str, end: &str) -> Pipeline {
    let secret = match form {
        "json" => "escaped",
        _ => "plain",
    };
    let script = format!(
        "plain=$FLORET_PARAM_CODE; escaped=$(printf %s \"$plain\" | sed 's/[\\\\\"]/\\\\&/g'); \
         printf '%{pad}s%s%0200d\\n' '' \"${secret}\" 1 {end}"
    );
    let node = Node::new("say", "command").config("command", json!(["sh", "-c", script]));
    let mut pipeline = Pipeline::new(format!("{form}-{pad}"));
    pipeline.nodes.push(node);
    pipeline.param_def(ParamDef::string("code").secret())
}

async fn start() -> (World, Host) {
    let world = World::quiet(Store::memory());
    let build = |builder: Builder| {
        builder
            .executor("command", CommandNode::new(Clock::system()))
            .secret_key(SecretKey::from_bytes([7; 32]))
    };
    let host = world.start_with(build).await;
    (world, host)
}

/// Runs programs with every pad, and asserts that their errors show no part of the secret.
async fn assert_hidden(pads: std::ops::RangeInclusive<usize>, end: &str) {
    let (_world, host) = start().await;
    let mut masked = 0;
    for (pad, form) in pads.flat_map(|pad| [(pad, "plain"), (pad, "json")]) {
        let pipeline = writes(pad, form, end);
        let id = pipeline.id.clone();
        host.floret.pipelines().create(pipeline).await.unwrap();
        let run = host.floret.run(id).param("code", SECRET);
        let run = run.start().await.unwrap().finished().await.unwrap().run;
        assert_eq!(run.status, RunStatus::Failed);
        let error = run.error.unwrap();
        let shown = &SECRET[..=SHOWN_MAX];
        let escaped = shown.replace('"', "\\\"");
        for part in [shown, &escaped, &escaped.replace('\\', "\\\\")] {
            assert!(!error.contains(part), "{form} after {pad}: {error}");
        }
        masked += usize::from(error.contains("***"));
    }
    assert!(
        masked > 20,
        "only {masked} errors had a secret at their end"
    );
}

#[tokio::test]
async fn a_line_of_a_program_that_failed_shows_no_beginning_of_a_secret() {
    assert_hidden(225..=256, ">&2; exit 3").await;
}

#[tokio::test]
async fn a_line_that_is_no_row_shows_no_beginning_of_a_secret() {
    assert_hidden(50..=80, "").await;
}
