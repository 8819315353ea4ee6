//! `berth token ls` and `revoke`.

use api::client::{Client, all};
use api::{PageQuery, Token};
use clap::Subcommand;
use model::IdPrefix;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::sentence;
use crate::text::{or_dash, text, time, word};

/// What can be asked of tokens.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List tokens: who can get in, with which program, from where, and when each was used last.
    Ls,
    /// End a token at once: a machine that is lost or unknown cannot push or pull any more.
    Revoke {
        /// Its id, or the first digits of it.
        #[arg(value_name = "TOKEN")]
        id: IdPrefix,
    },
}

const HEADER: [&str; 7] = ["TOKEN", "KIND", "FOR", "CLIENT", "ADDRESS", "LAST USED", "EXPIRES"];

fn row(token: &Token) -> Vec<String> {
    vec![
        token.token_id.to_string(),
        word(&token.kind),
        text(&token.principal),
        or_dash(token.client.as_deref().map(text)),
        or_dash(token.address),
        or_dash(token.last_used_at.map(time)),
        or_dash(token.expires_at.map(time)),
    ]
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let list = async |page: &PageQuery| client.list_tokens(page).await;
            output::list(format, all(PageQuery::default(), list).await?, &HEADER, row);
        }
        Command::Revoke { id } => {
            client.revoke_token(&id).await?;
            output::note(&sentence::token_revoked(&id));
        }
    }
    Ok(Exit::Success)
}
