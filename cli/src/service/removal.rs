//! `berth service rm`: waits until no container is left, and says what keeps the name where something does.

use std::time::Duration;

use api::client::{Client, all};
use api::{ListTasksQuery, Router};
use model::{DesiredStatus, Lease, TaskStatus};

use super::arguments::{Named, Waiting};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Progress};
use crate::{router, sentence};

/// Between two looks.
const PERIOD: Duration = Duration::from_millis(100);
/// Looks after which a removal is no longer a matter of moments.
const MOMENTS: u32 = 50;

/// Removes a service, once it is confirmed.
pub(super) async fn remove(
    named: &Named,
    yes: bool,
    waiting: &Waiting,
    client: &Client,
) -> Outcome {
    let name = &named.name;
    // A mistyped name is not worth a question.
    client.get_service(name, &named.cluster).await?;
    if !yes {
        match output::ask(&sentence::removal_question(name)) {
            Some(true) => {}
            Some(false) => return Ok(Exit::Failure),
            None => {
                return Err(Failure::Other(Exit::Usage, sentence::removal_nobody_to_ask(name)));
            }
        }
    }
    client.remove_service(name, &named.cluster, None).await?;
    if waiting.detach {
        output::note(&sentence::removal_begun(name));
        return Ok(Exit::Success);
    }
    let timeout = Duration::from_secs(waiting.timeout);
    let gone = tokio::time::timeout(timeout, gone(named, client)).await;
    gone.unwrap_or_else(|_late| {
        Err(Failure::Other(Exit::Timeout, sentence::removal_late(name, waiting.timeout)))
    })?;
    output::note(&sentence::removal_done(name));
    Ok(Exit::Success)
}

/// Waits until the service is gone: it goes with its last container, when no router may know of it any more.
async fn gone(named: &Named, client: &Client) -> Result<(), Failure> {
    let mut progress = Progress::start();
    let mut looks = 0;
    loop {
        match client.get_service(&named.name, &named.cluster).await {
            Ok(_) => progress.say(&sentence::removal_under_way(&named.name)),
            Err(error) if Exit::of(&error) == Exit::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        looks += 1;
        if looks % MOMENTS == 0
            && all_stopped(named, client).await?
            && let Some(router) = router_away(client).await?
        {
            drop(progress);
            let held = sentence::removal_held(&named.name, &router);
            return Err(Failure::Other(Exit::Conflict, held));
        }
        tokio::time::sleep(PERIOD).await;
    }
}

async fn all_stopped(named: &Named, client: &Client) -> Result<bool, Failure> {
    for desired_status in [DesiredStatus::Running, DesiredStatus::Stopped] {
        let query = ListTasksQuery {
            service_name: Some(named.name.clone()),
            desired_status,
            ..ListTasksQuery::of_cluster(named.cluster.clone())
        };
        let tasks = all(query, async |query| client.list_tasks(query).await).await?;
        if !tasks.iter().all(|task| task.last_status == TaskStatus::Stopped) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A router that may still know targets that are gone.
async fn router_away(client: &Client) -> Result<Option<Router>, Failure> {
    let routers = router::list(client).await?;
    Ok(routers.into_iter().find(|router| router.lease >= Lease::Disconnected))
}
