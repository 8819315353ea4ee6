//! Tasks that should not run and those that have stopped: first those that State still has, then history.

use std::cmp::Reverse;

use api::{ListTasksQuery, Page};
use model::history::About;
use model::{History, HistoryPlace, HistoryQuery, ServiceId, Task, TaskId};
use serde::{Deserialize, Serialize};

use crate::Api;
use crate::describe;
use crate::page;
use crate::problem::Problem;

/// Rows of history looked at for one page at most: others stand among them.
const MOST_ROWS: usize = 4_000;
/// Rows of history read at a time.
const ROWS: usize = 500;

/// Where a page ends.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Place {
    /// At a task that State still has.
    State(TaskId),
    /// In history; None before its newest row.
    History(Option<HistoryPlace>),
}

/// One page of them, newest first.
pub(super) async fn list(
    api: &Api,
    query: &ListTasksQuery,
    of: Option<ServiceId>,
) -> Result<Page<api::Task>, Problem> {
    let begin = match query.next_token.as_ref().map(page::read).transpose()? {
        Some(Place::History(after)) => return of_history(api, query, of, after, Vec::new()).await,
        Some(Place::State(last)) => Some(last),
        None => None,
    };
    let (items, last) = of_state(api, query, of, begin);
    match last {
        Some(last) => Ok(cut(items, Place::State(last))),
        None => of_history(api, query, of, None, items).await,
    }
}

fn cut(items: Vec<api::Task>, place: Place) -> Page<api::Task> {
    Page { items, next_token: Some(page::write(&place)) }
}

/// Those that State has behind a task, and the last of them where there are more than a page holds.
fn of_state(
    api: &Api,
    query: &ListTasksQuery,
    of: Option<ServiceId>,
    behind: Option<TaskId>,
) -> (Vec<api::Task>, Option<TaskId>) {
    let (state, observed) = (api.state(), api.seen());
    let mut tasks: Vec<&Task> = state
        .tasks()
        .filter(|task| task.cluster == query.cluster && !task.wanted())
        .filter(|task| of.is_none() || task.service == of)
        .filter(|task| behind.is_none_or(|behind| task.id < behind))
        .collect();
    tasks.sort_by_key(|task| Reverse(task.id));
    let goes_on = tasks.len() > query.limit.get();
    tasks.truncate(query.limit.get());
    let last = tasks.last().filter(|_| goes_on).map(|task| task.id);
    let describe = |task: &&Task| describe::task::task(&state, &observed, task, None);
    (tasks.iter().map(describe).collect(), last)
}

/// Fills the page from history.
async fn of_history(
    api: &Api,
    query: &ListTasksQuery,
    of: Option<ServiceId>,
    mut after: Option<HistoryPlace>,
    mut items: Vec<api::Task>,
) -> Result<Page<api::Task>, Problem> {
    let (state, observed) = (api.state(), api.seen());
    let about = of.map_or(About::All, About::Service);
    let mut looked_at = 0;
    while looked_at < MOST_ROWS {
        let rows = api.store.history_page(HistoryQuery { about, limit: ROWS, after }).await?;
        let is_the_end = rows.len() < ROWS;
        looked_at += rows.len();
        for (place, row) in rows {
            if items.len() == query.limit.get() {
                return Ok(cut(items, Place::History(after)));
            }
            after = Some(place);
            match row {
                History::Task { task, service_name } if task.cluster == query.cluster => {
                    items.push(describe::task::task(&state, &observed, &task, service_name));
                }
                History::Task { .. }
                | History::Event(_)
                | History::Deployment(_)
                | History::Audit(_) => {}
            }
        }
        if is_the_end {
            return Ok(Page::whole(items));
        }
    }
    Ok(cut(items, Place::History(after)))
}
