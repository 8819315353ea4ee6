//! Clusters.

use access::{Resource, ResourceKind};
use api::{Page, PageQuery};

use crate::describe::instance::cluster;
use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View};

/// Clusters by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListClusters(pub PageQuery);

impl Request for ListClusters {
    const OPERATION: Operation = Operation::ListClusters;
    type Answer = Page<api::Cluster>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::Cluster))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let seen = view.state.clusters().filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&model::Cluster| one.name.clone();
            let describe = |one| cluster(view.state, one);
            page(seen, key, self.0.limit, self.0.next_token.as_ref(), describe)
        }))
    }
}
