//! How a Change becomes State: checks first, then writes, so that a Change that is refused has changed nothing.

use super::entities::Entity;
use super::{State, Touched};
use crate::change::Change;
use crate::cluster::Instance;
use crate::history::{EventKind, History, InstanceEvent, InstanceEventKind, ServiceEvent};
use crate::refusal::Refusal;
use crate::sentence;
use crate::service::Service;
use crate::time::Timestamp;

mod access;
mod cluster;
mod definition;
mod deployment;
mod repository;
mod routing;
mod service;
mod task;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_revisions;

impl State {
    /// Applies one Change, decided at `at`. Pure: the same State, Change and time give the same result. A Change that is
    /// refused has changed nothing; one that is known already touches nothing.
    pub fn apply(&mut self, change: &Change, at: Timestamp) -> Result<Touched, Refusal> {
        let mut write = Write { state: self, at, touched: Touched::default() };
        write.change(change)?;
        Ok(write.touched)
    }

    /// Applies all of them or none.
    pub fn apply_all(&mut self, changes: &[Change], at: Timestamp) -> Result<Touched, Refusal> {
        let mut next = self.clone();
        let mut touched = Touched::default();
        for change in changes {
            touched.extend(next.apply(change, at)?);
        }
        *self = next;
        Ok(touched)
    }
}

/// One Change on its way into State.
struct Write<'a> {
    state: &'a mut State,
    at: Timestamp,
    touched: Touched,
}

type Applied = Result<(), Refusal>;

impl Write<'_> {
    fn change(&mut self, change: &Change) -> Applied {
        match change {
            Change::Install(id) => self.install(*id),
            Change::Cluster(change) => self.cluster(change),
            Change::Instance(change) => self.instance(change),
            Change::Router(change) => self.router(change),
            Change::Access(change) => self.access(change),
            Change::TaskDefinition(change) => self.task_definition(change),
            Change::Service(change) => self.service(change),
            Change::Deployment(change) => self.deployment(change),
            Change::Task(change) => self.task(change),
            Change::Routing(change) => self.routing(change),
            Change::Repository(change) => self.repository(change),
        }
    }

    fn event(&mut self, service: &Service, event: EventKind) {
        self.touched.history.push(History::Event(ServiceEvent {
            service: service.id,
            cluster: service.cluster.clone(),
            service_name: service.name.clone(),
            at: self.at,
            message: sentence::service_event(&service.name, &event),
            event: Some(event),
        }));
    }

    fn instance_event(&mut self, instance: &Instance, event: InstanceEventKind) {
        self.touched.history.push(History::InstanceEvent(InstanceEvent {
            instance: instance.id,
            cluster: instance.cluster.clone(),
            name: instance.name.clone(),
            at: self.at,
            event,
        }));
    }

    /// What is as it was is no row to write: a task that gets the address that the last one had moves no cursor.
    fn put<E: Entity>(&mut self, entity: E) {
        let key = entity.key();
        if self.state.get::<E>(&key) != Some(&entity) {
            self.touched.rows.insert(E::row_key(key));
            self.state.put(entity);
        }
    }

    /// Whether it was there.
    fn remove<E: Entity>(&mut self, key: E::Key) -> bool {
        let known = self.state.remove::<E>(&key);
        if known {
            self.touched.rows.insert(E::row_key(key));
        }
        known
    }
}

#[expect(clippy::needless_pass_by_value, reason = "ids are small and names come by reference")]
fn not_found(kind: &'static str, name: impl ToString) -> Refusal {
    Refusal::NotFound { kind, name: name.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "ids are small and names come by reference")]
fn exists(kind: &'static str, name: impl ToString) -> Refusal {
    Refusal::Exists { kind, name: name.to_string() }
}
