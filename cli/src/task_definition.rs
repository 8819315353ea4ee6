//! `berth task-definition`.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::Value;

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{escape, field, items, query, text, time};
use super::{Failure, Outcome};

/// What can be asked of task definitions.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register a new revision from a file with an ECS task definition's JSON.
    Register {
        /// The file; `-` reads from standard input.
        file: PathBuf,
        /// Leave out what ECS has and Berth does not, and say what that was.
        #[arg(long)]
        leave_out: bool,
    },
    /// List task definitions.
    Ls {
        /// Only this family.
        #[arg(long)]
        family: Option<String>,
    },
    /// Show a task definition as JSON.
    Show {
        /// `family:revision`, or `family` for the newest.
        task_definition: String,
    },
}

fn row(definition: &Value) -> Vec<String> {
    let containers = items(&definition["containerDefinitions"]);
    let images: Vec<String> =
        containers.iter().map(|container| field(container, "image")).collect();
    vec![field(definition, "taskDefinition"), images.join(", "), time(definition, "registeredAt")]
}

const HEADER: [&str; 3] = ["TASK DEFINITION", "IMAGES", "REGISTERED"];

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Register { file, leave_out } => {
            let body = read(&file)?;
            let query = query(&[("leaveOut", leave_out.then(|| "true".to_owned()))]);
            let path = format!("/api/v1/task-definitions{query}");
            let answer: Value = client.post(&path, &body).await?;
            for field in items(&answer["leftOut"]) {
                output::note(&format!("left out: {}", text(field)));
            }
            output::data(format, &answer, &HEADER, vec![row(&answer)]);
        }
        Command::Ls { family } => {
            let query = query(&[("family", family)]);
            let answer: Value = client.list(&format!("/api/v1/task-definitions{query}")).await?;
            let rows = items(&answer["items"]).iter().map(row).collect();
            output::data(format, &answer, &HEADER, rows);
        }
        Command::Show { task_definition } => {
            let path = format!("/api/v1/task-definitions/{}", escape(&task_definition));
            output::json(&client.get::<Value>(&path).await?);
        }
    }
    Ok(Exit::Success)
}

fn read(file: &PathBuf) -> Result<Value, Failure> {
    let name = file.display();
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|all| text = all)
    };
    read.map_err(|error| Failure::new(Exit::Failure, format!("`{name}` cannot be read: {error}")))?;
    serde_json::from_str(&text)
        .map_err(|error| Failure::new(Exit::Failure, format!("`{name}` is not JSON: {error}")))
}
