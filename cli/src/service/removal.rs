//! `berth service rm`: waits until no container is left, and says what keeps the name where something does.

use std::time::Duration;

use serde_json::Value;

use super::{Named, Waiting};
use crate::client::Client;
use crate::exit::Exit;
use crate::output::{self, Progress};
use crate::text::{field, items, query};
use crate::wait::service_path;
use crate::{Failure, Outcome};

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
    if !yes {
        match output::ask(&format!("Remove service {name} and stop its tasks?")) {
            Some(true) => {}
            Some(false) => return Ok(Exit::Failure),
            None => {
                let message = format!(
                    "removing service {name} stops its tasks: say --yes, since there is no terminal to ask on"
                );
                return Err(Failure::new(Exit::Failure, message));
            }
        }
    }
    let path = service_path(name, &named.cluster);
    client.delete::<Value>(&path).await?;
    if waiting.detach {
        output::note(&format!("service {name} is being removed"));
        return Ok(Exit::Success);
    }
    let timeout = Duration::from_secs(waiting.timeout);
    let gone = tokio::time::timeout(timeout, gone(named, &path, client)).await;
    gone.unwrap_or_else(|_late| {
        let message = format!(
            "service {name} is not gone after {} s; it goes once its last container has: `berth task ls --service {name} \
             --stopped` shows which are left",
            waiting.timeout
        );
        Err(Failure::new(Exit::Timeout, message))
    })?;
    output::note(&format!("service {name} is removed"));
    Ok(Exit::Success)
}

/// Waits until the service is gone: it goes with its last container, when no router may know of it any more.
async fn gone(named: &Named, path: &str, client: &Client) -> Result<(), Failure> {
    let mut progress = Progress::start();
    let mut looks = 0;
    loop {
        match client.get::<Value>(path).await {
            Ok(_) => progress.say(&format!("{}: its tasks are being stopped", named.name)),
            Err(error) if error.exit() == Exit::NotFound => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        looks += 1;
        if looks % MOMENTS == 0
            && all_stopped(named, client).await?
            && let Some(router) = router_away(client).await?
        {
            drop(progress);
            return Err(held(&named.name, &router));
        }
        tokio::time::sleep(PERIOD).await;
    }
}

async fn all_stopped(named: &Named, client: &Client) -> Result<bool, Failure> {
    for status in ["RUNNING", "STOPPED"] {
        let query = query(&[
            ("serviceName", Some(named.name.clone())),
            ("cluster", Some(named.cluster.clone())),
            ("desiredStatus", Some(status.to_owned())),
        ]);
        let answer: Value = client.list(&format!("/api/v1/tasks{query}")).await?;
        if !items(&answer["items"]).iter().all(|task| task["lastStatus"] == "STOPPED") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A router that may still know targets that are gone.
async fn router_away(client: &Client) -> Result<Option<Value>, Failure> {
    let answer: Value = client.list("/api/v1/routers").await?;
    let mut routers = items(&answer["items"]).iter();
    let away = |router: &&Value| ["LOST", "DISCONNECTED"].iter().any(|it| router["lease"] == *it);
    Ok(routers.find(away).cloned())
}

fn held(service: &str, router: &Value) -> Failure {
    let (name, id) = (field(router, "name"), field(router, "routerId"));
    let message = format!(
        "all tasks of service {service} have stopped, but router {name} is away and may still know them: service and name \
         are free when it is back, or after `berth router rm {id}`"
    );
    Failure::new(Exit::Conflict, message)
}
