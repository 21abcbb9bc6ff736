//! The questions: requests to the service, and the plain SQL that reads the same rows.

use std::time::{Duration, Instant};

use floret::testing::ManualClock;
use floret::{Access, Body, Floret, RunsService};
use http_body_util::BodyExt;
use rusqlite::Connection;
use tower::Service;

use crate::store::{Store, now};

/// A question to a store.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    /// The path below `/api`. `{page}` stands for a page of 50 in the middle, `{last}` for the last
    /// one.
    path: &'static str,
    /// SQL with the same number of parameters `?1` for rows to skip, or nothing.
    sql: Option<&'static str>,
}

const PAGE: &str = "SELECT r.key, r.id, r.status, r.params, r.created_at, r.started_at, r.finished_at, r.error, p.id, d.version \
     FROM (SELECT key, id FROM runs ORDER BY id DESC LIMIT 51 OFFSET ?1) page JOIN runs r ON r.key = page.key \
     JOIN pipelines p ON p.key = r.pipeline JOIN definitions d ON d.key = r.definition ORDER BY page.id DESC";
const OF_PIPELINE: &str = "SELECT r.key, r.id, r.status, r.params, r.created_at, r.started_at, r.finished_at, r.error, p.id, d.version \
     FROM (SELECT key, id FROM runs WHERE pipeline = 7 ORDER BY id DESC LIMIT 51 OFFSET ?1) page \
     JOIN runs r ON r.key = page.key JOIN pipelines p ON p.key = r.pipeline JOIN definitions d ON d.key = r.definition \
     ORDER BY page.id DESC";
const CALENDAR: &str = "SELECT * FROM totals WHERE tenant = '' AND unit = 0 AND at > 739000 + 0 * ?1 ORDER BY at DESC LIMIT 90";

const fn question(name: &'static str, path: &'static str, sql: Option<&'static str>) -> Question {
    Question { name, path, sql }
}

pub(crate) const QUESTIONS: [Question; 14] = [
    question(
        "first page of all runs",
        "/runs?page=1&per_page=50",
        Some(PAGE),
    ),
    question(
        "page in the middle",
        "/runs?page={page}&per_page=50",
        Some(PAGE),
    ),
    question("last page", "/runs?page={last}&per_page=50", Some(PAGE)),
    question("newest 50, by cursor", "/runs?limit=50", Some(PAGE)),
    question(
        "first page of a pipeline",
        "/runs?pipeline_id=pipeline-6&page=1&per_page=50",
        Some(OF_PIPELINE),
    ),
    question(
        "failed runs",
        "/runs?status=failed&page=1&per_page=50",
        None,
    ),
    question(
        "pending runs",
        "/runs?status=pending&page=1&per_page=50",
        None,
    ),
    question(
        "a trigger without runs",
        "/runs?trigger=manual&page=1&per_page=50",
        None,
    ),
    question(
        "a period without runs",
        "/runs?to=2020-01-01T00:00:00Z&page=1&per_page=50",
        None,
    ),
    question(
        "calendar of 90 days",
        "/runs/calendar?days=90",
        Some(CALENDAR),
    ),
    question(
        "calendar of a pipeline",
        "/runs/calendar?days=90&pipeline_id=pipeline-6",
        None,
    ),
    question("dashboard", "/dashboard", None),
    question(
        "search of a name",
        "/search?q=%C3%BCbertrag%20Nr.%20117",
        None,
    ),
    question("system info", "/system/info", None),
];

/// An open store that answers.
pub(crate) struct Asked {
    store: Store,
    floret: Floret,
    service: RunsService,
    /// A connection of its own for plain SQL.
    plain: Connection,
}

impl Asked {
    pub(crate) async fn open(store: Store) -> Self {
        let clock = ManualClock::new(now()).clock();
        let builder = Floret::builder(store.open().await).clock(clock);
        let nothing =
            |_: floret::executor::Ctx| async { Ok::<_, floret::executor::ExecutorError>(()) };
        let floret = builder.node("nothing", nothing).start().await.unwrap();
        let service = floret.service(Access::allow_all());
        let plain = Connection::open(&store.path).unwrap();
        Self {
            store,
            floret,
            service,
            plain,
        }
    }

    pub(crate) async fn close(self) {
        drop(self.plain);
        self.floret.shutdown(Duration::from_secs(10)).await.unwrap();
    }

    /// Returns how long the service takes to answer.
    pub(crate) async fn time(&self, question: &Question) -> Duration {
        let path = self.path(question);
        let request = http::Request::get(path.as_str()).header("host", "localhost");
        let request = request.body(Body::default()).unwrap();
        let mut service = self.service.clone();
        let begin = Instant::now();
        let response = service.call(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let time = begin.elapsed();
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&body));
        time
    }

    /// Returns how long plain SQL takes to read the same rows, if the question has any.
    pub(crate) fn time_sql(&self, question: &Question) -> Option<Duration> {
        let mut statement = self.plain.prepare_cached(question.sql?).unwrap();
        let columns = statement.column_count();
        let begin = Instant::now();
        let mut rows = statement.query([self.skipped(question)]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                std::hint::black_box(row.get_ref(column).unwrap());
            }
        }
        Some(begin.elapsed())
    }

    fn path(&self, question: &Question) -> String {
        let pages = self.store.runs.div_ceil(50);
        let page = (pages / 2).max(1);
        let path = question.path.replace("{page}", &page.to_string());
        format!("/api{}", path.replace("{last}", &pages.to_string()))
    }

    fn skipped(&self, question: &Question) -> i64 {
        let pages = self.store.runs.div_ceil(50);
        let skipped = if question.path.contains("{page}") {
            (pages / 2).saturating_sub(1)
        } else if question.path.contains("{last}") {
            pages - 1
        } else {
            0
        };
        i64::try_from(skipped * 50).unwrap()
    }
}
