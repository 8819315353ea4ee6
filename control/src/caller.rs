//! Who asks, and whether they may: asked once of what is published, and once more by the writer.

use std::net::IpAddr;

use access::{Action, Resource, authorize};
use model::{CredentialId, Principal, State, Timestamp, Unmet};

/// Somebody who is proven, and how their request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// What proved them, so that what they ask for ends with it. None for peers, whom their certificate proves.
    pub credential: Option<CredentialId>,
    /// The address that the request came from, where it is known.
    pub source: Option<IpAddr>,
    /// The id of the request, which its answer carries too.
    pub request_id: String,
}

/// An action on a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// What is to be done.
    pub action: Action,
    /// To what.
    pub resource: Resource,
}

/// The id of a new request, of random bytes.
pub fn request_id(random: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(random))
}

impl Caller {
    /// Whether they may do all of it in this State.
    pub fn check(
        &self,
        state: &State,
        permissions: &[Permission],
        now: Timestamp,
    ) -> Result<(), Unmet> {
        if let Some(id) = self.credential {
            let lives = |end: Option<Timestamp>| end.is_none_or(|end| now < end);
            let credential = state.credential(id);
            if !credential.is_some_and(|credential| lives(credential.expires_at)) {
                return Err(Unmet::CredentialEnded(self.principal.clone()));
            }
        }
        for Permission { action, resource } in permissions {
            authorize(state, &self.principal, *action, resource).map_err(|denied| {
                Unmet::Denied {
                    principal: denied.principal,
                    action: denied.action.as_str(),
                    resource: denied.resource,
                }
            })?;
        }
        Ok(())
    }
}
