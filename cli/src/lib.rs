//! The commands that talk to the admin API, and to nothing else: one file per noun.

use std::process::ExitCode;

use api::client::Client;
use clap::Subcommand;

pub use self::connection::{Connection, TokenOrigin};
use self::failure::Outcome;
use self::output::Format;

mod cluster;
mod connection;
mod deploy;
pub mod exit;
mod failure;
mod image;
mod instance;
pub mod output;
pub mod router;
mod rule;
mod sentence;
mod service;
mod status;
mod task;
mod task_definition;
mod text;
pub mod token;
mod wait;

/// What people can ask of a running Berth.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is parsed per process")]
pub enum Command {
    /// Deploy an image of the registry as a service, and wait until it answers.
    #[command(after_help = deploy::EXPLANATION)]
    Deploy(deploy::Deploy),
    /// Say how everything is.
    Status(status::Arguments),
    /// Services: N tasks of a task definition, kept running.
    #[command(subcommand, visible_alias = "services")]
    Service(service::Command),
    /// Tasks: running copies of a task definition.
    #[command(subcommand, visible_alias = "tasks")]
    Task(task::Command),
    /// Task definitions: which containers run together.
    #[command(subcommand)]
    TaskDefinition(task_definition::Command),
    /// Instances: hosts with an agent.
    #[command(subcommand, visible_alias = "instances")]
    Instance(instance::Command),
    /// Routers; on the command line it shares its name with the role.
    #[command(skip)]
    Router(router::Command),
    /// Images of the registry.
    #[command(subcommand, visible_alias = "images")]
    Image(image::Command),
    /// Rules: which requests go where.
    #[command(subcommand, visible_alias = "rules")]
    Rule(rule::Command),
    /// Clusters.
    #[command(subcommand, visible_alias = "clusters")]
    Cluster(cluster::Command),
    /// Tokens: what lets people and their programs in.
    #[command(subcommand, visible_alias = "tokens")]
    Token(token::Command),
}

/// Runs one command against the API.
pub async fn run(command: Command, connection: &Connection, format: Format) -> ExitCode {
    match answer(command, connection, format).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            let (exit, sentence) = (failure.exit(), failure.sentence(connection));
            output::failure(format, failure.code(), &sentence, exit);
            exit.into()
        }
    }
}

async fn answer(command: Command, connection: &Connection, format: Format) -> Outcome {
    let client = Client::new(&connection.url, &connection.token)?;
    match command {
        Command::Deploy(deploy) => deploy::run(deploy, &client, format).await,
        Command::Status(arguments) => status::run(arguments, &client, format).await,
        Command::Service(command) => service::run(command, &client, format).await,
        Command::Task(command) => task::run(command, &client, format).await,
        Command::TaskDefinition(command) => task_definition::run(command, &client, format).await,
        Command::Instance(command) => instance::run(command, &client, format).await,
        Command::Router(command) => router::run(command, &client, format).await,
        Command::Image(command) => image::run(command, &client, format).await,
        Command::Rule(command) => rule::run(command, &client, format).await,
        Command::Cluster(command) => cluster::run(command, &client, format).await,
        Command::Token(command) => token::run(command, &client, format).await,
    }
}
