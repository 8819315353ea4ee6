//! `ETag` and `If-Match`: a change that is meant for one state of an entity is not made in another, as the writer sees it.

use api::{EntityTag, IfMatch};
use model::{Instance, Precondition, Service, State, Unmet};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Bytes of the hash that a tag shows: far more than the states that an entity is ever in.
const TAG_BYTES: usize = 16;

/// An answer about one entity, with the state that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged<T> {
    /// The state.
    pub tag: EntityTag,
    /// The answer.
    pub value: T,
}

/// The state of what people set of an instance.
pub(crate) fn of_instance(instance: &Instance) -> EntityTag {
    tag(&(instance.id, instance.status))
}

/// The state of what people set of a service, and which deployment counts; not of what is only counted or observed.
pub(crate) fn of_service(service: &Service) -> EntityTag {
    tag(&(
        (service.id, service.status, service.desired_count, service.deployment),
        (&service.deployment_configuration, service.health_check_grace_period_seconds),
        service.follow_tags,
    ))
}

fn tag(settings: &impl Serialize) -> EntityTag {
    let row = serde_json::to_vec(settings).expect("settings are plain data");
    let hash = Sha256::digest(row);
    EntityTag::new(&hex::encode(&hash[..TAG_BYTES]))
}

/// Holds where what `find` finds is in a state that is meant, or is not there: then it is refused for that.
pub(crate) fn unmodified(
    meant: Option<&IfMatch>,
    resource: String,
    find: impl Fn(&State) -> Option<EntityTag> + Send + Sync + 'static,
) -> Option<Precondition> {
    let meant = meant?.clone();
    Some(Precondition::new(move |state| match find(state) {
        Some(tag) if !meant.matches(&tag) => Err(Unmet::Modified { resource: resource.clone() }),
        Some(_) | None => Ok(()),
    }))
}
