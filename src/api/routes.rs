//! The table of all routes. It drives routing, access control and responses with status 405.
//!
//! Every row states a subject and a permission, even if there is none; otherwise it does not
//! compile. `route` defines a row, and the handler of a row does the work.

use super::permission::Permission;
use super::query::Parameter::{Repeatable, Single};
use super::request::Payload;
use super::route::{Need, Route, Verb};
use super::stream::sse;
#[cfg(feature = "websocket")]
use super::stream::websocket;
use super::subject::Subject;
use super::{
    attempts, audit, backfill_pauses, backfills, bulk, calendar, capabilities, connections,
    dashboard, deliveries, dry_run, grid, health, lineage, logs, node_history, openapi, pauses,
    pipelines, preview, profile, rerun, runs, schedules, search, system, variables, versions,
    webhook,
};

macro_rules! routes {
    ($($(#[$when:meta])? $verb:ident $path:literal $subject:tt $needs:ident $handler:path => $about:literal, rust $rust:literal $(, body $payload:ident)? $(, query $query:expr)?;)*) => {
        /// All routes.
        pub(super) static ROUTES: &[Route] = &[$(
            $(#[$when])?
            Route {
                method: Verb::$verb,
                path: $path,
                subject: subject!($subject),
                needs: needs!($needs),
                query: &[],
                payload: Payload::Ignored,
                handler: |call| Box::pin($handler(call)),
                about: $about,
                #[cfg(feature = "testing")]
                rust: $rust,
            }
            $(.payload(Payload::$payload))?
            $(.query(&$query))?,
        )*];
    };
}

macro_rules! subject {
    (-) => {
        Subject::Nothing
    };
    ($subject:ident) => {
        Subject::$subject
    };
}

macro_rules! needs {
    (nothing) => {
        Need::Nothing
    };
    (caller) => {
        Need::Caller
    };
    (token) => {
        Need::Token
    };
    ($permission:ident) => {
        Need::Permission(Permission::$permission)
    };
}

// Each row: method, path, subject, permission, handler, description, the Rust call that does the
// same, body, query parameters.
routes! {
    Get "/health" - nothing health::health => "reports whether the service works", rust "System::health";
    Get "/capabilities" - caller capabilities::find => "lists what the server can execute", rust "System::capabilities";
    Get "/openapi.json" - caller openapi::show => "describes the API as an OpenAPI document", rust "System::openapi";
    Get "/connections" - ConnectionsView connections::list => "lists connections", rust "Client::connections", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
    ];
    Post "/connections" - ConnectionsCreate connections::create => "creates a connection", rust "Connections::create", body Required;
    Get "/connections/{conn_id}" Connection ConnectionsView connections::find => "returns a connection with its secrets masked", rust "Connections::get";
    Put "/connections/{conn_id}" Connection ConnectionsEdit connections::replace => "replaces a connection", rust "Connections::put", body Required;
    Delete "/connections/{conn_id}" Connection ConnectionsDelete connections::delete => "deletes a connection", rust "Connections::delete";
    Get "/variables" - VariablesView variables::list => "lists variables", rust "Client::variables", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
    ];
    Post "/variables" - VariablesCreate variables::create => "creates a variable", rust "Variables::create", body Required;
    Get "/variables/{key}" Variable VariablesView variables::find => "returns a variable; the value of a secret is masked", rust "Variables::get";
    Put "/variables/{key}" Variable VariablesEdit variables::replace => "replaces a variable", rust "Variables::put", body Required;
    Delete "/variables/{key}" Variable VariablesDelete variables::delete => "deletes a variable", rust "Variables::delete";
    Post "/pipelines/{id}/run" Pipeline PipelinesRun runs::trigger => "starts a run", rust "Client::run", body Optional, query [Single("wait")];
    Post "/pipelines/{id}/webhook" Pipeline token webhook::trigger => "starts a run for a caller that has the token of the webhook", rust "RunBuilder::webhook", body Optional;
    Get "/pipelines/{id}/runs" Pipeline RunsView runs::list_by_pipeline => "lists the runs of a pipeline", rust "Runs::of", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
        Repeatable("status"), Single("trigger"), Single("from"), Single("to"), Repeatable("label"), Single("idempotency_key"),
    ];
    Get "/runs" - RunsView runs::list => "lists runs", rust "Client::runs", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
        Repeatable("status"), Single("trigger"), Single("from"), Single("to"), Repeatable("label"), Single("idempotency_key"),
        Single("pipeline_id"), Single("backfill_id"),
    ];
    Get "/runs/calendar" - RunsView calendar::show => "counts runs by day", rust "Client::calendar", query [Single("days"), Single("pipeline_id")];
    Get "/runs/{run_id}" Run RunsView runs::find => "returns a run with its nodes", rust "RunHandle::get", query [Single("wait")];
    Post "/runs/cancel" - RunsCancel bulk::cancel => "cancels many runs", rust "Runs::cancel_all", body Required;
    Post "/runs/rerun" - PipelinesRun bulk::rerun => "reruns many runs", rust "Runs::rerun_all", body Required;
    Patch "/runs/{run_id}" Run RunsEdit runs::edit => "changes the labels and the note of a run", rust "RunHandle::edit", body Required;
    Post "/runs/{run_id}/cancel" Run RunsCancel runs::cancel => "cancels a run", rust "RunHandle::cancel", body Optional, query [Single("force")];
    Post "/runs/{run_id}/resume" Run RunsResume runs::resume => "starts a run that continues a failed run", rust "RunHandle::resume", body Optional, query [Single("wait")];
    Post "/runs/{run_id}/rerun" Run PipelinesRun rerun::start => "starts a run with the parameters of a finished run", rust "RunHandle::rerun", body Optional, query [Single("wait")];
    Get "/runs/{run_id}/logs" Run RunsView logs::list => "returns the log of a run", rust "RunHandle::logs", query [
        Single("node_id"), Single("level"), Single("q"), Single("after"), Single("before"), Single("limit"),
    ];
    Get "/runs/{run_id}/logs/export" Run RunsView logs::export => "exports the log of a run as a file", rust "Logs::stream", query [
        Single("node_id"), Single("level"), Single("q"), Single("after"), Single("before"), Single("format"),
    ];
    Get "/runs/{run_id}/nodes/{node_id}/preview" Node RunsView preview::find => "returns the first rows of a node's output", rust "RunHandle::preview";
    Get "/runs/{run_id}/nodes/{node_id}/profile" Node RunsView profile::find => "returns statistics about a node's output", rust "RunHandle::profile";
    Get "/runs/{run_id}/nodes/{node_id}/attempts" Node RunsView attempts::list => "lists the attempts at a node", rust "RunHandle::attempts";
    Post "/pipelines/{id}/dry-run" Pipeline PipelinesRun dry_run::start => "executes a pipeline on a few rows without storing anything", rust "Client::dry_run", body Optional;
    Post "/pipelines/{id}/backfill" Pipeline PipelinesRun backfills::start => "starts a run for each date in a range", rust "Client::backfill", body Required;
    Get "/pipelines/{id}/backfills" Pipeline RunsView backfills::list => "lists the backfills of a pipeline", rust "Backfills::of", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
    ];
    Get "/backfills/{backfill_id}" Backfill RunsView backfills::find => "returns a backfill", rust "Backfills::get";
    Post "/backfills/{backfill_id}/cancel" Backfill RunsCancel backfills::cancel => "cancels the unfinished runs of a backfill", rust "Backfills::cancel", body Optional, query [Single("force")];
    Post "/backfills/{backfill_id}/pause" Backfill PipelinesRun backfill_pauses::pause => "pauses a backfill: its pending runs wait", rust "Backfills::pause", body Optional;
    Post "/backfills/{backfill_id}/unpause" Backfill PipelinesRun backfill_pauses::unpause => "ends the pause of a backfill", rust "Backfills::unpause", body Optional;
    Post "/backfills/{backfill_id}/rerun" Backfill PipelinesRun backfills::rerun => "starts a backfill with the dates of a finished one", rust "Backfills::rerun", body Optional;
    #[cfg(feature = "websocket")]
    Get "/ws" - EventsView websocket::open => "streams events over a WebSocket", rust "Client::events_of", query [
        Single("run_id"), Single("pipeline_id"), Single("types"), Single("since"),
    ];
    Get "/events" - EventsView sse::open => "streams server-sent events", rust "Client::events_of", query [
        Single("run_id"), Single("pipeline_id"), Single("types"), Single("since"),
    ];
    Get "/lineage" - PipelinesView lineage::show => "returns the lineage graph of pipelines", rust "Client::lineage";
    Get "/dashboard" - RunsView dashboard::show => "returns the data for a start page", rust "Client::dashboard";
    Get "/search" - PipelinesView search::search => "searches pipelines, connections and variables", rust "Client::search", query [Single("q"), Single("limit")];
    Get "/system/info" - SettingsView system::info => "returns figures about the system", rust "System::info";
    Post "/system/purge" - SettingsEdit system::purge => "deletes old runs", rust "System::purge", body Optional;
    Get "/audit" - SettingsView audit::list => "lists who did what", rust "Client::audit", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
        Single("action"), Single("by"), Single("subject"), Single("from"), Single("to"),
    ];
    Get "/deliveries" - SettingsView deliveries::list => "lists deliveries to notifiers that have not succeeded", rust "Client::deliveries", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"), Single("state"),
    ];
    Get "/deliveries/{delivery_id}" Delivery SettingsView deliveries::find => "returns a delivery that has not succeeded", rust "Deliveries::get";
    Post "/deliveries/{delivery_id}/retry" Delivery SettingsEdit deliveries::retry => "retries a dead letter", rust "Deliveries::retry", body Optional;
    Delete "/deliveries/{delivery_id}" Delivery SettingsEdit deliveries::delete => "drops a dead letter", rust "Deliveries::delete";
    Get "/pipelines" - PipelinesView pipelines::list => "lists pipelines", rust "Client::pipelines", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
        Single("tag"), Single("enabled"), Single("managed"),
    ];
    Post "/pipelines" - PipelinesCreate pipelines::create => "creates a pipeline", rust "Pipelines::create", body Required;
    Get "/pipelines/{id}" Pipeline PipelinesView pipelines::find => "returns a pipeline", rust "Pipelines::get";
    Put "/pipelines/{id}" Pipeline PipelinesEdit pipelines::replace => "replaces a pipeline", rust "Pipelines::put", body Required;
    Delete "/pipelines/{id}" Pipeline PipelinesDelete pipelines::delete => "deletes a pipeline", rust "Pipelines::delete";
    Get "/pipelines/{id}/validate" Pipeline PipelinesView pipelines::validate => "validates a pipeline against the registered executors", rust "Pipelines::validate";
    Get "/pipelines/{id}/grid" Pipeline RunsView grid::show => "shows the newest runs of a pipeline and their nodes as a grid", rust "Pipelines::grid", query [Single("runs")];
    Get "/pipelines/{id}/nodes/{node_id}/history" PipelineNode RunsView node_history::list => "lists what a node did in the newest runs of its pipeline", rust "Pipelines::node_history", query [Single("runs")];
    Get "/pipelines/{id}/versions" Pipeline PipelinesView versions::list => "lists the versions of a pipeline", rust "Pipelines::versions", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
    ];
    Get "/pipelines/{id}/versions/{version}" Version PipelinesView versions::find => "returns a pipeline as of a version", rust "Versions::get";
    Get "/pipelines/{id}/versions/{version}/diff/{to}" Versions PipelinesView versions::diff => "compares two versions of a pipeline", rust "Versions::diff";
    Post "/pipelines/{id}/rollback" Pipeline PipelinesEdit versions::roll_back => "saves an earlier version of a pipeline as its newest one", rust "Versions::roll_back", body Required;
    Post "/pipelines/{id}/pause" Pipeline PipelinesEdit pauses::pause => "pauses a pipeline: its pending runs wait", rust "Pipelines::pause", body Optional;
    Post "/pipelines/{id}/unpause" Pipeline PipelinesEdit pauses::unpause => "ends the pause of a pipeline", rust "Pipelines::unpause", body Optional;
    Get "/scheduler/status" - PipelinesView schedules::status => "reports the next ticks of all schedules", rust "Client::schedules";
}

/// A route as the tests of the service see it.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub(crate) struct RouteFacts {
    pub(crate) method: http::Method,
    pub(crate) path: &'static str,
    pub(crate) permission: Option<Permission>,
    pub(crate) rust: &'static str,
}

/// Returns the facts of every route.
#[cfg(feature = "testing")]
pub(crate) fn routes() -> impl Iterator<Item = RouteFacts> {
    ROUTES.iter().map(|route| RouteFacts {
        method: route.method.method(),
        path: route.path,
        permission: match route.needs {
            Need::Nothing | Need::Token | Need::Caller => None,
            Need::Permission(permission) => Some(permission),
        },
        rust: route.rust,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats a row: its methods, path and permission.
    ///
    /// The permission is `-` for a public route, `token` for one with a token of its own, and
    /// `caller` if any permission suffices.
    fn row(route: &Route) -> String {
        let needs = match route.needs {
            Need::Nothing => "-",
            Need::Token => "token",
            Need::Caller => "caller",
            Need::Permission(permission) => permission.as_str(),
        };
        format!("{} {} {needs}", route.method.names(), route.path)
    }

    #[test]
    fn each_route_requires_its_documented_permission() {
        let expected = [
            "GET, HEAD /health -",
            "GET, HEAD /capabilities caller",
            "GET, HEAD /openapi.json caller",
            "GET, HEAD /connections connections.view",
            "POST /connections connections.create",
            "GET, HEAD /connections/{conn_id} connections.view",
            "PUT /connections/{conn_id} connections.edit",
            "DELETE /connections/{conn_id} connections.delete",
            "GET, HEAD /variables variables.view",
            "POST /variables variables.create",
            "GET, HEAD /variables/{key} variables.view",
            "PUT /variables/{key} variables.edit",
            "DELETE /variables/{key} variables.delete",
            "POST /pipelines/{id}/run pipelines.run",
            "POST /pipelines/{id}/webhook token",
            "GET, HEAD /pipelines/{id}/runs runs.view",
            "GET, HEAD /runs runs.view",
            "GET, HEAD /runs/calendar runs.view",
            "GET, HEAD /runs/{run_id} runs.view",
            "POST /runs/cancel runs.cancel",
            "POST /runs/rerun pipelines.run",
            "PATCH /runs/{run_id} runs.edit",
            "POST /runs/{run_id}/cancel runs.cancel",
            "POST /runs/{run_id}/resume runs.resume",
            "POST /runs/{run_id}/rerun pipelines.run",
            "GET, HEAD /runs/{run_id}/logs runs.view",
            "GET, HEAD /runs/{run_id}/logs/export runs.view",
            "GET, HEAD /runs/{run_id}/nodes/{node_id}/preview runs.view",
            "GET, HEAD /runs/{run_id}/nodes/{node_id}/profile runs.view",
            "GET, HEAD /runs/{run_id}/nodes/{node_id}/attempts runs.view",
            "POST /pipelines/{id}/dry-run pipelines.run",
            "POST /pipelines/{id}/backfill pipelines.run",
            "GET, HEAD /pipelines/{id}/backfills runs.view",
            "GET, HEAD /backfills/{backfill_id} runs.view",
            "POST /backfills/{backfill_id}/cancel runs.cancel",
            "POST /backfills/{backfill_id}/pause pipelines.run",
            "POST /backfills/{backfill_id}/unpause pipelines.run",
            "POST /backfills/{backfill_id}/rerun pipelines.run",
            #[cfg(feature = "websocket")]
            "GET, HEAD /ws events.view",
            "GET, HEAD /events events.view",
            "GET, HEAD /lineage pipelines.view",
            "GET, HEAD /dashboard runs.view",
            "GET, HEAD /search pipelines.view",
            "GET, HEAD /system/info settings.view",
            "POST /system/purge settings.edit",
            "GET, HEAD /audit settings.view",
            "GET, HEAD /deliveries settings.view",
            "GET, HEAD /deliveries/{delivery_id} settings.view",
            "POST /deliveries/{delivery_id}/retry settings.edit",
            "DELETE /deliveries/{delivery_id} settings.edit",
            "GET, HEAD /pipelines pipelines.view",
            "POST /pipelines pipelines.create",
            "GET, HEAD /pipelines/{id} pipelines.view",
            "PUT /pipelines/{id} pipelines.edit",
            "DELETE /pipelines/{id} pipelines.delete",
            "GET, HEAD /pipelines/{id}/validate pipelines.view",
            "GET, HEAD /pipelines/{id}/grid runs.view",
            "GET, HEAD /pipelines/{id}/nodes/{node_id}/history runs.view",
            "GET, HEAD /pipelines/{id}/versions pipelines.view",
            "GET, HEAD /pipelines/{id}/versions/{version} pipelines.view",
            "GET, HEAD /pipelines/{id}/versions/{version}/diff/{to} pipelines.view",
            "POST /pipelines/{id}/rollback pipelines.edit",
            "POST /pipelines/{id}/pause pipelines.edit",
            "POST /pipelines/{id}/unpause pipelines.edit",
            "GET, HEAD /scheduler/status pipelines.view",
        ];
        assert_eq!(ROUTES.iter().map(row).collect::<Vec<_>>(), expected);
    }

    /// Returns the parameters of a path, in order.
    fn parameters(path: &str) -> Vec<&str> {
        let parts = path.split('/');
        parts
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect()
    }

    #[test]
    fn the_parameters_of_each_path_match_the_subject_of_the_route() {
        for route in ROUTES {
            let expected: &[&str] = match route.subject {
                Subject::Nothing => &[],
                Subject::Pipeline => &["id"],
                Subject::Version => &["id", "version"],
                Subject::Versions => &["id", "version", "to"],
                Subject::PipelineNode => &["id", "node_id"],
                Subject::Run => &["run_id"],
                Subject::Node => &["run_id", "node_id"],
                Subject::Backfill => &["backfill_id"],
                Subject::Connection => &["conn_id"],
                Subject::Variable => &["key"],
                Subject::Delivery => &["delivery_id"],
            };
            assert_eq!(parameters(route.path), expected, "{route:?}");
        }
    }

    #[test]
    fn only_get_and_delete_ignore_a_body() {
        for route in ROUTES {
            let has_body = matches!(route.method, Verb::Post | Verb::Put | Verb::Patch);
            let has_payload = route.payload != Payload::Ignored;
            assert_eq!(has_payload, has_body, "{route:?}");
        }
    }
}
