//! `berth router ls` and `rm`; `berth router` without them runs the role.

use api::client::{Client, all};
use api::{PageQuery, Router};
use clap::Subcommand;
use model::IdPrefix;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::sentence;
use crate::text::{or_dash, text, word};

/// What can be asked of routers.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List routers.
    Ls,
    /// Remove a router that will not come back; addresses no longer wait for it.
    Rm {
        /// Its id, or the first digits of it.
        router: IdPrefix,
    },
}

/// Columns of the list.
pub(crate) const HEADER: [&str; 5] = ["ROUTER", "NAME", "LEASE", "APPLIED", "VERSION"];

/// A row of the list.
pub(crate) fn row(router: &Router) -> Vec<String> {
    vec![
        router.router_id.to_string(),
        text(&router.name),
        word(&router.lease),
        or_dash(router.applied_revision),
        text(&router.version),
    ]
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let routers = list(client).await?;
            output::list(format, routers, &HEADER, row);
        }
        Command::Rm { router } => {
            client.remove_router(&router).await?;
            output::note(&sentence::router_removed(&router));
        }
    }
    Ok(Exit::Success)
}

/// All routers.
pub(crate) async fn list(client: &Client) -> Result<Vec<Router>, api::client::CallError> {
    all(PageQuery::default(), async |page| client.list_routers(page).await).await
}
