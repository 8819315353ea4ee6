//! What happened to an instance, and in a cluster as a whole.

use access::{Resource, ResourceKind};
use api::{ClusterEvent, InstanceEvent, Page, PageQuery};
use model::history::About;
use model::{ClusterName, History, HistoryPlace, HistoryQuery, State};

use crate::{Context, Decision, Operation, Past, Refused, Request, View, find, instance, page};

/// Rows of history looked at for one page of events at most.
const MOST_ROWS: usize = 4_000;
/// Rows of history read at a time where others stand among them.
const ROWS: usize = 500;

/// What happened to an instance, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListInstanceEvents {
    /// Which, by id or name.
    pub instance: String,
    /// Which page.
    pub query: PageQuery,
}

/// What happened to the services and instances of a cluster, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListClusterEvents {
    /// Of which cluster.
    pub cluster: ClusterName,
    /// Which page.
    pub query: PageQuery,
}

fn after(query: &PageQuery) -> Result<Option<HistoryPlace>, Refused> {
    query.next_token.as_ref().map(page::read).transpose()
}

/// Rows enough for a page of what `event` makes of them.
fn rows<T>(
    past: &Past,
    query: &PageQuery,
    about: About,
    event: impl Fn(&History) -> Option<T>,
) -> Option<HistoryQuery> {
    let begin = after(query).ok()?;
    let found = past.rows.iter().filter(|(_, row)| event(row).is_some()).count();
    if found >= query.limit.get() || past.rows.len() >= MOST_ROWS {
        return None;
    }
    let after = past.rows.last().map(|(place, _)| *place).or(begin);
    Some(HistoryQuery { about, limit: ROWS, after })
}

fn page_of<T>(past: &Past, query: &PageQuery, event: impl Fn(&History) -> Option<T>) -> Page<T> {
    let mut items = Vec::new();
    for (place, row) in &past.rows {
        items.extend(event(row));
        if items.len() == query.limit.get() {
            return Page { items, next_token: Some(page::write(place)) };
        }
    }
    let last = past.rows.last().map(|(place, _)| *place).filter(|_| !past.is_complete);
    Page { items, next_token: last.as_ref().map(page::write) }
}

fn of_instance(row: &History) -> Option<InstanceEvent> {
    let History::InstanceEvent(row) = row else { return None };
    let (created_at, message) = (row.at, row.event.to_string());
    Some(InstanceEvent { created_at, message, event: row.event.clone() })
}

fn of_cluster(row: &History, cluster: &ClusterName) -> Option<ClusterEvent> {
    match row {
        History::Event(row) if row.cluster == *cluster => Some(ClusterEvent {
            created_at: row.at,
            service_name: Some(row.service_name.clone()),
            instance_name: None,
            message: row.text().to_owned(),
            service_event: row.event.clone(),
            instance_event: None,
        }),
        History::InstanceEvent(row) if row.cluster == *cluster => Some(ClusterEvent {
            created_at: row.at,
            service_name: None,
            instance_name: Some(row.name.clone()),
            message: row.event.to_string(),
            service_event: None,
            instance_event: Some(row.event.clone()),
        }),
        History::Event(_)
        | History::InstanceEvent(_)
        | History::Task { .. }
        | History::Deployment(_)
        | History::Audit(_) => None,
    }
}

impl Request for ListInstanceEvents {
    const OPERATION: Operation = Operation::ListInstanceEvents;
    type Answer = Page<InstanceEvent>;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        Ok(instance::resource(view.state, &self.instance))
    }

    fn named(&self) -> Option<Resource> {
        Some(Resource::unknown(ResourceKind::Instance, &self.instance))
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        let about = About::Instance(instance::named(state, &self.instance).ok()?.id);
        rows(past, &self.query, about, of_instance)
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        instance::named(context.view.state, &self.instance)?;
        after(&self.query)?;
        Ok(Decision::read(|view| Ok(page_of(view.past, &self.query, of_instance))))
    }
}

impl Request for ListClusterEvents {
    const OPERATION: Operation = Operation::ListClusterEvents;
    type Answer = Page<ClusterEvent>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::cluster(&self.cluster))
    }

    fn history(&self, _: &State, past: &Past) -> Option<HistoryQuery> {
        rows(past, &self.query, About::All, |row| of_cluster(row, &self.cluster))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        find::cluster(context.view.state, &self.cluster)?;
        after(&self.query)?;
        Ok(Decision::read(|view| {
            Ok(page_of(view.past, &self.query, |row| of_cluster(row, &self.cluster)))
        }))
    }
}
