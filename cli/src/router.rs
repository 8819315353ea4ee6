//! `berth router ls` and `rm`; `berth router` without them runs the role.

use clap::Subcommand;
use serde_json::Value;

use super::Outcome;
use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{escape, rows};

/// What can be asked of routers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List routers.
    Ls,
    /// Remove a router that will not come back; addresses no longer wait for it.
    Rm {
        /// Its id.
        router: String,
    },
}

/// Columns of the list.
pub(crate) const HEADER: [&str; 5] = ["ROUTER", "NAME", "LEASE", "APPLIED", "VERSION"];
/// Their fields.
pub(crate) const FIELDS: [&str; 5] = ["routerId", "name", "lease", "appliedRevision", "version"];

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let answer: Value = client.list("/api/v1/routers").await?;
            output::data(format, &answer, &HEADER, rows(&answer["items"], &FIELDS));
        }
        Command::Rm { router } => {
            client.delete::<Value>(&format!("/api/v1/routers/{}", escape(&router))).await?;
            output::note(&format!("router {router} is removed"));
        }
    }
    Ok(Exit::Success)
}
