//! How a Change becomes State: checks first, then writes, so that a Change that is refused has changed nothing.

use std::sync::Arc;

use super::{Index, RowKey, State, Touched};
use crate::change::{Change, Refusal};
use crate::cluster::Instance;
use crate::history::{EventKind, History, ServiceEvent};
use crate::sentence;
use crate::service::{Deployment, Service};
use crate::task::Task;
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

    fn touch(&mut self, key: RowKey) {
        self.touched.rows.insert(key);
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

    fn put_instance(&mut self, instance: Instance) {
        self.touch(RowKey::Instance(instance.id));
        self.state.instances.insert_mut(instance.id, Arc::new(instance));
    }

    fn put_service(&mut self, service: Service) {
        self.touch(RowKey::Service(service.id));
        self.state.index.add_service(&service);
        self.state.services.insert_mut(service.id, Arc::new(service));
    }

    fn put_deployment(&mut self, deployment: Deployment) {
        self.touch(RowKey::Deployment(deployment.id));
        self.state.deployments.insert_mut(deployment.id, Arc::new(deployment));
    }

    fn put_task(&mut self, task: Task) {
        self.touch(RowKey::Task(task.id));
        self.state.index.add_task(&task);
        self.state.tasks.insert_mut(task.id, Arc::new(task));
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

impl Index {
    pub(super) fn add_service(&mut self, service: &Service) {
        let key = (service.cluster.clone(), service.name.clone());
        self.service_names.insert_mut(key, service.id);
    }

    fn remove_service(&mut self, service: &Service) {
        self.service_names.remove_mut(&(service.cluster.clone(), service.name.clone()));
        self.service_tasks.remove_mut(&service.id);
    }

    pub(super) fn add_task(&mut self, task: &Task) {
        if let Some(service) = task.service {
            let tasks = self.service_tasks.get(&service).cloned().unwrap_or_default();
            self.service_tasks.insert_mut(service, tasks.insert(task.id));
        }
        if let Some(instance) = task.instance() {
            let tasks = self.instance_tasks.get(&instance).cloned().unwrap_or_default();
            self.instance_tasks.insert_mut(instance, tasks.insert(task.id));
        }
    }

    fn remove_task(&mut self, task: &Task) {
        if let Some(service) = task.service
            && let Some(tasks) = self.service_tasks.get(&service).map(|ids| ids.remove(&task.id))
        {
            self.service_tasks.insert_mut(service, tasks);
        }
        if let Some(instance) = task.instance()
            && let Some(tasks) = self.instance_tasks.get(&instance).map(|ids| ids.remove(&task.id))
        {
            self.instance_tasks.insert_mut(instance, tasks);
        }
    }
}
