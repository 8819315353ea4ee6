//! Lets the local agent and router join by themselves: makes a token over the admin API, as a person would.

use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::connection;
use crate::failure::Failure;
use crate::layout::Part;

use super::Plan;

/// Longer than it takes until a missing Docker is installed, shorter than for ever.
const EXPIRES_IN_SECONDS: u64 = 24 * 60 * 60;

/// Whether the role has joined before.
pub(crate) fn has_joined(plan: &Plan, part: Part) -> bool {
    link::client::has_joined(&plan.layout.dir(part))
}

/// A token for one use.
pub(crate) async fn token(plan: &Plan, part: Part) -> Result<String, Failure> {
    let mut config = plan.config.clone();
    // The local server is meant, whatever commands are told to talk to.
    config.client = config::Client { url: None, token: None };
    let local = connection::find(&config)?;
    let body = json!({ "role": part.name(), "uses": 1, "expiresInSeconds": EXPIRES_IN_SECONDS });
    let answer: Value = Client::new(&local.url, &local.token)
        .post("/api/v1/join-tokens", &body)
        .await
        .map_err(Failure::part(&format!("there is no join token for the {part}")))?;
    let token = answer["token"].as_str().map(ToOwned::to_owned);
    token.ok_or_else(|| Failure::Said("the admin API answered without a join token".to_owned()))
}
