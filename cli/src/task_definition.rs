//! `berth task-definition`.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use api::client::{Client, all};
use api::{
    ListTaskDefinitionsQuery, RegisterTaskDefinitionQuery, TaskDefinition, TaskDefinitionReference,
};
use clap::Subcommand;
use model::Family;
use serde_json::value::RawValue;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Format};
use crate::sentence;
use crate::text::{list, time};

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
        family: Option<Family>,
    },
    /// Show a task definition as JSON.
    Show {
        /// `family:revision`, or `family` for the newest.
        task_definition: TaskDefinitionReference,
    },
}

const HEADER: [&str; 3] = ["TASK DEFINITION", "IMAGES", "REGISTERED"];

fn row(known: &TaskDefinition) -> Vec<String> {
    let containers = known.definition.container_definitions.iter();
    vec![
        known.task_definition.to_string(),
        list(containers.map(|container| &container.image)),
        time(known.definition.registered_at),
    ]
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Register { file, leave_out } => {
            let document = read(&file)?;
            let query = RegisterTaskDefinitionQuery { leave_out };
            let made = client.register_task_definition(&document, &query, None).await?;
            for field in &made.left_out {
                output::note(&sentence::left_out(field));
            }
            output::data(format, &made, &HEADER, vec![row(&made)]);
            let needed: Vec<_> = made.left_out.iter().filter(|one| one.needed_to_start).collect();
            if !needed.is_empty() {
                return Err(Failure::Other(Exit::Failure, sentence::needed_to_start(&needed)));
            }
        }
        Command::Ls { family } => {
            let query = ListTaskDefinitionsQuery { family, ..Default::default() };
            let known = all(query, async |query| client.list_task_definitions(query).await).await?;
            output::list(format, known, &HEADER, row);
        }
        Command::Show { task_definition } => {
            output::json(&client.get_task_definition(&task_definition).await?);
        }
    }
    Ok(Exit::Success)
}

/// A document of ECS's as it stands in the file.
fn read(file: &Path) -> Result<Box<RawValue>, Failure> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|all| text = all)
    };
    read.map_err(|error| {
        let sentence = if error.kind() == ErrorKind::InvalidData {
            sentence::not_utf8(file)
        } else {
            sentence::unreadable(file, &error)
        };
        Failure::Other(Exit::Usage, sentence)
    })?;
    // Editors of Windows put a byte order mark first (RFC 8259 section 8.1 lets a reader skip it).
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    RawValue::from_string(text)
        .map_err(|error| Failure::Other(Exit::Usage, sentence::no_json(file, &error)))
}
