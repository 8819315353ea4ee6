//! Tasks: made, placed, reported, stopped, forgotten. A status only moves forward.

use std::time::Duration;

use super::{Applied, Write, exists, not_found};
use crate::change::{TaskChange, TaskReport};
use crate::cluster::{Instance, InstanceStatus};
use crate::definition::TaskDefinition;
use crate::history::{EventKind, History, InstanceEventKind};
use crate::id::{InstanceId, TaskId};
use crate::refusal::{ActualStatus, InvalidChange, Refusal, User};
use crate::sentence;
use crate::service::{Deployment, DeploymentStage, RolloutState};
use crate::stop::{StopCause, StopCode, Stopped};
use crate::task::{Moment, NewTask, Placement, Task, TaskStatus};

/// How long a task of a completed deployment must have been healthy for its end not to be another one of a series.
const SETTLED_AFTER: Duration = Duration::from_mins(10);

impl Write<'_> {
    pub(super) fn task(&mut self, change: &TaskChange) -> Applied {
        match change {
            TaskChange::Create(task) => self.create_task(task),
            TaskChange::Place { task, placement } => self.place_task(*task, placement),
            TaskChange::Stop { task, stopped } => self.stop_task(*task, stopped),
            TaskChange::Fail { task, stopped } => self.fail_task(*task, stopped),
            TaskChange::Drained(id) => self.task_drained(*id),
            TaskChange::Report(report) => self.report_task(report),
            TaskChange::Healthy(id) => self.task_healthy(*id),
            TaskChange::Lose(id) => self.lose_task(*id),
            TaskChange::Reaped { instance, task } => self.task_reaped(*instance, *task),
            TaskChange::Forget(id) => self.forget_task(*id),
        }
    }

    fn create_task(&mut self, new: &NewTask) -> Applied {
        if self.state.task(new.id).is_some() {
            return Err(exists("task", new.id));
        }
        if self.state.cluster(&new.cluster).is_none() {
            return Err(not_found("cluster", &new.cluster));
        }
        if let Some((id, deployment)) = new.service {
            let service = self.state.service(id).ok_or_else(|| not_found("service", id))?;
            if service.deployment != Some(deployment) {
                return Err(Refusal::WrongStatus {
                    kind: "deployment",
                    name: deployment.to_string(),
                    status: ActualStatus::NotPrimary,
                });
            }
        }
        let key = &new.task_definition;
        let definition =
            self.state.task_definition(key).ok_or_else(|| not_found("task definition", key))?;
        check_containers(new, definition)?;
        let task = Task::from(new.clone());
        if let Some(placement) = &new.placement {
            let instance = self.check_place(&task, placement)?;
            self.take_place(instance, &task, placement);
        }
        self.put(task);
        Ok(())
    }

    fn place_task(&mut self, id: TaskId, placement: &Placement) -> Applied {
        let mut task = self.known_task(id)?;
        if task.last_status() != TaskStatus::Provisioning {
            return Err(Refusal::WrongStatus {
                kind: "task",
                name: id.to_string(),
                status: ActualStatus::Placed,
            });
        }
        let instance = self.check_place(&task, placement)?;
        self.take_place(instance, &task, placement);
        task.place(placement.clone());
        self.put(task);
        Ok(())
    }

    fn known_task(&self, id: TaskId) -> Result<Task, Refusal> {
        self.state.task(id).cloned().ok_or_else(|| not_found("task", id))
    }

    /// The place is there, wanted, and free in every respect: no reservation goes over capacity, and no address or host
    /// port is given out while any task that is not forgotten has it.
    fn check_place(&self, task: &Task, placement: &Placement) -> Result<Instance, Refusal> {
        let id = placement.instance;
        let instance = self.state.instance(id).ok_or_else(|| not_found("instance", id))?;
        if instance.cluster != task.cluster {
            return Err(Refusal::Invalid(InvalidChange::OtherCluster {
                instance: id,
                cluster: instance.cluster.clone(),
                wanted: task.cluster.clone(),
            }));
        }
        if instance.status != InstanceStatus::Active {
            return Err(Refusal::WrongStatus {
                kind: "instance",
                name: id.to_string(),
                status: ActualStatus::DrainingInstance,
            });
        }
        let address = placement.address;
        let inside = instance.subnet.is_some_and(|subnet| {
            subnet
                .task_offsets()
                .contains(&u32::from(address).wrapping_sub(subnet.address(0).into()))
        });
        if !inside {
            return Err(Refusal::Invalid(InvalidChange::Address { address, instance: id }));
        }
        if let Some(taken) = self.state.index.occupancy.get(&id) {
            let in_use = |kind, name: String, by: &TaskId| {
                Err(Refusal::InUse { kind, name, by: User::Task(*by) })
            };
            if let Some(other) = taken.addresses.get(&address) {
                return in_use("address", address.to_string(), other);
            }
            for binding in &placement.ports {
                let key = (binding.host_port, binding.protocol);
                if let Some(other) = taken.ports.get(&key) {
                    return in_use("host port", binding.host_port.to_string(), other);
                }
            }
        }
        let shortfalls = self.state.free_on(id).shortfalls(&task.resources);
        if !shortfalls.is_empty() {
            return Err(Refusal::NoRoom { instance: id, shortfalls });
        }
        Ok(instance.clone())
    }

    /// Moves the instance's cursors on, so that what was just given out is the last to be given out again.
    fn take_place(&mut self, mut instance: Instance, task: &Task, placement: &Placement) {
        if let Some(subnet) = instance.subnet {
            instance.last_address = u32::from(placement.address) - u32::from(subnet.address(0));
        }
        let chosen = |container: &crate::name::ContainerName, port| {
            self.state
                .task_definition(&task.task_definition)
                .and_then(|definition| definition.container(container))
                .is_some_and(|container| {
                    let mut mappings = container.port_mappings.iter();
                    mappings.any(|m| m.container_port == port && m.host_port == 0)
                })
        };
        let ports = placement.ports.iter().rev();
        let last = ports.into_iter().find(|b| chosen(&b.container, b.container_port));
        if let Some(binding) = last {
            instance.last_port = binding.host_port;
        }
        self.put(instance);
    }

    fn stop_task(&mut self, id: TaskId, stopped: &Stopped) -> Applied {
        let mut task = self.known_task(id)?;
        if !task.wanted() {
            return Ok(());
        }
        task.stop(stopped.clone(), self.now());
        self.put(task.clone());
        if stopped.cause == Some(StopCause::InstanceLost) {
            self.lost_event(&task, stopped);
        }
        Ok(())
    }

    /// A task was given up with its instance: that happened to both, and to nobody by their own fault.
    fn lost_event(&mut self, task: &Task, stopped: &Stopped) {
        let service = task.service.and_then(|id| self.state.service(id)).cloned();
        if let Some(instance) = task.instance().and_then(|id| self.state.instance(id)).cloned() {
            let service_name = service.as_ref().map(|service| service.name.clone());
            let event = InstanceEventKind::TaskLost { task: task.id, service_name };
            self.instance_event(&instance, event);
        }
        if let Some(service) = service {
            let (task, stopped) = (task.id, stopped.clone());
            self.event(&service, EventKind::TaskStopped { task, stopped, times: 1 });
        }
    }

    fn fail_task(&mut self, id: TaskId, stopped: &Stopped) -> Applied {
        let task = self.known_task(id)?;
        if task.wanted() {
            self.stop_task(id, stopped)?;
            self.count_failure(&task);
            self.stop_event(&task, stopped);
        }
        Ok(())
    }

    fn task_drained(&mut self, id: TaskId) -> Applied {
        let mut task = self.known_task(id)?;
        if task.last_status() == TaskStatus::Deactivating {
            task.drained(self.state.revision.next());
            self.put(task);
        }
        Ok(())
    }

    fn report_task(&mut self, report: &TaskReport) -> Applied {
        let Some(known) = self.state.task(report.task).cloned() else {
            return Ok(());
        };
        check_reporter(&known, report.instance)?;
        if known.last_status() == TaskStatus::Stopped {
            return Ok(());
        }
        let mut task = known.clone();
        task.see(&report.containers);
        match report.status {
            TaskStatus::Activating | TaskStatus::Running => task.advance(report.status, self.at),
            TaskStatus::Stopping | TaskStatus::Stopped => {
                let stopped = || report.stopped.clone().unwrap_or_else(unexplained);
                task.end(report.status, stopped, self.now());
            }
            TaskStatus::Provisioning | TaskStatus::Pending | TaskStatus::Deactivating => {
                return Err(Refusal::Invalid(InvalidChange::Report(report.status)));
            }
        }
        if task == known {
            return Ok(());
        }
        let ended_by_itself = known.wanted() && !task.wanted();
        self.put(task.clone());
        if ended_by_itself {
            let stopped = task.stopped().cloned().unwrap_or_else(unexplained);
            if stopped.code != StopCode::InfrastructureHealth {
                self.count_failure(&task);
            }
            self.stop_event(&task, &stopped);
        }
        Ok(())
    }

    fn now(&self) -> Moment {
        Moment { at: self.at, revision: self.state.revision.next() }
    }

    /// A task failed by itself: before it was ever healthy, or after. It makes the watch over its deployment longer.
    fn count_failure(&mut self, task: &Task) {
        let Some(known) = task.deployment.and_then(|id| self.state.deployment(id)) else { return };
        let mut deployment =
            Deployment { last_failure_at: Some(self.at), updated_at: self.at, ..known.clone() };
        let in_progress = known.rollout_state == RolloutState::InProgress;
        match task.healthy_at() {
            None => deployment.failed_tasks = known.failed_tasks.saturating_add(1),
            Some(healthy_at) if !in_progress && self.at.since(healthy_at) >= SETTLED_AFTER => {
                deployment.crashed_tasks = 1;
            }
            Some(_) => deployment.crashed_tasks = known.crashed_tasks.saturating_add(1),
        }
        if let (Some(until), Some(service)) =
            (known.bakes_until(), self.state.service(known.service))
        {
            let longer = self.at.plus(service.deployment_configuration.bake_time());
            deployment.stage = DeploymentStage::Replaced { bake_until: Some(until.max(longer)) };
        }
        self.put(deployment);
    }

    /// A task stopped that should have run. Of tasks that were healthy and end alike, again and again, only the second, the
    /// fourth, the eighth and so on are told, each with how many there are by now: a loop must not push everything else out
    /// of history.
    fn stop_event(&mut self, task: &Task, stopped: &Stopped) {
        let Some(service) = task.service.and_then(|id| self.state.service(id)).cloned() else {
            return;
        };
        let mut times = 1;
        let crashes = task.healthy_at().is_some() && stopped.code != StopCode::InfrastructureHealth;
        if let Some(known) = task.deployment.and_then(|id| self.state.deployment(id)).cloned()
            && crashes
        {
            let is_equal = known.last_crash.as_deref() == Some(stopped.reason.as_str());
            if is_equal && !known.crashed_tasks.is_power_of_two() {
                return;
            }
            times = if is_equal { known.crashed_tasks } else { 1 };
            self.put(Deployment { last_crash: Some(stopped.reason.clone()), ..known });
        }
        let (task, stopped) = (task.id, stopped.clone());
        self.event(&service, EventKind::TaskStopped { task, stopped, times });
    }

    fn task_healthy(&mut self, id: TaskId) -> Applied {
        let mut task = self.known_task(id)?;
        if task.healthy_at().is_some() || task.last_status() != TaskStatus::Running {
            return Ok(());
        }
        task.become_healthy(self.at);
        self.count_healthy(&task);
        self.put(task);
        Ok(())
    }

    /// The first healthy task of a deployment brings the rules of its revision into force. One that is healthy ends a row of
    /// failures; that others were healthy before they failed stays counted.
    fn count_healthy(&mut self, task: &Task) {
        let Some(known) = task.deployment.and_then(|id| self.state.deployment(id)) else { return };
        let last_failure_at = known.last_failure_at.filter(|_| known.crashed_tasks > 0);
        let deployment = Deployment { failed_tasks: 0, last_failure_at, ..known.clone() };
        if deployment != *known {
            self.put(Deployment { updated_at: self.at, ..deployment });
        }
        self.bring_into_force(task);
    }

    /// The deployment that counts may go back to what the task has run since before.
    fn bring_into_force(&mut self, task: &Task) {
        let service = task.service.and_then(|id| self.state.service(id));
        let Some(current) = service.and_then(|one| self.state.current_deployment(one)) else {
            return;
        };
        if current.stage == DeploymentStage::Starting && self.state.owns(current, task) {
            let stage = DeploymentStage::Serving;
            self.put(Deployment { stage, updated_at: self.at, ..current.clone() });
        }
    }

    fn lose_task(&mut self, id: TaskId) -> Applied {
        let mut task = self.known_task(id)?;
        if task.last_status() == TaskStatus::Stopped {
            return Ok(());
        }
        let Some(instance) = task.instance() else {
            return Err(Refusal::WrongStatus {
                kind: "task",
                name: id.to_string(),
                status: ActualStatus::Unplaced,
            });
        };
        let host = self.state.instance(instance);
        let host = host.map_or_else(|| instance.to_string(), |instance| instance.name.clone());
        let removed =
            || Stopped::new(StopCause::InstanceRemoved, sentence::instance_removed(&host));
        let was_wanted = task.wanted();
        task.end(TaskStatus::Stopped, removed, self.now());
        self.put(task.clone());
        if was_wanted {
            self.lost_event(&task, &removed());
        }
        Ok(())
    }

    fn task_reaped(&mut self, instance: InstanceId, id: TaskId) -> Applied {
        let Some(mut task) = self.state.task(id).cloned() else {
            return Ok(());
        };
        check_reporter(&task, instance)?;
        if task.last_status() == TaskStatus::Stopped && !task.reaped() {
            task.reap();
            self.put(task);
        }
        Ok(())
    }

    fn forget_task(&mut self, id: TaskId) -> Applied {
        let task = self.known_task(id)?;
        if task.last_status() != TaskStatus::Stopped {
            return Err(Refusal::WrongStatus {
                kind: "task",
                name: id.to_string(),
                status: ActualStatus::NotStopped(task.last_status()),
            });
        }
        self.remove::<Task>(id);
        if let Some(service) = task.service {
            self.prune(service);
        }
        let service_name =
            task.service.and_then(|id| self.state.service(id)).map(|service| service.name.clone());
        self.touched.history.push(History::Task { task: Box::new(task), service_name });
        Ok(())
    }
}

/// Why a task stopped whose agent did not say.
fn unexplained() -> Stopped {
    Stopped::new(StopCause::ContainerExited, sentence::containers_exited())
}

fn check_containers(task: &NewTask, definition: &TaskDefinition) -> Applied {
    let names = definition.container_definitions.iter().map(|container| &container.name);
    if task.images.iter().map(|(name, _)| name).eq(names) {
        return Ok(());
    }
    let task_definition = task.task_definition.clone();
    Err(Refusal::Invalid(InvalidChange::Containers { task: task.id, task_definition }))
}

fn check_reporter(task: &Task, instance: InstanceId) -> Applied {
    if task.instance() == Some(instance) {
        return Ok(());
    }
    Err(Refusal::Invalid(InvalidChange::OtherInstance { task: task.id, instance }))
}
