//! What must never break, checked against what the actors really do, not against what the scheduler believes.

use std::time::Duration;

use model::observed::TargetHealth;
use model::{
    Change, DeploymentChange, DeploymentId, Lease, NewTask, Resources, RolledOut, RolloutState,
    Service, ServiceStatus, State, StopCode, Task, TaskChange, TaskId, TaskStatus,
};

use super::broken::{Invariant, must};
use super::installation::Simulation;

impl Simulation {
    /// What is rolled out can be reached once a task of it serves, and there is always something in force.
    pub(super) fn check_rules(&self) {
        for (id, name) in &self.services {
            let Some(service) = self.world.state.service(*id) else { continue };
            let in_force: Vec<_> = self.world.state.in_force(service).map(|one| one.id).collect();
            must(!in_force.is_empty(), Invariant::Reached, || {
                format!("nothing of `{name}` is in force")
            });
            let deployment = self.world.state.current_deployment(service).unwrap();
            let is_own = |task: &&Task| self.world.state.owns(deployment, task);
            let tasks = self.world.state.tasks_of(*id).filter(|task| self.is_healthy(task));
            for task in tasks.filter(is_own) {
                let revision = self.world.state.revision_of(task).unwrap();
                must(in_force.contains(&revision.id), Invariant::Reached, || {
                    format!("{} of `{name}` is not reached", task.id)
                });
            }
        }
    }

    pub(super) fn check_converged(&self) {
        for (id, name) in &self.services {
            let service = self.world.state.service(*id).unwrap();
            let deployment = self.world.state.deployment(service.deployment.unwrap()).unwrap();
            if service.placement_failure.is_some() {
                continue;
            }
            let healed = |holds: bool, what: &dyn Fn() -> String| {
                must(holds, Invariant::Healed, || format!("`{name}`: {}", what()));
            };
            if deployment.rollout_state == RolloutState::Failed {
                healed(service.completed.is_empty(), &|| "has somewhere to go back to".to_owned());
                continue;
            }
            let state = deployment.rollout_state;
            healed(state == RolloutState::Completed, &|| format!("the deployment is {state:?}"));
            let in_force: Vec<_> = deployment.in_force().collect();
            healed(in_force == [deployment.revision], &|| "more than what runs is in force".into());
            let tasks = self.world.state.tasks_of(*id).filter(|task| task.wanted());
            let tasks: Vec<_> = tasks.collect();
            let desired = usize::try_from(service.desired_count).unwrap();
            healed(tasks.len() == desired, &|| format!("{desired} tasks are not {tasks:#?}"));
            for task in tasks {
                let agent = task.instance().and_then(|id| self.agents.get(&id));
                let checked = !self.world.state.load_balancers_of(task).is_empty();
                let (runs, serves) = agent
                    .map_or((false, false), |agent| (agent.runs(task.id), agent.serves(task.id)));
                healed(runs, &|| format!("{} does not run", task.id));
                healed(!checked || serves, &|| format!("{} hangs", task.id));
            }
        }
    }

    /// A server that was killed finds the State that it had.
    pub(super) fn check_rows(&self) {
        let rows: Vec<_> =
            self.world.rows.iter().map(|(key, row)| (key.to_string(), row)).collect();
        let rows = rows.iter().map(|(key, row)| (key.as_str(), row.as_slice()));
        let state = State::from_rows(self.world.state.revision(), rows);
        must(state.as_ref().is_ok_and(|state| *state == self.world.state), Invariant::Rows, || {
            format!("the rows are another State: {:?}", state.err())
        });
    }

    /// As far as anybody can tell: it was healthy, and no connected router says that it is not.
    fn is_healthy(&self, task: &Task) -> bool {
        let routers = self.world.observed.routers.values().filter(|seen| seen.presence.connected);
        let complaint = routers.flat_map(|seen| &seen.targets).any(|((_, id), seen)| {
            *id == task.id
                && (seen.health == TargetHealth::Unhealthy
                    || (seen.health == TargetHealth::Initial && seen.reason.is_some()))
        });
        task.wanted()
            && task.last_status() == TaskStatus::Running
            && task.healthy_at().is_some()
            && !complaint
    }

    /// What a Change takes for granted.
    pub(super) fn check_before(&self, change: &Change) {
        if let Change::Task(TaskChange::Stop { task, stopped }) = change {
            self.check_minimum(*task, stopped.code);
        } else if let Change::Task(TaskChange::Fail { task, stopped: _ }) = change {
            self.check_minimum(*task, StopCode::ServiceSchedulerInitiated);
        } else if let Change::Task(TaskChange::Drained(task)) = change {
            self.check_drained(*task);
        } else if let Change::Task(TaskChange::Healthy(task)) = change {
            self.check_healthy(*task);
        } else if let Change::Deployment(
            DeploymentChange::Complete(id) | DeploymentChange::Bake { deployment: id, .. },
        ) = change
        {
            self.check_complete(*id);
        }
    }

    fn check_minimum(&self, id: TaskId, code: StopCode) {
        let Some(task) = self.world.state.task(id) else { return };
        let Some(service) = self.service_of(task) else { return };
        let vouched = self.world.observed.routers.values().any(|seen| {
            seen.presence.connected
                && seen
                    .targets
                    .iter()
                    .any(|((_, target), s)| *target == id && s.health == TargetHealth::Healthy)
        });
        if self.is_disturbed(task) {
            return;
        }
        let removed = service.status == ServiceStatus::Draining;
        if removed || !self.is_healthy(task) || (code == StopCode::InfrastructureHealth && !vouched)
        {
            return;
        }
        let tasks = self.world.state.tasks_of(service.id);
        let healthy = tasks.filter(|other| other.id != id && self.is_healthy(other)).count();
        let minimum = service.deployment_configuration.minimum(service.desired_count);
        must(healthy >= usize::try_from(minimum).unwrap(), Invariant::Minimum, || {
            let name = &service.name;
            format!("{id} of `{name}` is stopped and {healthy} healthy ones are left of {minimum}")
        });
    }

    fn check_healthy(&self, id: TaskId) {
        let Some(task) = self.world.state.task(id) else { return };
        if self.world.state.load_balancers_of(task).is_empty() {
            return;
        }
        let routers = self.world.observed.routers.values().filter(|seen| seen.presence.connected);
        let mut count = 0;
        for router in routers {
            let mut targets = router.targets.iter().filter(|((_, task), _)| *task == id);
            let healthy = targets.next().is_some_and(|(_, s)| s.health == TargetHealth::Healthy);
            must(healthy, Invariant::HealthyByAll, || {
                format!("a connected router does not find {id} healthy")
            });
            count += 1;
        }
        must(count > 0, Invariant::HealthyByAll, || {
            format!("nobody can tell that {id} is healthy")
        });
    }

    fn check_drained(&self, id: TaskId) {
        let Some(task) = self.world.state.task(id) else { return };
        let Some(stopping_at) = task.stopping_at() else { return };
        if self.world.state.load_balancers_of(task).is_empty() {
            return;
        }
        let over = self.world.now.since(stopping_at) >= Duration::from_secs(30);
        for (router, actor) in &self.routers {
            let seen = self.world.observed.routers.get(router);
            if seen.is_some_and(|seen| seen.presence.connected) {
                must(over || actor.has_let_go(id), Invariant::Drained, || {
                    format!("a router still picks {id}")
                });
            } else {
                let lease = self.world.observed.router_lease(
                    *router,
                    &self.world.settings.lease,
                    self.world.now,
                );
                must(over && lease >= Lease::Disconnected, Invariant::Drained, || {
                    format!("a router that is away picks {id}")
                });
            }
        }
    }

    fn check_complete(&self, id: DeploymentId) {
        let Some(deployment) = self.world.state.deployment(id) else { return };
        let Some(service) = self.world.state.service(deployment.service) else { return };
        if self.disturbed.services.contains(&service.id) {
            return;
        }
        let tasks: Vec<_> =
            self.world.state.tasks_of(service.id).filter(|task| task.wanted()).collect();
        let own = tasks.iter().filter(|task| self.world.state.owns(deployment, task));
        let proven = own.filter(|task| task.healthy_at().is_some()).count();
        let desired = usize::try_from(service.desired_count).unwrap();
        must(proven >= desired, Invariant::Complete, || {
            format!("`{}` has {proven} of {desired} healthy tasks and is complete", service.name)
        });
    }

    /// What came of a Change.
    pub(super) fn check_after(&mut self, change: &Change) {
        if let Change::Deployment(DeploymentChange::Start(deployment)) = change
            && let RolledOut::New(revision) = &deployment.revision
        {
            let digest = revision.images.values().next().unwrap().digest;
            let is_new = self.started.insert((deployment.service, digest));
            must(is_new, Invariant::TriedOnce, || format!("{digest} is tried a second time"));
        }
        if let Change::Task(TaskChange::Create(task)) = change {
            self.check_placed(task);
        }
    }

    fn check_placed(&self, task: &NewTask) {
        let (state, place) = (&self.world.state, task.placement.as_ref().unwrap());
        for router in self.routers.values() {
            must(!router.reaches(place.address, task.id), Invariant::Address, || {
                format!("a router still sends to {}, which {} gets", place.address, task.id)
            });
        }
        let others = state.tasks_on(place.instance).filter(|other| other.id != task.id);
        for other in others.filter_map(Task::placement) {
            must(other.address != place.address, Invariant::Address, || {
                format!("{} is given out twice", place.address)
            });
            let is_taken = |port: &model::PortBinding| {
                other.ports.iter().any(|taken| taken.host_port == port.host_port)
            };
            must(!place.ports.iter().any(is_taken), Invariant::Port, || {
                format!("a port of {} is given out twice", task.id)
            });
        }
        let instance = state.instance(place.instance).unwrap();
        let is_open = instance.status == model::InstanceStatus::Active && !instance.suspended;
        let is_open = is_open || self.disturbed.instances.contains(&instance.id);
        must(is_open, Invariant::Placement, || format!("`{}` takes no tasks", instance.name));
        let is_there = self.world.observed.connected(instance.id);
        must(is_there, Invariant::Placement, || format!("`{}` is not there", instance.name));
        for instance in state.instances() {
            let reserved = state.reserved_on(instance.id);
            let tasks = state.tasks_on(instance.id).filter(|task| task.reserves());
            let counted = tasks.fold(Resources::default(), |sum, task| sum.plus(&task.resources));
            must(reserved == counted, Invariant::Placement, || {
                format!("{reserved:?} is kept and {counted:?} is reserved")
            });
            must(instance.capacity.shortfalls(&reserved).is_empty(), Invariant::Placement, || {
                format!("{reserved:?} does not fit on `{}`", instance.name)
            });
        }
        let service = state.service(task.service.unwrap().0).unwrap();
        if self.disturbed.services.contains(&service.id) {
            return;
        }
        let wanted = state.tasks_of(service.id).filter(|task| task.wanted()).count();
        let maximum = service.deployment_configuration.maximum(service.desired_count);
        must(wanted <= usize::try_from(maximum).unwrap(), Invariant::Maximum, || {
            format!("`{}` has {wanted} tasks of {maximum}", service.name)
        });
    }

    fn service_of(&self, task: &Task) -> Option<&Service> {
        self.world.state.service(task.service?)
    }
}
