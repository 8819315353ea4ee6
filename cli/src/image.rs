//! `berth image`.

use std::time::Duration;

use api::client::{Client, all};
use api::{DamagedBlob, Limit, ListTagsQuery, PageQuery, Repository, Tag};
use clap::Subcommand;
use model::RepositoryName;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::sentence;
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
    /// Read all images, slowly, and find what has changed on disk; ends with 1 where anything has.
    Verify {
        /// Do not wait for the end: what goes on, goes on without this command.
        #[arg(long)]
        detach: bool,
    },
}

/// How often it is asked how far a verification is.
const ASK: Duration = Duration::from_millis(500);

/// Begins a verification of all images, or joins the one that goes on, and waits for its end.
async fn verify(client: &Client, detach: bool, format: Format) -> Outcome {
    let mut last = client.verify_images().await?.verification;
    let mut progress = output::Progress::start();
    while let Some(now) = last.as_ref().filter(|now| !detach && now.ended_at.is_none()) {
        progress.say(&sentence::verifying(now));
        tokio::time::sleep(ASK).await;
        last = client.image_verification().await?.verification;
    }
    drop(progress);
    let Some(last) = last else { return Ok(Exit::Success) };
    let (ended, damaged) = (last.ended_at.is_some(), last.damaged_count > 0);
    match format {
        Format::Json => output::json(&last),
        Format::Table => {
            if damaged {
                let rows = last.damaged.iter().map(damaged_row).collect();
                output::line(&output::table(&["DAMAGED BLOB", "REPOSITORIES"], rows));
            }
            output::line(&sentence::verified(&last));
        }
    }
    Ok(if ended && damaged { Exit::Failure } else { Exit::Success })
}

fn damaged_row(blob: &DamagedBlob) -> Vec<String> {
    vec![blob.digest.to_string(), list(&blob.repositories)]
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
        Command::Verify { detach } => return verify(client, detach, format).await,
        Command::Tags { repository } => {
            let query = ListTagsQuery { repository, limit: Limit::default(), next_token: None };
            let tags = all(query, async |query| client.list_tags(query).await).await?;
            let header = ["TAG", "DIGEST", "SIZE", "PLATFORMS", "PUSHED", "BY"];
            output::list(format, tags, &header, tag_row);
        }
    }
    Ok(Exit::Success)
}
