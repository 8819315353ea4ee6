//! The tokens that let agents and routers join.

use std::time::Duration;

use access::{Action, Resource};
use api::CreateJoinTokenRequest;
use model::{AccessChange, JoinToken, JoinTokenId, PeerRole};

use crate::{Context, Decision, Operation, Permission, Refused, Request, View};

/// A join token lives for a week at most.
const LONGEST_LIFE: u32 = 7 * 24 * 3600;
/// How often a join token may be used at most.
const MOST_USES: u32 = 1000;

/// Makes a token that lets an agent or a router join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateJoinToken(pub CreateJoinTokenRequest);

impl Request for CreateJoinToken {
    const OPERATION: Operation = Operation::CreateJoinToken;
    type Answer = api::JoinToken;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::cluster(&self.0.cluster_name))
    }

    fn permissions(&self, view: &View<'_>) -> Result<Vec<Permission>, Refused> {
        let (action, resource) = (Self::OPERATION.action(), self.resource(view)?);
        let mut permissions = vec![Permission { action, resource }];
        // A router serves all clusters.
        if self.0.role == PeerRole::Router {
            let resource = Resource::installation();
            permissions.push(Permission { action: Action::RouterCreateJoinToken, resource });
        }
        Ok(permissions)
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let CreateJoinTokenRequest { role, cluster_name, expires_in_seconds, uses } = &self.0;
        let is_short = (1..=LONGEST_LIFE).contains(expires_in_seconds);
        if !is_short || !(1..=MOST_USES).contains(uses) {
            return Err(Refused::JoinTokenBounds { seconds: LONGEST_LIFE, uses: MOST_USES });
        }
        let (now, setup) = (context.view.now, context.view.setup);
        let secret = access::secret_of("berth_join", context.random());
        let token = JoinToken {
            id: JoinTokenId::new(now, context.random()),
            role: *role,
            cluster: cluster_name.clone(),
            hash: secret.hash,
            uses_left: *uses,
            created_at: now,
            expires_at: now.plus(Duration::from_secs((*expires_in_seconds).into())),
        };
        let text = format!("berth-join-v1.{}.{}.{}", setup.ca_fingerprint, token.id, secret.text);
        let server = &setup.link_address;
        let answer = api::JoinToken {
            role: *role,
            uses: *uses,
            expires_at: token.expires_at,
            link_address: server.clone(),
            command: format!("berth {role} --server {server} --join-token {text}"),
            token: text,
        };
        let change = AccessChange::CreateJoinToken(token).into();
        Ok(Decision::change(vec![change], |_| Ok(answer)))
    }
}
