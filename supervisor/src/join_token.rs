//! Lets the local agent and router join by themselves: makes a token over the admin API, as a person would.

use api::{CreateJoinTokenRequest, default_cluster};
use model::PeerRole;

use crate::error::{RoleError, Step};
use crate::local_api;
use crate::role_command::RoleCommand;
use crate::role_kind::RoleKind;

/// A day: longer than it takes until a missing Docker is installed.
const EXPIRES_IN_SECONDS: u32 = 24 * 60 * 60;

/// Whether a role needs a token: it dials the server and has not joined before.
pub(crate) fn is_needed(command: &RoleCommand, role: RoleKind) -> bool {
    peer_role(role).is_some() && !link::client::has_joined(&command.layout.dir(role))
}

/// A token for one use; None for a role that does not join.
pub(crate) async fn make(
    command: &RoleCommand,
    role: RoleKind,
) -> Result<Option<String>, RoleError> {
    let Some(peer_role) = peer_role(role) else { return Ok(None) };
    let request = CreateJoinTokenRequest {
        role: peer_role,
        cluster_name: default_cluster(),
        expires_in_seconds: EXPIRES_IN_SECONDS,
        uses: 1,
    };
    let client = local_api::client(&command.config, &command.layout)?;
    let made = client.create_join_token(&request, None).await;
    Ok(Some(made.map_err(RoleError::step(Step::MakeJoinToken(role)))?.token))
}

fn peer_role(role: RoleKind) -> Option<PeerRole> {
    match role {
        RoleKind::Agent => Some(PeerRole::Agent),
        RoleKind::Router => Some(PeerRole::Router),
        RoleKind::Server | RoleKind::Supervisor => None,
    }
}
