//! How everything is.

use access::Resource;
use api::Status;

use crate::describe::instance::{instance, router};
use crate::describe::service::service;
use crate::{Context, Decision, Operation, Refused, Request, View};

/// How everything is: instances, routers and services with their counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetStatus;

impl Request for GetStatus {
    const OPERATION: Operation = Operation::GetStatus;
    type Answer = Status;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::installation())
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| Ok(status(view))))
    }
}

fn status(view: &View<'_>) -> Status {
    let View { state, observed, setup, now, router_port: port, .. } = *view;
    let describe_instance = |one| instance(state, observed, &setup.lease, now, one);
    let describe_router = |one| router(observed, &setup.lease, now, one);
    Status {
        version: setup.version.clone(),
        installation: state.installation(),
        epoch: setup.epoch,
        revision: state.revision(),
        ready: view.is_ready,
        registry_address: setup.registry_address.clone(),
        router_url: (port != 0).then(|| format!("http://localhost:{port}")),
        link_address: setup.link_address.clone(),
        registry_disk: view.registry_disk,
        instances: state.instances().map(describe_instance).collect(),
        routers: state.routers().map(describe_router).collect(),
        services: state.services().filter_map(|one| service(view, one)).collect(),
    }
}
