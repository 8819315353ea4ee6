//! `berth service`.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{escape, field, items, query, time};
use super::wait::{self, primary, service_path};
use super::{Failure, Outcome};

mod removal;

/// What can be asked of services.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List services.
    Ls {
        /// The cluster.
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// Show one service: its deployments, tasks and last events.
    Show(Named),
    /// Change how many tasks it keeps.
    Scale {
        #[command(flatten)]
        named: Named,
        /// How many.
        count: u32,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Roll out another revision, or other settings.
    Update {
        #[command(flatten)]
        named: Named,
        /// `family:revision`, or `family` for the newest.
        #[arg(long, value_name = "REVISION")]
        task_definition: Option<String>,
        /// How many tasks it keeps.
        #[arg(long, value_name = "COUNT")]
        desired_count: Option<u32>,
        /// At least this many percent stay healthy while it rolls.
        #[arg(long, value_name = "PERCENT")]
        minimum_healthy_percent: Option<u32>,
        /// At most this many percent run while it rolls.
        #[arg(long, value_name = "PERCENT")]
        maximum_percent: Option<u32>,
        /// Whether pushes roll out by themselves.
        #[arg(long, value_name = "BOOL")]
        follow_tags: Option<bool>,
        /// Replace all tasks though nothing changed.
        #[arg(long)]
        force_new_deployment: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Go back to the deployment that completed before.
    Rollback {
        #[command(flatten)]
        named: Named,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Remove it: its tasks are stopped; returns when no container is left.
    Rm {
        #[command(flatten)]
        named: Named,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// What happened to it, newest first.
    Events {
        #[command(flatten)]
        named: Named,
        /// How many.
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: u32,
    },
}

const EVENT_HEADER: [&str; 2] = ["AT", "EVENT"];
/// How many of the newest `show` prints.
const EVENTS_SHOWN: usize = 10;

/// A service by name.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The service.
    name: String,
    /// Its cluster.
    #[arg(long, default_value = "default")]
    cluster: String,
}

/// Whether to wait.
#[derive(Debug, clap::Args)]
pub struct Waiting {
    /// Do not wait until it is done.
    #[arg(long)]
    detach: bool,
    /// How long to wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// Columns of the list.
pub(crate) const HEADER: [&str; 6] =
    ["SERVICE", "STATUS", "RUNNING", "DEFINITION", "ROLLOUT", "URL"];

/// Rows of the list.
pub(crate) fn rows(list: &Value) -> Vec<Vec<String>> {
    let row = |service: &Value| {
        let running =
            format!("{}/{}", field(service, "runningCount"), field(service, "desiredCount"));
        vec![
            field(service, "serviceName"),
            field(service, "status"),
            running,
            field(service, "taskDefinition"),
            field(primary(service), "rolloutState"),
            field(service, "url"),
        ]
    };
    items(list).iter().map(row).collect()
}

/// Prints the list, and below it what is wrong with which service.
pub(crate) fn list(services: &Value) {
    output::line(&output::table(&HEADER, rows(services)));
    let troubled = items(services).iter().filter_map(|service| Some((service, trouble(service)?)));
    for (index, (service, (what, why))) in troubled.enumerate() {
        if index == 0 {
            output::line("");
        }
        output::line(&format!("{}: {what}: {why}", field(service, "serviceName")));
    }
}

/// In which way a service is not as it should be, and why; None where nothing is known to be wrong.
fn trouble(service: &Value) -> Option<(&'static str, String)> {
    if let Some(reason) = service["placementFailure"].as_str() {
        return Some(("not placed", reason.to_owned()));
    }
    let primary = primary(service);
    let failed = primary["rolloutState"] == "FAILED";
    failed.then(|| ("failed", field(primary, "rolloutStateReason")))
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls { cluster } => {
            let query = query(&[("cluster", Some(cluster))]);
            let answer: Value = client.list(&format!("/api/v1/services{query}")).await?;
            match format {
                Format::Json => output::json(&answer),
                Format::Table => list(&answer["items"]),
            }
            Ok(Exit::Success)
        }
        Command::Show(named) => show(&named, client, format).await,
        Command::Scale { named, count, waiting } => {
            let change = json!({"desiredCount": count});
            update(&named, &change, &waiting, client, format).await
        }
        Command::Update {
            named,
            task_definition,
            desired_count,
            minimum_healthy_percent,
            maximum_percent,
            follow_tags,
            force_new_deployment,
            waiting,
        } => {
            let mut change = json!({});
            if let Some(definition) = task_definition {
                change["taskDefinition"] = json!(definition);
            }
            if let Some(count) = desired_count {
                change["desiredCount"] = json!(count);
            }
            if let Some(follow) = follow_tags {
                change["followTags"] = json!(follow);
            }
            if force_new_deployment {
                change["forceNewDeployment"] = json!(true);
            }
            let bounds = [
                ("minimumHealthyPercent", minimum_healthy_percent),
                ("maximumPercent", maximum_percent),
            ];
            percentages(&named, &bounds, &mut change, client).await?;
            if change == json!({}) {
                let message = format!(
                    "what of service {} should change? `berth service update --help` shows what can",
                    named.name
                );
                return Err(Failure::new(Exit::Usage, message));
            }
            update(&named, &change, &waiting, client, format).await
        }
        Command::Rollback { named, waiting } => rollback(&named, &waiting, client, format).await,
        Command::Rm { named, yes, waiting } => removal::remove(&named, yes, &waiting, client).await,
        Command::Events { named, limit } => {
            let query =
                query(&[("cluster", Some(named.cluster)), ("limit", Some(limit.to_string()))]);
            let path = format!("/api/v1/services/{}/events{query}", escape(&named.name));
            let answer: Value = client.get(&path).await?;
            output::data(format, &answer, &EVENT_HEADER, event_rows(items(&answer["items"])));
            Ok(Exit::Success)
        }
    }
}

/// Percentages are one setting with the breaker: what is not given stays as it is.
async fn percentages(
    named: &Named,
    bounds: &[(&str, Option<u32>)],
    change: &mut Value,
    client: &Client,
) -> Result<(), Failure> {
    if bounds.iter().all(|(_, percent)| percent.is_none()) {
        return Ok(());
    }
    let service: Value = client.get(&service_path(&named.name, &named.cluster)).await?;
    let mut configuration = service["deploymentConfiguration"].clone();
    for (key, percent) in bounds {
        if let Some(percent) = percent {
            configuration[*key] = json!(percent);
        }
    }
    change["deploymentConfiguration"] = configuration;
    Ok(())
}

async fn show(named: &Named, client: &Client, format: Format) -> Outcome {
    let service: Value = client.get(&service_path(&named.name, &named.cluster)).await?;
    if format == Format::Json {
        output::json(&service);
        return Ok(Exit::Success);
    }
    let tasks = query(&[
        ("serviceName", Some(named.name.clone())),
        ("cluster", Some(named.cluster.clone())),
    ]);
    let tasks: Value = client.list(&format!("/api/v1/tasks{tasks}")).await?;
    output::pairs(&facts(&service));
    let header = ["DEPLOYMENT", "STATUS", "ROLLOUT", "RUNNING", "PENDING", "FAILED"];
    let fields = ["id", "status", "rolloutState", "runningCount", "pendingCount", "failedTasks"];
    let deployments = super::text::rows(&service["deployments"], &fields);
    output::line(&format!("\n{}", output::table(&header, deployments)));
    output::line("");
    super::task::list_of_service(&tasks["items"]);
    let events = items(&service["events"]);
    let events = event_rows(&events[..events.len().min(EVENTS_SHOWN)]);
    output::line(&format!("\n{}", output::table(&EVENT_HEADER, events)));
    Ok(Exit::Success)
}

/// What to know about a service at first sight.
fn facts(service: &Value) -> Vec<(&'static str, String)> {
    let primary = primary(service);
    let mut facts = vec![
        ("service", field(service, "serviceName")),
        ("status", field(service, "status")),
        ("url", field(service, "url")),
        (
            "tasks",
            format!(
                "{} of {} running, {} pending",
                field(service, "runningCount"),
                field(service, "desiredCount"),
                field(service, "pendingCount")
            ),
        ),
        ("task definition", field(service, "taskDefinition")),
        ("image", images(&primary["images"])),
        ("rollout", field(primary, "rolloutState")),
    ];
    if let Some(failed) = primary["rollbackOf"].as_str() {
        facts.push(("rolled back", format!("deployment {failed} failed; the events say why")));
    }
    facts.extend(trouble(service));
    if service["followTags"] == false {
        facts.push(("pushes", "do not roll out (follow-tags is off)".to_owned()));
    }
    facts
}

/// Events with their times; the service they are about is known.
fn event_rows(events: &[Value]) -> Vec<Vec<String>> {
    let row = |event: &Value| {
        let message = field(event, "message");
        let rest = message.strip_prefix("(service ").and_then(|rest| rest.split_once(") "));
        let message = rest.map_or(message.as_str(), |(_, rest)| rest);
        vec![time(event, "createdAt"), message.to_owned()]
    };
    events.iter().map(row).collect()
}

/// `repository@sha256:0123...` of the containers, each image once.
fn images(images: &Value) -> String {
    let Some(images) = images.as_object() else { return "-".to_owned() };
    let short = images.values().filter_map(Value::as_str).map(super::text::short_image);
    short.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
}

async fn update(
    named: &Named,
    change: &Value,
    waiting: &Waiting,
    client: &Client,
    format: Format,
) -> Outcome {
    let service: Value = client.patch(&service_path(&named.name, &named.cluster), change).await?;
    wait_and_show(named, &service, waiting, client, format).await
}

async fn rollback(named: &Named, waiting: &Waiting, client: &Client, format: Format) -> Outcome {
    let query = query(&[("cluster", Some(named.cluster.clone()))]);
    let path = format!("/api/v1/services/{}/rollback{query}", escape(&named.name));
    let service: Value = client.post(&path, &json!({})).await?;
    wait_and_show(named, &service, waiting, client, format).await
}

async fn wait_and_show(
    named: &Named,
    service: &Value,
    waiting: &Waiting,
    client: &Client,
    format: Format,
) -> Outcome {
    let mut service = service.clone();
    if !waiting.detach {
        let timeout = Duration::from_secs(waiting.timeout);
        let wanted = field(primary(&service), "id");
        wait::rollout(client, &named.name, &named.cluster, &wanted, timeout).await?;
        service = client.get(&service_path(&named.name, &named.cluster)).await?;
    }
    output::data(format, &service, &HEADER, rows(&json!([service])));
    Ok(Exit::Success)
}
