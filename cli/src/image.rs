//! `berth image`.

use clap::Subcommand;
use serde_json::Value;

use super::Outcome;
use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{field, items, query, short_digest, size, time};

/// What can be asked of images.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List repositories.
    Ls,
    /// List the tags of a repository.
    Tags {
        /// The repository.
        repository: String,
    },
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let answer: Value = client.list("/api/v1/repositories").await?;
            let header = ["REPOSITORY", "TAGS", "CREATED"];
            let rows = items(&answer["items"]).iter().map(|repository| {
                let name = field(repository, "repositoryName");
                vec![name, field(repository, "tagsCount"), time(repository, "createdAt")]
            });
            output::data(format, &answer, &header, rows.collect());
        }
        Command::Tags { repository } => {
            let query = query(&[("repository", Some(repository))]);
            let answer: Value = client.list(&format!("/api/v1/tags{query}")).await?;
            let header = ["TAG", "DIGEST", "SIZE", "PLATFORMS", "PUSHED", "BY"];
            let rows = items(&answer["items"]).iter().map(|tag| {
                vec![
                    field(tag, "tag"),
                    short_digest(&field(tag, "digest")),
                    tag["sizeBytes"].as_u64().map_or_else(|| "-".to_owned(), size),
                    field(tag, "platforms"),
                    time(tag, "pushedAt"),
                    field(tag, "pushedBy").trim_start_matches("user/").to_owned(),
                ]
            });
            output::data(format, &answer, &header, rows.collect());
        }
    }
    Ok(Exit::Success)
}
