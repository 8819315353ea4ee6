//! Docker's events, so that a death is known at once. They only say where to look: one that is lost costs until the next list.

use std::time::Duration;

use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;
use model::{Clock, ContainerName, TaskId, chain};
use tokio::sync::mpsc;

use super::{Engine, filters};
use crate::owner::{Labels, Owner};

/// A stream that has gone silent looks like one on which nothing happens, so each is only used for so long.
const LASTS: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(500);
/// Docker's times are its own: what happened shortly before is asked for again.
const OVERLAP: Duration = Duration::from_secs(2);

/// Something has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// To a container.
    Container(TaskId, ContainerName),
    /// Events may have been lost.
    Unsure,
}

impl Engine {
    /// Passes on what happens to the instance's containers, until nobody listens.
    pub(crate) async fn listen(
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
                // What is missed while Docker is away is no event for it either.
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
                        return "nobody listens".to_owned();
                    }
                }
                Some(Err(error)) => return chain(&error),
                None => return "Docker has ended them".to_owned(),
            }
        }
    }
}
