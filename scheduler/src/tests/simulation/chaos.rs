//! What people, hosts and networks do to an installation, in the middle of everything.

use std::time::Duration;

use model::{
    InstanceChange, InstanceId, InstanceStatus, Observed, ServiceId, StopCause, Stopped, Task,
    TaskChange,
};

use super::actors::{Agent, TYPO};
use super::chance::Random;
use super::installation::{Disturbed, Simulation};

/// Instances at most; more join while there are fewer.
const MOST_INSTANCES: usize = 6;

fn pick(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.below(u64::try_from(count.max(1)).unwrap())).unwrap()
}

impl Simulation {
    /// What happens to hosts, routers, the network and the server.
    pub(super) fn chaos(&mut self) {
        let now = self.world.now;
        let event = match self.random.below(16) {
            0 | 1 => {
                let back_at = now.plus(self.random.millis(1_000, 150_000));
                let dies = self.random.chance(50);
                let index = pick(&mut self.random, self.agents.len());
                let (id, agent) = self.agents.iter_mut().nth(index).unwrap();
                agent.vanish(back_at, dies);
                format!("instance {id} vanishes until {back_at}, dies: {dies}")
            }
            2 if !self.routers.is_empty() => {
                let back_at = now.plus(self.random.millis(100, 60_000));
                let index = pick(&mut self.random, self.routers.len());
                let router = self.routers.values_mut().nth(index).unwrap();
                let restarts = self.random.chance(50);
                router.vanish(back_at, restarts);
                format!("router {index} vanishes until {back_at}, restarts: {restarts}")
            }
            3 => {
                self.server_back_at = now.plus(self.random.millis(100, 90_000));
                self.restart_server();
                format!("the server is away until {}", self.server_back_at)
            }
            4 | 5 => {
                let index = pick(&mut self.random, self.agents.len());
                let agent = self.agents.values_mut().nth(index).unwrap();
                let hangs = self.random.chance(50);
                agent.hurt_one(hangs, &mut self.random);
                format!("a container of instance {index} dies or hangs ({hangs})")
            }
            6 => self.lose_most(),
            7 => self.jump(),
            8 => self.instance_joins(),
            _ => self.people(&mut Disturbed::default()),
        };
        self.log.push(format!("{now} -- {event}"));
    }

    /// The server begins anew: what it had observed is gone, what it had committed is not.
    pub(super) fn restart_server(&mut self) {
        self.world.observed = Observed::new(self.server_back_at);
        self.check_rows();
    }

    /// What people ask for, through the API: also while a plan is being committed.
    pub(super) fn people(&mut self, disturbed: &mut Disturbed) -> String {
        disturbed.anything = true;
        let (service, name) = self.services[pick(&mut self.random, self.services.len())];
        match self.random.below(7) {
            0 | 1 => {
                disturbed.services.insert(service);
                self.pushed += 1;
                self.world.push(name, self.pushed);
                format!("push {} to {name}", self.pushed)
            }
            2 => {
                disturbed.services.insert(service);
                let desired = u32::try_from(self.random.below(6)).unwrap();
                self.world.scale(service, desired);
                format!("scale {name} to {desired}")
            }
            3 => {
                disturbed.services.insert(service);
                let asked = self.ask_for_other_settings(service);
                format!("{name}: {asked}")
            }
            4 => {
                disturbed.services.insert(service);
                let tasks: Vec<_> =
                    self.world.state.tasks_of(service).map(|task| task.id).collect();
                let Some(task) = tasks.get(pick(&mut self.random, tasks.len())).copied() else {
                    return "nothing is there to stop".to_owned();
                };
                let stopped = Stopped::new(StopCause::UserRequest, "somebody said so");
                self.world.try_apply(TaskChange::Stop { task, stopped }).ok();
                format!("task {task} is stopped")
            }
            5 => self.instance_goes(disturbed),
            _ => {
                let index = pick(&mut self.random, self.agents.len());
                let instance = *self.agents.keys().nth(index).unwrap();
                self.disturb_instance(instance, disturbed);
                let status = if self.random.chance(50) {
                    InstanceStatus::Draining
                } else {
                    InstanceStatus::Active
                };
                self.world.apply(InstanceChange::SetStatus { instance, status });
                format!("instance {index} is {status:?}")
            }
        }
    }

    fn disturb_instance(&self, instance: InstanceId, disturbed: &mut Disturbed) {
        disturbed.instances.insert(instance);
        let tasks = self.world.state.tasks_on(instance);
        disturbed.services.extend(tasks.filter_map(|task| task.service));
    }

    /// Somebody asks for another host or another health check, which may be wrong.
    fn ask_for_other_settings(&mut self, service: ServiceId) -> String {
        let known = self.world.state.service(service).unwrap();
        let revision = self.world.state.requested_revision(known).unwrap();
        let number = known.last_revision + 1;
        if revision.load_balancers.is_empty() {
            return "nothing is asked for".to_owned();
        }
        let path = if self.random.chance(50) { TYPO } else { "/" };
        let route = self.world.route(&format!("host-{number}.{service}"));
        self.world.change(service, |revision| {
            let balancer = &mut revision.load_balancers[0];
            balancer.health_check.path = path.to_owned();
            balancer.routes = vec![route];
        });
        format!("revision {number} with another host and check {path}")
    }

    /// More than half of the hosts are gone at once, as when a rack or a network is.
    fn lose_most(&mut self) -> String {
        let now = self.world.now;
        let back_at = now.plus(self.random.millis(20_000, 400_000));
        let dies = self.random.chance(30);
        let spared = usize::from(self.random.chance(50));
        let count = self.agents.len().saturating_sub(spared);
        self.agents.values_mut().take(count).for_each(|agent| agent.vanish(back_at, dies));
        format!("{count} instances vanish until {back_at}, die: {dies}")
    }

    /// The server does not run for a while, as when its host was suspended: it then takes every lease as full, and plans
    /// before it has heard of anybody.
    fn jump(&mut self) -> String {
        let hours = Duration::from_secs(60 * (1 + self.random.below(200)));
        self.world.now = self.world.now.plus(hours);
        self.world.observed.since = self.world.now;
        self.plan_and_commit();
        format!("the clock jumps by {} minutes", hours.as_secs() / 60)
    }

    fn instance_joins(&mut self) -> String {
        if self.agents.len() >= MOST_INSTANCES {
            return "nobody joins".to_owned();
        }
        let id = self.world.instance(1000);
        self.agents.insert(id, Agent::default());
        format!("instance {id} joins")
    }

    /// People remove an instance that is away; the API refuses it for any other.
    fn instance_goes(&mut self, disturbed: &mut Disturbed) -> String {
        let gone = |id: &&InstanceId| !self.world.observed.connected(**id);
        let Some(id) = self.agents.keys().find(gone).copied().filter(|_| self.agents.len() > 1)
        else {
            return "nobody is away".to_owned();
        };
        self.disturb_instance(id, disturbed);
        self.remove_instance(id);
        format!("instance {id} is removed")
    }

    pub(super) fn remove_instance(&mut self, id: InstanceId) {
        let left: Vec<_> = self.world.state.tasks_on(id).map(|task| task.id).collect();
        for task in left {
            self.world.apply(TaskChange::Lose(task));
        }
        self.world.apply(InstanceChange::Remove(id));
        self.agents.remove(&id);
    }

    /// Whether somebody else has changed what is about this task's service since the plan was made.
    pub(super) fn is_disturbed(&self, task: &Task) -> bool {
        task.service.is_some_and(|service| self.disturbed.services.contains(&service))
    }
}
