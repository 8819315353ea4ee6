//! Routers.

use access::{Resource, ResourceKind};
use api::{Done, Page, PageQuery};
use model::{IdPrefix, RouterChange, RouterId, State};

use crate::describe::instance::router;
use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View, find};

/// Routers by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRouters(pub PageQuery);

/// Removes a router that will not come back; addresses no longer wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoveRouter(pub IdPrefix);

impl Request for ListRouters {
    const OPERATION: Operation = Operation::ListRouters;
    type Answer = Page<api::Router>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::Router))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let seen = view.state.routers().filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&model::Router| one.id;
            let describe = |one| router(view.observed, &view.setup.lease, view.now, one);
            page(seen, key, self.0.limit, self.0.next_token.as_ref(), describe)
        }))
    }
}

impl Request for RemoveRouter {
    const OPERATION: Operation = Operation::RemoveRouter;
    type Answer = Done;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        let known = named(view.state, &self.0);
        Ok(known
            .map_or_else(|_| Resource::unknown(ResourceKind::Router, &self.0), Resource::router))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let id = named(context.view.state, &self.0)?;
        Ok(Decision::change(vec![RouterChange::Remove(id).into()], |_| Ok(Done {})))
    }
}

fn named(state: &State, prefix: &IdPrefix) -> Result<RouterId, Refused> {
    find::only(ResourceKind::Router, prefix, state.routers().map(|router| router.id))
}
