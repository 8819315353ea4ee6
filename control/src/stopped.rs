//! Tasks that should not run and those that have stopped: first those that State still has, then history.

use std::cmp::Reverse;

use api::{ListTasksQuery, Page};
use model::history::About;
use model::{History, HistoryPlace, HistoryQuery, ServiceId, State, Task, TaskId};
use serde::{Deserialize, Serialize};

use crate::describe::task::task;
use crate::{Past, Refused, View, page};

/// Rows of history looked at for one page at most: others stand among them.
const MOST_ROWS: usize = 4_000;
/// Rows of history read at a time.
const ROWS: usize = 500;

/// Where a page ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    /// At a task that State still has.
    State(TaskId),
    /// In history; None before its newest row.
    History(Option<HistoryPlace>),
}

fn begin(query: &ListTasksQuery) -> Result<Option<Place>, Refused> {
    query.next_token.as_ref().map(page::read).transpose()
}

/// Those that State has behind the place, newest first.
fn in_state<'a>(
    state: &'a State,
    query: &ListTasksQuery,
    of: Option<ServiceId>,
    begin: Option<Place>,
) -> Vec<&'a Task> {
    let behind = match begin {
        Some(Place::History(_)) => return Vec::new(),
        Some(Place::State(last)) => Some(last),
        None => None,
    };
    let mut tasks: Vec<&Task> = state
        .tasks()
        .filter(|task| task.cluster == query.cluster && !task.wanted())
        .filter(|task| of.is_none() || task.service == of)
        .filter(|task| behind.is_none_or(|behind| task.id < behind))
        .collect();
    tasks.sort_by_key(|task| Reverse(task.id));
    tasks
}

fn is_asked_for(row: &History, query: &ListTasksQuery) -> bool {
    matches!(row, History::Task { task, .. } if task.cluster == query.cluster)
}

/// Which rows to read for a page: none where State fills it.
pub(crate) fn history(
    state: &State,
    query: &ListTasksQuery,
    of: Option<ServiceId>,
    past: &Past,
) -> Option<HistoryQuery> {
    let begin = begin(query).ok()?;
    let left = query.limit.get().checked_sub(in_state(state, query, of, begin).len())?;
    let found = past.rows.iter().filter(|(_, row)| is_asked_for(row, query)).count();
    if found > left || past.rows.len() >= MOST_ROWS {
        return None;
    }
    let from = match begin {
        Some(Place::History(after)) => after,
        Some(Place::State(_)) | None => None,
    };
    let after = past.rows.last().map(|(place, _)| *place).or(from);
    Some(HistoryQuery { about: of.map_or(About::All, About::Service), limit: ROWS, after })
}

/// One page of them, newest first, as far as they are shown.
pub(crate) fn page_of(
    view: &View<'_>,
    query: &ListTasksQuery,
    of: Option<ServiceId>,
    shows: impl Fn(&Task) -> bool,
) -> Result<Page<api::Task>, Refused> {
    let begin = begin(query)?;
    let describe = |one: &Task, name| task(view.state, view.observed, one, name);
    let tasks = in_state(view.state, query, of, begin);
    let limit = query.limit.get();
    if tasks.len() > limit {
        let last = Place::State(tasks[limit - 1].id);
        let seen = tasks[..limit].iter().filter(|one| shows(one));
        return Ok(cut(seen.map(|one| describe(one, None)).collect(), &last));
    }
    let mut items: Vec<api::Task> =
        tasks.iter().filter(|one| shows(one)).map(|one| describe(one, None)).collect();
    let mut after = match begin {
        Some(Place::History(after)) => after,
        Some(Place::State(_)) | None => None,
    };
    for (place, row) in &view.past.rows {
        if items.len() == limit {
            return Ok(cut(items, &Place::History(after)));
        }
        after = Some(*place);
        if let History::Task { task, service_name } = row
            && task.cluster == query.cluster
            && shows(task)
        {
            items.push(describe(task, service_name.clone()));
        }
    }
    if view.past.is_complete {
        return Ok(Page::whole(items));
    }
    Ok(cut(items, &Place::History(after)))
}

fn cut(items: Vec<api::Task>, place: &Place) -> Page<api::Task> {
    Page { items, next_token: Some(page::write(place)) }
}
