//! How a Change becomes State: checks first, then writes, so that a Change that is refused has changed nothing.

use std::sync::Arc;

use super::{Index, RowKey, State, Touched};
use crate::change::{Change, Refusal};
use crate::cluster::Instance;
use crate::history::{History, ServiceEvent};
use crate::service::{Deployment, Service};
use crate::task::Task;
use crate::time::Timestamp;

mod cluster;
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
            Change::CreateCluster(cluster) => self.create_cluster(cluster),
            Change::RegisterInstance(instance) => self.register_instance(instance),
            Change::ReportInstance(report) => self.report_instance(report),
            Change::AssignSubnet { instance, subnet } => self.assign_subnet(*instance, *subnet),
            Change::SetInstanceStatus { instance, status } => {
                self.set_instance_status(*instance, *status)
            }
            Change::RemoveInstance(id) => self.remove_instance(*id),
            Change::RegisterRouter(router) => {
                self.register_router(router);
                Ok(())
            }
            Change::RemoveRouter(id) => self.remove_router(*id),
            Change::CreateCredential(credential) => self.create_credential(credential),
            Change::RevokeCredential(id) => self.revoke_credential(*id),
            Change::CreateJoinToken(token) => self.create_join_token(token),
            Change::UseJoinToken(id) => self.use_join_token(*id),
            Change::RegisterTaskDefinition(definition) => self.register_definition(definition),
            Change::CreateService(service) => self.create_service(service),
            Change::UpdateService(update) => self.update_service(update),
            Change::DrainService(id) => self.drain_service(*id),
            Change::RemoveService(id) => self.remove_service(*id),
            Change::NoteTried { service, digests } => self.note_tried(*service, digests),
            Change::SetPlacementFailure { service, reason } => {
                self.set_placement_failure(*service, reason.as_deref())
            }
            Change::StartDeployment(deployment) => self.start_deployment(deployment),
            Change::CompleteDeployment(id) => self.complete_deployment(*id),
            Change::FailDeployment { deployment, reason } => {
                self.fail_deployment(*deployment, reason)
            }
            Change::CreateTask(task) => self.create_task(task),
            Change::PlaceTask { task, placement } => self.place_task(*task, placement),
            Change::StopTask { task, code, reason } => self.stop_task(*task, *code, reason),
            Change::FailTask { task, reason } => self.fail_task(*task, reason),
            Change::TaskDrained(id) => self.task_drained(*id),
            Change::ReportTask(report) => self.report_task(report),
            Change::TaskHealthy(id) => self.task_healthy(*id),
            Change::LoseTask(id) => self.lose_task(*id),
            Change::TaskReaped { instance, task } => self.task_reaped(*instance, *task),
            Change::ForgetTask(id) => self.forget_task(*id),
            Change::CreateListener(listener) => self.create_listener(listener),
            Change::PutTargetGroup(group) => self.put_target_group(group),
            Change::RemoveTargetGroup(id) => self.remove_target_group(*id),
            Change::CreateRule(rule) => self.create_rule(rule),
            Change::RemoveRule(id) => self.remove_rule(*id),
            Change::CreateRepository(repository) => {
                self.create_repository(repository);
                Ok(())
            }
            Change::PutTag(tag) => self.put_tag(tag),
            Change::RemoveTag { repository, tag } => self.remove_tag(repository, tag),
        }
    }

    fn touch(&mut self, key: RowKey) {
        self.touched.rows.insert(key);
    }

    fn event(&mut self, service: &Service, message: &str) {
        self.touched.history.push(History::Event(ServiceEvent {
            service: service.id,
            cluster: service.cluster.clone(),
            service_name: service.name.clone(),
            at: self.at,
            message: format!("(service {}) {message}", service.name),
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
