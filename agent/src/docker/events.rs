//! Docker's events, so that an exit is noticed at once. They only name the container to inspect: a lost event is made up for
//! by the next list.

use std::time::Duration;

use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;
use model::{Clock, ContainerName, TaskId, chain};
use tokio::sync::mpsc;

use super::{Engine, filters};
use crate::owner::{Labels, Owner};

/// How long one stream is used: a stream that broke without notice cannot be told from one without events.
const LASTS: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(500);
/// Events are requested from this much earlier, since Docker's clock and the agent's may differ by rounding.
const OVERLAP: Duration = Duration::from_secs(2);

/// A reason to inspect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Something happened to this container.
    Container(TaskId, ContainerName),
    /// Events may have been lost.
    Unsure,
}

impl Engine {
    /// Forwards events of the instance's containers until the receiver is dropped.
    pub(crate) async fn forward_events(
        self,
        owner: Owner,
        clock: std::sync::Arc<dyn Clock>,
        events: mpsc::Sender<Event>,
    ) {
        let mut since = clock.now();
        while !events.is_closed() {
            let began = clock.now();
            let lasted = tokio::time::timeout(LASTS, self.pass_on(&owner, since, &events)).await;
            since = clock.now().min(began.plus(LASTS));
            if let Ok(why) = lasted {
                tracing::debug!("Docker's events broke off: {why}");
                tokio::time::sleep(PAUSE).await;
                // Containers that exit while Docker is down have no events: all of them are listed again.
                since = began;
                if events.send(Event::Unsure).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn pass_on(
        &self,
        owner: &Owner,
        since: model::Timestamp,
        events: &mpsc::Sender<Event>,
    ) -> String {
        let overlap = i64::try_from(OVERLAP.as_millis()).unwrap_or_default();
        let since = (since.as_millis() - overlap).max(0) / 1000;
        let wanted = filters(owner.filters(), "type", &["container"]);
        let wanted = filters(wanted, "event", &["die", "start", "destroy", "oom"]);
        let options = EventsOptions {
            since: Some(since.to_string()),
            filters: Some(wanted),
            ..EventsOptions::default()
        };
        let mut stream = Box::pin(self.docker.events(Some(options)));
        loop {
            match stream.next().await {
                Some(Ok(message)) => {
                    let labels: Option<Labels> = message.actor.and_then(|actor| actor.attributes);
                    let Some((task, name)) = labels.and_then(|labels| owner.claims(&labels)) else {
                        continue;
                    };
                    if events.send(Event::Container(task, name)).await.is_err() {
                        return "the receiver is gone".to_owned();
                    }
                }
                Some(Err(error)) => return chain(&error),
                None => return "Docker has ended them".to_owned(),
            }
        }
    }
}
