//! The installation that is simulated: what there is, and what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use model::{Digest, InstanceId, RouterId, ServiceId, Timestamp};

use super::actors::{Agent, RouterActor};
use super::chance::Random;
use crate::tests::world::World;

const NAMES: [&str; 3] = ["one", "two", "three"];

pub(super) struct Simulation {
    pub(super) world: World,
    pub(super) random: Random,
    pub(super) agents: BTreeMap<InstanceId, Agent>,
    pub(super) routers: BTreeMap<RouterId, RouterActor>,
    pub(super) services: Vec<(ServiceId, &'static str)>,
    pub(super) pushed: u8,
    /// What pushes rolled out.
    pub(super) started: BTreeSet<(ServiceId, Digest)>,
    /// What somebody else has changed since the plan was made that is being committed.
    pub(super) disturbed: Disturbed,
    pub(super) server_back_at: Timestamp,
    /// Whether things still happen.
    pub(super) is_wild: bool,
    pub(super) log: Vec<String>,
}

/// What somebody else has changed since a plan was made: what holds of it was decided on something older.
#[derive(Default)]
pub(super) struct Disturbed {
    pub(super) services: BTreeSet<ServiceId>,
    pub(super) instances: BTreeSet<InstanceId>,
    /// Whether anything was changed or refused.
    pub(super) anything: bool,
}

impl Simulation {
    pub(super) fn new(seed: u64) -> Self {
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
            disturbed: Disturbed::default(),
            is_wild: true,
            log: Vec::new(),
        }
    }
}
