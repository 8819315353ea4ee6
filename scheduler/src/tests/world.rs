//! A small world that tests move by hand: agents and routers say what a test lets them say.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use model::change::{ServiceUpdate, TaskReport};
use model::observed::{TargetHealth, TargetSeen};
use model::*;

use crate::{Plan, Settings, plan};

pub(super) struct World {
    pub(super) state: State,
    pub(super) observed: Observed,
    pub(super) now: Timestamp,
    pub(super) settings: Settings,
    /// Bits of each instance's subnet.
    pub(super) prefix: u8,
    /// How many instances have joined.
    joined: usize,
    /// What a store would hold.
    pub(super) rows: BTreeMap<RowKey, Vec<u8>>,
    random: u64,
    /// What ids and digests are called in a test.
    pub(super) names: BTreeMap<String, String>,
    /// Whether the definitions of services say nothing of CPU and memory.
    pub(super) says_no_resources: bool,
}

pub(super) fn digest(n: u8) -> Digest {
    Digest::Sha256([n; 32])
}

pub(super) fn definition(name: &str, revision: u32, ports: &serde_json::Value) -> TaskDefinition {
    serde_json::from_value(serde_json::json!({
        "family": name, "revision": revision, "registeredAt": "2026-11-23T00:00:00Z",
        "containerDefinitions": [{
            "name": "web", "image": format!("{name}:latest"), "cpu": 100, "memory": 100,
            "portMappings": ports
        }]
    }))
    .unwrap()
}

impl World {
    pub(super) fn new() -> Self {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let mut world = Self {
            state: State::default(),
            observed: Observed::new(now),
            now,
            settings: Settings::default(),
            says_no_resources: false,
            prefix: 24,
            joined: 0,
            rows: BTreeMap::new(),
            random: 0,
            names: BTreeMap::new(),
        };
        let cluster = Cluster {
            id: ClusterId::new(now, [1; 10]),
            name: "default".parse().unwrap(),
            created_at: now,
        };
        world.apply(Change::Install(InstallationId::new(now, [1; 10])));
        world.apply(ClusterChange::Create(cluster));
        world.apply(RoutingChange::CreateListener(Listener {
            id: ListenerId::new(now, [1; 10]),
            name: "http".to_owned(),
            created_at: now,
        }));
        world
    }

    /// Instances with this much memory, and as much CPU; connected.
    pub(super) fn with_instances(memory: &[u64]) -> Self {
        let mut world = Self::new();
        for memory in memory {
            world.instance(*memory);
        }
        world
    }

    pub(super) fn seed(&mut self) -> [u8; 10] {
        self.random += 1;
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&(self.random << 16).to_be_bytes());
        bytes
    }

    #[track_caller]
    pub(super) fn apply(&mut self, change: impl Into<Change>) -> bool {
        let change = change.into();
        self.try_apply(change.clone()).unwrap_or_else(|refusal| panic!("{refusal}: {change:?}"))
    }

    /// Whether it does anything.
    pub(super) fn try_apply(&mut self, change: impl Into<Change>) -> Result<bool, Refusal> {
        let touched = self.state.apply(&change.into(), self.now)?;
        if touched.is_empty() {
            return Ok(false);
        }
        self.state = self.state.clone().at(self.state.revision().next());
        for key in touched.rows {
            match self.state.row(&key) {
                Some(row) => self.rows.insert(key, row),
                None => self.rows.remove(&key),
            };
        }
        Ok(true)
    }

    pub(super) fn instance(&mut self, memory: u64) -> InstanceId {
        self.joined += 1;
        let n = self.joined;
        let id = InstanceId::new(self.now, self.seed());
        self.names.insert(id.to_string(), format!("i{n}"));
        self.apply(InstanceChange::Register(Instance {
            id,
            cluster: "default".parse().unwrap(),
            name: format!("i{n}"),
            status: InstanceStatus::Active,
            capacity: Resources::new(memory, memory),
            platform: Platform::new("linux", "amd64"),
            host: HostIdentity::default(),
            advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            allowed_address: None,
            subnet: Some(format!("10.90.{n}.0/{}", self.prefix).parse().unwrap()),
            last_address: 0,
            last_port: 0,
            attributes: BTreeMap::new(),
            suspended: false,
            disk_low: false,
            agent_version: "0".to_owned(),
            docker_version: "0".to_owned(),
            divides_limits: None,
            registered_at: self.now,
        }));
        self.observed.hear_instance(id, true, self.now);
        id
    }

    pub(super) fn nth_instance(&self, n: usize) -> InstanceId {
        self.state.instances().nth(n - 1).unwrap().id
    }

    pub(super) fn router(&mut self) -> RouterId {
        let id = RouterId::new(self.now, self.seed());
        let name = "r".to_owned();
        let router = Router { id, name, version: "0".to_owned(), registered_at: self.now };
        self.apply(RouterChange::Register(router));
        let revision = self.state.revision();
        self.observed.hear_router(id, true, self.now).applied = Some(revision);
        id
    }

    pub(super) fn push(&mut self, repository: &str, n: u8) {
        self.push_for(repository, n, &[]);
    }

    pub(super) fn push_for(&mut self, repository: &str, n: u8, platforms: &[(&str, &str)]) {
        let name: RepositoryName = repository.parse().unwrap();
        self.apply(RepositoryChange::Create(Repository {
            name: name.clone(),
            created_at: self.now,
        }));
        let platforms = platforms.iter().map(|(os, arch)| Platform::new(*os, *arch)).collect();
        self.names.insert(digest(n).to_string(), format!("image{n}"));
        self.apply(RepositoryChange::PutTag(Tag {
            repository: name,
            name: "latest".parse().unwrap(),
            digest: digest(n),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            size_bytes: 1,
            platforms,
            exposed_ports: [8080].into(),
            pushed_at: self.now,
            pushed_by: "user/admin".to_owned(),
        }));
    }

    /// A service without a target group.
    pub(super) fn service(&mut self, name: &str, desired: u32) -> ServiceId {
        self.service_with(name, desired, false, serde_json::json!([{"containerPort": 8080}]))
    }

    /// A service behind a target group.
    pub(super) fn web(&mut self, name: &str, desired: u32) -> ServiceId {
        self.service_with(name, desired, true, serde_json::json!([{"containerPort": 8080}]))
    }

    #[expect(clippy::needless_pass_by_value, reason = "a literal reads better by value")]
    pub(super) fn service_with(
        &mut self,
        name: &str,
        desired: u32,
        balanced: bool,
        ports: serde_json::Value,
    ) -> ServiceId {
        let id = ServiceId::new(self.now, self.seed());
        let mut definition = definition(name, 1, &ports);
        if self.says_no_resources {
            let container = &mut definition.container_definitions[0];
            (container.cpu, container.memory) = (0, None);
        }
        let task_definition = definition.key();
        self.apply(TaskDefinitionChange::Register(definition));
        let mut load_balancers = Vec::new();
        if balanced {
            let group = TargetGroup {
                id: TargetGroupId::new(self.now, self.seed()),
                cluster: "default".parse().unwrap(),
                name: name.parse().unwrap(),
                created_at: self.now,
            };
            load_balancers.push(LoadBalancer {
                target_group: group.id,
                container_name: "web".parse().unwrap(),
                container_port: 8080,
                health_check: HealthCheck::default(),
                deregistration_delay_seconds: 30,
                routes: vec![self.route(&format!("{name}.localhost"))],
            });
            self.apply(RoutingChange::CreateTargetGroup(group));
        }
        self.apply(ServiceChange::Create(NewService {
            desired_count: desired,
            created_by: "user/admin".to_owned(),
            ..NewService::new(id, "default".parse().unwrap(), name.parse().unwrap(), self.now)
        }));
        let repository: RepositoryName = name.parse().unwrap();
        let tag = self.state.tag(&repository, &"latest".parse().unwrap());
        let digest = tag.map_or(digest(1), |tag| tag.digest);
        let first = ServiceRevision {
            id: ServiceRevisionId::new(self.now, self.seed()),
            service: id,
            number: 1,
            base: None,
            origin: RevisionOrigin::Requested,
            task_definition,
            images: BTreeMap::from([("web".parse().unwrap(), PinnedImage { repository, digest })]),
            load_balancers,
            created_at: self.now,
            created_by: "user/admin".to_owned(),
        };
        self.deploy(id, first);
        id
    }

    pub(super) fn route(&mut self, host: &str) -> Route {
        Route {
            id: RuleId::new(self.now, self.seed()),
            listener: self.state.listeners().next().unwrap().id,
            conditions: Conditions::host_and_path(host, "/"),
        }
    }

    /// Somebody asks for this revision.
    pub(super) fn deploy(&mut self, service: ServiceId, revision: ServiceRevision) -> DeploymentId {
        let id = DeploymentId::new(self.now, self.seed());
        self.deployment_name(id);
        self.apply(DeploymentChange::Start(NewDeployment {
            id,
            service,
            revision: RolledOut::New(revision),
            cause: DeploymentCause::Requested,
            created_at: self.now,
            created_by: "user/admin".to_owned(),
        }));
        id
    }

    /// The next revision of a service, changed like this.
    pub(super) fn change(
        &mut self,
        service: ServiceId,
        change: impl FnOnce(&mut ServiceRevision),
    ) -> DeploymentId {
        let known = self.state.service(service).unwrap();
        let mut next = self.state.requested_revision(known).unwrap().clone();
        next.number = known.last_revision + 1;
        next.base = Some(next.id);
        next.origin = RevisionOrigin::Requested;
        next.id = ServiceRevisionId::new(self.now, self.seed());
        change(&mut next);
        self.deploy(service, next)
    }

    /// The hosts of a service's rules that are in force.
    pub(super) fn hosts(&self, service: ServiceId) -> Vec<String> {
        let rules = self.state.service_rules(self.state.service(service).unwrap());
        rules.into_iter().flat_map(|rule| rule.conditions.host_header).collect()
    }

    pub(super) fn bounds(&mut self, service: ServiceId, minimum: u32, maximum: u32) {
        let known = self.state.service(service).unwrap().deployment_configuration.clone();
        self.apply(ServiceChange::Update(ServiceUpdate {
            service: Some(service),
            deployment_configuration: Some(DeploymentConfiguration {
                minimum_healthy_percent: minimum,
                maximum_percent: maximum,
                ..known
            }),
            ..ServiceUpdate::default()
        }));
    }

    pub(super) fn scale(&mut self, service: ServiceId, desired: u32) {
        self.apply(ServiceChange::Update(ServiceUpdate {
            service: Some(service),
            desired_count: Some(desired),
            ..ServiceUpdate::default()
        }));
    }

    /// Time passes; who is connected is heard of.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        for presence in self.observed.instances.values_mut().filter(|seen| seen.connected) {
            presence.heard_at = self.now;
        }
        for router in self.observed.routers.values_mut().filter(|seen| seen.presence.connected) {
            router.presence.heard_at = self.now;
        }
    }

    pub(super) fn secs(&mut self, secs: u64) {
        self.pass(Duration::from_secs(secs));
    }

    pub(super) fn disconnect(&mut self, id: InstanceId) {
        let heard_at = self.observed.instances[&id].heard_at;
        self.observed.instances.insert(id, observed::Presence { connected: false, heard_at });
    }

    pub(super) fn plan(&mut self) -> Plan {
        let seed = self.seed();
        plan(&self.state, &self.observed, self.now, &self.settings, seed)
    }

    /// Plans once and applies it; what it was, as text.
    #[track_caller]
    pub(super) fn step(&mut self) -> String {
        let plan = self.plan();
        let mut lines = Vec::new();
        for batch in plan.batches.into_iter().map(|groups| groups.concat()) {
            let touched = self.state.clone().apply_all(&batch, self.now).unwrap();
            let rows = touched.rows.len() + 3 * touched.history.len();
            assert!(rows < 100, "a batch of {rows} rows: one commit takes 100 with the revision");
            for change in batch {
                lines.push(self.describe(&change));
                assert!(self.apply(change), "a change does nothing: {}", lines.last().unwrap());
            }
        }
        lines.join("\n")
    }

    /// Plans until nothing is left to do.
    #[track_caller]
    pub(super) fn settle(&mut self) -> String {
        let mut steps = Vec::new();
        for _ in 0..50 {
            let step = self.step();
            if step.is_empty() {
                return steps.join("\n");
            }
            steps.push(step);
        }
        panic!("does not settle:\n{}", steps.join("\n"));
    }

    pub(super) fn wanted(&self, service: ServiceId) -> Vec<TaskId> {
        self.state.tasks_of(service).filter(|task| task.wanted()).map(|task| task.id).collect()
    }

    pub(super) fn report(&mut self, id: TaskId, status: TaskStatus, stopped: Option<Stopped>) {
        let instance = self.state.task(id).unwrap().instance().unwrap();
        self.apply(TaskChange::Report(TaskReport {
            instance,
            task: id,
            status,
            stopped,
            containers: Vec::new(),
        }));
    }

    /// Every wanted task of the service runs.
    pub(super) fn run(&mut self, service: ServiceId) {
        for id in self.wanted(service) {
            if self.state.task(id).unwrap().last_status() < TaskStatus::Running {
                self.report(id, TaskStatus::Running, None);
            }
        }
        self.routers_apply();
    }

    pub(super) fn fail(&mut self, id: TaskId) {
        self.fail_with(id, StopCause::ContainerExited);
    }

    pub(super) fn fail_with(&mut self, id: TaskId, cause: StopCause) {
        self.report(id, TaskStatus::Stopped, Some(Stopped::new(cause, "")));
        self.reap();
    }

    /// Connected routers take the table as it is now: new targets are INITIAL, those that leave are draining.
    pub(super) fn routers_apply(&mut self) {
        let view = self.state.router_view();
        let revision = self.state.revision();
        for router in self.observed.routers.values_mut().filter(|seen| seen.presence.connected) {
            router.applied = Some(revision);
            let known = std::mem::take(&mut router.targets);
            for (group, targets) in view.groups() {
                for target in targets {
                    let key = (group.id, target.task);
                    let seen = known.get(&key).cloned().unwrap_or(TargetSeen {
                        health: TargetHealth::Initial,
                        reason: None,
                        failure: None,
                        draining: false,
                        in_flight: 0,
                    });
                    let draining = target.draining;
                    router.targets.insert(key, TargetSeen { draining, ..seen });
                }
            }
        }
    }

    pub(super) fn see(&mut self, task: TaskId, health: TargetHealth, reason: Option<&str>) {
        for router in self.observed.routers.values_mut() {
            for ((_, id), seen) in &mut router.targets {
                if *id == task {
                    seen.health = health;
                    seen.reason = reason.map(ToOwned::to_owned);
                }
            }
        }
    }

    /// Every running task of the service passes its checks.
    pub(super) fn heal(&mut self, service: ServiceId) {
        for id in self.wanted(service) {
            self.see(id, TargetHealth::Healthy, None);
        }
    }

    /// Agents stop what they are told to and remove what has stopped.
    pub(super) fn reap(&mut self) {
        let tasks: Vec<_> = self.state.tasks().cloned().collect();
        for task in tasks {
            if task.last_status() == TaskStatus::Stopping {
                self.report(task.id, TaskStatus::Stopped, None);
            }
            let known = self.state.task(task.id).unwrap().clone();
            if let Some(instance) = known.instance()
                && known.last_status() == TaskStatus::Stopped
                && !known.reaped()
                && self.state.instance(instance).is_some()
            {
                self.apply(TaskChange::Reaped { instance, task: known.id });
            }
        }
        self.routers_apply();
    }

    /// A service whose desired count runs healthily.
    #[track_caller]
    pub(super) fn grow(&mut self, service: ServiceId) {
        for _ in 0..10 {
            self.step();
            self.run(service);
            self.heal(service);
            self.secs(41);
            self.step();
            self.reap();
        }
        let state = self.state.service(service).unwrap();
        let deployment = self.state.deployment(state.deployment.unwrap()).unwrap();
        assert_eq!(deployment.rollout_state, RolloutState::Completed);
        assert_eq!(self.settle(), "", "a settled state plans nothing");
    }
}
