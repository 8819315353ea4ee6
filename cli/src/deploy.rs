//! `berth deploy`: from an image in the registry to a URL that answers.

use std::time::Duration;

use api::client::Client;
use api::{
    DeployRequest, DeployResponse, HealthCheckSettings, Limit, ListTasksQuery,
    TaskDefinitionReference,
};
use model::{
    ClusterName, HealthCheckProtocol, HttpMatcher, ImageReference, KeyValue, ServiceName,
    TaskStatus,
};

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::text::{or_dash, word};
use crate::wait::Patience;
use crate::{sentence, wait};

/// What its help says last.
pub(crate) const EXPLANATION: &str = "\
Without --port it is the image's EXPOSE, without --host NAME.localhost, and a task is healthy when a GET of / answers \
200 to 399; what is inferred is shown. Deploying again changes what is given and leaves the rest.";

/// What `berth deploy` is asked for.
#[derive(Debug, clap::Args)]
pub struct Deploy {
    /// The service; its image is the repository of that name, tag `latest`.
    name: ServiceName,
    /// Another image of the registry, as in `team/hello:v2`.
    #[arg(long)]
    image: Option<ImageReference>,
    /// A registered task definition instead of an image: `family:revision`, or `family` for the newest.
    #[arg(long, value_name = "REVISION", conflicts_with_all = ["image", "env", "unset", "cpu", "memory", "command"])]
    task_definition: Option<TaskDefinitionReference>,
    /// How many tasks.
    #[arg(
        long,
        visible_alias = "desired-count",
        value_name = "COUNT",
        allow_negative_numbers = true
    )]
    replicas: Option<u32>,
    /// The port that the container listens on.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// The host that it answers for.
    #[arg(long)]
    host: Option<String>,
    /// The path that it answers for: itself and everything below it.
    #[arg(long)]
    path: Option<String>,
    /// The path of its health check.
    #[arg(long, value_name = "PATH")]
    health_path: Option<String>,
    /// Check health by a TCP connection alone.
    #[arg(long, conflicts_with = "health_path")]
    health_tcp: bool,
    /// Seconds between two health checks.
    #[arg(long, value_name = "SECONDS")]
    health_interval: Option<u32>,
    /// Seconds that one health check may take.
    #[arg(long, value_name = "SECONDS")]
    health_timeout: Option<u32>,
    /// Passes in a row that make an unhealthy task healthy again.
    #[arg(long, value_name = "COUNT")]
    healthy_threshold: Option<u32>,
    /// Failures in a row that make a healthy task unhealthy.
    #[arg(long, value_name = "COUNT")]
    unhealthy_threshold: Option<u32>,
    /// Which answers are healthy, as in `200-399` or `200,204`.
    #[arg(long, value_name = "CODES")]
    health_matcher: Option<HttpMatcher>,
    /// The port of the health check, where it is another one.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    health_port: Option<u16>,
    /// The Host that the health check asks for; the service's by default.
    #[arg(long, value_name = "HOST")]
    health_host: Option<String>,
    /// Seconds after its start in which failed checks of a task are overlooked.
    #[arg(long, value_name = "SECONDS")]
    health_grace_period: Option<u32>,
    /// Unset an environment variable; may be repeated.
    #[arg(long, value_name = "NAME")]
    unset: Vec<String>,
    /// An environment variable, as NAME=VALUE; may be repeated, and those that are not named stay.
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// CPU units to reserve per task, 1024 is one core; 0 for none, the default.
    #[arg(long, value_name = "UNITS")]
    cpu: Option<u64>,
    /// Memory to reserve per task, which is its limit, too; 0 for none, the default, with half of the host's as its limit.
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// The cluster.
    #[arg(long, default_value = "default")]
    cluster: ClusterName,
    /// Do not wait until it answers.
    #[arg(long)]
    detach: bool,
    /// Wait until the deployment is COMPLETED, and not only until it answers.
    #[arg(long, conflicts_with = "detach")]
    until_completed: bool,
    /// How long to wait.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
    /// The command to run instead of the image's.
    #[arg(last = true)]
    command: Vec<String>,
}

/// Runs it.
pub(crate) async fn run(deploy: Deploy, client: &Client, format: Format) -> Outcome {
    let answer = client.deploy(&request(&deploy)?, None).await?;
    for value in &answer.inferred {
        output::note(&sentence::inferred(value));
    }
    if !deploy.detach {
        wait_for(&deploy, &answer, client).await?;
        tasks(&deploy, client).await?;
    }
    match (format, &answer.url) {
        (Format::Json, _) => output::json(&answer),
        (Format::Table, Some(url)) => output::line(url),
        (Format::Table, None) => output::note(&sentence::no_traffic(&deploy.name)),
    }
    Ok(Exit::Success)
}

/// Waits for the deployment that was started, or for the one under way where nothing had to be started.
async fn wait_for(deploy: &Deploy, answer: &DeployResponse, client: &Client) -> Outcome {
    let (name, cluster) = (&deploy.name, &deploy.cluster);
    let under_way = match answer.deployment_id {
        Some(started) => Some(started),
        None => client.get_service(name, cluster).await?.value.primary().map(|one| one.id),
    };
    let Some(wanted) = under_way else { return Ok(Exit::Success) };
    let timeout = Duration::from_secs(deploy.timeout);
    let patience = Patience { timeout, until_completed: deploy.until_completed };
    wait::rollout(client, name, cluster, wanted, patience).await
}

fn request(deploy: &Deploy) -> Result<DeployRequest, Failure> {
    let variable = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok(KeyValue { name: name.to_owned(), value: value.to_owned() }),
        None => Err(Failure::Other(Exit::Usage, sentence::no_variable(text))),
    };
    let environment = deploy.env.iter().map(variable).collect::<Result<Vec<_>, _>>()?;
    let health = HealthCheckSettings {
        interval_seconds: deploy.health_interval,
        timeout_seconds: deploy.health_timeout,
        healthy_threshold: deploy.healthy_threshold,
        unhealthy_threshold: deploy.unhealthy_threshold,
        matcher: deploy.health_matcher.clone(),
        port: deploy.health_port,
        host: deploy.health_host.clone(),
    };
    Ok(DeployRequest {
        name: deploy.name.clone(),
        cluster_name: deploy.cluster.clone(),
        image: deploy.image.clone(),
        task_definition: deploy.task_definition.clone(),
        port: deploy.port,
        host: deploy.host.clone(),
        path: deploy.path.clone(),
        health_path: deploy.health_path.clone(),
        health_protocol: deploy.health_tcp.then_some(HealthCheckProtocol::Tcp),
        health_check: (health != HealthCheckSettings::default()).then_some(health),
        health_check_grace_period_seconds: deploy.health_grace_period,
        unset_environment: (!deploy.unset.is_empty()).then(|| deploy.unset.clone()),
        environment: (!environment.is_empty()).then_some(environment),
        cpu: deploy.cpu,
        memory: deploy.memory,
        desired_count: deploy.replicas,
        command: (!deploy.command.is_empty()).then(|| deploy.command.clone()),
    })
}

/// Shows each task that runs now.
async fn tasks(deploy: &Deploy, client: &Client) -> Result<(), Failure> {
    let query = ListTasksQuery {
        service_name: Some(deploy.name.clone()),
        limit: Limit::MOST,
        ..ListTasksQuery::of_cluster(deploy.cluster.clone())
    };
    let tasks = client.list_tasks(&query).await?.items;
    for task in tasks.iter().filter(|task| task.last_status == TaskStatus::Running) {
        output::note(&format!(
            "  task {}  {}  {} on {}",
            task.task_id,
            word(&task.last_status),
            or_dash(task.address),
            or_dash(task.instance_name.as_ref()),
        ));
    }
    Ok(())
}
