//! `berth service`.

use std::collections::BTreeSet;

use api::client::{Client, Tagged, all, some};
use api::{
    Deployment, IfMatch, Limit, ListEventsQuery, ListServicesQuery, ListTasksQuery, Page,
    RollbackRequest, Service, ServiceEvent, UpdateServiceRequest,
};
use clap::Subcommand;
use model::{ClusterName, ServiceName};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::text::{or_dash, pinned, time, word};
use crate::{sentence, wait};

mod arguments;
mod removal;
mod revision;

use self::arguments::{Named, Settings, Waiting};

/// What can be asked of services.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List services.
    Ls {
        /// The cluster.
        #[arg(long, default_value = "default")]
        cluster: ClusterName,
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
        #[command(flatten)]
        settings: Settings,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Its revisions, newest first: what each rolled out, what differed, and how that ended.
    Revisions(Named),
    /// Go back to a revision that proved itself, with its image, settings, hosts and paths.
    Rollback {
        #[command(flatten)]
        named: Named,
        /// The revision, by number; the one before by default: `berth service revisions NAME` lists them.
        #[arg(long, value_name = "REVISION")]
        to: Option<u32>,
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
        limit: usize,
    },
}

const EVENT_HEADER: [&str; 2] = ["AT", "EVENT"];
/// How many of the newest `show` prints.
const EVENTS_SHOWN: usize = 10;

/// Columns of the list.
const HEADER: [&str; 7] = ["SERVICE", "STATUS", "RUNNING", "REVISION", "IMAGE", "ROLLOUT", "URL"];

/// A row of the list.
fn row(service: &Service) -> Vec<String> {
    vec![
        service.service_name.to_string(),
        word(&service.status),
        format!("{}/{}", service.running_count, service.desired_count),
        service.revision.to_string(),
        images(service),
        or_dash(service.primary().map(|primary| word(&primary.rollout_state))),
        or_dash(service.url.as_ref()),
    ]
}

/// Prints the list, and below it what is wrong with which service.
fn list(services: &[Service]) {
    output::line(&table(services));
    let problems = problems(services);
    if !problems.is_empty() {
        output::line("");
        for problem in &problems {
            output::line(problem);
        }
    }
}

/// The list alone.
pub(crate) fn table(services: &[Service]) -> String {
    output::table(&HEADER, services.iter().map(row).collect())
}

/// What is wrong with which service, a line each.
pub(crate) fn problems(services: &[Service]) -> Vec<String> {
    let of = |service: &Service| -> Vec<String> {
        let name = &service.service_name;
        service.problems.iter().map(|problem| sentence::service_problem(name, problem)).collect()
    };
    services.iter().flat_map(of).collect()
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls { cluster } => {
            let query = ListServicesQuery { cluster, limit: Limit::default(), next_token: None };
            let services = all(query, async |query| client.list_services(query).await).await?;
            match format {
                Format::Json => output::json(&Page::whole(services)),
                Format::Table => list(&services),
            }
            Ok(Exit::Success)
        }
        Command::Show(named) => show(&named, client, format).await,
        Command::Scale { named, count, waiting } => {
            let request = UpdateServiceRequest { desired_count: Some(count), ..Default::default() };
            let service =
                client.update_service(&named.name, &named.cluster, &request, None).await?;
            wait_and_show(&named, service, &waiting, client, format).await
        }
        Command::Update { named, settings, waiting } => {
            let service = update(&named, settings, client).await?;
            wait_and_show(&named, service, &waiting, client, format).await
        }
        Command::Revisions(named) => revision::list(&named, client, format).await,
        Command::Rollback { named, to, waiting } => {
            let request = RollbackRequest { revision: to };
            let (name, cluster) = (&named.name, &named.cluster);
            let service = client.roll_back_service(name, cluster, &request, None).await?;
            wait_and_show(&named, service, &waiting, client, format).await
        }
        Command::Rm { named, yes, waiting } => removal::remove(&named, yes, &waiting, client).await,
        Command::Events { named, limit } => events(&named, limit, client, format).await,
    }
}

async fn update(named: &Named, settings: Settings, client: &Client) -> Result<Service, Failure> {
    let mut request = UpdateServiceRequest {
        desired_count: settings.desired_count,
        task_definition: settings.task_definition,
        follow_tags: settings.follow_tags,
        force_new_deployment: settings.force_new_deployment,
        health_check_grace_period_seconds: settings.health_grace_period,
        ..Default::default()
    };
    let (minimum, maximum) = (settings.minimum_healthy_percent, settings.maximum_percent);
    let bake_time = settings.bake_time;
    let mut if_match = None;
    if minimum.is_some() || maximum.is_some() || bake_time.is_some() {
        // They are one setting with the breaker: what is not given stays as it is.
        let Tagged { value: known, tag } = client.get_service(&named.name, &named.cluster).await?;
        let mut bounds = known.deployment_configuration;
        bounds.minimum_healthy_percent = minimum.unwrap_or(bounds.minimum_healthy_percent);
        bounds.maximum_percent = maximum.unwrap_or(bounds.maximum_percent);
        bounds.bake_time_in_seconds = bake_time.unwrap_or(bounds.bake_time_in_seconds);
        request.deployment_configuration = Some(bounds);
        if_match = tag.map(IfMatch::from);
    }
    if request == UpdateServiceRequest::default() {
        return Err(Failure::Other(Exit::Usage, sentence::nothing_to_change(&named.name)));
    }
    let (name, cluster) = (&named.name, &named.cluster);
    Ok(client.update_service(name, cluster, &request, if_match.as_ref()).await?)
}

async fn events(named: &Named, limit: usize, client: &Client, format: Format) -> Outcome {
    let query = ListEventsQuery {
        cluster: named.cluster.clone(),
        limit: Limit::default(),
        next_token: None,
    };
    let next = async |query: &ListEventsQuery| client.list_service_events(&named.name, query).await;
    let events = some(query, limit, next).await?;
    output::list(format, events, &EVENT_HEADER, |event| event_row(&named.name, event));
    Ok(Exit::Success)
}

async fn show(named: &Named, client: &Client, format: Format) -> Outcome {
    let service = client.get_service(&named.name, &named.cluster).await?.value;
    if format == Format::Json {
        output::json(&service);
        return Ok(Exit::Success);
    }
    let query = ListTasksQuery {
        service_name: Some(named.name.clone()),
        ..ListTasksQuery::of_cluster(named.cluster.clone())
    };
    let tasks = all(query, async |query| client.list_tasks(query).await).await?;
    output::pairs(&facts(&service));
    let header = ["DEPLOYMENT", "STATUS", "ROLLOUT", "RUNNING", "PENDING", "FAILED"];
    let deployments = service.deployments.iter().map(deployment_row).collect();
    output::line(&format!("\n{}", output::table(&header, deployments)));
    output::line("");
    crate::task::list_of_service(&tasks);
    let events = service.events.iter().take(EVENTS_SHOWN);
    let events = events.map(|event| event_row(&named.name, event)).collect();
    output::line(&format!("\n{}", output::table(&EVENT_HEADER, events)));
    Ok(Exit::Success)
}

fn deployment_row(deployment: &Deployment) -> Vec<String> {
    vec![
        deployment.id.to_string(),
        word(&deployment.status),
        word(&deployment.rollout_state),
        deployment.running_count.to_string(),
        deployment.pending_count.to_string(),
        deployment.failed_tasks.to_string(),
    ]
}

/// What to know about a service at first sight.
fn facts(service: &Service) -> Vec<(&'static str, String)> {
    let primary = service.primary();
    let rollout = primary.map(|primary| word(&primary.rollout_state));
    let mut facts = vec![
        ("service", service.service_name.to_string()),
        ("status", word(&service.status)),
        ("url", or_dash(service.url.as_ref())),
        ("tasks", sentence::counts(service)),
        ("revision", service.revision.to_string()),
        ("task definition", service.task_definition.to_string()),
        ("image", images(service)),
        ("rollout", or_dash(rollout)),
    ];
    if let Some(until) = primary.and_then(Deployment::bakes_until) {
        facts.push(("watched until", time(until)));
    }
    if let Some(failed) = primary.and_then(|primary| primary.rollback_of) {
        facts.push(("rolled back", sentence::rolled_back(failed)));
    }
    let problems = service.problems.iter();
    facts.extend(problems.map(|problem| ("problem", sentence::problem(problem))));
    if !service.follow_tags {
        facts.push(("pushes", sentence::follows_no_tags()));
    }
    facts
}

/// An event with its time; the service that it is about is known.
fn event_row(service: &ServiceName, event: &ServiceEvent) -> Vec<String> {
    vec![time(event.created_at), sentence::event(service, event)]
}

/// `repository:tag@0123456789ab` of the containers, each image once.
fn images(service: &Service) -> String {
    let shown = service.images.values().map(|one| pinned(&one.image, &one.digest));
    crate::text::list(shown.collect::<BTreeSet<String>>())
}

async fn wait_and_show(
    named: &Named,
    service: Service,
    waiting: &Waiting,
    client: &Client,
    format: Format,
) -> Outcome {
    let mut service = service;
    if let (false, Some(primary)) = (waiting.detach, service.primary()) {
        let patience = waiting.patience();
        wait::rollout(client, &named.name, &named.cluster, primary.id, patience).await?;
        service = client.get_service(&named.name, &named.cluster).await?.value;
    }
    let rows = vec![row(&service)];
    output::data(format, &service, &HEADER, rows);
    Ok(Exit::Success)
}
