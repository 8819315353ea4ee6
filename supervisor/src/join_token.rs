//! Lets the local agent and router join by themselves: makes a token over the admin API, as a person would.

use serde::{Deserialize, Serialize};

use crate::error::{RoleError, Step};
use crate::local_api;
use crate::role_command::RoleCommand;
use crate::role_kind::RoleKind;

/// Longer than it takes until a missing Docker is installed, shorter than for ever.
const EXPIRES_IN_SECONDS: u64 = 24 * 60 * 60;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    role: &'static str,
    uses: u32,
    expires_in_seconds: u64,
}

#[derive(Debug, Deserialize)]
struct Response {
    token: String,
}

/// Whether the role has joined before.
pub(crate) fn has_joined(command: &RoleCommand, role: RoleKind) -> bool {
    link::client::has_joined(&command.layout.dir(role))
}

/// A token for one use.
pub(crate) async fn make(command: &RoleCommand, role: RoleKind) -> Result<String, RoleError> {
    let client = local_api::client(&command.config, &command.layout)?;
    let request = Request { role: role.name(), uses: 1, expires_in_seconds: EXPIRES_IN_SECONDS };
    let response: Result<Response, _> = client.post("/api/v1/join-tokens", &request).await;
    Ok(response.map_err(RoleError::step(Step::MakeJoinToken(role)))?.token)
}
