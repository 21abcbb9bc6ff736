//! The first page of the runs and the dashboard, on stores of several sizes.
//!
//! The stores and the questions are those of the bench `million`. All stores have the same number
//! of pipelines, because the dashboard looks at each of them.

use tokio::runtime::Runtime;

use crate::Scale;
use crate::figure::{Figure, percentile};
use crate::questions::{Asked, QUESTIONS, Question};
use crate::store::Store;

const RUNS: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];
const PIPELINES: u64 = 200;

/// How often a round asks each question.
const ASKED: usize = 50;

const LIST: &str = "first page of all runs";
const DASHBOARD: &str = "dashboard";

pub(crate) fn measure(scale: Scale) -> Figure {
    let mut figure = Figure::new(
        "First page of 50 runs, and dashboard",
        "finished runs in the store",
        "ms",
    );
    Runtime::new().unwrap().block_on(ask(scale, &mut figure));
    figure
}

/// Asks the stores in turn, after a first round that is not counted.
async fn ask(scale: Scale, figure: &mut Figure) {
    let mut stores = Vec::new();
    for runs in scale.of(&RUNS) {
        let store = Store::make(*runs, PIPELINES).await;
        stores.push((*runs, Asked::open(store).await));
    }
    for round in 0..=scale.rounds {
        for (runs, store) in &stores {
            let values = answers(store).await;
            for (series, millis) in values {
                if round > 0 {
                    figure.add("200 pipelines", series, *runs, millis);
                }
            }
        }
    }
    for (_, store) in stores {
        store.close().await;
    }
}

/// Returns the median times of the answers, in milliseconds.
async fn answers(store: &Asked) -> [(&'static str, f64); 3] {
    let (list, dashboard) = (question(LIST), question(DASHBOARD));
    let (mut lists, mut plain, mut dashboards) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ASKED {
        lists.push(store.time(list).await);
        plain.extend(store.time_sql(list));
        dashboards.push(store.time(dashboard).await);
    }
    [
        ("dashboard", dashboards),
        ("first page", lists),
        ("first page, plain SQL", plain),
    ]
    .map(|(series, mut times)| (series, percentile(&mut times, 50).as_secs_f64() * 1e3))
}

fn question(name: &str) -> &'static Question {
    static ALL: [Question; 14] = QUESTIONS;
    ALL.iter().find(|question| question.name == name).unwrap()
}
