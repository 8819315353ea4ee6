//! Repositories and tags of the registry.

use access::{Resource, ResourceKind};
use api::{Done, ListTagsQuery, Page, PageQuery};

use crate::describe::image::{repository, tag};
use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View};

/// Repositories by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRepositories(pub PageQuery);

/// The tags of a repository in byte order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTags(pub ListTagsQuery);

/// How far a verification of all images is; whoever may ask is told by the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GetImageVerification;

/// Verifies all images; the registry begins once it is recorded who asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyImages;

impl Request for GetImageVerification {
    const OPERATION: Operation = Operation::GetImageVerification;
    type Answer = Done;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::installation())
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|_| Ok(Done {})))
    }
}

impl Request for VerifyImages {
    const OPERATION: Operation = Operation::VerifyImages;
    type Answer = Done;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::installation())
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::change(Vec::new(), |_| Ok(Done {})))
    }
}

impl Request for ListRepositories {
    const OPERATION: Operation = Operation::ListRepositories;
    type Answer = Page<api::Repository>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::Repository))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let seen = view.state.repositories().filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&model::Repository| one.name.clone();
            let describe = |one| repository(view.state, one);
            page(seen, key, self.0.limit, self.0.next_token.as_ref(), describe)
        }))
    }
}

impl Request for ListTags {
    const OPERATION: Operation = Operation::ListTags;
    type Answer = Page<api::Tag>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::repository(&self.0.repository))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let query = &self.0;
            if view.state.repository(&query.repository).is_none() {
                return Err(Refused::missing(ResourceKind::Repository, &query.repository));
            }
            let key = |one: &&model::Tag| one.name.clone();
            let tags = view.state.tags(&query.repository);
            page(tags, key, query.limit, query.next_token.as_ref(), tag)
        }))
    }
}
