//! A whole installation on virtual time, driven by a seed: agents that start, fail and hang tasks, routers that check and
//! drain with delay, pushes, kills, lost instances, server restarts. After each Change that the scheduler proposes, what
//! must never break is checked against what the actors really do, not against what the scheduler believes.
//!
//! A failing seed is printed; `BERTH_TEST_SEED` replays it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::observed::TargetHealth;
use model::{
    Change, DeploymentChange, Digest, InstanceChange, InstanceId, InstanceStatus, Lease, Observed,
    Resources, RolledOut, RolloutState, RouterId, ServiceChange, ServiceId, ServiceStatus,
    StopCode, Task, TaskChange, TaskId, TaskStatus, Timestamp,
};

use super::world::{World, digest};
use actors::{Agent, RouterActor, TYPO};
use chance::Random;
use image::{Image, image};

mod actors;
mod chance;
mod image;

struct Simulation {
    world: World,
    random: Random,
    agents: BTreeMap<InstanceId, Agent>,
    routers: BTreeMap<RouterId, RouterActor>,
    services: Vec<(ServiceId, &'static str)>,
    pushed: u8,
    /// What pushes rolled out.
    started: BTreeSet<(ServiceId, Digest)>,
    server_back_at: Timestamp,
    /// Whether things still happen.
    is_wild: bool,
    log: Vec<String>,
}

const NAMES: [&str; 3] = ["one", "two", "three"];

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut world = World::new();
        // Ten tasks fit by size and thirteen or five by address, so that addresses soon come round again.
        world.prefix = if random.chance(50) { 28 } else { 29 };
        world.settings.port_range = 20_000..=20_015;
        for _ in 0..=random.below(5) {
            world.instance(1000);
        }
        let routers = (0..random.below(3)).map(|_| (world.router(), RouterActor::default()));
        let routers: BTreeMap<_, _> = routers.collect();
        let mut services = Vec::new();
        for name in NAMES.iter().take(1 + usize::try_from(random.below(3)).unwrap()) {
            world.push(name, 1);
            let desired = u32::try_from(random.below(5)).unwrap();
            let service = if routers.is_empty() || random.chance(30) {
                world.service(name, desired)
            } else {
                world.web(name, desired)
            };
            let (low, high) = [(100, 200), (50, 100), (0, 100), (50, 150), (100, 150)]
                [usize::try_from(random.below(5)).unwrap()];
            world.bounds(service, low, high);
            services.push((service, *name));
        }
        Self {
            agents: world.state.instances().map(|i| (i.id, Agent::default())).collect(),
            server_back_at: world.now,
            world,
            random,
            routers,
            services,
            pushed: 1,
            started: BTreeSet::new(),
            is_wild: true,
            log: Vec::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..500 {
            let step = self.random.millis(20, 1500);
            self.tick(step);
            if self.random.chance(6) {
                self.chaos();
            }
        }
        let lost = self.calm();
        self.check_converged();
        self.remove_all(lost);
    }

    fn tick(&mut self, step: Duration) {
        self.world.now = self.world.now.plus(step);
        let now = self.world.now;
        if now < self.server_back_at {
            self.actors(false);
            return;
        }
        self.actors(true);
        for _ in 0..2 {
            let plan = self.world.plan();
            for batch in plan.batches.into_iter().map(|groups| groups.concat()) {
                for change in batch {
                    self.check_before(&change);
                    let text = self.world.describe(&change);
                    self.log.push(format!("{now} {text}"));
                    assert!(self.world.apply(change.clone()), "does nothing: {text}");
                    self.check_after(&change);
                }
                self.check_rules();
                // Between any two commits the server may be killed.
                if self.is_wild && self.random.chance(1) {
                    self.server_back_at = now.plus(self.random.millis(100, 5_000));
                    self.world.observed = Observed::new(self.server_back_at);
                    self.log.push(format!("{now} -- the server is killed in between"));
                    return;
                }
            }
        }
    }

    /// What is rolled out can be reached once a task of it serves, and there is always something in force.
    fn check_rules(&self) {
        for (id, name) in &self.services {
            let Some(service) = self.world.state.service(*id) else { continue };
            let in_force: Vec<_> = self.world.state.in_force(service).map(|one| one.id).collect();
            assert!(!in_force.is_empty(), "nothing of `{name}` is in force");
            let deployment = self.world.state.current_deployment(service).unwrap();
            let is_own = |task: &&Task| self.world.state.owns(deployment, task);
            let tasks = self.world.state.tasks_of(*id).filter(|task| self.is_healthy(task));
            for task in tasks.filter(is_own) {
                let revision = self.world.state.revision_of(task).unwrap();
                assert!(in_force.contains(&revision.id), "{} of `{name}` is not reached", task.id);
            }
        }
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

    fn actors(&mut self, server: bool) {
        for (id, agent) in &mut self.agents {
            agent.act(*id, &mut self.world, &mut self.random, server);
        }
        for (id, router) in &mut self.routers {
            router.act(*id, &mut self.world, &self.agents, &mut self.random, server);
        }
    }

    fn chaos(&mut self) {
        let now = self.world.now;
        let pick = |random: &mut Random, count: usize| {
            usize::try_from(random.below(u64::try_from(count.max(1)).unwrap())).unwrap()
        };
        let (service, name) = self.services[pick(&mut self.random, self.services.len())];
        let event = match self.random.below(12) {
            0 | 1 => {
                self.pushed += 1;
                self.world.push(name, self.pushed);
                format!("push {} to {name}", self.pushed)
            }
            2 => {
                let desired = u32::try_from(self.random.below(6)).unwrap();
                self.world.scale(service, desired);
                format!("scale {name} to {desired}")
            }
            3 | 4 => {
                let back_at = now.plus(self.random.millis(1_000, 150_000));
                let dies = self.random.chance(50);
                let index = pick(&mut self.random, self.agents.len());
                let (id, agent) = self.agents.iter_mut().nth(index).unwrap();
                agent.vanish(back_at, dies);
                format!("instance {id} vanishes until {back_at}, dies: {dies}")
            }
            9 | 10 => {
                let asked = self.ask_for_other_settings(service);
                format!("{name}: {asked}")
            }
            5 if !self.routers.is_empty() => {
                let back_at = now.plus(self.random.millis(100, 60_000));
                let index = pick(&mut self.random, self.routers.len());
                let router = self.routers.values_mut().nth(index).unwrap();
                let restarts = self.random.chance(50);
                router.vanish(back_at, restarts);
                format!("router {index} vanishes until {back_at}, restarts: {restarts}")
            }
            6 => {
                self.server_back_at = now.plus(self.random.millis(100, 90_000));
                self.world.observed = Observed::new(self.server_back_at);
                format!("the server is away until {}", self.server_back_at)
            }
            7 | 8 => {
                let index = pick(&mut self.random, self.agents.len());
                let agent = self.agents.values_mut().nth(index).unwrap();
                let hangs = self.random.chance(50);
                agent.hurt_one(hangs, &mut self.random);
                format!("a container of instance {index} dies or hangs ({hangs})")
            }
            _ => {
                let index = pick(&mut self.random, self.agents.len());
                let instance = *self.agents.keys().nth(index).unwrap();
                let status = if self.random.chance(50) {
                    InstanceStatus::Draining
                } else {
                    InstanceStatus::Active
                };
                self.world.apply(InstanceChange::SetStatus { instance, status });
                format!("instance {index} is {status:?}")
            }
        };
        self.log.push(format!("{now} -- {event}"));
    }

    /// Everything comes back, one instance perhaps never, and nothing more happens.
    fn calm(&mut self) -> Option<InstanceId> {
        self.log.push(format!("{} -- all is calm", self.world.now));
        self.is_wild = false;
        let now = self.world.now;
        if self.server_back_at > now {
            self.server_back_at = now;
            self.world.observed = Observed::new(now);
        }
        let ids: Vec<_> = self.agents.keys().copied().collect();
        for instance in ids {
            self.world
                .apply(InstanceChange::SetStatus { instance, status: InstanceStatus::Active });
        }
        self.agents.values_mut().for_each(|agent| agent.vanish(now, false));
        let mut lost = None;
        if self.agents.len() > 1 && self.random.chance(50) {
            let (id, agent) = self.agents.iter_mut().next().unwrap();
            agent.vanish(now.plus(Duration::from_hours(9)), true);
            lost = Some(*id);
        }
        self.routers.values_mut().for_each(|router| router.vanish(now, false));
        self.mend();
        self.settle();
        lost
    }

    fn settle(&mut self) {
        // Every pause and delay is shorter than this silence.
        let mut quiet = 0;
        for _ in 0..2000 {
            let step = self.random.millis(500, 1500);
            let before = self.log.len();
            self.tick(step);
            quiet = if self.log.len() == before { quiet + 1 } else { 0 };
            if quiet == 120 {
                return;
            }
        }
        panic!("it does not settle");
    }

    fn remove_all(&mut self, lost: Option<InstanceId>) {
        if let Some(id) = lost {
            let left: Vec<_> = self.world.state.tasks_on(id).map(|task| task.id).collect();
            for task in left {
                self.world.apply(TaskChange::Lose(task));
            }
            self.world.apply(InstanceChange::Remove(id));
            self.agents.remove(&id);
        }
        for (id, _) in self.services.clone() {
            self.world.apply(ServiceChange::Drain(id));
        }
        self.settle();
        assert_eq!(self.world.state.services().count(), 0);
        assert_eq!(self.world.state.tasks().count(), 0);
    }

    /// A first image that is broken has nothing to go back to. A good push ends that, and is as good as any for the others.
    fn mend(&mut self) {
        for (id, name) in self.services.clone() {
            let service = self.world.state.service(id).unwrap();
            let requested = self.world.state.requested_revision(service).unwrap();
            let broken = requested.images.values().any(|known| image(&known.digest) != Image::Good);
            let balancers = &requested.load_balancers;
            if balancers.iter().any(|balancer| balancer.health_check.path == TYPO) {
                self.world.change(id, |revision| {
                    revision.load_balancers[0].health_check.path = "/".to_owned();
                });
            }
            let is_unproven = self.world.state.service(id).unwrap().completed.is_empty();
            if broken || is_unproven || self.random.chance(30) {
                self.pushed += 1;
                while image(&digest(self.pushed)) != Image::Good {
                    self.pushed += 1;
                }
                self.world.push(name, self.pushed);
                self.log.push(format!("{} -- push {} to {name}", self.world.now, self.pushed));
            }
        }
    }

    fn check_converged(&self) {
        for (id, name) in &self.services {
            let service = self.world.state.service(*id).unwrap();
            let deployment = self.world.state.deployment(service.deployment.unwrap()).unwrap();
            if service.placement_failure.is_some() {
                continue;
            }
            if deployment.rollout_state == RolloutState::Failed {
                assert!(service.completed.is_empty(), "`{name}` has somewhere to go back to");
                continue;
            }
            assert_eq!(deployment.rollout_state, RolloutState::Completed, "`{name}`");
            let in_force: Vec<_> = deployment.in_force().collect();
            assert_eq!(in_force, [deployment.revision], "only what runs is in force");
            let tasks = self.world.state.tasks_of(*id).filter(|task| task.wanted());
            let tasks: Vec<_> = tasks.collect();
            let desired = usize::try_from(service.desired_count).unwrap();
            assert_eq!(tasks.len(), desired, "`{name}` has {tasks:#?}");
            for task in tasks {
                let agent = &self.agents[&task.instance().unwrap()];
                let checked = !self.world.state.load_balancers_of(task).is_empty();
                assert!(agent.runs(task.id), "{} of `{name}` does not run", task.id);
                assert!(!checked || agent.serves(task.id), "{} of `{name}` hangs", task.id);
            }
        }
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

    fn check_before(&mut self, change: &Change) {
        if let Change::Task(TaskChange::Stop { task, stopped }) = change {
            self.check_minimum(*task, stopped.code);
        } else if let Change::Task(TaskChange::Fail { task, stopped: _ }) = change {
            self.check_minimum(*task, StopCode::ServiceSchedulerInitiated);
        } else if let Change::Task(TaskChange::Drained(task)) = change {
            self.check_drained(*task);
        } else if let Change::Task(TaskChange::Healthy(task)) = change {
            self.check_healthy(*task);
        } else if let Change::Deployment(DeploymentChange::Start(deployment)) = change
            && let RolledOut::New(revision) = &deployment.revision
        {
            let digest = revision.images.values().next().unwrap().digest;
            assert!(
                self.started.insert((deployment.service, digest)),
                "{digest} is tried a second time"
            );
        }
    }

    fn check_minimum(&self, id: TaskId, code: StopCode) {
        let task = self.world.state.task(id).unwrap();
        let Some(service) = task.service.and_then(|id| self.world.state.service(id)) else {
            return;
        };
        let vouched = self.world.observed.routers.values().any(|seen| {
            seen.presence.connected
                && seen
                    .targets
                    .iter()
                    .any(|((_, target), s)| *target == id && s.health == TargetHealth::Healthy)
        });
        let removed = service.status == ServiceStatus::Draining;
        if removed || !self.is_healthy(task) || (code == StopCode::InfrastructureHealth && !vouched)
        {
            return;
        }
        let tasks = self.world.state.tasks_of(service.id);
        let healthy = tasks.filter(|other| other.id != id && self.is_healthy(other)).count();
        let minimum = service.deployment_configuration.minimum(service.desired_count);
        assert!(
            healthy >= usize::try_from(minimum).unwrap(),
            "{id} of `{}` is stopped and {healthy} healthy ones are left of {minimum}",
            service.name
        );
    }

    fn check_healthy(&self, id: TaskId) {
        let task = self.world.state.task(id).unwrap();
        if self.world.state.load_balancers_of(task).is_empty() {
            return;
        }
        let routers = self.world.observed.routers.values().filter(|seen| seen.presence.connected);
        let mut count = 0;
        for router in routers {
            let mut targets = router.targets.iter().filter(|((_, task), _)| *task == id);
            let healthy = targets.next().is_some_and(|(_, s)| s.health == TargetHealth::Healthy);
            assert!(healthy, "a connected router does not find {id} healthy");
            count += 1;
        }
        assert!(count > 0, "nobody can tell that {id} is healthy");
    }

    fn check_drained(&self, id: TaskId) {
        let task = self.world.state.task(id).unwrap();
        if self.world.state.load_balancers_of(task).is_empty() {
            return;
        }
        let over = self.world.now.since(task.stopping_at().unwrap()) >= Duration::from_secs(30);
        for (router, actor) in &self.routers {
            let seen = self.world.observed.routers.get(router);
            if seen.is_some_and(|seen| seen.presence.connected) {
                assert!(over || actor.has_let_go(id), "a router still picks {id}");
            } else {
                let lease = self.world.observed.router_lease(
                    *router,
                    &self.world.settings.lease,
                    self.world.now,
                );
                assert!(over && lease >= Lease::Disconnected, "a router that is away picks {id}");
            }
        }
    }

    fn check_after(&mut self, change: &Change) {
        let Change::Task(TaskChange::Create(task)) = change else { return };
        let place = task.placement.as_ref().unwrap();
        for router in self.routers.values() {
            assert!(
                !router.reaches(place.address, task.id),
                "a router still sends to {}, which {} gets",
                place.address,
                task.id
            );
        }
        for instance in self.world.state.instances() {
            let reserved = self.world.state.reserved_on(instance.id);
            let tasks = self.world.state.tasks_on(instance.id).filter(|task| task.reserves());
            let counted = tasks.fold(Resources::default(), |sum, task| sum.plus(&task.resources));
            assert_eq!(reserved, counted, "what is kept is what the tasks reserve");
            assert!(instance.capacity.shortfalls(&reserved).is_empty(), "{reserved:?}");
        }
        let service = self.world.state.service(task.service.unwrap().0).unwrap();
        let wanted = self.world.state.tasks_of(service.id).filter(|task| task.wanted()).count();
        let maximum = service.deployment_configuration.maximum(service.desired_count);
        assert!(
            wanted <= usize::try_from(maximum).unwrap(),
            "`{}` has {wanted} tasks of {maximum}",
            service.name
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "the size of a test run is not configuration")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_what_must_never_break_does_not() {
    let seeds = match variable("BERTH_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None if variable("BERTH_TEST_FULL").is_some() => 0..3000,
        None => 0..25,
    };
    for seed in seeds {
        let mut simulation = Simulation::new(seed);
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.run()));
        if run.is_err() {
            let log = simulation.log.split_off(simulation.log.len().saturating_sub(80));
            panic!("{}\nseed {seed} fails; BERTH_TEST_SEED={seed} replays it", log.join("\n"));
        }
    }
}
