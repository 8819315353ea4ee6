//! What happened to a service: events stand in its history among tasks and deployments.

use access::Resource;
use api::{ListEventsQuery, Page, ServiceEvent};
use model::{ClusterName, History, HistoryPlace, HistoryQuery, ServiceName, State};

use crate::describe::service::event;
use crate::{Context, Decision, Operation, Past, Refused, Request, View, find, page};

/// Rows of history looked at for one page of events at most.
const MOST_ROWS: usize = 4_000;

/// What happened to a service, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListServiceEvents {
    /// Of which service.
    pub service: ServiceName,
    /// In which cluster, and which page.
    pub query: ListEventsQuery,
}

fn is_event(row: &History) -> bool {
    matches!(row, History::Event(_))
}

/// Which rows to read for so many events of a service behind a place.
pub(crate) fn query(
    state: &State,
    (cluster, name): (&ClusterName, &ServiceName),
    after: Option<HistoryPlace>,
    limit: usize,
    past: &Past,
) -> Option<HistoryQuery> {
    let service = state.service_named(cluster, name)?.id;
    let events = past.rows.iter().filter(|(_, row)| is_event(row)).count();
    let is_enough = events >= limit || past.rows.len() >= MOST_ROWS;
    let after = past.rows.last().map(|(place, _)| *place).or(after);
    // Tasks and deployments stand among the events: read some more than are wanted.
    (!is_enough).then(|| HistoryQuery { after, ..HistoryQuery::of_service(service, limit * 3) })
}

/// So many events, and where to go on where there may be more.
pub(crate) fn page_of(past: &Past, limit: usize) -> (Vec<ServiceEvent>, Option<HistoryPlace>) {
    let mut events = Vec::new();
    for (place, row) in &past.rows {
        if let History::Event(row) = row {
            events.push(event(row));
        }
        if events.len() == limit {
            return (events, Some(*place));
        }
    }
    let last = past.rows.last().map(|(place, _)| *place);
    (events, last.filter(|_| !past.is_complete))
}

impl ListServiceEvents {
    fn after(&self) -> Result<Option<HistoryPlace>, Refused> {
        self.query.next_token.as_ref().map(page::read).transpose()
    }
}

impl Request for ListServiceEvents {
    const OPERATION: Operation = Operation::ListServiceEvents;
    type Answer = Page<ServiceEvent>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::service(&self.query.cluster, &self.service))
    }

    fn history(&self, state: &State, past: &Past) -> Option<HistoryQuery> {
        let after = self.after().ok()?;
        query(state, (&self.query.cluster, &self.service), after, self.query.limit.get(), past)
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        find::service(context.view.state, &self.query.cluster, &self.service)?;
        self.after()?;
        Ok(Decision::read(|view| {
            let (items, next) = page_of(view.past, self.query.limit.get());
            Ok(Page { items, next_token: next.as_ref().map(page::write) })
        }))
    }
}
