//! Routers.

use access::{Resource, ResourceKind};
use api::{Done, Page, PageQuery};
use model::{RouterChange, RouterId};

use crate::describe::instance::router;
use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View};

/// Routers by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRouters(pub PageQuery);

/// Removes a router that will not come back; addresses no longer wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoveRouter(pub RouterId);

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

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::router(self.0))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::change(vec![RouterChange::Remove(self.0).into()], |_| Ok(Done {})))
    }
}
