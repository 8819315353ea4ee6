//! `berth demo`: all of Berth on temporary data, with the real `docker` command and a sample image of its own, under a
//! steady rate of requests. Says what happened in a table, and holds only if no request failed.

use std::process::ExitCode;

use serde_json::Value;

use self::docker::Docker;
use self::error::{DemoError, step_error};
use self::installation::Installation;
use self::load::Load;
use self::report::Report;
use self::wait::until;
use crate::sample::Fault;
use crate::sample::image::{Version, archive, own_architecture};

mod docker;
mod error;
mod installation;
mod load;
mod report;
pub mod sample;
mod wait;

/// The service, its repository and its host's first label.
const SERVICE: &str = "hello";
/// How many tasks it has.
const REPLICAS: usize = 3;

/// What to do after the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// End and clean up.
    AtOnce,
    /// Stay up for a look until Ctrl-C.
    WhenInterrupted,
}

/// Runs it; success only if every step held with no failed request.
pub async fn run(ending: Ending) -> ExitCode {
    match whole(ending).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            terminal::problem(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn whole(ending: Ending) -> Result<bool, DemoError> {
    let home = tempfile::Builder::new().prefix("berth-demo-").tempdir().map_err(step_error)?;
    let docker = Docker::new(home.path().join("docker"));
    docker.run(&["version", "--format", "{{.Server.Version}}"]).await.map_err(|error| {
        step_error(format!(
            "the demo needs a Docker Engine that answers, and the `docker` command: {error}"
        ))
    })?;
    let mut report = Report::default();
    terminal::note("starting Berth on temporary data");
    let mut berth = Installation::start(home.path()).await?;
    let ended = tokio::select! {
        steps = steps(&mut berth, &docker, &mut report) => steps,
        _ = tokio::signal::ctrl_c() => Err(step_error("interrupted")),
    };
    let held = match &ended {
        Ok(load) => {
            report.print(load.counts());
            load.counts().failed == 0
        }
        Err(error) => {
            report.print_what_there_is();
            terminal::problem(&error.to_string());
            false
        }
    };
    if ended.is_ok() && ending == Ending::WhenInterrupted {
        terminal::line(&format!(
            "\nStill up: {}   (API {}, data {})\nCtrl-C ends it and cleans up.",
            berth.service_url(SERVICE),
            berth.admin_url(),
            home.path().display()
        ));
        tokio::signal::ctrl_c().await.ok();
    }
    let failures = match ended {
        Ok(load) => load.stop().await.1,
        Err(_) => Vec::new(),
    };
    for failure in &failures {
        terminal::problem(failure);
    }
    berth.down().await?;
    remove_images(&docker, &berth).await;
    Ok(held && failures.is_empty())
}

fn reference(berth: &Installation, tag: &str) -> String {
    format!("{}/{SERVICE}:{tag}", berth.registry())
}

async fn remove_images(docker: &Docker, berth: &Installation) {
    for tag in ["latest", "v1", "v2", "v3"] {
        // One that is not there needs no removing.
        docker.run(&["image", "rm", "--force", &reference(berth, tag)]).await.ok();
    }
}

/// Every step, each in the report when it held.
async fn steps(
    berth: &mut Installation,
    docker: &Docker,
    report: &mut Report,
) -> Result<Load, DemoError> {
    report.held("berth up: ready", None);

    let version = |number: &str, fault| Version {
        version: number.to_owned(),
        fault,
        architecture: own_architecture().to_owned(),
        reference: reference(berth, &format!("v{number}")),
    };
    let versions =
        [version("1", Fault::None), version("2", Fault::None), version("3", Fault::Exits)];
    let images = tokio::task::spawn_blocking(move || archive(&versions)).await;
    let images = images.map_err(step_error)?.map_err(step_error)?;
    docker.run_with_input(&["load", "--quiet"], &images).await?;
    let registry = berth.registry().to_owned();
    let password = berth.token()?;
    let login = ["login", &registry, "--username", "admin", "--password-stdin"];
    docker.run_with_input(&login, password.as_bytes()).await?;
    push(docker, berth, "v1").await?;
    report.held("docker push hello, version 1", None);

    let replicas = REPLICAS.to_string();
    berth.command(&["deploy", SERVICE, "--replicas", &replicas]).await?;
    let load = Load::start(berth.router_url(), format!("{SERVICE}.localhost"));
    answers(&load, "version 1").await?;
    report.held("berth deploy hello --replicas 3", Some(load.counts()));

    push(docker, berth, "v2").await?;
    rolled_out(berth, &load, "version 2").await?;
    report.held("docker push, version 2: rolls out by itself", Some(load.counts()));

    push(docker, berth, "v3").await?;
    rolled_back(berth).await?;
    answers(&load, "version 2").await?;
    report.held("docker push, version 3: broken, rolled back", Some(load.counts()));

    let killed = kill_a_container(docker, berth).await?;
    replaced(berth, &killed).await?;
    report.held("kill -9 of a container: replaced", Some(load.counts()));

    let before = load.counts().sent;
    berth.kill_server().await?;
    berth.ready().await?;
    until("requests go on while the server is killed", || async {
        Ok(load.counts().sent > before + 20)
    })
    .await?;
    settled(berth).await?;
    report.held("kill -9 of the server: traffic goes on", Some(load.counts()));
    Ok(load)
}

async fn push(docker: &Docker, berth: &Installation, tag: &str) -> Result<(), DemoError> {
    let latest = reference(berth, "latest");
    docker.run(&["tag", &reference(berth, tag), &latest]).await?;
    docker.run(&["push", &latest]).await?;
    Ok(())
}

async fn answers(load: &Load, text: &str) -> Result<(), DemoError> {
    until(&format!("the service answers `{text}`"), || async {
        Ok(load.last_body().contains(text))
    })
    .await
}

fn primary(service: &Value) -> &Value {
    let deployments = service["deployments"].as_array().map(Vec::as_slice).unwrap_or_default();
    deployments.iter().find(|one| one["status"] == "PRIMARY").unwrap_or(&Value::Null)
}

async fn rolled_out(berth: &Installation, load: &Load, text: &str) -> Result<(), DemoError> {
    answers(load, text).await?;
    settled(berth).await
}

/// The deployment that counts is complete, and as many tasks run as should.
async fn settled(berth: &Installation) -> Result<(), DemoError> {
    until("the deployment completes", || async {
        let service = berth.service(SERVICE).await?;
        // It answers; that it is watched for a minute need not be waited for.
        Ok(primary(&service)["stage"]["kind"] == "REPLACED"
            && service["runningCount"] == REPLICAS
            && service["pendingCount"] == 0)
    })
    .await
}

async fn rolled_back(berth: &Installation) -> Result<(), DemoError> {
    until("the broken version is rolled back", || async {
        let service = berth.service(SERVICE).await?;
        let primary = primary(&service);
        Ok(primary["rolloutState"] == "COMPLETED" && primary["rollbackOf"].is_string())
    })
    .await?;
    settled(berth).await
}

async fn kill_a_container(docker: &Docker, berth: &Installation) -> Result<String, DemoError> {
    let installation = berth.installation().await?;
    let label = format!("label=berth.installation={installation}");
    let list = docker.run(&["ps", "--quiet", "--no-trunc", "--filter", &label]).await?;
    let id = list.lines().next().ok_or_else(|| step_error("no container of the demo runs"))?;
    docker.run(&["kill", id]).await?;
    Ok(id.to_owned())
}

async fn replaced(berth: &Installation, killed: &str) -> Result<(), DemoError> {
    until("the killed container is replaced", || async {
        let tasks = berth.running_containers(SERVICE).await?;
        Ok(tasks.len() == REPLICAS && !tasks.iter().any(|id| id == killed))
    })
    .await
}
