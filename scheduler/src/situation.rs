//! What a step of a plan sees: the facts, and State as it will be with everything that is proposed so far.

use std::cell::OnceCell;

use model::{Deployment, Service, ServiceId, ServiceStatus, State};

use crate::assessment::Assessment;
use crate::ids::Ids;
use crate::room::Room;

/// What a step decides on. It proposes; only the builder of the plan applies.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) facts: &'a Assessment<'a>,
    /// With everything proposed so far applied.
    pub(crate) state: &'a State,
    /// For what the step makes.
    pub(crate) ids: Ids,
    /// Reckoned when it is first asked for.
    pub(crate) room: &'a OnceCell<Room>,
}

impl<'a> Situation<'a> {
    /// What is free where, with everything proposed so far taken.
    pub(crate) fn room(&self) -> &'a Room {
        self.room.get_or_init(|| Room::of(self.state, self.facts))
    }

    /// A service that people want.
    pub(crate) fn active(&self, id: ServiceId) -> Option<&'a Service> {
        self.state.service(id).filter(|service| service.status == ServiceStatus::Active)
    }

    /// A service that people want, and its deployment that counts.
    pub(crate) fn rollout(&self, id: ServiceId) -> Option<(&'a Service, &'a Deployment)> {
        let service = self.active(id)?;
        Some((service, self.state.deployment(service.deployment?)?))
    }
}
