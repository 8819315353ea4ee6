//! `berth image`.

use api::client::{Client, all};
use api::{Limit, ListTagsQuery, PageQuery, Repository, Tag};
use clap::Subcommand;
use model::RepositoryName;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::text::{list, short_digest, size, time};

/// What can be asked of images.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List repositories.
    Ls,
    /// List the tags of a repository.
    Tags {
        /// The repository.
        repository: RepositoryName,
    },
}

fn row(repository: &Repository) -> Vec<String> {
    vec![
        repository.repository_name.to_string(),
        repository.tags_count.to_string(),
        time(repository.created_at),
    ]
}

fn tag_row(tag: &Tag) -> Vec<String> {
    vec![
        tag.tag.to_string(),
        short_digest(&tag.digest),
        size(tag.size_bytes),
        list(&tag.platforms),
        time(tag.pushed_at),
        tag.pushed_by.trim_start_matches("user/").to_owned(),
    ]
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let list = async |page: &PageQuery| client.list_repositories(page).await;
            let repositories = all(PageQuery::default(), list).await?;
            output::list(format, repositories, &["REPOSITORY", "TAGS", "CREATED"], row);
        }
        Command::Tags { repository } => {
            let query = ListTagsQuery { repository, limit: Limit::default(), next_token: None };
            let tags = all(query, async |query| client.list_tags(query).await).await?;
            let header = ["TAG", "DIGEST", "SIZE", "PLATFORMS", "PUSHED", "BY"];
            output::list(format, tags, &header, tag_row);
        }
    }
    Ok(Exit::Success)
}
