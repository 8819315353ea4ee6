//! Lets the local agent and router join by themselves: makes a token over the admin API, as a person would.

use serde_json::{Value, json};

use crate::failure::Failure;
use crate::layout::Part;
use crate::local_api;

use super::Plan;

/// Longer than it takes until a missing Docker is installed, shorter than for ever.
const EXPIRES_IN_SECONDS: u64 = 24 * 60 * 60;

/// Whether the role has joined before.
pub(crate) fn has_joined(plan: &Plan, part: Part) -> bool {
    link::client::has_joined(&plan.layout.dir(part))
}

/// A token for one use.
pub(crate) async fn token(plan: &Plan, part: Part) -> Result<String, Failure> {
    let body = json!({ "role": part.name(), "uses": 1, "expiresInSeconds": EXPIRES_IN_SECONDS });
    let answer: Value = local_api::client(&plan.config, &plan.layout)?
        .post("/api/v1/join-tokens", &body)
        .await
        .map_err(Failure::part(&format!("there is no join token for the {part}")))?;
    let token = answer["token"].as_str().map(ToOwned::to_owned);
    token.ok_or_else(|| Failure::Said("the admin API answered without a join token".to_owned()))
}
