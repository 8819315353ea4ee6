//! Agents and routers as they really are, whatever the server knows of it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use model::change::TaskReport;
use model::observed::{TargetHealth, TargetSeen};
use model::{
    AgentView, AssignedTask, InstanceId, RouterId, StateRevision, StopCode, Stopped, TargetGroupId,
    TaskChange, TaskId, TaskStatus, Timestamp, Wanted,
};

use super::super::world::World;
use super::chance::Random;
use super::image::{Image, image};

/// The path of a health check that no application has.
pub(super) const TYPO: &str = "/typo";

/// Views and reports that are on their way at most.
const MOST_COMING: usize = 3;

/// One instance.
#[derive(Default)]
pub(super) struct Agent {
    away_until: Timestamp,
    containers: BTreeMap<TaskId, Container>,
    /// Views that are on their way, the oldest first.
    coming: VecDeque<(StateRevision, AgentView)>,
    /// The newest that has come: older ones that come later are dropped.
    has: StateRevision,
    /// What was reported before: it may come once more, and late.
    reported: BTreeMap<TaskId, TaskReport>,
}

struct Container {
    image: Image,
    status: TaskStatus,
    /// When it is as far as its status goes.
    due_at: Timestamp,
    reason: &'static str,
}

impl Agent {
    /// The link is gone; with `dies` the host goes too, and comes back empty.
    pub(super) fn vanish(&mut self, back_at: Timestamp, dies: bool) {
        self.away_until = back_at;
        if dies {
            for container in self.containers.values_mut() {
                container.end("the host was restarted");
            }
        }
    }

    /// One of its containers dies, or hangs.
    pub(super) fn hurt_one(&mut self, hangs: bool, random: &mut Random) {
        let running: Vec<_> =
            self.containers.values_mut().filter(|c| c.status == TaskStatus::Running).collect();
        let count = u64::try_from(running.len()).unwrap().max(1);
        let index = usize::try_from(random.below(count)).unwrap();
        if let Some(container) = running.into_iter().nth(index) {
            if hangs {
                container.image = Image::NeverHealthy;
            } else {
                container.end("exit code 137");
            }
        }
    }

    pub(super) fn runs(&self, task: TaskId) -> bool {
        self.containers.get(&task).is_some_and(|found| found.status == TaskStatus::Running)
    }

    pub(super) fn serves(&self, task: TaskId) -> bool {
        self.containers.get(&task).is_some_and(|container| {
            container.image == Image::Good && container.status == TaskStatus::Running
        })
    }

    pub(super) fn act(
        &mut self,
        id: InstanceId,
        world: &mut World,
        random: &mut Random,
        server: bool,
    ) {
        let now = world.now;
        for container in self.containers.values_mut() {
            container.move_on(now);
        }
        if now < self.away_until || !server {
            if world.observed.instances.contains_key(&id) {
                world.disconnect(id);
            }
            return;
        }
        world.observed.hear_instance(id, true, now);
        let Some(view) = world.state.agent_view(id) else { return };
        self.coming.push_back((world.state.revision(), view));
        if self.coming.len() > MOST_COMING {
            self.coming.pop_front();
        }
        // Most come in time; some late, twice, or after a newer one.
        let late = if random.chance(70) { 0 } else { random.below(3) };
        let index = self.coming.len().saturating_sub(1 + usize::try_from(late).unwrap());
        let (revision, view) = self.coming[index].clone();
        if revision < self.has {
            return;
        }
        self.has = revision;
        for assigned in view.tasks.into_values() {
            self.assigned(id, &assigned, world, random);
        }
    }

    fn assigned(
        &mut self,
        instance: InstanceId,
        assigned: &AssignedTask,
        world: &mut World,
        random: &mut Random,
    ) {
        let (now, task) = (world.now, assigned.id);
        match assigned.wanted {
            Wanted::Run => {
                self.containers.entry(task).or_insert_with(|| Container {
                    image: image(&assigned.containers[0].image.digest),
                    status: TaskStatus::Activating,
                    due_at: now.plus(random.millis(50, 4000)),
                    reason: "",
                });
            }
            Wanted::Stop => {
                let container = self.containers.entry(task).or_insert(Container {
                    image: Image::Good,
                    status: TaskStatus::Stopped,
                    due_at: now,
                    reason: "it never ran",
                });
                if container.status < TaskStatus::Stopping {
                    container.status = TaskStatus::Stopping;
                    container.due_at = now.plus(random.millis(0, 4000));
                }
            }
            Wanted::Reap => {
                self.containers.remove(&task);
                self.reported.remove(&task);
                // It is refused where the view was late and the task is gone.
                world.try_apply(TaskChange::Reaped { instance, task }).ok();
                return;
            }
        }
        let container = &self.containers[&task];
        let ended = container.status == TaskStatus::Stopped;
        let stopped = ended.then(|| Stopped {
            code: StopCode::EssentialContainerExited,
            reason: container.reason.to_owned(),
            cause: None,
        });
        let status = container.status;
        let containers = Vec::new();
        let report = TaskReport { instance, task, status, stopped, containers };
        world.try_apply(TaskChange::Report(report.clone())).ok();
        let before = self.reported.insert(task, report);
        if let Some(before) = before.filter(|_| random.chance(5)) {
            world.try_apply(TaskChange::Report(before)).ok();
        }
    }
}

impl Container {
    fn move_on(&mut self, now: Timestamp) {
        if now < self.due_at {
            return;
        }
        match self.status {
            TaskStatus::Activating if self.image == Image::Exits => self.end("exit code 1"),
            TaskStatus::Activating => self.status = TaskStatus::Running,
            TaskStatus::Stopping => self.end("told to"),
            TaskStatus::Provisioning
            | TaskStatus::Pending
            | TaskStatus::Running
            | TaskStatus::Deactivating
            | TaskStatus::Stopped => {}
        }
    }

    fn end(&mut self, reason: &'static str) {
        self.status = TaskStatus::Stopped;
        self.reason = reason;
    }
}

/// One router, with the table that it serves from.
#[derive(Default)]
pub(super) struct RouterActor {
    away_until: Timestamp,
    applied: Option<StateRevision>,
    next_table_at: Timestamp,
    targets: BTreeMap<(TargetGroupId, TaskId), Target>,
    /// Reports in a row that did not come yet: the next one says all.
    late: usize,
}

struct Target {
    address: IpAddr,
    instance: InstanceId,
    /// Whether the check of its revision asks for what the application has.
    is_asked_rightly: bool,
    seen: TargetSeen,
    failures: u32,
    check_at: Timestamp,
}

impl RouterActor {
    /// The link is gone; with `restarts` it forgets what it knew of health.
    pub(super) fn vanish(&mut self, back_at: Timestamp, restarts: bool) {
        self.away_until = back_at;
        if restarts {
            for target in self.targets.values_mut() {
                target.seen.health = TargetHealth::Initial;
                target.seen.reason = None;
                target.seen.in_flight = 0;
            }
        }
    }

    pub(super) fn has_let_go(&self, task: TaskId) -> bool {
        let mut targets = self.targets.iter().filter(|((_, id), _)| *id == task);
        targets.all(|(_, target)| target.seen.draining && target.seen.in_flight == 0)
    }

    pub(super) fn reaches(&self, address: Ipv4Addr, other_than: TaskId) -> bool {
        self.targets
            .iter()
            .any(|((_, task), target)| target.address == address && *task != other_than)
    }

    pub(super) fn act(
        &mut self,
        id: RouterId,
        world: &mut World,
        agents: &BTreeMap<InstanceId, Agent>,
        random: &mut Random,
        server: bool,
    ) {
        let now = world.now;
        for ((_, task), target) in &mut self.targets {
            target.check(*task, agents, random, now);
        }
        if now < self.away_until || !server {
            if let Some(seen) = world.observed.routers.get_mut(&id) {
                seen.presence.connected = false;
            }
            self.late = 0;
            return;
        }
        if now >= self.next_table_at {
            self.next_table_at = now.plus(random.millis(0, 3000));
            self.take_table(world);
        }
        let seen = world.observed.hear_router(id, true, now);
        if self.late < MOST_COMING && random.chance(20) {
            self.late += 1;
            return;
        }
        self.late = 0;
        let targets = self.targets.iter().map(|(key, target)| (*key, target.seen.clone()));
        (seen.applied, seen.targets) = (self.applied, targets.collect());
    }

    fn take_table(&mut self, world: &World) {
        let view = world.state.router_view();
        let mut known = std::mem::take(&mut self.targets);
        for (group, targets) in view.groups() {
            for target in targets {
                let key = (group.id, target.task);
                let task = world.state.task(target.task).unwrap();
                let mut kept = known.remove(&key).unwrap_or_else(|| Target {
                    address: target.direct.ip(),
                    instance: task.instance().unwrap(),
                    is_asked_rightly: world.state.load_balancers_of(task)[0].health_check.path
                        != TYPO,
                    seen: TargetSeen {
                        health: TargetHealth::Initial,
                        reason: None,
                        failure: None,
                        draining: false,
                        in_flight: 0,
                    },
                    failures: 0,
                    check_at: world.now,
                });
                kept.seen.draining = target.draining;
                self.targets.insert(key, kept);
            }
        }
        self.applied = Some(world.state.revision());
    }
}

impl Target {
    fn check(
        &mut self,
        task: TaskId,
        agents: &BTreeMap<InstanceId, Agent>,
        random: &mut Random,
        now: Timestamp,
    ) {
        self.seen.in_flight = match self.seen.draining {
            true => self.seen.in_flight.saturating_sub(1),
            false if self.seen.health == TargetHealth::Healthy => {
                u32::try_from(random.below(6)).unwrap()
            }
            false => 0,
        };
        if now < self.check_at {
            return;
        }
        self.check_at = now.plus(random.millis(500, 5000));
        let serves = agents.get(&self.instance).is_some_and(|agent| agent.serves(task));
        if serves && self.is_asked_rightly {
            self.failures = 0;
            self.seen.health = TargetHealth::Healthy;
            self.seen.reason = None;
            return;
        }
        self.failures += 1;
        self.seen.reason = Some("connection refused".to_owned());
        if self.failures >= 3 && self.seen.health == TargetHealth::Healthy {
            self.seen.health = TargetHealth::Unhealthy;
        } else if self.seen.health == TargetHealth::Healthy {
            self.seen.reason = None;
        }
    }
}
