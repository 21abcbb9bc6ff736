//! Typed parameters: each path to a run checks what it is given, and gives the run its defaults.
//!
//! Which text fits which definition is left to the unit tests of the crate.

use std::sync::Arc;
use std::time::Duration;

use floret::executor::{Ctx, ExecutorError};
use floret::testing::{ManualClock, Step};
use floret::{Access, EventKind, ParamDef, Pipeline, Problem, RunStatus, RunsService, Trigger};
use http::{Method, Request};
use http_body_util::Full;
use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::harness::{Host, STEP, Store, World};
use crate::wire::{TestResponse, request, send};

on_every_backend! {
    every_path_refuses_parameters_that_do_not_fit,
    every_path_gives_a_run_its_defaults,
    a_backfill_and_a_date_need_no_definition_of_date,
    a_resume_keeps_the_recorded_parameters_and_the_current_definition_checks_them,
    a_repeated_key_gets_its_first_run_although_the_definitions_changed,
    a_tick_of_a_definition_that_no_save_has_checked_fails_and_names_the_parameter,
    definitions_come_back_as_given_and_an_equal_save_changes_no_version,
    validate_warns_of_a_template_that_no_definition_has,
    a_number_is_spelled_as_a_run_gives_it_and_as_json_writes_that_of_a_definition,
    a_struct_defines_gives_and_reads_the_parameters_of_every_path,
    a_struct_with_a_field_that_is_no_parameter_is_refused_by_every_save,
}

const RUN: &str = "/api/pipelines/p/run";
const DRY_RUN: &str = "/api/pipelines/p/dry-run";
const BACKFILL: &str = "/api/pipelines/p/backfill";

fn pipeline() -> Pipeline {
    Pipeline::new("p")
        .node("a", STEP)
        .param("region", "eu")
        .param_def(ParamDef::integer("rows").min(1).max(100).default(10))
        .param_def(ParamDef::one_of("region", ["eu", "us"]).required())
        .param_def(ParamDef::string("note"))
}

async fn post(service: &RunsService, path: &str, body: &Value) -> TestResponse {
    send(service, request(Method::POST, path, Some(body))).await
}

/// Returns the slug and the pointers of a refusal.
fn refusal(response: &TestResponse) -> (String, Vec<String>) {
    let problem = response.json();
    let slug = problem["type"]
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap();
    let errors = problem["errors"].as_array().unwrap().iter();
    let pointers = errors.map(|error| error["pointer"].as_str().unwrap().to_owned());
    (slug.to_owned(), pointers.collect())
}

async fn every_path_refuses_parameters_that_do_not_fit(store: Store) {
    let world = World::new(store).pipeline(pipeline());
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let given = json!({"rows": 0, "region": "eus", "nte": "x"});
    let mut days = json!({"start_date": "2024-01-01", "end_date": "2024-01-02", "params": given});
    let mut preview = days.clone();
    preview["preview"] = json!(true);
    for (path, body) in [
        (RUN, json!({"params": given})),
        (DRY_RUN, json!({"params": given})),
        (BACKFILL, days.clone()),
        (BACKFILL, preview),
    ] {
        let response = post(&service, path, &body).await;
        assert_eq!(response.status, 422, "{path}");
        let pointers = ["/params/rows", "/params/region", "/params/nte"].map(str::to_owned);
        assert_eq!(
            refusal(&response),
            ("param-invalid".to_owned(), pointers.into())
        );
        let errors = response.json()["errors"].clone();
        let detail = |index: usize| errors[index]["detail"].as_str().unwrap();
        assert!(detail(0).ends_with("a whole number from 1 to 100, received \"0\""));
        assert!(detail(1).ends_with("did you mean \"eu\"?"));
        assert!(detail(2).ends_with("did you mean \"note\"?"));
    }
    days["params"] = json!({"date": "2024-01-01", "rows": "x"});
    let response = post(&service, BACKFILL, &days).await;
    assert_eq!(refusal(&response).1, ["/params/date", "/params/rows"]);

    let floret = &host.floret;
    let range = "2024-01-01".parse().unwrap()..="2024-01-02".parse().unwrap();
    let refused = [
        floret.run("p").param("rows", "x").await.unwrap_err(),
        floret.dry_run("p").param("rows", "x").await.unwrap_err(),
        floret
            .backfill("p", range.clone())
            .param("rows", "x")
            .await
            .unwrap_err(),
        floret
            .backfill("p", range)
            .param("rows", "x")
            .preview()
            .await
            .unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(refused.problem(), Problem::ParamInvalid);
    }
    assert_eq!(host.runs().await.len(), 0);
}

async fn every_path_gives_a_run_its_defaults(store: Store) {
    let scheduled = pipeline().schedule("0 * * * *").catch_up();
    let mut world = World::quiet(store).pipeline(scheduled);
    world.clock = ManualClock::new("2024-01-15T06:30:00Z".parse().unwrap());
    let steps = [Step::permanent("broken"), Step::pass_on()];
    world.script.script("a", steps);
    let host = world.start().await;
    let failed = host.floret.run("p").param("rows", "5").await.unwrap();
    let failed = failed.finished().await.unwrap().run;
    let resumed = host.floret.run_by_id(failed.id).resume().await.unwrap();
    resumed.finished().await.unwrap();
    let day = "2024-01-01".parse().unwrap();
    let backfill = host
        .floret
        .backfill("p", day..=day)
        .param("region", "us")
        .await
        .unwrap();
    backfill.finished().await.unwrap();
    // The tick of seven o'clock. The scheduler sleeps for at most a minute.
    world.clock.sleeper_within(Duration::from_secs(60)).await;
    world.clock.advance(Duration::from_secs(1_800));
    host.wait_for_events(EventKind::RunCompleted, 3).await;
    host.stop().await;
    // Ten minutes after the tick of eight o'clock.
    world.clock.advance(Duration::from_secs(4_200));
    let host = world.start().await;
    host.wait_for_events(EventKind::RunCompleted, 4).await;

    let runs = host.runs().await;
    let seen: Vec<_> = runs
        .iter()
        .rev()
        .map(|run| (run.trigger, &*run.params["rows"], &*run.params["region"]))
        .collect();
    assert_eq!(
        seen,
        [
            (Trigger::Manual, "5", "eu"),
            (Trigger::Resume, "5", "eu"),
            (Trigger::Backfill, "10", "us"),
            (Trigger::Schedule, "10", "eu"),
            (Trigger::Catchup, "10", "eu"),
        ]
    );
    assert!(runs.iter().all(|run| !run.params.contains("note")));
}

async fn a_backfill_and_a_date_need_no_definition_of_date(store: Store) {
    let world = World::new(store).pipeline(pipeline());
    let host = world.start().await;
    let day = "2024-01-01".parse().unwrap();
    let backfill = host.floret.backfill("p", day..=day).await.unwrap();
    let finished = backfill.finished().await.unwrap().unwrap();
    assert_eq!(finished.backfill.counts.success, 1);
    let run = host
        .floret
        .run("p")
        .date(day)
        .await
        .unwrap()
        .finished()
        .await
        .unwrap()
        .run;
    assert_eq!(
        (run.status, &*run.params["date"]),
        (RunStatus::Success, "2024-01-01")
    );
    let refused = host
        .floret
        .run("p")
        .param("date", "soon")
        .param("rows", "x")
        .await
        .unwrap_err();
    assert_eq!(
        (refused.problem(), refused.issues().len()),
        (Problem::ParamInvalid, 2)
    );
}

/// Starts a host whose stored pipeline is another one than that of its runs.
async fn restart_with(world: &mut World, host: Host, pipeline: Pipeline) -> Host {
    host.stop().await;
    world.pipelines = vec![pipeline];
    world.start().await
}

async fn a_resume_keeps_the_recorded_parameters_and_the_current_definition_checks_them(
    store: Store,
) {
    let mut world = World::new(store).pipeline(pipeline());
    let broken = || Step::permanent("broken");
    world
        .script
        .script("a", [broken(), broken(), Step::pass_on()]);
    let host = world.start().await;
    let run = host.floret.run("p").param("rows", "50").await.unwrap();
    let failed = run.finished().await.unwrap().run;

    let narrower = Pipeline::new("p")
        .node("a", STEP)
        .param_def(ParamDef::integer("rows").max(9))
        .param_def(ParamDef::one_of("region", ["eu"]));
    let host = restart_with(&mut world, host, narrower).await;
    let recorded = host.floret.run_by_id(failed.id).resume().await.unwrap();
    let recorded = recorded.finished().await.unwrap().run;
    assert_eq!(
        (recorded.status, &recorded.params),
        (RunStatus::Failed, &failed.params)
    );

    let refused = host
        .floret
        .run_by_id(failed.id)
        .resume()
        .current()
        .await
        .unwrap_err();
    let service = host.floret.service(Access::allow_all());
    let path = format!("/api/runs/{}/resume", failed.id);
    let response = post(&service, &path, &json!({"definition": "current"})).await;
    assert_eq!(response.status, 422);
    let expected = ("param-invalid".to_owned(), vec!["/definition".to_owned()]);
    assert_eq!(refusal(&response), expected);
    let expected = "the current definition does not take the run: the parameter \"rows\" must be a \
                    whole number, 9 or less, received \"50\"";
    for detail in [
        refused.to_string(),
        response.json()["detail"].as_str().unwrap().to_owned(),
    ] {
        assert_eq!(detail, expected);
    }

    let wider = pipeline().param_def(ParamDef::boolean("force").default(true));
    let host = restart_with(&mut world, host, wider).await;
    let current = host
        .floret
        .run_by_id(failed.id)
        .resume()
        .current()
        .await
        .unwrap();
    let current = current.finished().await.unwrap().run;
    assert_eq!(current.status, RunStatus::Success);
    assert_eq!(
        (&*current.params["rows"], &*current.params["force"]),
        ("50", "true")
    );
}

async fn a_repeated_key_gets_its_first_run_although_the_definitions_changed(store: Store) {
    let mut world = World::new(store).pipeline(pipeline());
    let host = world.start().await;
    let order = |host: &Host| {
        host.floret
            .run("p")
            .param("rows", "50")
            .key("order")
            .start()
    };
    let first = order(&host).await.unwrap();
    first.finished().await.unwrap();
    let narrower = Pipeline::new("p")
        .node("a", STEP)
        .param_def(ParamDef::string("note"));
    let host = restart_with(&mut world, host, narrower).await;
    assert_eq!(order(&host).await.unwrap().id(), first.id());
    let other = host.floret.run("p").param("rows", "50").await.unwrap_err();
    assert_eq!(other.problem(), Problem::ParamInvalid);
}

async fn a_tick_of_a_definition_that_no_save_has_checked_fails_and_names_the_parameter(
    store: Store,
) {
    let mut world = World::quiet(store);
    let unchecked = Pipeline::new("p")
        .node("a", STEP)
        .param_def(ParamDef::integer("rows").required());
    let run = world.failed_tick_of_unchecked(unchecked).await;
    let error = run.error.unwrap();
    assert!(
        error.contains("the parameter \"rows\" is missing"),
        "{error}"
    );
    assert_eq!(world.calls().get("a"), None);
}

async fn definitions_come_back_as_given_and_an_equal_save_changes_no_version(store: Store) {
    let world = World::new(store);
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let defs = json!([
        {
            "name": "rows", "type": "integer", "required": true, "default": "5", "min": 1,
            "max": 9, "description": "How many."
        },
        {"name": "share", "type": "number", "default": 0.5, "max": 1.0},
        {"name": "region", "type": "enum", "values": ["eu", "us"]},
        {"name": "table", "type": "string", "min": 1, "pattern": "[a-z_]+"},
        {"name": "until", "type": "datetime", "max": "2030-01-01T00:00:00Z"},
        {"name": "from", "type": "date", "min": "2020-01-01"},
        {"name": "force", "type": "boolean", "default": false}
    ]);
    let nodes = json!([{"id": "a", "type": STEP}]);
    let body = json!({"id": "q", "name": "q", "nodes": nodes, "param_defs": defs});
    let created = post(&service, "/api/pipelines", &body).await;
    assert_eq!(
        (created.status.as_u16(), &created.json()["param_defs"]),
        (201, &defs)
    );
    let path = "/api/pipelines/q";
    let shown = send(&service, request(Method::GET, path, None)).await;
    assert_eq!(shown.json()["param_defs"], defs);
    let again = send(&service, request(Method::PUT, path, Some(&shown.json()))).await;
    assert_eq!(
        (again.status.as_u16(), &again.json()["version"]),
        (200, &json!(1))
    );
    assert_eq!(again.header("etag"), shown.header("etag"));

    let mut changed = body;
    changed["param_defs"][0]["max"] = json!(8);
    let put = request(Method::PUT, path, Some(&changed));
    let changed = send(&service, put).await;
    assert_eq!(changed.json()["version"], 2);
    assert_ne!(changed.header("etag"), shown.header("etag"));
}

async fn validate_warns_of_a_template_that_no_definition_has(store: Store) {
    let node = floret::Node::new("a", STEP)
        .config("rows", "${param.rows}")
        .config("region", "${param.regoin}")
        .config("day", "${param.date}");
    let mut pipeline = pipeline().param("rows", "20");
    pipeline.nodes = vec![node];
    let world = World::new(store).pipeline(pipeline);
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let response = send(
        &service,
        request(Method::GET, "/api/pipelines/p/validate", None),
    )
    .await;
    let expected = "the pipeline defines no parameter \"regoin\", so no run has it; did you mean \
                    \"region\"?";
    let warning = json!({"pointer": "/nodes/0/config/region", "detail": expected});
    let expected = json!({"valid": true, "errors": [], "warnings": [warning]});
    assert_eq!(response.json(), expected);
}

async fn a_number_is_spelled_as_a_run_gives_it_and_as_json_writes_that_of_a_definition(
    store: Store,
) {
    let world = World::new(store);
    let host = world.start().await;
    let service = host.floret.service(Access::allow_all());
    let post_text = async |path: &str, body: &str| {
        let request = Request::post(path).header("content-type", "application/json");
        let body = Full::from(body.to_owned());
        let response = send(&service, request.body(body).unwrap()).await;
        assert!(response.status.is_success(), "{response:?}");
        response.json()
    };
    let definition = r#"{"id": "p", "name": "p", "nodes": [{"id": "a", "type": "step"}],
        "params": {"own": 1.10}, "param_defs": [{"name": "own", "type": "number"},
        {"name": "other", "type": "number", "default": 1E+2}, {"name": "given", "type": "number"}]}"#;
    post_text("/api/pipelines", definition).await;
    let run = post_text(RUN, r#"{"params": {"given": 1.10}}"#).await;
    let run = host
        .floret
        .run_by_id(run["id"].as_str().unwrap().parse().unwrap());
    let params = run.finished().await.unwrap().run.params;
    let texts = ["own", "other", "given"].map(|name| &*params[name]);
    assert_eq!(texts, ["1.1", "100.0", "1.10"]);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Orders {
    rows: u32,
    #[serde(default)]
    force: bool,
    note: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Nested {
    rows: u32,
    tables: Vec<String>,
}

async fn a_struct_with_a_field_that_is_no_parameter_is_refused_by_every_save(store: Store) {
    let world = World::new(store);
    let host = world.start().await;
    let (floret, fine) = (&host.floret, Pipeline::new("p").node("a", STEP));
    floret.pipelines().create(fine.clone()).await.unwrap();
    let nested = |id: &str| Pipeline::new(id).node("a", STEP).params_of::<Nested>();
    for refused in [
        floret.add_pipeline(nested("q")).await.unwrap_err(),
        floret.pipelines().create(nested("q")).await.unwrap_err(),
        floret.pipelines().put(nested("p")).await.unwrap_err(),
    ] {
        assert_eq!(refused.problem(), Problem::InvalidField);
        let message = refused.to_string();
        assert!(
            message.contains("the field tables of Nested must be"),
            "{message}"
        );
    }
    assert_eq!(*floret.pipelines().get("p").await.unwrap().definition, fine);
}

async fn a_struct_defines_gives_and_reads_the_parameters_of_every_path(store: Store) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let read = move |ctx: Ctx| {
        let noted = Arc::clone(&noted);
        async move {
            noted.lock().push(ctx.params::<Orders>()?);
            Ok::<(), ExecutorError>(())
        }
    };
    let typed = Pipeline::new("typed")
        .node("a", "read")
        .params_of::<Orders>();
    let world = World::new(store);
    let host = world
        .start_with(|builder| builder.node("read", read).pipeline(typed))
        .await;
    let floret = &host.floret;
    let day = "2024-01-01".parse().unwrap();
    let orders = |rows, note: Option<&str>| Orders {
        rows,
        force: rows > 1,
        note: note.map(str::to_owned),
    };
    let given = [orders(1, None), orders(2, Some("a")), orders(3, Some(""))];
    let run = floret.run("typed").params(&given[0]).await.unwrap();
    let params = run.finished().await.unwrap().run.params;
    assert_eq!((&*params["rows"], &*params["force"]), ("1", "false"));
    assert!(!params.contains("note"));
    floret.dry_run("typed").params(&given[1]).await.unwrap();
    let backfill = floret.backfill("typed", day..=day).params(&given[2]);
    assert_eq!(backfill.clone().preview().await.unwrap().dates, [day]);
    let finished = backfill.await.unwrap().finished().await.unwrap();
    assert_eq!(finished.unwrap().backfill.counts.success, 1);
    assert_eq!(*seen.lock(), given);

    let nested = json!({"rows": [1], "note": {"a": 1}});
    let refused = [
        floret.run("typed").params(&nested).await.unwrap_err(),
        floret.dry_run("typed").params(&nested).await.unwrap_err(),
        floret
            .backfill("typed", day..=day)
            .params(&nested)
            .await
            .unwrap_err(),
        floret
            .backfill("typed", day..=day)
            .params(&nested)
            .preview()
            .await
            .unwrap_err(),
    ];
    for refused in refused {
        assert_eq!(
            (refused.problem(), refused.issues().len()),
            (Problem::InvalidField, 2)
        );
    }
    assert_eq!(host.runs().await.len(), 2);
}
