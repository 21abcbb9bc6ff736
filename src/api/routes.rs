//! The table of everything that is served: it routes, says what a caller needs, and documents.
//!
//! A row without a permission does not compile. What a row is stands in `route`, what it does in its handler.

use super::permission::Permission;
use super::query::Parameter::{Repeatable, Single};
use super::request::Payload;
use super::route::{Need, Route};
#[cfg(feature = "websocket")]
use super::stream::websocket;
use super::{
    calendar, capabilities, connections, dashboard, dry_run, health, lineage, logs, pipelines,
    preview, profile, runs, schedules, search, system, variables,
};

macro_rules! routes {
    ($($(#[$when:meta])? $verb:ident $path:literal $needs:ident $handler:path => $about:literal $(, body $payload:ident)? $(, query $query:expr)?;)*) => {
        /// Every route.
        pub(super) static ROUTES: &[Route] = &[$(
            $(#[$when])?
            Route::$verb($path, needs!($needs), |call| Box::pin($handler(call)))
                $(.payload(Payload::$payload))?
                $(.query(&$query))?
                .about($about),
        )*];
    };
}

macro_rules! needs {
    (nothing) => {
        Need::Nothing
    };
    (caller) => {
        Need::Caller
    };
    ($permission:ident) => {
        Need::Permission(Permission::$permission)
    };
}

// Method, path, permission, handler, what it does; the body that it takes, the parameters that it knows.
routes! {
    get "/health" nothing health::health => "tells whether the service works";
    get "/capabilities" caller capabilities::find => "tells what can be executed";
    get "/connections" ConnectionsView connections::list => "lists connections", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
    ];
    post "/connections" ConnectionsCreate connections::create => "saves a connection that is not there yet", body Required;
    get "/connections/{conn_id}" ConnectionsView connections::find => "shows a connection, its secrets masked";
    put "/connections/{conn_id}" ConnectionsEdit connections::replace => "replaces a connection", body Required;
    delete "/connections/{conn_id}" ConnectionsDelete connections::delete => "deletes a connection";
    get "/variables" VariablesView variables::list => "lists variables", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
    ];
    post "/variables" VariablesCreate variables::create => "saves a variable that is not there yet", body Required;
    get "/variables/{key}" VariablesView variables::find => "shows a variable, a secret one masked";
    put "/variables/{key}" VariablesEdit variables::replace => "replaces a variable", body Required;
    delete "/variables/{key}" VariablesDelete variables::delete => "deletes a variable";
    post "/pipelines/{id}/run" PipelinesRun runs::trigger => "starts a run", body Optional;
    get "/pipelines/{id}/runs" RunsView runs::list_of_pipeline => "lists the runs of a pipeline", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
        Repeatable("status"), Single("trigger"), Single("from"), Single("to"),
    ];
    get "/runs" RunsView runs::list => "lists runs", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
        Repeatable("status"), Single("trigger"), Single("from"), Single("to"), Single("pipeline_id"),
    ];
    get "/runs/calendar" RunsView calendar::show => "counts runs by day", query [Single("days"), Single("pipeline_id")];
    get "/runs/{run_id}" RunsView runs::find => "shows a run with its nodes";
    post "/runs/{run_id}/cancel" RunsCancel runs::cancel => "cancels a run", body Optional, query [Single("force")];
    post "/runs/{run_id}/resume" RunsResume runs::resume => "starts a run that goes on where a failed one ended", body Optional;
    get "/runs/{run_id}/logs" RunsView logs::list => "shows the log of a run", query [Single("node_id"), Single("level"), Single("after"), Single("limit")];
    get "/runs/{run_id}/logs/export" RunsView logs::export => "gives the log of a run as a file", query [Single("node_id"), Single("level"), Single("after"), Single("format")];
    get "/runs/{run_id}/nodes/{node_id}/preview" RunsView preview::find => "shows the first rows that a node handed on";
    get "/runs/{run_id}/nodes/{node_id}/profile" RunsView profile::find => "shows statistics of what a node handed on";
    post "/pipelines/{id}/dry-run" PipelinesRun dry_run::start => "executes a pipeline on a few rows and stores nothing", body Optional;
    #[cfg(feature = "websocket")]
    get "/ws" EventsView websocket::open => "sends events over a WebSocket", query [
        Single("run_id"), Single("pipeline_id"), Single("types"), Single("since"),
    ];
    get "/lineage" PipelinesView lineage::show => "shows what pipelines read and write";
    get "/dashboard" RunsView dashboard::show => "shows what a start page needs";
    get "/search" PipelinesView search::search => "looks for pipelines, connections and variables", query [Single("q"), Single("limit")];
    get "/system/info" SettingsView system::info => "shows the system in numbers";
    post "/system/purge" SettingsEdit system::purge => "deletes old runs", body Optional;
    get "/pipelines" PipelinesView pipelines::list => "lists pipelines", query [
        Single("page"), Single("per_page"), Single("after"), Single("limit"),
        Single("tag"), Single("enabled"),
    ];
    post "/pipelines" PipelinesCreate pipelines::create => "saves a pipeline that is not there yet", body Required;
    get "/pipelines/{id}" PipelinesView pipelines::find => "shows a pipeline";
    put "/pipelines/{id}" PipelinesEdit pipelines::replace => "replaces a pipeline", body Required;
    delete "/pipelines/{id}" PipelinesDelete pipelines::delete => "deletes a pipeline";
    get "/pipelines/{id}/validate" PipelinesView pipelines::validate => "checks a pipeline against the executors";
    get "/scheduler/status" PipelinesView schedules::status => "tells when schedules are due next";
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::route::Verb;

    /// A row in short: method, path and permission, which is `-` where none is needed and `caller` where any will do.
    fn row(route: &Route) -> String {
        let needs = match route.needs {
            Need::Nothing => "-",
            Need::Caller => "caller",
            Need::Permission(permission) => permission.as_str(),
        };
        format!("{} {} {needs}", route.method.names(), route.path)
    }

    #[test]
    fn each_route_needs_the_permission_of_the_contract() {
        let expected = [
            "GET, HEAD /health -",
            "GET, HEAD /capabilities caller",
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
            "GET, HEAD /pipelines/{id}/runs runs.view",
            "GET, HEAD /runs runs.view",
            "GET, HEAD /runs/calendar runs.view",
            "GET, HEAD /runs/{run_id} runs.view",
            "POST /runs/{run_id}/cancel runs.cancel",
            "POST /runs/{run_id}/resume runs.resume",
            "GET, HEAD /runs/{run_id}/logs runs.view",
            "GET, HEAD /runs/{run_id}/logs/export runs.view",
            "GET, HEAD /runs/{run_id}/nodes/{node_id}/preview runs.view",
            "GET, HEAD /runs/{run_id}/nodes/{node_id}/profile runs.view",
            "POST /pipelines/{id}/dry-run pipelines.run",
            #[cfg(feature = "websocket")]
            "GET, HEAD /ws events.view",
            "GET, HEAD /lineage pipelines.view",
            "GET, HEAD /dashboard runs.view",
            "GET, HEAD /search pipelines.view",
            "GET, HEAD /system/info settings.view",
            "POST /system/purge settings.edit",
            "GET, HEAD /pipelines pipelines.view",
            "POST /pipelines pipelines.create",
            "GET, HEAD /pipelines/{id} pipelines.view",
            "PUT /pipelines/{id} pipelines.edit",
            "DELETE /pipelines/{id} pipelines.delete",
            "GET, HEAD /pipelines/{id}/validate pipelines.view",
            "GET, HEAD /scheduler/status pipelines.view",
        ];
        assert_eq!(ROUTES.iter().map(row).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_reading_lets_a_body_be_ignored() {
        for route in ROUTES {
            let is_read = matches!(route.method, Verb::Post | Verb::Put);
            let has_payload = route.payload != Payload::Ignored;
            assert_eq!(has_payload, is_read, "{route:?}");
        }
    }
}
