//! Reruns of backfills: which dates run again, with what, and what a repeat of the request gets.
//!
//! Backfills themselves are in `backfills` and `api_backfills`.

use floret::storage::BackfillDetail;
use floret::testing::{Gate, Step};
use floret::{
    Access, BackfillHandle, BackfillOrder, BackfillStatus, ParamDef, Pipeline, RunStatus,
};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Host, Store, World, chain};
use crate::wire::{TestResponse, request, send, with_key};

on_every_backend! {
    the_dates_that_have_not_succeeded_run_again,
    every_date_runs_again_if_the_caller_asks_for_it,
    a_date_that_has_succeeded_since_is_left_out,
    success_of_another_backfill_does_not_count,
    a_preview_creates_nothing,
    a_backfill_that_has_not_finished_is_not_repeated,
    a_repeat_with_a_key_creates_nothing,
    a_rerun_on_a_changed_definition_checks_its_parameters,
    what_does_not_exist_is_not_repeated,
}

fn pipeline() -> Pipeline {
    chain("p", &["a"])
}

async fn call(host: &Host, path: &str, body: &Value) -> TestResponse {
    let path = format!("/api{path}");
    let post = request(Method::POST, &path, Some(body));
    send(&host.floret.service(Access::allow_all()), post).await
}

async fn finished(started: &BackfillHandle) -> BackfillDetail {
    started.finished().await.unwrap().unwrap()
}

/// Starts a backfill of three days, of which the second one fails.
async fn failed_backfill(world: &World, host: &Host) -> BackfillDetail {
    let steps = [Step::nothing(), Step::permanent("broken"), Step::nothing()];
    world.script.script("a", steps);
    let dates = "2024-01-01".parse().unwrap()..="2024-01-03".parse().unwrap();
    let backfill = host.floret.backfill("p", dates).param("region", "eu");
    let done = finished(&backfill.max_failures(2).await.unwrap()).await;
    assert_eq!(done.backfill.status, BackfillStatus::Failed);
    done
}

async fn the_dates_that_have_not_succeeded_run_again(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    let old = failed_backfill(&world, &host).await;
    world.script.script("a", [Step::nothing()]);
    let path = format!("/backfills/{}/rerun", old.backfill.id);
    let answer = call(&host, &path, &json!({})).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let runs = answer.json();
    assert_eq!(runs.as_array().unwrap().len(), 1);
    let run = host
        .floret
        .run_by_id(runs[0].as_str().unwrap().parse().unwrap());
    let run = run.finished().await.unwrap().run;
    assert_eq!(
        (run.status, run.date.to_string().as_str()),
        (RunStatus::Success, "2024-01-02")
    );
    assert_eq!(
        (run.params["region"].as_str(), run.rerun_of),
        ("eu", Some(old.runs[1].id))
    );
    let location = answer
        .header("location")
        .trim_start_matches("/api")
        .to_owned();
    let get = request(Method::GET, &format!("/api{location}"), None);
    let shown = send(&host.floret.service(Access::allow_all()), get)
        .await
        .json();
    assert_eq!(shown["rerun_of"], json!(old.backfill.id));
    assert_eq!(shown["max_failures"], 2);
    // The old backfill stays as it was, and nothing is left of it.
    let again = host.floret.backfills().get(old.backfill.id).await.unwrap();
    assert_eq!(again, old);
    let rest = call(&host, &path, &json!({"only": "failed"})).await;
    assert_eq!((rest.status.as_u16(), rest.json()), (202, json!([])));
    assert!(rest.headers.get("location").is_none());
}

async fn every_date_runs_again_if_the_caller_asks_for_it(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    world.script.script("a", vec![Step::nothing(); 6]);
    let dates = ["2024-01-05", "2024-01-01"].map(|date| date.parse().unwrap());
    let first = host.floret.backfill_dates("p", dates).max_parallel(2);
    let first = finished(&first.order(BackfillOrder::Descending).await.unwrap()).await;
    let again = host.floret.backfills().rerun(first.backfill.id).all();
    let again = finished(&again.await.unwrap()).await;
    let dates: Vec<_> = again.runs.iter().map(|run| run.date).collect();
    assert_eq!(
        dates,
        first.runs.iter().map(|run| run.date).collect::<Vec<_>>()
    );
    let settings = |it: &BackfillDetail| (it.backfill.order, it.backfill.max_parallel);
    assert_eq!(settings(&again), settings(&first));
    assert_eq!(again.backfill.rerun_of, Some(first.backfill.id));
    assert_eq!(again.backfill.counts.success, 2);
}

async fn a_date_that_has_succeeded_since_is_left_out(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    let old = failed_backfill(&world, &host).await;
    world.script.script("a", [Step::nothing()]);
    let resumed = host
        .floret
        .run_by_id(old.runs[1].id)
        .resume()
        .await
        .unwrap();
    assert_eq!(
        resumed.finished().await.unwrap().run.status,
        RunStatus::Success
    );
    let rerun = host
        .floret
        .backfills()
        .rerun(old.backfill.id)
        .await
        .unwrap();
    assert_eq!((rerun.id(), rerun.run_ids().len()), (None, 0));
}

/// Another backfill of the same dates may have had other parameters.
async fn success_of_another_backfill_does_not_count(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    world.script.script("a", vec![Step::nothing(); 3]);
    let dates = || "2024-01-01".parse().unwrap()..="2024-01-03".parse().unwrap();
    let others = [host.floret.backfill("p", dates()).param("region", "us")];
    for other in others {
        finished(&other.await.unwrap()).await;
    }
    let old = failed_backfill(&world, &host).await;
    world.script.script("a", vec![Step::nothing(); 3]);
    let later = host.floret.backfill("p", dates()).param("region", "us");
    finished(&later.await.unwrap()).await;
    let rerun = host.floret.backfills().rerun(old.backfill.id);
    assert_eq!(rerun.await.unwrap().run_ids().len(), 1);
}

async fn a_preview_creates_nothing(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    let old = failed_backfill(&world, &host).await;
    let id = old.backfill.id;
    let path = format!("/backfills/{id}/rerun");
    let shown = call(&host, &path, &json!({"preview": true})).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    assert_eq!(
        shown.json(),
        json!({"dates": ["2024-01-02"], "skipped": []})
    );
    assert_eq!(host.runs().await.len(), 3);
    // A rerun by hand of the failed run counts, too.
    world.script.script("a", [Step::nothing()]);
    let rerun = host.floret.run_by_id(old.runs[1].id).rerun().await.unwrap();
    rerun.finished().await.unwrap();
    let preview = host.floret.backfills().rerun(id).preview().await.unwrap();
    assert_eq!((preview.dates.len(), preview.skipped.len()), (0, 1));
    let all = host
        .floret
        .backfills()
        .rerun(id)
        .all()
        .preview()
        .await
        .unwrap();
    assert_eq!((all.dates.len(), all.skipped.len()), (3, 0));
}

async fn a_backfill_that_has_not_finished_is_not_repeated(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    let gate = Gate::new();
    world
        .script
        .script("a", [Step::permanent("broken").at(&gate)]);
    let dates = ["2024-01-01".parse().unwrap()];
    let first = host.floret.backfill_dates("p", dates).await.unwrap();
    let id = first.id().unwrap();
    let refused = call(&host, &format!("/backfills/{id}/rerun"), &json!({})).await;
    refused.assert_problem(409, "run-not-finished");
    gate.open();
    finished(&first).await;
    assert_eq!(
        host.floret
            .backfills()
            .rerun(id)
            .await
            .unwrap()
            .run_ids()
            .len(),
        1
    );
}

async fn a_repeat_with_a_key_creates_nothing(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    let [first, second] = [
        failed_backfill(&world, &host).await,
        failed_backfill(&world, &host).await,
    ];
    world.script.script("a", vec![Step::nothing(); 8]);
    let rerun = async |backfill: &BackfillDetail, body: Value| {
        let path = format!("/api/backfills/{}/rerun", backfill.backfill.id);
        let post = with_key(&path, "k", Some(&body));
        send(&host.floret.service(Access::allow_all()), post).await
    };
    let once = rerun(&first, json!({})).await;
    let again = rerun(&first, json!({})).await;
    assert_eq!((once.status.as_u16(), &once.body), (202, &again.body));
    assert_eq!(again.header("idempotent-replayed"), "true");
    let in_rust = host
        .floret
        .backfills()
        .rerun(first.backfill.id)
        .key("k")
        .await
        .unwrap();
    assert_eq!(json!(in_rust.run_ids()), once.json());
    let other = rerun(&first, json!({"only": "all"})).await;
    other.assert_problem(422, "idempotency-key-reused");
    // The same key and the same body, of another backfill.
    let other = rerun(&second, json!({})).await;
    other.assert_problem(422, "idempotency-key-reused");
}

async fn a_rerun_on_a_changed_definition_checks_its_parameters(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    let old = failed_backfill(&world, &host).await;
    let strict = pipeline().param_def(ParamDef::integer("region"));
    host.floret.add_pipeline(strict).await.unwrap();
    let refused = host
        .floret
        .backfills()
        .rerun(old.backfill.id)
        .await
        .unwrap_err();
    assert_eq!(refused.slug(), "param-invalid");
    let newer = pipeline().param("region", "us").param("added", "1");
    host.floret.add_pipeline(newer).await.unwrap();
    let rerun = host
        .floret
        .backfills()
        .rerun(old.backfill.id)
        .await
        .unwrap();
    let run = host
        .floret
        .run_by_id(rerun.run_ids()[0])
        .finished()
        .await
        .unwrap()
        .run;
    let param = |name: &str| run.params[name].clone();
    assert_eq!(
        (param("region"), param("added"), run.pipeline_version),
        ("eu".into(), "1".into(), 3)
    );
}

async fn what_does_not_exist_is_not_repeated(store: Store) {
    let world = World::quiet(store).pipeline(pipeline());
    let host = world.start().await;
    let old = failed_backfill(&world, &host).await;
    let path = format!("/backfills/{}/rerun", old.backfill.id);
    for (body, slug) in [
        (json!({"only": "some"}), "invalid-field"),
        (json!({"onyl": "all"}), "unknown-field"),
        (json!([]), "invalid-field"),
    ] {
        call(&host, &path, &body).await.assert_problem(422, slug);
        let absent = "/backfills/018d0c5e-7a00-7000-8000-000000000001/rerun";
        call(&host, absent, &body)
            .await
            .assert_problem(404, "backfill-not-found");
    }
    host.floret.remove_pipeline("p", None).await.unwrap();
    host.floret.pipelines().delete("p").await.unwrap();
    call(&host, &path, &json!({}))
        .await
        .assert_problem(404, "pipeline-not-found");
}
