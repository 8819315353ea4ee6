//! `berth service revisions`.

use api::client::{Client, all};
use api::{Limit, ListEventsQuery, RevisionAspect, RevisionImage, ServiceRevision};
use model::{DeploymentStage, RolloutState};

use super::arguments::Named;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::sentence;
use crate::text::{list as joined, short_digest, time, word};

const HEADER: [&str; 6] = ["REVISION", "AT", "BY", "IMAGE", "CHANGED", "OUTCOME"];

/// Lists the revisions of a service.
pub(super) async fn list(named: &Named, client: &Client, format: Format) -> Outcome {
    let query = ListEventsQuery {
        cluster: named.cluster.clone(),
        limit: Limit::default(),
        next_token: None,
    };
    let name = &named.name;
    let revisions =
        all(query, async |query| client.list_service_revisions(name, query).await).await?;
    output::list(format, revisions, &HEADER, row);
    Ok(Exit::Success)
}

fn row(revision: &ServiceRevision) -> Vec<String> {
    let image = |one: &RevisionImage| format!("{} ({})", one.image, short_digest(&one.digest));
    vec![
        revision.revision.to_string(),
        time(revision.created_at),
        revision.created_by.clone(),
        joined(revision.images.values().map(image)),
        joined(revision.changed.iter().map(|aspect: &RevisionAspect| word(aspect))),
        outcome(revision),
    ]
}

fn outcome(revision: &ServiceRevision) -> String {
    let Some(outcome) = &revision.outcome else {
        return if revision.proven { word(&RolloutState::Completed) } else { "-".to_owned() };
    };
    let state = word(&outcome.rollout_state);
    let mut text = match (outcome.rollout_state, outcome.stage) {
        (RolloutState::InProgress, DeploymentStage::Replaced { bake_until: Some(until) }) => {
            sentence::baking(&state, until)
        }
        (RolloutState::Failed | RolloutState::Stopped, _) => {
            format!("{state}: {}", outcome.reason)
        }
        (RolloutState::InProgress | RolloutState::Completed, _) => state,
    };
    if revision.in_force {
        text.push_str(sentence::in_force());
    }
    text
}
